"""The life of a widget in its dock: a tab where there is no room, and an end."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QApplication, QDockWidget, QMainWindow, QWidget


class DockLife(QObject):
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
    >>> leaving = DockLife(widget)
    >>> widget.setParent(dock)
    >>> widget.setParent(None)
    >>> application.processEvents()
    >>> widget.closed
    True
    """

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        self._placed = False
        self._heights: dict[QMainWindow, int] = {}
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Look for the loss of the parent; the event itself is passed on."""
        if watched is None or event is None:
            return False
        if event.type() == QEvent.Type.Show and not self._placed:
            self._placed = True  # once: whoever moves a dock afterwards has the last word
            share_place(watched)
            QTimer.singleShot(0, lambda: _keep_height(watched, self._heights))
        if event.type() != QEvent.Type.ParentChange:
            return False
        if not self._placed:
            # A window grows for docks that come below each other, and does not shrink for tabs.
            self._heights = {
                window: window.height()
                for window in QApplication.topLevelWidgets()
                if isinstance(window, QMainWindow)
            }
        if watched.parent() is None:
            QTimer.singleShot(0, lambda: _close(watched))  # not in the midst of the change
        return False


def _close(widget: Any) -> None:
    """Close a widget unless it has found another dock meanwhile, or is gone."""
    with suppress(RuntimeError):  # Qt has deleted it
        if widget.parent() is None:
            widget.close()


def share_place(widget: Any) -> None:
    """Make docks of this package tabs of each other where they would not fit below each other.

    Parameters
    ----------
    widget : QWidget
        What has just been shown in a dock; it comes to the front.
    """
    with suppress(RuntimeError):  # Qt has deleted it
        dock = _dock_of(widget)
        window = dock.parent() if dock is not None else None
        if dock is None or not isinstance(window, QMainWindow) or dock.isFloating():
            return
        area = window.dockWidgetArea(dock)
        others = [
            other
            for other in window.findChildren(QDockWidget)
            if other is not dock
            and other.isVisible()
            and not other.isFloating()
            and window.dockWidgetArea(other) == area
            and other.findChild(DockLife) is not None
        ]
        if not others:
            return
        heights = [
            max(one.sizeHint().height(), one.minimumSizeHint().height()) for one in (dock, *others)
        ]
        if sum(heights) > window.height():
            window.tabifyDockWidget(others[-1], dock)
            dock.show()
            dock.raise_()


def _keep_height(widget: Any, heights: dict[QMainWindow, int]) -> None:
    """Give a window back the height that it had before a dock came, if that has become a tab."""
    with suppress(RuntimeError):  # Qt has deleted it
        dock = _dock_of(widget)
        window = dock.parent() if dock is not None else None
        if isinstance(window, QMainWindow) and window.tabifiedDockWidgets(dock):
            before = heights.get(window, 0)
            if 0 < before < window.height() and not window.isMaximized():
                window.resize(window.width(), before)


def _dock_of(widget: Any) -> QDockWidget | None:
    found = widget.parent()
    while found is not None and not isinstance(found, QDockWidget):
        found = found.parent()
    return found
