"""What people do in napari with each widget, step by step; `stage` plays it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from stage import Stage, Wait


def restore(stage: Stage) -> Iterator[Wait]:
    """Restore, look at all planes, turn the strength down, restore again, delete the results."""
    widget = stage.dock("Restore image")
    yield from _small(widget)
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


def _small(widget: Any) -> Iterator[Wait]:
    """Choose the quickest model on the processor once devices are listed."""
    yield lambda: not widget.form._probe.running
    widget.form.model_box.setCurrentText("nano")
    widget.form.device_box.setCurrentText("cpu")


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
