"""The model that the form takes by the kind of image: told before the run, used in it, recorded."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QApplication

import napari_anyir
from napari_anyir.inference.model_choice import choose_model, rule_in_words
from napari_anyir.widgets.kit import last_choices
from napari_anyir.widgets.restore import RestoreWidget, estimate

KINDS = {
    "grey8": (np.uint8, (16, 20), False, "one channel"),
    "stack16": (np.uint16, (3, 16, 20), False, "one channel"),
    "float": (np.float32, (16, 20), False, "one channel"),
    "rgb8": (np.uint8, (16, 20, 3), True, "8-bit colour photograph"),
    "rgb16": (np.uint16, (16, 20, 3), True, "16 bits"),
}


def pixels(dtype: type, shape: tuple[int, ...]) -> np.ndarray:
    counts = np.random.default_rng(0).poisson(90, shape)
    return (counts / 255 if dtype == np.float32 else counts).astype(dtype)


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def widget(qtbot, viewer, tmp_path, monkeypatch) -> RestoreWidget:
    monkeypatch.setattr(last_choices, "_napari_section", lambda section: None)
    monkeypatch.setattr(last_choices, "_file", lambda: tmp_path / "napari-anyir.json")
    made = RestoreWidget(viewer)
    qtbot.addWidget(made)
    made.form.device_box.setCurrentText("cpu")
    return made


def test_it_is_the_first_choice_and_says_its_rule_without_an_image(widget) -> None:
    assert widget.form.model_box.currentIndex() == 0
    assert widget.form.settings().model == "default"
    assert widget.form.card_label.text() == rule_in_words()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_said_before_is_what_runs(kind, widget, viewer, finish) -> None:
    dtype, shape, rgb, reason = KINDS[kind]
    image = pixels(dtype, shape)
    viewer.add_image(image, rgb=rgb, name="cells")
    expected, why = choose_model("default", dtype, colour=rgb)
    assert reason in str(why)
    said = widget.form.card_label.text()
    assert said.startswith(f"{expected}, because {why}. ")
    widget.run()
    finish(widget.runner)
    result = viewer.layers[f"cells ({expected})"]
    record = result.metadata["napari_anyir"]
    assert (record["model"], record["chosen"]) == (expected, why)
    same = napari_anyir.restore(image, axes=widget.form.axes, device="cpu")
    np.testing.assert_array_equal(result.data, same)


def test_a_part_is_mapped_as_the_whole_would_be_with_the_chosen_model(widget, viewer, finish):
    """Photons, which only some models take: the shown plane comes out as it does in the stack."""
    stack = np.random.default_rng(0).poisson(
        np.linspace(5, 900, 64)[:, None] * np.ones((3, 64, 80))
    )
    viewer.add_image(stack.astype(np.uint16), name="cells")
    widget.form.what_box.setCurrentIndex(1)
    widget.run()
    finish(widget.runner)
    whole = napari_anyir.restore(stack.astype(np.uint16), axes="ZYX", device="cpu")
    shown = int(viewer.dims.current_step[0])
    np.testing.assert_array_equal(viewer.layers[-1].data[0], whole[shown])


def test_the_note_follows_the_layer(widget, viewer) -> None:
    photo = viewer.add_image(np.zeros((16, 20, 3), np.uint8), rgb=True)
    cells = viewer.add_image(np.zeros((3, 16, 20), np.uint8))
    assert "one channel" in widget.form.card_label.text()
    viewer.layers.selection.active = photo
    assert "colour photograph" in widget.form.card_label.text()
    viewer.layers.selection.active = cells
    assert "one channel" in widget.form.card_label.text()
    viewer.layers.clear()
    assert widget.form.card_label.text() == rule_in_words()


def test_memory_and_time_are_those_of_the_chosen_model(widget, viewer, finish) -> None:
    form = widget.form
    viewer.add_image(pixels(np.uint16, (256, 256)), name="cells")
    form.find_devices()
    finish(form._probe)
    chosen = choose_model("default", np.uint16, colour=False).model
    # What is free changes by itself.
    by_rule = widget.estimate_label.text().partition(" of the ")[0]
    assert "Needs" in by_rule
    form.model_box.setCurrentText(str(chosen))
    assert widget.estimate_label.text().partition(" of the ")[0] == by_rule
    form.model_box.setCurrentIndex(0)
    widget.run()
    finish(widget.runner)
    assert widget.estimate_label.text().startswith(("About", "Less"))
    card = napari_anyir.weights.find_model(str(chosen))
    assert estimate.expected_for(form.settings(), {card.name: card.sha256}, "cpu", 256**2)


def test_a_further_model_that_is_the_chosen_one_runs_once(widget, viewer) -> None:
    layer = viewer.add_image(pixels(np.uint16, (16, 20)))
    chosen = str(choose_model("default", np.uint16, colour=False).model)
    widget.form.more_button.set_names([chosen, "nano"])
    assert widget.form.models == ["default", "nano"]
    assert widget.form.more_button.text() == "+ 1"
    photo = viewer.add_image(np.zeros((16, 20, 3), np.uint8), rgb=True)
    assert chosen in widget.form.models  # its tick has only rested
    viewer.layers.remove(photo)
    viewer.layers.selection.active = layer
    assert widget.form.models == ["default", "nano"]


@pytest.mark.parametrize("model", ["default", "nano"])
def test_the_last_choice_survives(model, widget, viewer, finish, qtbot) -> None:
    viewer.add_image(pixels(np.uint8, (16, 16)))
    widget.form.model_box.choose(model)
    widget.run()
    finish(widget.runner)
    again = RestoreWidget(viewer)
    qtbot.addWidget(again)
    assert again.form.settings().model == model


def test_a_name_that_is_gone_leaves_the_choice_to_the_rule(widget) -> None:
    widget.form.set_values({"model": "gone"})
    assert widget.form.settings().model == "default"


def test_the_script_names_the_model_and_why(widget, viewer, finish) -> None:
    viewer.add_image(pixels(np.uint16, (16, 16)), name="cells")
    widget.run()
    finish(widget.runner)
    widget.script_button.click()
    text = QApplication.clipboard().text()
    chosen, why = choose_model("default", np.uint16, colour=False)
    assert f"model={chosen!r}" in text
    assert f"chosen because {why}" in text
    names = {"viewer": viewer}
    exec(text, names)
    np.testing.assert_array_equal(names["restored"], viewer.layers[-1].data)
