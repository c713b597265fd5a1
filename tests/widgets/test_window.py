"""The whole way in a real window: from the menu's command to pixels on the canvas."""

from __future__ import annotations

import time

import numpy as np
import pytest
from qtpy.QtCore import QTimer

from napari_anyir.samples import SAMPLES

pytestmark = pytest.mark.window


@pytest.fixture
def window(make_napari_viewer, qtbot):
    """Return a shown viewer: only that draws real pixels."""
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1366, 768)
    return viewer


def test_a_sample_is_opened_and_restored(window, qtbot, finish) -> None:
    layers = window.open_sample("napari-anyir", "noise")
    assert [layer.name for layer in layers] == ["noise (clean)", "noise"]
    noisy = window.layers["noise"]
    noisy.data = noisy.data[:96, :128]  # small enough for a test
    _, widget = window.window.add_plugin_dock_widget("napari-anyir", "Restore image")
    widget.form.layer_box.choose(noisy)
    widget.form.model_box.setCurrentText("nano")
    widget.form.device_box.setCurrentText("cpu")
    assert widget.form.axes == "YXS"
    finish(widget.form._probe)

    gaps: list[float] = []
    last = time.perf_counter()

    def beat() -> None:
        nonlocal last
        now = time.perf_counter()
        gaps.append(now - last)
        last = now

    timer = QTimer()
    timer.timeout.connect(beat)
    timer.start(5)
    widget.run_button.click()
    finish(widget.runner)
    timer.stop()

    result = window.layers["noise (nano)"]
    assert result.rgb
    clean = SAMPLES["noise"].read()[1][:96, :128].astype(float)
    before = np.square(noisy.data - clean).mean()
    after = np.square(result.data - clean).mean()
    assert after < 0.8 * before
    assert len(gaps) > 3  # the window's own timer went on while the network computed

    # napari passes a proxy of the viewer; the slider must find the layer nevertheless.
    full = result.data.copy()
    widget.strength_slider.setValue(50)
    qtbot.waitUntil(lambda: not np.array_equal(result.data, full))
    widget.strength_slider.setValue(100)
    qtbot.waitUntil(lambda: np.array_equal(result.data, full))

    # What the canvas shows is the result, not black: compare its mean with that of the pixels.
    for layer in window.layers:
        layer.visible = layer == result
    window.reset_view()
    qtbot.wait(100)
    picture = window.screenshot(canvas_only=True, flash=False)[..., :3].astype(float)
    drawn = picture.max(axis=-1) > 0  # the canvas around the image is black
    assert drawn.mean() > 0.1
    assert abs(picture[drawn].mean() - result.data[result.data.max(axis=-1) > 0].mean()) < 6
    assert window.layers["noise (nano)"].visible


def test_the_dock_fits_a_small_laptop(window, qtbot) -> None:
    window.add_image(np.zeros((3, 64, 64), np.uint8))
    _, widget = window.window.add_plugin_dock_widget("napari-anyir", "Restore image")
    widget.form.advanced.expand(animate=False)
    widget.form.what_box.setCurrentIndex(2)
    qtbot.wait(100)
    screen = window.window._qt_window
    assert screen.minimumSizeHint().height() <= 768
    assert screen.height() <= 768
    assert widget.minimumSizeHint().height() <= 640


def test_closing_the_window_stops_the_run(window, qtbot, finish) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (200, 32, 32)).astype(np.uint8)
    window.add_image(noise)
    _, widget = window.window.add_plugin_dock_widget("napari-anyir", "Restore image")
    widget.form.model_box.setCurrentText("nano")
    finish(widget.form._probe)
    widget.run_button.click()
    qtbot.waitUntil(lambda: widget.progress_bar.value() > 0, timeout=60_000)
    runner = widget.runner
    worker = runner._worker
    window.close()
    assert worker.is_set()
    qtbot.waitUntil(lambda: not worker.is_running, timeout=10_000)


@pytest.mark.slow
def test_comparisons_and_axes_survive_new_layers(window, qtbot, finish) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (5, 32, 40)).astype(np.uint8)
    window.add_image(noise, name="a")
    window.add_image(noise // 2, name="b")
    _, restore = window.window.add_plugin_dock_widget("napari-anyir", "Restore image")
    finish(restore.form._probe)
    restore.form.axes_edit.setText("TYX")
    restore.form.axes_edit.textEdited.emit("TYX")
    _, compare = window.window.add_plugin_dock_widget("napari-anyir", "Compare layers")
    compare.set_mode("&Wipe")
    compare.wipe_slider.setValue(20)
    assert compare.mode_buttons["&Wipe"].isChecked()
    window.add_image(noise, name="c")
    restore.form.layer_box.choose(window.layers["b"])
    assert restore.form.axes == "TYX"
    compare.set_mode(None)
    finish(compare.runner)
    assert [layer.name for layer in window.layers] == ["a", "b", "c"]
