"""The life of a dock: its first showing, a run and its end, a complaint, a closing."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error
from qtpy.QtWidgets import QPushButton, QWidget

from napari_anyir.widgets.kit.dock_life import DockLife
from napari_anyir.widgets.kit.job_row import JobRow
from napari_anyir.widgets.kit.notices import Notice
from napari_anyir.widgets.kit.worker import Job
from napari_anyir.widgets.layers.viewer import unwrapped

if TYPE_CHECKING:
    from napari.components import ViewerModel


class Dock(QWidget):
    """What every dock of this plugin does; those that run jobs are `JobDock`.

    Parameters
    ----------
    napari_viewer : napari.components.ViewerModel
        The viewer; napari passes it.

    Attributes
    ----------
    status_label : Notice
        The line in which the dock speaks.
    """

    status_label: Notice

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        DockLife(self)
        self._viewer = unwrapped(napari_viewer)

    def _complain(self, text: str) -> None:
        """Say what is wrong and what to do, here and as a notification."""
        self.status_label.complain(text)
        show_error(text)

    def _shown(self) -> None:
        """Called whenever the dock is shown, first of all at its first use: load what is slow."""

    def _left(self) -> None:
        """Called when the dock is closed, which is its end: stop what runs, put the viewer back."""

    def showEvent(self, event: Any) -> None:
        """Begin what the first use needs."""
        super().showEvent(event)
        self._shown()

    def closeEvent(self, event: Any) -> None:
        """Stop what runs; a dock that is closed is gone, and its layers stay."""
        self._left()
        super().closeEvent(event)


class JobDock(Dock):
    """A dock that runs one job at a time in a thread, under a `JobRow`.

    A run ends early when it is cancelled, when the layer that it works on is removed, and when the
    dock is closed. What a dock does with the result stands in `_returned`; `_ended` follows it,
    whatever happened, and `_update` is called whenever buttons may have to change.

    Parameters
    ----------
    napari_viewer : napari.components.ViewerModel
        The viewer; napari passes it.
    stays : str
        What a cancelled job leaves, to end a sentence with: ``"no layer was added"``.

    Attributes
    ----------
    row : JobRow
        The bar and the line of text, which the dock places in its layout.
    run_button, cancel_button : QPushButton
        The dock names the first and places both.
    """

    def __init__(self, napari_viewer: ViewerModel, stays: str) -> None:
        super().__init__(napari_viewer)
        self._source: weakref.ref[Any] | None = None
        self.row = JobRow(stays)
        self.runner, self.status_label = self.row.runner, self.row.label
        self.progress_bar = self.row.bar
        self.run_button = QPushButton()
        self.cancel_button = QPushButton("&Cancel")
        self.run_button.clicked.connect(self.run)
        self.cancel_button.clicked.connect(self.cancel)
        self.row.returned.connect(self._returned)
        self.row.ended.connect(self._row_ended)
        self.row.changed.connect(self._update)
        self._viewer.layers.events.removed.connect(self._removed)

    def run(self) -> None:
        """Start what the dock is for, in a thread."""
        raise NotImplementedError

    def cancel(self) -> None:
        """Stop the run at its next step."""
        self.row.cancel()

    @property
    def source(self) -> Any:
        """The layer that the run works on, or None."""
        return self._source() if self._source is not None else None

    def _start(self, job: Job, *, source: Any = None, model: str = "", planes: int = 1) -> None:
        """Run a job; it is stopped when ``source``, a layer, is removed."""
        self._source = None if source is None else weakref.ref(source)
        self.row.start(job, model, planes)

    def _returned(self, result: Any) -> None:
        """Take what the job returned."""

    def _ended(self) -> None:
        """Called when a run is over, whatever happened."""

    def _update(self) -> None:
        """Enable what can be done now."""
        self.cancel_button.setEnabled(self.row.stoppable)

    def _layer_removed(self, layer: Any) -> None:
        """Called when a layer is gone; the run on it has been told to stop."""

    def _row_ended(self) -> None:
        self._ended()
        if not self.row.running:  # a dock may have started its next job
            self._source = None

    def _removed(self, event: Any) -> None:
        if self._source is not None and self._source() == event.value:
            self.cancel()
        self._layer_removed(event.value)

    def closeEvent(self, event: Any) -> None:
        """Stop the run; a dock that is closed is gone, and its layers stay."""
        self.cancel()
        super().closeEvent(event)
