"""*Restore image*: choose, run, cancel, and see the result as a new layer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QApplication,
    QCheckBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_anyir.widgets.kit import last_choices
from napari_anyir.widgets.kit.activity import (
    PLAIN,
    clear_progress,
    progress_text,
    summary,
)
from napari_anyir.widgets.kit.blender import Blender
from napari_anyir.widgets.kit.job_dock import JobDock
from napari_anyir.widgets.kit.scrolling import Scrolling
from napari_anyir.widgets.layers.contrast import widen_slider
from napari_anyir.widgets.layers.layer_order import add_above, sums
from napari_anyir.widgets.layers.side_by_side import SideBySide
from napari_anyir.widgets.restore.estimate import learn_from
from napari_anyir.widgets.restore.live_preview import LivePreview
from napari_anyir.widgets.restore.restore_form import RestoreForm, small_label
from napari_anyir.widgets.restore.restore_job import Restored, RestoreJob, plan, result_layer
from napari_anyir.widgets.restore.result_report import ResultReport
from napari_anyir.widgets.restore.result_script import Origin, origin
from napari_anyir.widgets.restore.results import METADATA, Results

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["METADATA", "RestoreWidget", "summary"]

NOTHING = "no layer was added"


class RestoreWidget(JobDock):
    """Restore a layer with AnyIR.

    Parameters
    ----------
    napari_viewer : napari.components.ViewerModel
        The viewer; napari passes it.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__(napari_viewer, NOTHING)
        self._job: RestoreJob | None = None
        self._queue: list[tuple[str, RestoreJob]] = []
        self._several = 0
        self.results = Results(self._viewer)
        self.side_by_side = SideBySide(self._viewer)
        self._fresh = False
        self._done = False
        self._origin: Origin | None = None
        self.form = RestoreForm(self._viewer)
        self._build()
        remembered = last_choices.load("restore")
        self.form.set_values(remembered)
        self.strength_slider.setValue(int(remembered.get("strength", 100)))
        self.strength_box.setValue(self.strength_slider.value())
        self._connect()
        self._update()

    # ---------------------------------------------------------------- building

    def _build(self) -> None:
        self.strength_slider = QSlider(Qt.Orientation.Horizontal)
        self.strength_slider.setRange(0, 100)
        self.strength_slider.setValue(100)
        self.strength_box = QSpinBox()
        self.strength_box.setRange(0, 100)
        self.strength_box.setValue(100)
        self.strength_box.setSuffix(" %")
        for field in (self.strength_slider, self.strength_box):
            field.setToolTip(
                "How much of the restoration to show: 0 is the source, 100 the full result. "
                "It also changes the results of the last run at once, without another run."
            )
        self.run_button.setText("&Restore")
        self.run_button.setToolTip("Restore into a new layer.")
        self.cancel_button.setToolTip("Stop at the next strip of the image.")
        self.script_button = QPushButton("Cop&y as script")
        self.script_button.setToolTip(
            "Copy Python that makes the last run's results again, bit for bit on a processor."
        )
        self.script_button.setEnabled(False)
        self.progress_bar.setToolTip("How far the run is, over all planes.")
        self.report = ResultReport()
        self.estimate_label = small_label()
        self.estimate_label.setToolTip("From earlier runs with the same choices on this computer.")
        self.row.tells = self._progress_text
        self.status_label.setToolTip(PLAIN)

        strength = QHBoxLayout()
        strength.setContentsMargins(0, 0, 0, 0)
        strength.addWidget(self.strength_slider, 1)
        strength.addWidget(self.strength_box)
        row = QFormLayout()
        row.setContentsMargins(0, 0, 0, 0)
        label = QLabel("&Strength")
        label.setBuddy(self.strength_slider)
        row.addRow(label, strength)
        buttons = QHBoxLayout()
        buttons.addWidget(self.run_button, 2)
        buttons.addWidget(self.cancel_button, 1)
        self.preview_box = QCheckBox("Li&ve preview")
        self.preview_box.setToolTip(
            "Restore what is in view, or the rectangle, again whenever something changes; of a "
            "large view only its middle. The network looks at all pixels of an image, so that "
            "the full result can differ a little."
        )
        choices = QWidget()
        inner = QVBoxLayout(choices)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(6)
        inner.addWidget(self.form)
        inner.addLayout(row)
        inner.addWidget(self.preview_box)
        layout = QVBoxLayout(self)
        layout.setSpacing(6)
        layout.addWidget(Scrolling(choices))
        layout.addWidget(self.estimate_label)
        layout.addLayout(buttons)
        layout.addWidget(self.row)
        layout.addWidget(self.report)
        layout.addWidget(self.script_button)
        layout.addStretch(1)

    def _connect(self) -> None:
        self.preview = LivePreview(self._viewer, self.form, lambda: self.strength, self)
        self.preview.told.connect(self.status_label.setText)
        self.preview.runner.finished.connect(self._update)  # it has taught how long a run takes
        self.preview_box.toggled.connect(self.preview.set_enabled)
        self.strength_slider.valueChanged.connect(self.preview.blend_again)
        self.strength_slider.valueChanged.connect(lambda _: self.report.set_strength(self.strength))
        self.form.changed.connect(self._update)
        self.form.layer_box.layer_changed.connect(self._layer_chosen)
        self.script_button.clicked.connect(self.copy_script)
        self.strength_slider.valueChanged.connect(self.strength_box.setValue)
        self.strength_box.valueChanged.connect(self.strength_slider.setValue)
        self.blender = Blender(self.results.arrays, lambda: self.strength, self)
        self.blender.blended.connect(self._blended)
        self.strength_slider.valueChanged.connect(self.blender.ask)

    # ---------------------------------------------------------------- what the user does

    @property
    def strength(self) -> float:
        """Share of the restoration, 0 to 1."""
        return self.strength_slider.value() / 100

    def run(self) -> None:
        """Restore the chosen layer in a thread."""
        if self.runner.running:
            return
        problem = self.form.problem
        if problem is not None:
            self._complain(problem)
            return
        layer = self.form.layer
        try:
            job = plan(
                layer,
                self.form.axes,
                dims=self._viewer.dims,
                what=self.form.what,
                shapes=self.form.shapes,
                settings=self.form.settings(),
                compute=self.form.compute,
            )
        except (TypeError, ValueError) as error:
            self._complain(str(error))
            return
        last_choices.save(
            "restore", {**self.form.values(), "strength": self.strength_slider.value()}
        )
        self._queue = [
            (card.name, replace(job, settings=replace(job.settings, model=model)))
            for card, model in zip(
                self.form.model_field.cards, self.form.model_field.models, strict=True
            )
        ]
        self._several, self._fresh = len(self._queue), True
        self._origin = origin(layer)
        self.row.stays = NOTHING
        self.preview.pause()
        self.side_by_side.end()
        self._start_next(layer)

    def _start_next(self, layer: Any) -> None:
        """Start the next of the runs: one for each model."""
        name, self._job = self._queue.pop(0)
        self._done = False
        self._start(self._job, source=layer, model=name, planes=self._job.steps)

    def cancel(self) -> None:
        """Stop the run at its next step, and begin none of those after it."""
        self._queue = []
        super().cancel()

    # ---------------------------------------------------------------- what the worker says

    def _progress_text(self, done: int, total: int, seconds: float) -> str:
        return "" if self._job is None else progress_text(done, total, self._job.steps, seconds)

    def _returned(self, restored: Restored) -> None:
        if self._job is None or self._origin is None:
            return
        names = {layer.name for layer in self._viewer.layers}
        data, values, _ = result_layer(self._job, restored, names, self.strength)
        source = self.source
        layer = add_above(self._viewer, source, data, values)
        widen_slider(layer, restored.slider)
        if self._fresh:  # until then the slider acts on what an earlier run left
            self.blender.stop()
            self.results.clear()
            self._fresh = False
        self.results.add(layer, self._origin, self._job, restored)
        self.row.stays = f"{len(self.results)} of {self._several} results are added"
        self._done = True
        learn_from(restored.record, self._job.settings, self._job.pixels)
        self.report.show_change(restored.change, self.strength)
        hidden = source is not None and sums(source)
        why = f" {self._job.source!r} is hidden: both would add up." if hidden else ""
        self.status_label.setText(summary(restored.record) + why)

    def _ended(self) -> None:
        source = self.source
        if self._queue and self._done:
            self._start_next(source)
            return
        if self._several > 1 and self._done and not self.row.cancelled:
            self._show_side_by_side(source)
        self._queue, self._several = [], 0
        self._job = self._origin = None
        self.preview.resume()

    def _show_side_by_side(self, source: Any) -> None:
        layers = self.results.layers
        if len(layers) < 2:  # they were deleted meanwhile
            return
        if source is not None and source in self._viewer.layers:
            source.visible = True
            layers = [source, *layers]
        self.side_by_side.begin(layers)
        self.status_label.setText(
            f"{self._several} results, side by side: napari's grid button puts them on top of "
            "each other; Compare layers measures them."
        )

    def copy_script(self) -> None:
        """Put a script that makes the results of the last run again on the clipboard."""
        if not self.results:
            return
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self.results.script(self.strength))
            self.status_label.setText("The script is on the clipboard.")

    # ---------------------------------------------------------------- strength afterwards

    def _blended(self, blended: tuple[dict[str, Any], float]) -> None:
        self.results.show(*blended)

    # ---------------------------------------------------------------- the viewer's doings

    def _layer_removed(self, layer: Any) -> None:
        if self.results.forget(layer):
            if not self.results:
                self.blender.stop()
                self.report.show_change(None, self.strength)
            self._update()

    def _layer_chosen(self) -> None:
        """Clear what was said of another layer."""
        if not self.runner.running:
            self.status_label.setText("")
            clear_progress(self.progress_bar)

    def _update(self) -> None:
        super()._update()
        self._estimate()
        self.run_button.setEnabled(not self.row.running and self.form.problem is None)
        self.script_button.setEnabled(len(self.results) > 0)

    def _estimate(self) -> None:
        """Say how long a run will take and how much memory, as far as that is known."""
        text, tight = ("", False) if self.form.problem else self._expected()
        if tight:
            self.estimate_label.warn(text)
        else:
            self.estimate_label.setText(text)

    def _expected(self) -> tuple[str, bool]:
        try:
            job = plan(
                self.form.layer,
                self.form.axes,
                dims=self._viewer.dims,
                what=self.form.what,
                shapes=self.form.shapes,
            )
        except (TypeError, ValueError):  # said when the run is asked for
            return "", False
        return self.form.estimate(job)

    def _shown(self) -> None:
        """Look for devices when the widget is first seen, which is its first use."""
        self.form.find_devices()

    def _left(self) -> None:
        self.blender.stop()
        self.preview_box.setChecked(False)
        self.side_by_side.end()
