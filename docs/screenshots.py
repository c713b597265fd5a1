"""Make the pictures of the widgets for the documentation: real napari, real images, real weights.

Run on a screen of at least 1366 x 768, for instance::

    xvfb-run -a -s "-screen 0 1366x768x24" python docs/screenshots.py

Pictures go to docs/images/, or to the folder given as the only argument.
"""

from __future__ import annotations

import os
import shutil
import sys
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


def restored(viewer: napari.Viewer, sample: str):
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Restore image")
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


def preview(folder: Path) -> None:
    viewer = open_viewer("micrograph")
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Restore image")
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
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Compare layers")
    wait(lambda: not widget.runner.running)
    widget.set_mode("&Wipe")
    save(viewer, folder, "compare-wipe")
    widget.set_mode("S&ide by side")
    viewer.reset_view()
    save(viewer, folder, "compare-side-by-side")
    widget.set_mode(None)
    widget.add_difference()
    save(viewer, folder, "compare-difference")
    viewer.close()


def degrade(folder: Path) -> None:
    viewer = open_viewer("rain")
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Degrade image")
    wait(lambda: bool(widget._kinds))
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
        _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Restore a folder")
        wait(lambda: not widget._probe.running)
        widget.input_field.edit.setText(str(raw))
        widget.output_field.edit.setText(str(Path(place) / "restored"))
        widget.run()
        wait(lambda: not widget.runner.running)
        save(viewer, images, "folder")
        viewer.close()


def main() -> None:
    default = Path(__file__).parent / "images"
    images = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    images.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as settings:
        # Otherwise the pictures show the settings of whoever makes them, and change them.
        os.environ["NAPARI_CONFIG"] = str(Path(settings) / "settings.yaml")
        for picture in (restore, preview, compare, degrade, folder):
            picture(images)


if __name__ == "__main__":
    main()
