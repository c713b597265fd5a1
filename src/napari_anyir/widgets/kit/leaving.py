"""Close a widget when its dock is taken away, which napari tells it in no other way."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QWidget


class Leaving(QObject):
    """Sends a widget its close event once it is no longer in a dock.

    The cross in a dock's title takes the widget out of the dock and forgets it: there is no close
    event, and whatever the widget has started goes on until Python happens to collect it. A dock
    that is hidden, floated or moved keeps its widget.

    Parameters
    ----------
    widget : QWidget
        What is put into a dock.

    Examples
    --------
    >>> from qtpy.QtWidgets import QApplication, QWidget
    >>> application = QApplication.instance() or QApplication([])
    >>> class Told(QWidget):
    ...     closed = False
    ...     def closeEvent(self, event):
    ...         self.closed = True
    >>> dock, widget = QWidget(), Told()
    >>> leaving = Leaving(widget)
    >>> widget.setParent(dock)
    >>> widget.setParent(None)
    >>> application.processEvents()
    >>> widget.closed
    True
    """

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Look for the loss of the parent; the event itself is passed on."""
        if watched is None or event is None or event.type() != QEvent.Type.ParentChange:
            return False
        if watched.parent() is None:
            QTimer.singleShot(0, lambda: _close(watched))  # not in the midst of the change
        return False


def _close(widget: Any) -> None:
    """Close a widget unless it has found another dock meanwhile, or is gone."""
    with suppress(RuntimeError):  # Qt has deleted it
        if widget.parent() is None:
            widget.close()
