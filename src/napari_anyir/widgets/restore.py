"""*Restore image*: choose, run, cancel, and see the result as a new layer."""

from __future__ import annotations

import time
import weakref
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QApplication,
    QCheckBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_anyir.widgets import _settings
from napari_anyir.widgets._activity import Activity, progress_text, show_progress
from napari_anyir.widgets._preview import LivePreview
from napari_anyir.widgets._restoration import Restored, RestoreJob, plan, result_layer
from napari_anyir.widgets._restore_form import RestoreForm, small_label
from napari_anyir.widgets._script import Origin, origin, script
from napari_anyir.widgets._viewer import unwrapped
from napari_anyir.widgets._worker import Runner
from napari_anyir.widgets.blending import blend

if TYPE_CHECKING:
    from napari.components import ViewerModel

METADATA = "napari_anyir"
"""Key of the provenance record in a layer's metadata."""


class RestoreWidget(QWidget):
    """Restore a layer with AnyIR.

    Parameters
    ----------
    napari_viewer : napari.components.ViewerModel
        The viewer; napari passes it.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = unwrapped(napari_viewer)
        self._job: RestoreJob | None = None
        self._source: weakref.ref[Any] | None = None
        self._result: weakref.ref[Any] | None = None
        self._restored: Restored | None = None
        self._started = 0.0
        self.cancelled = False
        self._origin: Origin | None = None
        self._script: tuple[Origin, RestoreJob, Restored] | None = None
        self._activity: Any = None
        self.runner = Runner(self)
        self.form = RestoreForm(self._viewer)
        self._build()
        remembered = _settings.load("restore")
        self.form.set_values(remembered)
        self.strength_slider.setValue(int(remembered.get("strength", 100)))
        self.strength_box.setValue(self.strength_slider.value())
        self._connect()
        self._update_buttons()

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
                "It also changes the newest result at once, without another run."
            )
        self.run_button = QPushButton("&Restore")
        self.run_button.setToolTip("Restore into a new layer.")
        self.cancel_button = QPushButton("&Cancel")
        self.cancel_button.setToolTip("Stop at the next strip of the image.")
        self.script_button = QPushButton("Co&py as script")
        self.script_button.setToolTip(
            "Copy Python that makes the newest result again, bit for bit on a processor."
        )
        self.script_button.setEnabled(False)
        self.progress_bar = QProgressBar()
        self.progress_bar.setRange(0, 1)
        self.progress_bar.setTextVisible(True)
        self.status_label = small_label()
        self.status_label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)

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
        layout = QVBoxLayout(self)
        layout.setSpacing(6)
        layout.addWidget(self.form)
        layout.addLayout(row)
        layout.addWidget(self.preview_box)
        layout.addLayout(buttons)
        layout.addWidget(self.progress_bar)
        layout.addWidget(self.status_label)
        layout.addWidget(self.script_button)
        layout.addStretch(1)

    def _connect(self) -> None:
        self.preview = LivePreview(self._viewer, self.form, lambda: self.strength, self)
        self.preview.told.connect(self.status_label.setText)
        self.preview_box.toggled.connect(self.preview.set_enabled)
        self.strength_slider.valueChanged.connect(self.preview.blend_again)
        self.form.changed.connect(self._update_buttons)
        self.run_button.clicked.connect(self.run)
        self.cancel_button.clicked.connect(self.cancel)
        self.script_button.clicked.connect(self.copy_script)
        self.strength_slider.valueChanged.connect(self.strength_box.setValue)
        self.strength_box.valueChanged.connect(self.strength_slider.setValue)
        # Dragging the slider asks for more pictures than can be blended: the last one counts.
        self._blend_timer = QTimer(self)
        self._blend_timer.setSingleShot(True)
        self._blend_timer.setInterval(30)
        self._blend_timer.timeout.connect(self._blend)
        self.strength_slider.valueChanged.connect(lambda _: self._blend_timer.start())
        self.runner.progressed.connect(self._progressed)
        self.runner.returned.connect(self._returned)
        self.runner.failed.connect(self.status_label.setText)
        self.runner.finished.connect(self._finished)
        self._viewer.layers.events.removed.connect(self._layer_removed)

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
            )
        except (TypeError, ValueError) as error:
            self._complain(str(error))
            return
        _settings.save("restore", {**self.form.values(), "strength": self.strength_slider.value()})
        self._job = job
        self._origin = origin(layer)
        self._source = weakref.ref(layer)
        self._started = time.monotonic()
        self.progress_bar.setRange(0, 0)  # busy: torch and the weights are loaded first
        self.status_label.setText(f"{job} with {job.settings.model} ...")
        # napari's own bars stand in the activity dock: one for the planes, below it the strips.
        self._activity = Activity(str(job), job.planes, self.cancel)
        self.preview.pause()
        self.runner.start(job)
        self._update_buttons()

    def cancel(self) -> None:
        """Stop the run at its next step."""
        if self.runner.running:
            self.runner.stop()
            self.cancelled = True
            self.status_label.setText("Stopping at the next strip ...")
            self._update_buttons()

    # ---------------------------------------------------------------- what the worker says

    def _progressed(self, done: int, total: int) -> None:
        show_progress(self.progress_bar, done, total)
        if self._job is None:
            return
        seconds = time.monotonic() - self._started
        self.status_label.setText(progress_text(done, total, self._job.planes, seconds))
        # Last, because napari handles events in there, the end of this run among them.
        self._activity.show(done, total)

    def _returned(self, restored: Restored) -> None:
        if self._job is None or self._origin is None:
            return
        names = {layer.name for layer in self._viewer.layers}
        data, values, _ = result_layer(self._job, restored, names, self.strength)
        layer = self._viewer.add_image(data, **values)
        self._result, self._restored = weakref.ref(layer), restored
        self._script = (self._origin, self._job, restored)
        self.status_label.setText(summary(restored.record))

    def _finished(self) -> None:
        if self.cancelled:
            self.status_label.setText("Cancelled; no layer was added.")
        self.cancelled = False
        if self._activity is not None:
            self._activity.close()
        self.progress_bar.setRange(0, 1)
        self.progress_bar.setValue(0)
        self._job = self._source = self._origin = self._activity = None
        self.preview.resume()
        self._update_buttons()

    def copy_script(self) -> None:
        """Put a script that makes the newest result again on the clipboard."""
        if self._script is None:
            return
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(script(*self._script, self.strength))
            self.status_label.setText("The script is on the clipboard.")

    # ---------------------------------------------------------------- strength afterwards

    def _blend(self) -> None:
        layer = self._result() if self._result is not None else None
        if layer is None or self._restored is None or layer not in self._viewer.layers:
            return
        layer.data = blend(self._restored.source, self._restored.pixels, self.strength)
        record = {**layer.metadata.get(METADATA, {}), "strength": self.strength}
        layer.metadata = {**layer.metadata, METADATA: record}

    # ---------------------------------------------------------------- the viewer's doings

    def _layer_removed(self, event: Any) -> None:
        if self._source is not None and self._source() == event.value:
            self.cancel()
        if self._result is not None and self._result() == event.value:
            self._result = self._restored = self._script = None
            self._update_buttons()

    def _update_buttons(self) -> None:
        running = self.runner.running
        self.run_button.setEnabled(not running and self.form.problem is None)
        self.cancel_button.setEnabled(running and not self.runner.stopping)
        self.script_button.setEnabled(self._script is not None)

    def _complain(self, text: str) -> None:
        self.status_label.setText(text)
        show_error(text)

    def showEvent(self, event: Any) -> None:
        """Look for devices when the widget is first seen, which is its first use."""
        super().showEvent(event)
        self.form.find_devices()

    def closeEvent(self, event: Any) -> None:
        """Stop what runs; a dock that is closed is gone."""
        self.runner.stop()
        self.preview_box.setChecked(False)
        super().closeEvent(event)


def summary(record: Any) -> str:
    """Say in a line what ran where and how long.

    Parameters
    ----------
    record : mapping
        Provenance.

    Returns
    -------
    str
        For the line under the buttons.

    Examples
    --------
    >>> summary({"model": "nano", "device": "cpu", "precision": "float32", "mode": "strips",
    ...          "tile": None, "seconds": 1.25, "planes": 1})
    'nano on cpu, float32, in strips: 1.2 s.'
    """
    how = {"whole": "in one piece", "strips": "in strips"}.get(record["mode"], "")
    if record["mode"] == "tiles":
        how = f"in tiles of {record['tile']} pixels"
    parts = [f"{record['model']} on {record['device']}", str(record["precision"]), how]
    if record["planes"] > 1:
        parts.append(f"{record['planes']} planes")
    took = "when shown" if record["seconds"] is None else f"{record['seconds']:.1f} s"
    return f"{', '.join(part for part in parts if part)}: {took}."
