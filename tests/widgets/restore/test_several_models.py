"""Several models on one layer in one go, and their results beside each other."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QApplication

import napari_anyir
from napari_anyir.weights import registry
from napari_anyir.widgets.compare import CompareWidget
from napari_anyir.widgets.layers.blending import blend
from napari_anyir.widgets.layers.viewer import grid
from napari_anyir.widgets.restore import RestoreWidget


@pytest.fixture
def models(nano, tmp_path, monkeypatch) -> list[str]:
    """Add a second model, with random weights."""
    from napari_anyir.weights import add_model
    from napari_anyir.weights.loading import save_network

    monkeypatch.setenv("NAPARI_ANYIR_MODELS", str(tmp_path / "models"))
    save_network(nano, tmp_path / "random.safetensors")
    add_model(tmp_path / "random.safetensors", "random")
    return ["nano", "random"]


@pytest.fixture
def viewer() -> ViewerModel:
    made = ViewerModel()
    pixels = np.random.default_rng(0).integers(0, 255, (24, 32), np.uint8)
    made.add_image(pixels, name="coins")
    return made


@pytest.fixture
def widget(qtbot, models, viewer) -> RestoreWidget:
    made = RestoreWidget(viewer)
    qtbot.addWidget(made)
    made.form.model_box.setCurrentText("nano")
    made.form.device_box.setCurrentText("cpu")
    made.form.more_button.set_names(["random"])
    return made


def test_each_model_gives_a_layer_and_they_stand_side_by_side(widget, viewer, finish) -> None:
    assert widget.form.models == ["nano", "random"]
    widget.run()
    finish(widget.runner)
    names = [layer.name for layer in viewer.layers]
    assert names == ["coins", "coins (nano)", "coins (random)"]
    source = viewer.layers["coins"].data
    for model in ("nano", "random"):
        layer = viewer.layers[f"coins ({model})"]
        assert layer.metadata["napari_anyir"]["model"] == model
        expected = napari_anyir.restore(source, axes="YX", model=model, device="cpu")
        np.testing.assert_array_equal(layer.data, expected)
    assert grid(viewer).enabled
    assert tuple(grid(viewer).shape) == (1, 3)  # the source and both results
    assert "side by side" in widget.status_label.text()
    assert widget.progress_bar.text() == "100%"


def test_the_grid_is_put_back_by_its_button_and_by_the_next_run(widget, viewer, finish) -> None:
    viewer.add_image(np.zeros((24, 32)), name="other")
    widget.form.layer_box.choose(viewer.layers["coins"])
    widget.run()
    finish(widget.runner)
    assert not viewer.layers["other"].visible
    grid(viewer).enabled = False
    assert viewer.layers["other"].visible
    assert not widget.side_by_side.active
    widget.run()
    finish(widget.runner)
    assert widget.side_by_side.active
    widget.form.more_button.set_names([])
    widget.run()
    finish(widget.runner)
    assert not grid(viewer).enabled
    assert [layer.name for layer in viewer.layers if not layer.visible] == []


def test_strength_and_script_act_on_all_results_of_the_last_run(
    widget, viewer, finish, qtbot
) -> None:
    widget.run()
    finish(widget.runner)
    layers = [viewer.layers[f"coins ({name})"] for name in ("nano", "random")]
    full = [layer.data.copy() for layer in layers]
    widget.strength_slider.setValue(40)
    qtbot.waitUntil(lambda: all(x.metadata["napari_anyir"]["strength"] == 0.4 for x in layers))
    source = viewer.layers["coins"].data
    for layer, whole in zip(layers, full, strict=True):
        assert not np.array_equal(layer.data, whole)
        np.testing.assert_array_equal(layer.data, blend(source, whole, 0.4))

    widget.copy_script()
    text = QApplication.clipboard().text()
    assert text.count("napari_anyir.restore(") == 2
    found: dict = {"viewer": viewer}
    exec(compile(text, "script", "exec"), found)
    assert list(found["restored"]) == ["nano", "random"]
    for layer, pixels in zip(layers, found["restored"].values(), strict=True):
        np.testing.assert_array_equal(layer.data, pixels)

    # Of a deleted layer nothing is left; the other one still follows.
    viewer.layers.remove(layers[0])
    assert len(widget.results) == 1
    widget.strength_slider.setValue(100)
    qtbot.waitUntil(lambda: np.array_equal(layers[1].data, full[1]))
    widget.copy_script()
    assert QApplication.clipboard().text().count("napari_anyir.restore(") == 1

    # The next run's results take their place.
    widget.form.more_button.set_names([])
    widget.run()
    finish(widget.runner)
    assert [layer.name for layer in widget.results.layers] == ["coins (nano)"]
    widget.strength_slider.setValue(0)
    qtbot.waitUntil(lambda: np.array_equal(viewer.layers["coins (nano)"].data, source))
    np.testing.assert_array_equal(layers[1].data, full[1])


def test_cancel_ends_all_of_them(widget, viewer, finish, qtbot) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (200, 16, 16)).astype(np.uint8)
    widget.form.layer_box.choose(viewer.add_image(pixels, name="stack"))
    widget.run()
    qtbot.waitUntil(lambda: widget.progress_bar.value() > 0, timeout=60_000)
    widget.cancel_button.click()
    finish(widget.runner)
    assert len(viewer.layers) == 2
    assert not grid(viewer).enabled


def test_compare_shows_and_measures_all_of_them(widget, viewer, finish, qtbot) -> None:
    widget.run()
    finish(widget.runner)
    grid(viewer).enabled = False
    viewer.add_image(np.zeros((24, 32), np.uint8), name="coins (clean)")
    viewer.layers.move(3, 1)  # the results are no neighbours of their source
    compare = CompareWidget(viewer)
    qtbot.addWidget(compare)
    finish(compare.runner)
    rows = [compare.table.item(row, 0).text() for row in range(compare.table.rowCount())]
    assert sorted(rows) == ["coins", "coins (nano)", "coins (random)"]
    compare.mode_buttons["A&ll results"].click()
    shown = [index for index, layer in enumerate(viewer.layers) if layer.visible]
    assert len(shown) == 3
    assert len({index % 3 for index in shown}) == 3  # a cell each
    assert tuple(grid(viewer).shape) == (1, 3)
    compare.set_mode(None)
    assert not grid(viewer).enabled


def test_one_model_offers_no_further_one(qtbot, viewer, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("NAPARI_ANYIR_MODELS", str(tmp_path / "of-the-user"))
    for file in registry.BUNDLED.glob("nano.*"):
        shutil.copy(file, tmp_path)
    monkeypatch.setattr(registry, "BUNDLED", tmp_path)
    made = RestoreWidget(viewer)
    qtbot.addWidget(made)
    assert made.form.more_button.isHidden()
    assert made.form.models == ["default"]
    assert [card.name for card in made.form.model_field.cards] == ["nano"]


def test_the_chosen_model_is_not_ticked_twice(widget) -> None:
    widget.form.model_box.setCurrentText("random")
    assert widget.form.models == ["random"]
    widget.form.more_button.set_names(["nano", "random", "gone"])
    assert widget.form.models == ["random", "nano"]
