"""The foot of a dock that runs jobs: a bar, a line of text, and napari's own bar of activity."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QProgressBar, QVBoxLayout, QWidget

from napari_anyir.widgets.kit.activity import Activity, end_progress, show_progress
from napari_anyir.widgets.kit.form_parts import small_label
from napari_anyir.widgets.kit.qt import Signal
from napari_anyir.widgets.kit.worker import Job, Runner


class JobRow(QWidget):
    """Runs one job at a time and tells how far it is.

    Parameters
    ----------
    stays : str
        What a cancelled job leaves, to end a sentence with: ``"layers are as they were"``. A dock
        may change it while a job runs.
    parent : QWidget, optional
        The parent.

    Attributes
    ----------
    returned : Signal
        What the job returned.
    ended : Signal
        Emitted last, whatever happened.
    tells : callable, optional
        ``tells(done, total, seconds)``: what the line says of a running job.
    cancelled : bool
        Whether the last job was told to stop.
    changed : Signal
        A job began, was told to stop, or ended: buttons may have to follow.
    """

    returned = Signal(object)
    ended = Signal()
    changed = Signal()

    def __init__(self, stays: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.stays = stays
        self.tells: Callable[[int, int, float], str] | None = None
        self._started = 0.0
        self._activity: Activity | None = None
        self.cancelled = self._whole = False
        self.runner = Runner(self)
        self.bar = QProgressBar()
        self.bar.setRange(0, 1)
        self.bar.setMaximumHeight(14)
        self.bar.setToolTip("How far the run is.")
        self.label = small_label()
        self.label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        layout.addWidget(self.bar)
        layout.addWidget(self.label)
        self.runner.progressed.connect(self._progressed)
        self.runner.returned.connect(self._returned)
        self.runner.failed.connect(self.label.complain)
        self.runner.finished.connect(self._finished)

    @property
    def running(self) -> bool:
        """Whether a job is under way."""
        return self.runner.running

    @property
    def stoppable(self) -> bool:
        """Whether a job is under way that was not told to stop."""
        return self.runner.running and not self.runner.stopping

    def start(self, job: Job, model: str = "", planes: int = 1) -> None:
        """Start a job; its text is what ``str(job)`` says."""
        self.cancelled = self._whole = False
        self.bar.setRange(0, 0)  # busy: torch and the weights are loaded first
        self.label.setText(f"{job} with {model} ..." if model else f"{job} ...")
        self._activity = Activity(str(job), planes, self.cancel)
        self._started = time.monotonic()
        self.runner.start(job)
        self.changed.emit()

    def cancel(self) -> None:
        """Stop the job at its next step."""
        if self.runner.running:
            self.cancelled = True
            self.runner.stop()
            self.label.setText("Stopping ...")
            self.changed.emit()

    def _progressed(self, done: int, total: int) -> None:
        # A full bar would say that all is done, and what follows the network only begins now.
        show_progress(self.bar, done, total if done < total else 0)
        if self.tells is not None:
            self.label.setText(self.tells(done, total, time.monotonic() - self._started))
        # Last, because napari handles events in there, the end of this run among them.
        if self._activity is not None:
            self._activity.show(done, total)

    def _returned(self, result: Any) -> None:
        self._whole = True
        self.returned.emit(result)

    def _finished(self) -> None:
        if self.cancelled:
            self.label.setText(f"Cancelled; {self.stays}.")
        if self._activity is not None:
            self._activity.close()
        self._activity = None
        end_progress(self.bar, whole=self._whole)
        self.ended.emit()
        self.changed.emit()
