"""What people do in napari with each widget, step by step; `stage` plays it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from qtpy.QtCore import Qt
from stage import Stage, Wait

from napari_anyir.inference.model_choice import choose_model

RESTORE = "Restore image"
COMPARE = "Compare layers"
DEGRADE = "Degrade image"
FOLDER = "Restore a folder"
LOOK_INSIDE = "Look inside (DAB feature maps)"
LEARN = "Learn my noise"
WHAT_IF = "What if (switch parts off)"
ANALYSES = "Analyses (the paper's figures)"


def restore(stage: Stage) -> Iterator[Wait]:
    """Restore, look at all planes, turn the strength down, restore again, delete the results."""
    widget = stage.dock(RESTORE)
    yield from _choose_model(widget)
    before = set(stage.viewer.layers)
    yield from _click_and_wait(stage, widget)
    (result,) = set(stage.viewer.layers) - before
    stage.step()
    yield 0.2
    _check_drawn(stage, result)
    widget.strength_slider.setValue(40)
    yield 0.5
    yield from _click_and_wait(stage, widget)
    assert len(stage.viewer.layers) == 3, "a second run gives a second result"
    stage.viewer.layers.remove(result)
    yield 0.3
    stage.viewer.layers.clear()
    yield 0.3


def restore_by_kind(stage: Stage) -> Iterator[Wait]:
    """Restore as a new user does, who touches no choice: the kind of image chooses the model."""
    widget = stage.dock(RESTORE)
    yield lambda: not widget.form._probe.running
    first = stage.image.data[0] if stage.image.multiscale else stage.image.data
    choice = choose_model("default", first.dtype, colour=stage.image.rgb)
    assert widget.form.card_label.text().startswith(f"{choice.model}, because {choice.reason}.")
    before = set(stage.viewer.layers)
    yield from _click_and_wait(stage, widget)
    (result,) = set(stage.viewer.layers) - before
    assert result.name == f"{stage.kind} ({choice.model})", result.name
    record = result.metadata["napari_anyir"]
    assert (record["model"], record["chosen"]) == choice, record
    if not stage.image.rgb:
        assert record["model"] == "denoise", record
        moved = abs(np.asarray(result.data).mean() / np.asarray(first).mean() - 1)
        assert moved < 0.02, f"the mean moved by {moved:.1%}"
        assert not widget.report.warning.text()
    elif stage.kind == "grey_photo":
        assert (result.data == result.data[..., :1]).all(), "grey stays grey"
    stage.step()
    yield 0.2
    _check_drawn(stage, result)


def again(stage: Stage) -> Iterator[Wait]:
    """Clear all layers, open a sample, open docks, restore: several times over."""
    widget = stage.dock(RESTORE)
    yield from _choose_model(widget)
    for number, title in enumerate((COMPARE, LOOK_INSIDE, DEGRADE, WHAT_IF)):
        stage.viewer.layers.clear()
        yield 0.2
        stage.viewer.open_sample("napari-anyir", ("noise", "micrograph")[number % 2])
        for layer in stage.viewer.layers:
            layer.data = layer.data[:64, :80]
        yield 0.2
        yield from _click_and_wait(stage, widget)
        stage.dock(title)
        yield 0.2
        stage.viewer.layers.clear()
        yield 0.2
        stage.open("stack")
        stage.show(widget)
        yield from _click_and_wait(stage, widget)


def compare(stage: Stage) -> Iterator[Wait]:
    """Compare an image with a changed copy in every way there is, also while planes are turned."""
    stage.image.name = "before"
    first = stage.image.data[0] if stage.image.multiscale else stage.image.data
    place = {"rgb": stage.image.rgb, "scale": stage.image.scale, "units": stage.image.units}
    stage.viewer.add_image(first // 2 + 9, name="after", **place)
    widget = stage.dock(COMPARE)
    widget.before_box.choose(stage.image)
    widget.after_box.choose(stage.viewer.layers["after"])
    widget.reference_box.choose(stage.image)
    for button in widget.mode_buttons.values():
        stage.click(button)
        yield 0.6
        widget.wipe_slider.setValue(20)
        stage.step()
        yield 0.2
        stage.click(button)
    yield lambda: not widget.runner.running
    assert widget.table.rowCount(), "the layers are measured"
    stage.click(widget.difference_button)
    yield lambda: len(stage.viewer.layers) == 3
    stage.click(widget.mode_buttons["&Wipe"])
    yield 0.3
    stage.close_dock(widget)
    yield 0.3
    names = {layer.name for layer in stage.viewer.layers}
    assert names == {"before", "after", "after − before"}, f"the wipe's layer is gone: {names}"
    stage.viewer.layers.clear()
    stage.open("stack")
    yield 0.3


def degrade(stage: Stage) -> Iterator[Wait]:
    """Degrade an image in two ways."""
    widget = stage.dock(DEGRADE)
    yield lambda: widget.run_button.isEnabled()
    for kind in ("noise", "blur"):
        widget.kind_box.setCurrentText(kind)
        yield from _click_and_wait(stage, widget)
        stage.step()
        yield 0.2
    assert len(stage.viewer.layers) == 3
    _check_drawn(stage, stage.viewer.layers[-1])


def look_inside(stage: Stage) -> Iterator[Wait]:
    """See feature maps of two blocks, turn the planes, and show all channels."""
    widget = stage.dock(LOOK_INSIDE)
    yield from _read_model(widget)
    widget.ushape.choose(["encoder1.0", "latent.0"])
    yield from _click_and_wait(stage, widget)
    assert len(stage.viewer.layers) > 1
    stage.step()
    yield 1.0
    yield lambda: not widget.runner.running
    widget.show_box.setCurrentIndex(widget.show_box.count() - 1)
    yield from _click_and_wait(stage, widget)
    stage.step()
    yield 0.5
    stage.viewer.layers.remove(stage.image)
    yield 0.5
    stage.viewer.layers.clear()
    yield 0.2


def what_if(stage: Stage) -> Iterator[Wait]:
    """Switch a part off."""
    widget = stage.dock(WHAT_IF)
    yield from _read_model(widget)
    widget.ushape.choose(["latent.0"])
    yield from _click_and_wait(stage, widget)
    assert len(stage.viewer.layers) > 1
    stage.step()
    yield 0.3


def analyses(stage: Stage) -> Iterator[Wait]:
    """Draw each figure, and one in a window of its own."""
    widget = stage.dock(ANALYSES)
    yield from _read_model(widget)
    widget.ushape.choose(["latent.0"])
    drawn = 0
    for number in range(widget.kind_box.count()):
        widget.kind_box.setCurrentIndex(number)
        widget.reference_box.choose(stage.image)
        yield 0.2
        if widget.run_button.isEnabled():
            yield from _click_and_wait(stage, widget)
            assert widget.analysed.kind == widget.kind
            drawn += 1
    assert drawn >= 6, drawn
    window = widget.enlarge()
    yield 0.5
    window.close()
    yield 0.2


def folder(stage: Stage) -> Iterator[Wait]:
    """Restore files, one of which is broken, and open a result by a double click."""
    from napari_anyir.files import write_image

    level = stage.image.data[0] if stage.image.multiscale else stage.image.data
    raw = stage.folder / "raw"
    suffix = ".png" if stage.image.rgb else ".tif"
    for name in ("a", "b"):
        write_image(raw / f"{name}{suffix}", np.asarray(level))
    (raw / "c.png").write_bytes(b"no picture")
    widget = stage.dock(FOLDER)
    yield lambda: not widget._probe.running
    widget.input_field.edit.setText(str(raw))
    widget.output_field.edit.setText(str(stage.folder / "out"))
    widget.model_box.setCurrentText("nano")
    widget.device_box.setCurrentText("cpu")
    yield from _click_and_wait(stage, widget)
    assert [widget.table.item(row, 1).text() for row in range(3)] == ["done", "done", "failed"]
    stage.double_click(widget.table, 0)
    yield lambda: len(stage.viewer.layers) == 2
    stage.step()
    yield 0.3


def learn(stage: Stage) -> Iterator[Wait]:
    """Learn for a moment, end it early with the best, begin again, close the dock in mid-run."""
    widget = stage.dock(LEARN)
    widget.form.model_box.setCurrentText("nano")
    yield 0.3
    assert widget.form.layer_list.layers == [stage.image]
    stage.click(widget.run_button)
    yield lambda: bool(widget.plot.panels and widget.plot.panels[0].curves[0].points)
    stage.click(widget.cancel_button)
    yield lambda: not widget.runner.running
    assert widget.learned is not None, widget.status_label.text()
    yield 0.3
    stage.click(widget.run_button)
    yield lambda: widget.runner.running
    yield 1.0
    stage.close_dock(widget)
    yield lambda: not widget.runner.running
    yield 0.3


# ---------------------------------------------------------------- what ends a run before its end


def restore_ends(stage: Stage) -> Iterator[Wait]:
    """End a run by napari's own bar of activity too."""
    yield from _begin(stage, RESTORE)
    yield lambda: stage.activity_button() is not None
    stage.activity_button().click()
    yield lambda: not stage.widget.runner.running
    yield 0.3
    assert "Cancelled" in stage.widget.status_label.text()
    stage.close_dock(stage.widget)
    yield from _end_in_all_ways(stage, RESTORE)


def degrade_ends(stage: Stage) -> Iterator[Wait]:
    """As `_end_in_all_ways` says."""
    yield from _end_in_all_ways(stage, DEGRADE)


def folder_ends(stage: Stage) -> Iterator[Wait]:
    """As `_end_in_all_ways` says."""
    yield from _end_in_all_ways(stage, FOLDER)


def look_inside_ends(stage: Stage) -> Iterator[Wait]:
    """As `_end_in_all_ways` says."""
    yield from _end_in_all_ways(stage, LOOK_INSIDE)


def what_if_ends(stage: Stage) -> Iterator[Wait]:
    """As `_end_in_all_ways` says."""
    yield from _end_in_all_ways(stage, WHAT_IF)


def analyses_ends(stage: Stage) -> Iterator[Wait]:
    """As `_end_in_all_ways` says."""
    yield from _end_in_all_ways(stage, ANALYSES)


def tabs(stage: Stage) -> Iterator[Wait]:
    """Open docks on the screen of a small laptop: they become tabs, and fit."""
    stage.viewer.window.resize(1366, 768)
    window = stage.viewer.window._qt_window
    first, second = stage.dock(RESTORE), stage.dock(LOOK_INSIDE)
    yield 0.5
    assert len(window.tabifiedDockWidgets(stage.dock_of(first))) == 1
    assert second.isVisible()
    assert window.height() <= 768, f"taller than the screen: {window.height()}"
    stage.dock(ANALYSES)
    yield 0.5
    assert len(window.tabifiedDockWidgets(stage.dock_of(first))) == 2
    stage.show(first)
    yield from _choose_model(first)
    yield from _click_and_wait(stage, first)
    assert window.height() <= 768, f"with a report taller: {window.height()}"


def nothing_is_cut(stage: Stage) -> Iterator[Wait]:
    """Open each dock 360 pixels wide on a small laptop's screen; all words can be read."""
    stage.viewer.window.resize(1366, 700)
    window = stage.viewer.window._qt_window
    cut = {}
    for title in (RESTORE, COMPARE, DEGRADE, FOLDER, LEARN, LOOK_INSIDE, WHAT_IF, ANALYSES):
        widget = stage.dock(title)
        yield 0.5
        window.resizeDocks([stage.dock_of(widget)], [360], Qt.Orientation.Horizontal)
        if title == RESTORE:
            yield lambda widget=widget: not widget.form._probe.running
            yield from _click_and_wait(stage, widget)
        elif title in (LOOK_INSIDE, WHAT_IF, ANALYSES):
            yield from _read_model(widget)
        for _ in range(20):  # rows find their heights one after the other
            yield 0.3
            cut[title] = stage.cut_off(widget)
            if not cut[title]:
                break
        if stage.dock_of(widget).width() > 380:
            cut[title].append(f"{stage.dock_of(widget).width()} pixels wide")
        window.grab().save(str(stage.folder / f"{title.partition(' (')[0]}.png"))
        stage.close_dock(widget)
        yield 0.3
    assert not any(cut.values()), {title: parts for title, parts in cut.items() if parts}


def _end_in_all_ways(stage: Stage, title: str) -> Iterator[Wait]:
    """Delete the layer in mid-run, close the dock in mid-run, close the window in mid-run."""
    yield from _begin(stage, title)
    widget = stage.widget
    stage.viewer.layers.clear()
    if title != FOLDER:  # whose images are files
        yield lambda: not widget.runner.running
        yield 0.3
        assert not list(stage.viewer.layers), "a run whose image is gone adds nothing"
    stage.image = stage.open(stage.kind)
    stage.close_dock(widget)
    yield from _begin(stage, title)
    widget = stage.widget
    stage.close_dock(widget)
    yield lambda: not widget.runner.running
    yield 0.3
    assert list(stage.viewer.layers) == [stage.image], "a closed dock adds nothing"
    widget = stage.widget = None
    stage.viewer.layers.clear()  # which nobody who was closed may listen to
    stage.image = stage.open(stage.kind)
    yield 0.3
    yield from _begin(stage, title)


def _begin(stage: Stage, title: str) -> Iterator[Wait]:
    """Open a dock and start a long run in it; the widget is `stage.widget` then."""
    widget = stage.widget = stage.dock(title)
    if title in (LOOK_INSIDE, WHAT_IF, ANALYSES):
        yield from _read_model(widget, "tiny")
        widget.ushape.choose(["encoder1.0", "decoder1.0"])
    elif title == DEGRADE:
        yield lambda: widget.run_button.isEnabled()
        widget.kind_box.setCurrentText("rain")
    elif title == FOLDER:
        _fill_folder(stage)
        yield lambda: not widget._probe.running
        widget.model_box.setCurrentText("tiny")
    else:
        yield from _choose_model(widget, "tiny")
    stage.click(widget.run_button)
    yield lambda: widget.runner.running
    yield 1.5
    assert widget.runner.running, "the run is long enough to be ended"


def _fill_folder(stage: Stage) -> None:
    from napari_anyir.files import write_image

    stage.runs += 1
    for number in range(5):
        write_image(stage.folder / "raw" / f"{number}.tif", stage.image.data[:20])
    stage.widget.input_field.edit.setText(str(stage.folder / "raw"))
    stage.widget.output_field.edit.setText(str(stage.folder / f"out{stage.runs}"))


# ---------------------------------------------------------------- what all do


def _choose_model(widget: Any, model: str = "nano") -> Iterator[Wait]:
    """Choose a model, and the processor once devices are listed."""
    yield lambda: not widget.form._probe.running
    widget.form.model_box.setCurrentText(model)
    widget.form.device_box.setCurrentText("cpu")


def _read_model(widget: Any, model: str = "nano") -> Iterator[Wait]:
    """Choose a model, and the processor once devices and the model's blocks are known."""
    choice = widget.model_choice
    choice.model_box.setCurrentText(model)
    yield lambda: not choice._probe.running and not choice._reader.running
    choice.device_box.setCurrentText("cpu")


def _click_and_wait(stage: Stage, widget: Any) -> Iterator[Wait]:
    """Click the button that starts, and wait until the run has ended."""
    stage.click(widget.run_button)
    yield lambda: widget.runner.running
    yield lambda: not widget.runner.running
    yield 0.5


def _check_drawn(stage: Stage, result: Any) -> None:
    for layer in stage.viewer.layers:
        layer.visible = layer == result
    level = result.data[0] if result.multiscale else result.data
    assert np.asarray(level).std() > 0
    assert stage.brightness() > 15, "the canvas shows the result"
