"""What the form says before *Restore*: what stands against it, how much it takes, what it is."""

from __future__ import annotations

import re

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_anyir.weights import find_model
from napari_anyir.widgets.kit.activity import progress_text
from napari_anyir.widgets.kit.notices import ERROR_STYLE, WARNING_STYLE
from napari_anyir.widgets.layers import image_checks
from napari_anyir.widgets.restore import RestoreWidget
from napari_anyir.widgets.restore.memory_needs import needs_in_words


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def widget(qtbot, viewer) -> RestoreWidget:
    made = RestoreWidget(viewer)
    qtbot.addWidget(made)
    made.form.model_box.setCurrentText("nano")
    made.form.device_box.setCurrentText("cpu")
    return made


@pytest.mark.parametrize(
    ("pixels", "said"),
    [
        (np.ones((8, 8), bool), "bool"),
        (np.full((8, 8), np.nan), "64 NaN"),
        (np.array([[1.0, np.inf], [2.0, 3.0]]), "1 infinite"),
    ],
)
def test_pixels_that_cannot_be_restored_are_told(widget, viewer, pixels, said) -> None:
    viewer.add_image(pixels)
    assert said in widget.form.axes_label.text()
    assert widget.form.axes_label.styleSheet() == ERROR_STYLE
    assert widget.form.axes_edit.styleSheet() == ""  # the axes are not what is wrong
    assert not widget.run_button.isEnabled()
    viewer.layers[0].data = np.ones((8, 8))
    assert widget.form.axes_label.styleSheet() == ""
    assert widget.run_button.isEnabled()


def test_a_large_image_is_looked_at_in_a_thread(widget, viewer, finish, monkeypatch) -> None:
    monkeypatch.setattr(image_checks, "AT_ONCE", 10)
    viewer.add_image(np.full((8, 8), np.nan))
    finish(widget.form._pixels._runner)
    assert "64 NaN" in widget.form.axes_label.text()
    assert not widget.run_button.isEnabled()


def test_wrong_axes_are_marked_where_they_are_typed(widget, viewer) -> None:
    viewer.add_image(np.ones((3, 8, 8), np.uint16))
    widget.form.axes_edit.setText("YX")
    widget.form.axes_edit.textEdited.emit("YX")
    assert widget.form.axes_edit.styleSheet() == ERROR_STYLE


@pytest.mark.parametrize("style", [ERROR_STYLE, WARNING_STYLE])
def test_letters_stand_out_on_every_theme(style) -> None:
    """By the contrast ratio that WCAG asks for: 4.5 at least."""
    back, ink = (part.split("#")[1][:6] for part in style.split(";")[:2])

    def light(colour: str) -> float:
        values = [int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        linear = [v / 12.92 if v <= 0.04 else ((v + 0.055) / 1.055) ** 2.4 for v in values]
        return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))

    assert (light(back) + 0.05) / (light(ink) + 0.05) >= 4.5


def test_one_plane_is_the_whole_image(widget, viewer) -> None:
    viewer.add_image(np.ones((8, 8), np.uint16))
    assert widget.form.what_box.itemText(0) == "The whole image"
    viewer.add_image(np.ones((3, 8, 8), np.uint16))
    assert widget.form.what_box.itemText(0) == "All planes"
    assert widget.form.what == "all"


def test_a_new_layer_clears_what_was_said_of_the_old_one(widget, viewer, finish) -> None:
    viewer.add_image(np.random.default_rng(0).integers(0, 255, (16, 16), np.uint8))
    widget.run()
    finish(widget.runner)
    assert widget.status_label.text()
    assert widget.progress_bar.value() == 1
    viewer.add_image(np.ones((8, 8), np.uint16))
    assert widget.status_label.text() == ""
    assert widget.progress_bar.value() == 0


def test_axes_that_were_typed_are_known_again(widget, viewer) -> None:
    first = viewer.add_image(np.ones((3, 8, 8), np.uint16))
    widget.form.axes_edit.setText("CYX")
    widget.form.axes_edit.textEdited.emit("CYX")
    viewer.add_image(np.ones((8, 8), np.uint16))
    assert widget.form.axes == "YX"
    viewer.layers.selection.active = first
    assert widget.form.axes == "CYX"


def test_no_time_is_promised_before_a_twentieth_is_done() -> None:
    assert "left" not in progress_text(4, 100, planes=1, seconds=14.0)
    assert "left" in progress_text(5, 100, planes=1, seconds=14.0)


def test_memory_is_told_before_the_start(widget, viewer, finish, monkeypatch) -> None:
    viewer.add_image(np.random.default_rng(0).integers(0, 255, (256, 256), np.uint8))
    widget.form.find_devices()
    finish(widget.form._probe)
    assert "that are free" in widget.estimate_label.text()
    assert widget.estimate_label.styleSheet() == ""
    from napari_anyir.inference.engine import memory_estimate, run_plan

    monkeypatch.setattr(memory_estimate, "free_bytes", lambda device: 1_000_000)
    monkeypatch.setattr(run_plan, "free_bytes", lambda device: 1_000_000)
    widget._update()
    assert "Needs about" in widget.estimate_label.text()
    assert widget.estimate_label.styleSheet() == WARNING_STYLE


def test_the_memory_of_all_ticked_models_is_told() -> None:
    """The largest decides, as they run one after the other; all results are kept."""
    nano, tiny = (find_model(name).config for name in ("nano", "tiny"))

    def needed(*configs: object, kept: int = 0) -> float:
        text, _ = needs_in_words(configs, (512, 512), kept, device="cpu")
        number, unit = re.findall(r"about ([\d.]+) (GB|MB)", text)[0]
        return float(number) * (1e9 if unit == "GB" else 1e6)

    assert needed(nano) < needed(tiny)
    assert needed(nano, tiny) == needed(tiny, nano) == needed(tiny)
    kept = 4_000_000_000
    more = needed(nano, nano, nano, kept=kept) - needed(nano, kept=kept)
    assert more == pytest.approx(2 * kept, rel=0.05)
    assert needs_in_words([nano, {}], (512, 512), 0, device="cpu") == ("", False)


def test_the_result_is_reported(widget, viewer, finish) -> None:
    image = np.random.default_rng(0).poisson(90, (64, 64)).astype(np.uint8)
    viewer.add_image(image, name="cells")
    assert widget.report.isHidden()
    widget.run()
    finish(widget.runner)
    result = viewer.layers["cells (nano)"].data
    assert not widget.report.isHidden()
    shown = [[cell.text() for cell in cells] for cells in widget.report.cells]
    assert shown[0] == ["", "before", "after"]
    assert shown[1] == ["Mean", f"{image.mean():.5g}", f"{result.mean():.5g}"]
    assert shown[3][1] == f"{np.percentile(image, 99):.5g}"
    moved = abs(result.mean() / image.mean() - 1) > 0.02
    assert widget.report.warning.isHidden() != moved
    viewer.layers.remove("cells (nano)")
    assert widget.report.isHidden()
