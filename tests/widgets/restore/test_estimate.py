from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_anyir.widgets.restore import RestoreWidget
from napari_anyir.widgets.restore.estimate import (
    LEAST_PIXELS,
    UNKNOWN,
    Way,
    expected_seconds,
    in_words,
    learn,
)

WAY = Way("nano", "77ab" * 16, "cpu", "auto", "auto", 2)


def test_what_was_never_measured_is_not_known() -> None:
    assert expected_seconds(WAY, 10**6) is None
    assert in_words(None) == UNKNOWN


def test_the_time_goes_with_the_pixels() -> None:
    learn(WAY, 10**6, 20.0)
    assert expected_seconds(WAY, 2 * 10**6) == pytest.approx(40)


@pytest.mark.parametrize(
    "change",
    [{"model": "tiny"}, {"sha256": "0" * 64}, {"device": "cuda"}, {"tile": 512}, {"threads": 1}],
)
def test_another_way_has_another_speed(change) -> None:
    learn(WAY, 10**6, 20.0)
    assert expected_seconds(replace(WAY, **change), 10**6) is None


def test_small_runs_teach_little() -> None:
    learn(WAY, LEAST_PIXELS - 1, 5.0)
    assert expected_seconds(WAY, 10**6) is None
    learn(WAY, 10**6, 20.0)
    learn(WAY, LEAST_PIXELS, 5.0)  # mostly the time to start
    assert expected_seconds(WAY, 10**6) == pytest.approx(20)
    learn(WAY, 10**6, 30.0)  # the computer is busier now
    assert expected_seconds(WAY, 10**6) == pytest.approx(30)


def test_a_damaged_file_stops_nobody() -> None:
    from napari_anyir.widgets.kit import last_choices

    path = last_choices.beside("speeds")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{")
    assert expected_seconds(WAY, 10**6) is None
    learn(WAY, 10**6, 20.0)
    path.write_text(path.read_text().replace("20.0", '"x"'))
    assert expected_seconds(WAY, 10**6) is None


def test_the_widget_tells_the_time_once_a_run_has_taught_it(qtbot, finish) -> None:
    viewer = ViewerModel()
    viewer.add_image(np.random.default_rng(0).integers(0, 255, (128, 128), np.uint8))
    widget = RestoreWidget(viewer)
    qtbot.addWidget(widget)
    widget.form.model_box.setCurrentText("nano")
    assert widget.estimate_label.text() == ""  # the devices are not known yet
    widget.form.find_devices()
    finish(widget.form._probe)
    assert widget.estimate_label.text().startswith(UNKNOWN)
    widget.run()
    finish(widget.runner)
    assert widget.estimate_label.text().startswith(("About", "Less"))
    assert "on this computer." in widget.estimate_label.text()
    taught = widget.form._duration(128 * 128 * 10_000)
    assert taught.split()[-4] in ("min", "h")
    widget.form.precision_box.setCurrentText("float32")
    assert widget.estimate_label.text().startswith(UNKNOWN)


def test_a_preview_is_enough_to_tell_it(qtbot, finish) -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(np.random.default_rng(0).integers(0, 255, (128, 128), np.uint8))
    layer.corner_pixels = np.array([[0, 0], [127, 127]])
    widget = RestoreWidget(viewer)
    qtbot.addWidget(widget)
    widget.form.model_box.setCurrentText("nano")
    widget.form.find_devices()
    finish(widget.form._probe)
    widget.preview_box.setChecked(True)
    qtbot.waitUntil(lambda: widget.preview.layer is not None, timeout=60_000)
    finish(widget.preview.runner)
    assert widget.estimate_label.text() not in ("", UNKNOWN)
