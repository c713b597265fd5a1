"""Make the pictures of the README: ``python docs/pictures.py`` (in a display, or xvfb-run -a).

They show the present state: the bundled samples, the bundled weights, the widget as it is.
"""

from __future__ import annotations

import time
from pathlib import Path

import napari
import numpy as np
from PIL import Image
from qtpy.QtWidgets import QApplication

import napari_anyir
from napari_anyir.analysis import contact_sheet
from napari_anyir.cli.scores import Score
from napari_anyir.cli.sheet import draw_sheet
from napari_anyir.samples import SAMPLES
from napari_anyir.training.evaluate import psnr_ssim

IMAGES = Path(__file__).parent / "images"


def restored() -> None:
    """Draw degraded, restored and clean side by side."""
    rows = []
    for key in ("noise", "rain", "haze", "darkness", "micrograph"):
        degraded, clean = SAMPLES[key].read()
        result = napari_anyir.restore(degraded)
        low, high = (0, 255) if clean.dtype == np.uint8 else (int(clean.min()), int(clean.max()))
        unit = [(x.astype(np.float32) - low) / (high - low) for x in (degraded, result, clean)]
        if clean.ndim == 2:
            unit = [np.repeat(x[..., None], 3, axis=-1) for x in unit]
        scores = [Score(*psnr_ssim(x, unit[2]), float(high - low)) for x in unit[:2]]
        rows.append((SAMPLES[key].title, (degraded, result, clean), *scores))
    Image.fromarray(draw_sheet(rows)).save(IMAGES / "restored.jpg", quality=88)


def inside() -> None:
    """Draw what the blocks of the decoder see in the rainy sample."""
    degraded, _ = SAMPLES["rain"].read()
    maps = napari_anyir.feature_maps(
        degraded, ["encoder1.0", "latent.0", "decoder2.0", "decoder1.0", "refinement.1"]
    )
    sheet = contact_sheet(maps, degraded, napari_anyir.restore(degraded))
    sheet.save(IMAGES / "inside.png")


def _work(until: float = 0.0, busy: object = None) -> None:
    """Let the window work for some seconds, or as long as ``busy.running``."""
    end = time.monotonic() + until
    while time.monotonic() < end or getattr(busy, "running", False):
        QApplication.processEvents()
        time.sleep(0.01)


def window() -> None:
    """Restore the noisy sample in a window and take its picture."""
    viewer = napari.Viewer()
    viewer.window.resize(1366, 768)
    viewer.open_sample("napari-anyir", "noise")
    _, widget = viewer.window.add_plugin_dock_widget("napari-anyir", "Restore image")
    widget.form.layer_box.choose(viewer.layers["noise"])
    widget.form.device_box.setCurrentText("cpu")
    _work(2)
    widget.run_button.click()
    _work(1, widget.runner)
    result = next(layer for layer in viewer.layers if "restored" in layer.name)
    # Side by side, as a user would compare: moved, not in a grid, whose name napari has changed.
    result.translate = (0, result.data.shape[1] + 8)
    viewer.reset_view()
    _work(1)
    viewer.screenshot(IMAGES / "window.png", canvas_only=False, flash=False)
    viewer.close()


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    restored()
    inside()
    window()
