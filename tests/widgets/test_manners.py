"""Manners of the widgets, each with the test that holds it.

- Results never overwrite a layer: test_restore_job.py, test_results_overwrite_no_layer.
- Scale, translate, rotate, shear, affine, units and axis labels are kept, one by one:
  test_image_layers.py, test_every_part_of_the_placement_is_kept and
  test_a_part_lies_where_it_was_cut_out.
- Contrast limits are right for uint8, uint16 and float: test_image_layers.py,
  test_contrast_limits_are_those_of_the_source and
  test_a_constant_image_gets_limits_that_napari_can_draw; types: test_restore_job.py,
  test_a_result_is_what_a_script_gives.
- Lazy layers stay lazy: test_restore_widget.py, test_a_lazy_layer_is_not_computed; and do not hold
  the window up: test_lazy_results.py.
- Deleting a layer or closing napari in mid-run leaves nothing running: test_restore_widget.py,
  test_removing_the_source_stops_the_run; test_window.py, test_closing_the_window_stops_the_run;
  test_worker.py, test_a_job_outlives_its_application_without_a_crash.
- And no memory held: test_restore_widget.py, test_removing_the_result_frees_its_pixels and
  test_fifty_runs_and_removals_leave_nothing; benchmarks/leaks.py gives the numbers.
- Choices persist: test_restore_widget.py, test_the_choices_are_remembered; here for the other
  widgets; test_last_choices.py, test_a_newer_napari_keeps_them_in_its_preferences.
- *Copy as script* gives the layer bit for bit: test_result_script.py, and test_restore_widget.py,
  test_the_script_on_the_clipboard_makes_the_layer_again.
- Errors appear as notifications with the remedy: test_worker.py,
  test_errors_are_shown_as_their_one_sentence.
- Progress rises to its end and never falls back: test_restore_job.py,
  test_progress_rises_to_its_end; here, for all widgets.
- Keyboard, tool tips, and a window no taller than a laptop's screen: here; test_window.py,
  test_the_dock_fits_a_small_laptop.
- Nothing that a widget runs loads torch's compiler, which can end a process that draws windows in
  software: here, in a fresh process.
- The window answers: test_window.py, test_a_sample_is_opened_and_restored;
  benchmarks/responsiveness.py gives the numbers.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QProgressBar,
    QScrollBar,
    QTableWidget,
    QWidget,
)

from napari_anyir.files import write_image
from napari_anyir.widgets.analyses import AnalysesWidget
from napari_anyir.widgets.compare import CompareWidget
from napari_anyir.widgets.degrade import DegradeWidget
from napari_anyir.widgets.feature_maps import FeatureMapsWidget
from napari_anyir.widgets.folder import FolderWidget
from napari_anyir.widgets.kit.job_dock import JobDock
from napari_anyir.widgets.learn import LearnWidget
from napari_anyir.widgets.restore import RestoreWidget
from napari_anyir.widgets.what_if import WhatIfWidget

JOB_DOCKS = (
    RestoreWidget,
    DegradeWidget,
    FolderWidget,
    FeatureMapsWidget,
    WhatIfWidget,
    AnalysesWidget,
)
WIDGETS = (*JOB_DOCKS, CompareWidget, LearnWidget)
CONTROLS = (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QTableWidget,
)

LAPTOP = 768
CHROME = 110
"""Pixels that napari's menus, the dock's title and the status bar take of the height."""


@pytest.fixture
def viewer() -> ViewerModel:
    made = ViewerModel()
    made.add_image(np.random.default_rng(0).integers(0, 255, (3, 16, 20)).astype(np.uint8))
    return made


@pytest.fixture(params=WIDGETS, ids=[kind.__name__ for kind in WIDGETS])
def widget(request, qtbot, viewer, finish) -> QWidget:
    made = request.param(viewer)
    qtbot.addWidget(made)
    if isinstance(made, DegradeWidget):
        made.load()
        finish(made.loader)
    if isinstance(made, RestoreWidget):
        made.form.advanced.expand(animate=False)
    return made


def test_the_list_above_names_tests_that_exist() -> None:
    here = Path(__file__).parent
    named = set(re.findall(r"\btest_\w+\b(?!\.py)", __doc__ or ""))
    files = set(re.findall(r"\btest_\w+\.py\b", __doc__ or ""))
    text = "\n".join(next(here.rglob(name)).read_text(encoding="utf-8") for name in files)
    assert len(named) > 12
    assert {name for name in named if f"def {name}(" not in text} == set()


def controls(widget: QWidget) -> list[QWidget]:
    """Return what a user can set or press, but for the parts that Qt's own controls are made of."""
    return [
        part
        for part in widget.findChildren(QWidget)
        if isinstance(part, CONTROLS)
        and not isinstance(part, QScrollBar)
        and not isinstance(part.parent(), QAbstractSpinBox | QComboBox | QTableWidget)
        and part.objectName() != "qt_spinbox_lineedit"
    ]


def test_every_control_explains_itself(widget) -> None:
    parts = [*controls(widget), *widget.findChildren(QProgressBar)]
    assert len(parts) > 1
    assert [part for part in parts if not part.toolTip()] == []


def test_every_control_is_reached_with_the_tab_key(widget) -> None:
    def reachable(part: QWidget) -> bool:
        return bool(part.focusPolicy() & Qt.FocusPolicy.TabFocus)

    assert [part for part in controls(widget) if not reachable(part)] == []


def test_no_two_controls_share_a_key(widget) -> None:
    from qtpy.QtWidgets import QLabel

    texts = [part.text() for part in widget.findChildren(QAbstractButton)]
    texts += [part.text() for part in widget.findChildren(QLabel) if part.buddy() is not None]
    keys = [text[text.index("&") + 1].lower() for text in texts if "&" in text]
    assert sorted(keys) == sorted(set(keys))


def test_it_is_no_taller_than_a_laptop_s_screen(widget) -> None:
    assert widget.minimumSizeHint().height() <= LAPTOP - CHROME
    assert widget.sizeHint().height() <= LAPTOP - CHROME
    assert widget.minimumSizeHint().width() <= 400


# ---------------------------------------------------------------- progress


def follow(bar: QProgressBar) -> list[float]:
    seen: list[float] = []
    bar.valueChanged.connect(
        lambda value: seen.append(value / bar.maximum()) if bar.maximum() else None
    )
    return seen


def prepare(kind, viewer, qtbot, finish, folder: Path) -> JobDock:
    """Make a dock that only waits for its button to be pressed."""
    widget = kind(viewer)
    qtbot.addWidget(widget)
    if kind is DegradeWidget:
        widget.load()
        finish(widget.loader)
        widget.kind_box.setCurrentText("noise")
    elif kind is FolderWidget:
        for name in ("a.png", "b.png"):
            write_image(folder / "raw" / name, np.zeros((16, 16), np.uint8) + 9)
        widget.input_field.edit.setText(str(folder / "raw"))
        widget.output_field.edit.setText(str(folder / "out"))
    elif kind is WhatIfWidget:
        widget.ushape.choose(["latent.0"])
        widget.parts_widget.choose(["alpha"])
    widget._update()
    assert widget.run_button.isEnabled()
    assert not widget.cancel_button.isEnabled()
    return widget


@pytest.mark.parametrize("kind", JOB_DOCKS)
def test_progress_ends_full_and_never_falls_back(kind, qtbot, viewer, finish, tmp_path) -> None:
    widget = prepare(kind, viewer, qtbot, finish, tmp_path)
    seen = follow(widget.progress_bar)
    widget.run_button.click()
    assert widget.cancel_button.isEnabled()
    finish(widget.runner)
    assert widget.progress_bar.text() == "100%"
    assert widget.progress_bar.value() == widget.progress_bar.maximum() > 0
    counted = [share for share in seen if share >= 0]
    assert counted == sorted(counted)
    assert widget.run_button.isEnabled()
    assert not widget.cancel_button.isEnabled()


@pytest.mark.parametrize("kind", JOB_DOCKS)
def test_a_cancelled_run_says_what_it_leaves(kind, qtbot, viewer, finish, tmp_path) -> None:
    widget = prepare(kind, viewer, qtbot, finish, tmp_path)
    before = list(viewer.layers)
    widget.run_button.click()
    widget.cancel_button.click()
    assert not widget.cancel_button.isEnabled()
    finish(widget.runner)
    assert widget.status_label.text() == f"Cancelled; {widget.row.stays}."
    assert list(viewer.layers) == before
    assert widget.run_button.isEnabled()


@pytest.mark.parametrize("kind", JOB_DOCKS)
def test_a_closed_dock_stops_its_run(kind, qtbot, viewer, finish, tmp_path) -> None:
    widget = prepare(kind, viewer, qtbot, finish, tmp_path)
    before = list(viewer.layers)
    widget.run_button.click()
    widget.close()
    assert widget.runner.stopping
    finish(widget.runner)
    assert list(viewer.layers) == before


@pytest.mark.parametrize("kind", [kind for kind in JOB_DOCKS if kind is not FolderWidget])
def test_a_removed_layer_stops_the_run_on_it(kind, qtbot, viewer, finish, tmp_path) -> None:
    widget = prepare(kind, viewer, qtbot, finish, tmp_path)
    widget.run_button.click()
    viewer.layers.clear()
    assert widget.runner.stopping
    finish(widget.runner)
    assert not viewer.layers
    assert widget.source is None


def test_progress_stays_where_it_was_cancelled(qtbot, viewer, finish) -> None:
    stack = np.random.default_rng(0).integers(0, 255, (200, 16, 16)).astype(np.uint8)
    viewer.add_image(stack)
    widget = RestoreWidget(viewer)
    qtbot.addWidget(widget)
    widget.run()
    qtbot.waitUntil(lambda: widget.progress_bar.value() > 0, timeout=60_000)
    widget.cancel()
    finish(widget.runner)
    assert 0 < widget.progress_bar.value() < widget.progress_bar.maximum()


# ---------------------------------------------------------------- settings


def again(qtbot, kind, viewer) -> QWidget:
    made = kind(viewer)
    qtbot.addWidget(made)
    return made


def test_degrade_remembers(qtbot, viewer, finish) -> None:
    first = again(qtbot, DegradeWidget, viewer)
    first.load()
    finish(first.loader)
    first.kind_box.setCurrentText("noise")
    first._fields["sigma"].set_value((12.0, 34.0))
    first.seed_box.setValue(5)
    first.strength_slider.setValue(60)
    first.plane_box.setChecked(True)
    first.run()
    finish(first.runner)
    second = again(qtbot, DegradeWidget, viewer)
    second.load()
    finish(second.loader)
    assert second.kind_box.currentText() == "noise"
    assert second.parameters() == first.parameters()
    assert second.parameters()["sigma"] == (12.0, 34.0)
    assert second.seed_box.value() == 5
    assert second.strength_slider.value() == 60
    assert second.plane_box.isChecked()


def test_compare_remembers(qtbot, viewer) -> None:
    first = again(qtbot, CompareWidget, viewer)
    first.wipe_slider.setValue(30)
    first.close()
    assert again(qtbot, CompareWidget, viewer).wipe_slider.value() == 30


def test_folder_remembers_all_but_that_files_may_be_replaced(
    qtbot, viewer, finish, tmp_path
) -> None:
    write_image(tmp_path / "raw" / "a.png", np.zeros((16, 16), np.uint8))
    first = again(qtbot, FolderWidget, viewer)
    first.input_field.edit.setText(str(tmp_path / "raw"))
    first.filter_edit.setText("*.png")
    first.output_field.edit.setText(str(tmp_path / "out"))
    first.device_box.setCurrentText("cpu")
    first.tile_box.setCurrentText("512 pixels")
    first.strength_box.setValue(40)
    first.overwrite_box.setChecked(True)
    first.run()
    finish(first.runner)
    second = again(qtbot, FolderWidget, viewer)
    assert second.settings() == first.settings()
    assert second.settings().tile == 512
    assert Path(second.input_field.path) == tmp_path / "raw"
    assert Path(second.output_field.path) == tmp_path / "out"
    assert second.filter_edit.text() == "*.png"
    assert not second.overwrite_box.isChecked()


def test_the_preferences_name_everything_that_is_remembered(qtbot, viewer, finish) -> None:
    import napari_anyir

    text = (Path(napari_anyir.__file__).parent / "napari.yaml").read_text(encoding="utf-8")
    offered = yaml.safe_load(text)["contributions"]["configurations"]
    restore, learn = (again(qtbot, kind, viewer) for kind in (RestoreWidget, LearnWidget))
    saved = {
        "restore": {*restore.form.values(), "strength"},
        "folder": set(again(qtbot, FolderWidget, viewer)._values()),
        "degrade": set(again(qtbot, DegradeWidget, viewer)._values()),
        "learn": set(learn.form.values()),
        "compare": {"wipe"},
    }
    for section, names in saved.items():
        assert names == set(offered[section]["properties"])


@pytest.mark.slow
def test_no_widget_loads_the_compiler_of_torch(run_python) -> None:
    code = """
import sys
import numpy as np
from napari.components import ViewerModel
from napari_anyir.widgets.analyses.analysis_job import KINDS, AnalysisJob
from napari_anyir.widgets.degrade.degrade_job import DegradationChoice, KindsJob, plan_degradation
from napari_anyir.widgets.feature_maps.feature_maps_job import FeatureMapsJob
from napari_anyir.widgets.layers.shown_plane import read_shown_plane
from napari_anyir.widgets.restore.restore_job import RestoreChoices, plan
from napari_anyir.widgets.what_if.trial_job import WhatIfJob

viewer = ViewerModel()
pixels = np.random.default_rng(0).integers(0, 255, (40, 48), np.uint8)
layer = viewer.add_image(pixels)
plan(layer, "YX", settings=RestoreChoices(model="nano", device="cpu"))(None, None)
for kind in KindsJob()(None, None):
    plan_degradation(layer, "YX", DegradationChoice(kind, {}))(None, None)
plane = read_shown_plane(layer, viewer.dims)
FeatureMapsJob(plane, ("latent.0",), ("gated",), model="nano", device="cpu")(None, None)
WhatIfJob(plane, (("latent.0:gated=off",),), model="nano", device="cpu")(None, None)
for name, kind in KINDS.items():
    blocks = ("latent.0",) if name != "spectra" else ()
    job = AnalysisJob(name, plane, blocks, kind.parts, "nano", "cpu", pixels)
    job(None, None)
print(sorted({"torch", "triton", "torch._dynamo"} & set(sys.modules)))
"""
    assert run_python(code) == "['torch']"
