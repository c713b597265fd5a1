"""Make the pictures of the widgets for the documentation: real napari, real images, real weights.

Run on a screen of at least 1366 x 768, for instance::

    xvfb-run -a -s "-screen 0 1366x768x24" python docs/screenshots.py

Pictures go to docs/images/, or to the folder that ``--folder`` names; ``--only feature_maps`` makes
those of one function alone. The dock of the analyses saves each of its figures as well.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import napari

PLUGIN = "napari-anyir"


def wait(until: Callable[[], bool] = lambda: False, seconds: float = 300.0) -> None:
    """Let the window work until something is so."""
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + seconds
    while time.monotonic() < end and not until():
        QApplication.processEvents()
        time.sleep(0.01)


def save(viewer: napari.Viewer, folder: Path, name: str) -> None:
    wait(seconds=1.0)
    viewer.screenshot(str(folder / f"widget-{name}.png"), canvas_only=False, flash=False)
    print(folder / f"widget-{name}.png")


def open_viewer(sample: str) -> napari.Viewer:
    import napari

    viewer = napari.Viewer(show=True)
    viewer.window.resize(1366, 768)
    viewer.open_sample(PLUGIN, sample)
    wait(seconds=0.5)
    return viewer


def open_dock(viewer: napari.Viewer, name: str):
    """Open a dock as the menu does, which titles it with what the plugin is called there."""
    from napari._app_model import get_app_model
    from npe2 import PluginManager

    manifest = PluginManager.instance().get_manifest(PLUGIN)
    (command,) = (w.command for w in manifest.contributions.widgets if w.display_name == name)
    get_app_model().commands.execute_command(command).result()
    dock = viewer.window._wrapped_dock_widgets[f"{name} ({manifest.display_name})"]
    return dock.inner_widget()


def restored(viewer: napari.Viewer, sample: str):
    widget = open_dock(viewer, "Restore image")
    wait(lambda: not widget.form._probe.running)
    widget.form.layer_box.choose(viewer.layers[sample])
    widget.run()
    wait(lambda: not widget.runner.running)
    return widget


def restore(folder: Path) -> None:
    viewer = open_viewer("noise")
    widget = restored(viewer, "noise")
    widget.form.advanced.expand(animate=False)
    save(viewer, folder, "restore")
    viewer.close()


def window(folder: Path) -> None:
    viewer = open_viewer("noise")
    (result,) = restored(viewer, "noise").results.layers
    # Moved, not in a grid, whose name napari has changed.
    result.translate = (0, result.data.shape[1] + 8)
    viewer.reset_view()
    save(viewer, folder, "window")
    viewer.close()


def preview(folder: Path) -> None:
    viewer = open_viewer("micrograph")
    widget = open_dock(viewer, "Restore image")
    wait(lambda: not widget.form._probe.running)
    widget.form.layer_box.choose(viewer.layers["micrograph"])
    widget.preview_box.setChecked(True)
    wait(lambda: widget.preview.layer is not None)
    save(viewer, folder, "preview")
    viewer.close()


def compare(folder: Path) -> None:
    viewer = open_viewer("noise")
    restored(viewer, "noise")
    viewer.window.remove_dock_widget("all")
    widget = open_dock(viewer, "Compare layers")
    wait(lambda: not widget.runner.running)
    widget.set_mode("&Wipe")
    save(viewer, folder, "compare-wipe")
    widget.set_mode("S&ide by side")
    save(viewer, folder, "compare-side-by-side")
    widget.set_mode(None)
    viewer.reset_view()
    widget.add_difference()
    save(viewer, folder, "compare-difference")
    viewer.close()


def degrade(folder: Path) -> None:
    viewer = open_viewer("rain")
    widget = open_dock(viewer, "Degrade image")
    wait(lambda: bool(widget._kinds))
    viewer.layers["rain"].visible = False  # it would lie above the result
    viewer.layers["rain (clean)"].visible = True  # results are as visible as their source
    widget.layer_box.choose(viewer.layers["rain (clean)"])
    widget.kind_box.setCurrentText("snow")
    widget.run()
    wait(lambda: not widget.runner.running)
    save(viewer, folder, "degrade")
    viewer.close()


def folder(images: Path) -> None:
    from napari_anyir.samples import FOLDER, SAMPLES

    with tempfile.TemporaryDirectory() as place:
        raw = Path(place) / "raw"
        raw.mkdir()
        for key in ("noise", "rain", "haze", "micrograph"):
            shutil.copy(FOLDER / SAMPLES[key].degraded, raw)
        (raw / "broken.tif").write_bytes(b"no image")
        viewer = open_viewer("haze")
        widget = open_dock(viewer, "Restore a folder")
        wait(lambda: not widget._probe.running)
        widget.input_field.edit.setText(str(raw))
        widget.output_field.edit.setText(str(Path(place) / "restored"))
        widget.run()
        wait(lambda: not widget.runner.running)
        save(viewer, images, "folder")
        viewer.close()


def learn(folder: Path) -> None:
    viewer = open_viewer("micrograph")
    widget = open_dock(viewer, "Learn my noise")
    for layer in viewer.layers:
        widget.form.layer_list.tick(layer, layer.name == "micrograph")
    widget.form.minutes_box.setValue(4.0)
    widget.run()
    wait(lambda: len(widget._curves._loss.points) >= 5 or not widget.runner.running, 900.0)
    save(viewer, folder, "learn")
    widget.close()
    wait(lambda: not widget.runner.running)
    viewer.close()


def feature_maps(folder: Path) -> None:
    viewer = open_viewer("rain")
    widget = open_dock(viewer, "Look inside (DAB feature maps)")
    wait(lambda: not widget.model_choice._probe.running)
    widget.layer_box.choose(viewer.layers["rain"])
    widget.ushape.choose(["encoder1.0", "latent.1", "decoder1.0"])
    for name, box in widget.part_boxes.items():
        box.setChecked(name == "fused")
    widget.run()
    wait(lambda: not widget.runner.running)
    viewer.reset_view()
    save(viewer, folder, "look-inside")
    widget.table.remove(widget.table._keys[1])
    for name, box in widget.part_boxes.items():
        box.setChecked(name in ("alpha", "attention", "gated", "fused"))
    widget.gather_box.setChecked(False)  # a cell for each map; those that are there are made anew
    wait(lambda: not widget.runner.running)
    widget.ushape.choose(["encoder1.0", "decoder1.0"])
    widget.run()
    wait(lambda: not widget.runner.running)
    widget.side_box.setChecked(True)
    save(viewer, folder, "look-inside-side-by-side")
    viewer.close()


def what_if(folder: Path) -> None:
    viewer = open_viewer("noise")
    widget = open_dock(viewer, "What if (switch parts off)")
    wait(lambda: not widget.model_choice._probe.running)
    widget.layer_box.choose(viewer.layers["noise"])
    for name, box in widget.part_boxes.items():
        box.setChecked(name in ("alpha", "attention", "gated", "frequency"))
    widget.run_each()
    wait(lambda: not widget.runner.running)
    for name, box in widget.part_boxes.items():
        box.setChecked(name == "gated")
    widget.ushape.choose([name for name in widget.ushape.structure.names if "coder1" in name])
    widget.run()
    wait(lambda: not widget.runner.running)
    save(viewer, folder, "what-if")
    viewer.close()


def analyses(folder: Path) -> None:
    from napari_anyir.widgets.analyses.analysis_job import KINDS

    blocks = {
        "error_map": ["encoder1.0"],
        "contact_sheet": ["encoder1.0", "encoder3.0", "latent.1", "decoder2.0", "decoder1.0"],
    }
    viewer = open_viewer("rain")
    widget = open_dock(viewer, "Analyses (the paper's figures)")
    wait(lambda: not widget.model_choice._probe.running)
    widget.layer_box.choose(viewer.layers["rain"])
    for index, kind in enumerate(KINDS):
        widget.kind_box.setCurrentIndex(index)
        widget.ushape.choose(blocks.get(kind, ["decoder1.0"]))
        widget.run()
        wait(lambda: not widget.runner.running)
        path = folder / f"analysis-{kind.replace('_', '-')}.png"
        widget.analysed.analysis.save(path, dpi=80)
        print(path)
        if kind == "singular_values":
            save(viewer, folder, "analyses")
    viewer.close()


def main() -> None:
    makers = {
        maker.__name__: maker
        for maker in (
            window,
            restore,
            preview,
            compare,
            degrade,
            folder,
            learn,
            feature_maps,
            what_if,
            analyses,
        )
    }
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent / "images")
    parser.add_argument("--only", nargs="+", choices=tuple(makers), default=tuple(makers))
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as settings:
        # Otherwise the pictures show the settings of whoever makes them, and change them.
        os.environ["NAPARI_CONFIG"] = str(Path(settings) / "settings.yaml")
        for name in options.only:
            makers[name](options.folder)


if __name__ == "__main__":
    main()
