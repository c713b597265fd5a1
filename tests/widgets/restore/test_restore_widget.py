from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from napari.components import ViewerModel

import napari_anyir
from napari_anyir.widgets.restore import RestoreWidget
from napari_anyir.widgets.restore.restore_widget import summary


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def noise() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def widget(qtbot, viewer: ViewerModel) -> RestoreWidget:
    made = RestoreWidget(viewer)
    qtbot.addWidget(made)
    made.form.model_box.setCurrentText("nano")
    made.form.device_box.setCurrentText("cpu")
    return made


def run(widget: RestoreWidget, finish) -> None:
    widget.run()
    finish(widget.runner)


def test_without_a_layer_it_says_what_to_do(widget: RestoreWidget) -> None:
    assert "File > Open" in widget.form.axes_label.text()
    assert not widget.run_button.isEnabled()


def test_axes_are_prefilled_checked_and_explained(widget, viewer) -> None:
    viewer.add_image(np.zeros((3, 8, 9), np.uint8), axis_labels=("t", "y", "x"))
    assert widget.form.axes == "TYX"
    assert "3 planes of 8 × 9" in widget.form.axes_label.text()
    assert widget.run_button.isEnabled()
    widget.form.axes_edit.setText("TY")
    widget.form.axes_edit.textEdited.emit("TY")
    assert "has 3" in widget.form.axes_label.text()
    assert not widget.run_button.isEnabled()


def test_a_layer_is_restored_into_a_new_one(widget, viewer, noise, finish) -> None:
    pixels = noise.integers(0, 255, (16, 20), np.uint8)
    layer = viewer.add_image(pixels.copy(), name="coins", scale=(2, 3), units=("um", "um"))
    run(widget, finish)
    assert [item.name for item in viewer.layers] == ["coins", "coins (nano)"]
    result = viewer.layers["coins (nano)"]
    expected = napari_anyir.restore(pixels, axes="YX", model="nano", device="cpu")
    np.testing.assert_array_equal(result.data, expected)
    np.testing.assert_array_equal(layer.data, pixels)
    assert tuple(result.scale) == (2, 3)
    assert result.units == layer.units
    assert widget.status_label.text().startswith("nano on cpu")
    assert widget.form.layer == layer


def test_strength_changes_the_result_without_another_run(
    widget, viewer, noise, finish, qtbot
) -> None:
    layer = viewer.add_image(noise.integers(0, 255, (16, 20), np.uint8))
    run(widget, finish)
    result = viewer.layers[-1]
    full = result.data.copy()
    widget.strength_box.setValue(40)
    qtbot.waitUntil(lambda: not np.array_equal(result.data, full))
    expected = layer.data + 0.4 * (full.astype(float) - layer.data)
    assert np.abs(result.data - expected).max() <= 0.5
    assert result.metadata["napari_anyir"]["strength"] == 0.4
    assert not widget.runner.running
    assert len(viewer.layers) == 2
    widget.strength_slider.setValue(100)
    qtbot.waitUntil(lambda: np.array_equal(result.data, full))


def test_errors_are_said_in_the_widget(widget, viewer, finish) -> None:
    viewer.add_image(np.full((8, 8), np.nan, np.float32))
    assert "64 NaN pixels" in widget.form.axes_label.text()
    assert not widget.run_button.isEnabled()
    run(widget, finish)
    assert "NaN" in widget.status_label.text()
    assert len(viewer.layers) == 1


def test_cancel_adds_no_layer(widget, viewer, noise, finish, qtbot) -> None:
    viewer.add_image(noise.integers(0, 255, (200, 16, 16)).astype(np.uint8))
    widget.run()
    assert widget.cancel_button.isEnabled()
    qtbot.waitUntil(lambda: widget.progress_bar.value() > 0, timeout=60_000)
    widget.cancel_button.click()
    finish(widget.runner)
    assert len(viewer.layers) == 1
    assert "Cancelled" in widget.status_label.text()
    assert widget.run_button.isEnabled()
    assert not widget.cancel_button.isEnabled()


def test_removing_the_source_stops_the_run(widget, viewer, noise, finish, qtbot) -> None:
    viewer.add_image(noise.integers(0, 255, (200, 16, 16)).astype(np.uint8))
    widget.run()
    qtbot.waitUntil(lambda: widget.progress_bar.value() > 0, timeout=60_000)
    viewer.layers.clear()
    assert widget.runner.stopping
    finish(widget.runner)
    assert not viewer.layers


def test_removing_the_result_frees_its_pixels(widget, viewer, noise, finish, qtbot) -> None:
    viewer.add_image(noise.integers(0, 255, (16, 16), np.uint8))
    run(widget, finish)
    pixels = weakref.ref(widget.results.restored[0].pixels)
    viewer.layers.remove(viewer.layers[-1])
    viewer.layers.selection._current = None  # napari itself remembers the layer that was current
    qtbot.wait(50)
    gc.collect()
    assert pixels() is None


def test_layers_are_followed_by_name_and_order(widget, viewer) -> None:
    first = viewer.add_image(np.zeros((8, 8)), name="first")
    viewer.add_image(np.zeros((8, 8)), name="second")
    viewer.add_points(np.zeros((1, 2)))
    box = widget.form.layer_box
    assert box.layer.name == "second"  # it is the one that was selected last
    box.choose(first)
    assert [box.itemText(i) for i in range(box.count())] == ["second", "first"]
    first.name = "renamed"
    viewer.layers.move(0, 2)
    assert box.layer == first
    assert box.currentText() == "renamed"
    viewer.layers.remove(first)
    assert box.currentText() == "second"


def test_only_devices_that_are_there_are_offered(widget, finish) -> None:
    from napari_anyir.inference import available_devices

    widget.form.find_devices()
    finish(widget.form._probe)
    box = widget.form.device_box
    assert [box.itemText(i) for i in range(box.count())] == ["auto", *available_devices()]
    assert box.currentText() == "cpu"


def test_the_model_is_explained_by_its_card(widget) -> None:
    cards = {card.name: card for card in napari_anyir.list_models()}
    assert widget.form.card_label.text() == cards["nano"].summary


def test_every_control_can_be_reached_and_explains_itself(widget) -> None:
    from qtpy.QtCore import Qt

    form = widget.form
    for field in (
        form.layer_box,
        form.model_box,
        form.device_box,
        form.axes_edit,
        form.what_box,
        form.tile_box,
        form.precision_box,
        form.intensity_box,
        widget.strength_slider,
        widget.strength_box,
        widget.run_button,
        widget.cancel_button,
    ):
        assert field.toolTip()
        assert field.focusPolicy() & Qt.FocusPolicy.TabFocus


@pytest.mark.parametrize(
    ("mode", "tile", "words"),
    [("whole", None, "in one piece"), ("strips", None, "in strips"), ("tiles", 256, "256 pixels")],
)
def test_the_summary_names_what_was_done(mode, tile, words) -> None:
    record = {"model": "nano", "device": "cpu", "precision": "float32", "mode": mode}
    text = summary({**record, "tile": tile, "seconds": 2.0, "planes": 3})
    assert words in text
    assert "3 planes" in text
    assert "2.0 s" in text


def test_the_choices_are_remembered(qtbot, viewer, noise, finish, tmp_path, monkeypatch) -> None:
    from napari_anyir.widgets.kit import last_choices

    monkeypatch.setattr(last_choices, "_napari_section", lambda section: None)
    monkeypatch.setattr(last_choices, "_file", lambda: tmp_path / "napari-anyir.json")
    viewer.add_image(noise.integers(0, 255, (16, 16), np.uint8))
    first = RestoreWidget(viewer)
    qtbot.addWidget(first)
    first.form.model_box.setCurrentText("nano")
    first.form.device_box.setCurrentText("cpu")
    first.form.tile_box.setCurrentText("512 pixels")
    first.form.intensity_box.setCurrentText("range of the type")
    first.strength_slider.setValue(80)
    first.run()
    finish(first.runner)
    second = RestoreWidget(viewer)
    qtbot.addWidget(second)
    assert second.form.settings() == first.form.settings()
    assert second.form.settings().tile == 512
    assert second.strength == 0.8


def test_the_script_on_the_clipboard_makes_the_layer_again(widget, viewer, noise, finish) -> None:
    from qtpy.QtWidgets import QApplication

    viewer.add_image(noise.integers(0, 255, (16, 16), np.uint8), name="noise")
    assert not widget.script_button.isEnabled()
    run(widget, finish)
    widget.script_button.click()
    names = {"viewer": viewer}
    exec(QApplication.clipboard().text(), names)
    np.testing.assert_array_equal(names["restored"], viewer.layers[-1].data)


def test_a_lazy_layer_is_not_computed(widget, viewer, finish) -> None:
    da = pytest.importorskip("dask.array")
    read: list[int] = []

    def plane(block, block_info=None):
        read.append(block_info[0]["array-location"][0][0])
        return block

    data = da.zeros((50, 16, 20), chunks=(1, 16, 20), dtype="uint8")
    lazy = data.map_blocks(plane, dtype="uint8", meta=np.empty((0, 0, 0), "uint8"))
    viewer.add_image(lazy, contrast_limits=(0, 255), name="lazy")
    assert "read when needed" in widget.form.axes_label.text()
    widget.form.intensity_box.setCurrentText("range of the type")  # else it is read for its range
    read.clear()
    run(widget, finish)
    result = viewer.layers["lazy (nano)"]
    assert isinstance(result.data, da.Array)
    assert len(set(read)) < 5  # the shown plane and its thumbnail, not all fifty


@pytest.mark.slow
def test_fifty_runs_and_removals_leave_nothing(widget, viewer, noise, finish, qtbot) -> None:
    """The numbers of a long run are in the documentation; here, that every array is freed."""
    viewer.add_image(noise.integers(0, 255, (16, 16), np.uint8))
    alive: list[weakref.ref] = []
    for _ in range(50):
        run(widget, finish)
        alive.append(weakref.ref(widget.results.restored[0].pixels))
        viewer.layers.pop(-1)
    viewer.layers.selection._current = None
    qtbot.wait(50)
    gc.collect()
    assert sum(pixels() is not None for pixels in alive) == 0
