from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

import napari_anyir
from napari_anyir.widgets.layers.layer_origins import is_image
from napari_anyir.widgets.layers.viewer import camera
from napari_anyir.widgets.restore import RestoreWidget, live_preview


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def widget(qtbot, viewer: ViewerModel, monkeypatch) -> RestoreWidget:
    monkeypatch.setattr(live_preview, "PIXELS", 400)
    monkeypatch.setattr(live_preview, "DELAY", 20)
    made = RestoreWidget(viewer)
    qtbot.addWidget(made)
    made.form.model_box.setCurrentText("nano")
    made.form.device_box.setCurrentText("cpu")
    return made


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (64, 80)).astype(np.uint8)


def look(layer, start, stop) -> None:
    """Say what napari says of a layer when it has drawn it."""
    layer.corner_pixels = np.array([start, np.subtract(stop, 1)])


def settled(widget: RestoreWidget, qtbot) -> None:
    preview = widget.preview
    qtbot.waitUntil(
        lambda: not preview.timer.isActive() and not preview.runner.running, timeout=60_000
    )


def test_what_is_in_view_is_restored_over_its_place(widget, viewer, pixels, qtbot) -> None:
    affine = np.array([[0, 2, 1], [2, 0, 3], [0, 0, 1.0]])
    layer = viewer.add_image(pixels, scale=(0.5, 0.5), affine=affine)
    look(layer, (10, 20), (26, 40))
    widget.preview_box.setChecked(True)
    settled(widget, qtbot)
    shown = widget.preview.layer
    part = pixels[10:26, 20:40]
    expected = napari_anyir.restore(part, axes="YX", model="nano", device="cpu")
    np.testing.assert_array_equal(shown.data, expected)
    for corner in [(0, 0), (15, 19)]:
        np.testing.assert_allclose(
            shown.data_to_world(corner), layer.data_to_world(np.add(corner, (10, 20)))
        )
    assert viewer.layers.selection.active == layer
    assert not is_image(shown)
    assert widget.form.layer == layer


def test_it_follows_the_camera_and_replaces_itself(widget, viewer, pixels, qtbot) -> None:
    layer = viewer.add_image(pixels)
    look(layer, (0, 0), (16, 16))
    widget.preview_box.setChecked(True)
    settled(widget, qtbot)
    look(layer, (30, 30), (46, 50))
    camera(viewer).center = (0, 38, 40)
    settled(widget, qtbot)
    assert len(viewer.layers) == 2
    assert widget.preview.layer.data.shape == (16, 20)
    np.testing.assert_allclose(widget.preview.layer.data_to_world((0, 0)), (30, 30))


def test_nothing_is_computed_twice(widget, viewer, pixels, qtbot) -> None:
    layer = viewer.add_image(pixels)
    look(layer, (0, 0), (16, 16))
    widget.preview_box.setChecked(True)
    settled(widget, qtbot)
    seen = widget.preview._shown
    camera(viewer).zoom = 1.01  # the same pixels are in view
    settled(widget, qtbot)
    assert widget.preview._shown is seen


def test_a_stale_preview_is_dropped(widget, viewer, pixels, qtbot) -> None:
    layer = viewer.add_image(pixels)
    look(layer, (0, 0), (16, 16))
    widget.preview_box.setChecked(True)
    qtbot.waitUntil(lambda: widget.preview.runner.running)
    look(layer, (40, 40), (56, 56))
    camera(viewer).center = (0, 48, 48)
    settled(widget, qtbot)
    np.testing.assert_allclose(widget.preview.layer.data_to_world((0, 0)), (40, 40))


def test_a_large_view_is_previewed_in_its_middle(widget, viewer, pixels, qtbot) -> None:
    layer = viewer.add_image(pixels)
    look(layer, (0, 0), (64, 80))
    widget.preview_box.setChecked(True)
    settled(widget, qtbot)
    assert widget.preview.layer.data.shape == (20, 20)
    np.testing.assert_allclose(widget.preview.layer.data_to_world((0, 0)), (22, 30))


def test_a_coarse_level_is_previewed_finely(widget, viewer, pixels, qtbot) -> None:
    layer = viewer.add_image([pixels, pixels[::4, ::4]], multiscale=True)
    layer.data_level = 1
    look(layer, (2, 3), (6, 8))
    widget.preview_box.setChecked(True)
    settled(widget, qtbot)
    part = pixels[8:24, 12:32]
    expected = napari_anyir.restore(part, axes="YX", model="nano", device="cpu")
    np.testing.assert_array_equal(widget.preview.layer.data, expected)
    np.testing.assert_allclose(widget.preview.layer.data_to_world((0, 0)), (8, 12))


def test_a_stack_is_followed_through_planes_and_orders(widget, viewer, qtbot) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (18, 16, 20)).astype(np.uint8)
    layer = viewer.add_image(pixels, scale=(3, 1, 1))
    look(layer, (0, 0, 0), (1, 16, 20))
    viewer.dims.set_point(0, 12)
    widget.preview_box.setChecked(True)
    settled(widget, qtbot)
    expected = napari_anyir.restore(pixels[4], axes="YX", model="nano", device="cpu")
    np.testing.assert_array_equal(widget.preview.layer.data[0], expected)
    np.testing.assert_allclose(widget.preview.layer.data_to_world((0, 0, 0)), (12, 0, 0))
    viewer.dims.order = (1, 0, 2)
    viewer.dims.set_point(1, 9)
    look(layer, (0, 0, 0), (18, 1, 20))
    camera(viewer).zoom = 2
    settled(widget, qtbot)
    expected = napari_anyir.restore(pixels[:, 9], axes="YX", model="nano", device="cpu")
    np.testing.assert_array_equal(widget.preview.layer.data[:, 0], expected)
    viewer.dims.ndisplay = 3
    settled(widget, qtbot)
    assert "3-D" in widget.status_label.text()


def test_strength_changes_the_preview_without_another_run(widget, viewer, pixels, qtbot) -> None:
    layer = viewer.add_image(pixels)
    look(layer, (0, 0), (16, 16))
    widget.preview_box.setChecked(True)
    settled(widget, qtbot)
    full = widget.preview.layer.data.copy()
    seen = widget.preview._shown
    widget.strength_slider.setValue(50)
    half = widget.preview.layer.data
    assert np.abs(half - (full / 2 + pixels[:16, :16] / 2)).max() <= 0.5
    settled(widget, qtbot)
    assert widget.preview._shown is seen


def test_it_goes_when_it_is_switched_off(widget, viewer, pixels, qtbot) -> None:
    layer = viewer.add_image(pixels)
    look(layer, (0, 0), (16, 16))
    widget.preview_box.setChecked(True)
    settled(widget, qtbot)
    widget.preview_box.setChecked(False)
    assert list(viewer.layers) == [layer]
    camera(viewer).zoom = 3
    assert not widget.preview.timer.isActive()


def test_removing_the_source_during_a_preview_leaves_nothing(widget, viewer, pixels, qtbot) -> None:
    layer = viewer.add_image(pixels)
    look(layer, (0, 0), (16, 16))
    widget.preview_box.setChecked(True)
    settled(widget, qtbot)
    viewer.layers.remove(layer)
    settled(widget, qtbot)
    assert not viewer.layers
    assert widget.preview._shown is None
    assert widget.preview._watched is None
