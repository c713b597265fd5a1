"""One person's path through a real napari window, in a process of its own: its exit status counts.

    python stage.py PATH KIND FOLDER

plays the generator ``PATH`` of paths.py on the image ``KIND`` while napari's own event loop runs. A
path yields what it waits for: seconds, or a condition. Whatever napari had to tell as an error ends
the process with 1, as does a condition that does not come true; a crash ends it as crashes do.
"""

from __future__ import annotations

import faulthandler
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import napari
from images import IMAGES
from napari._qt.widgets.qt_progress_bar import QtLabeledProgressBar
from napari._qt.widgets.qt_viewer_dock_widget import QtViewerDockWidget
from napari.utils.notifications import NotificationSeverity, notification_manager
from qtpy.QtCore import QPoint, Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QAbstractButton, QApplication, QComboBox, QLabel, QWidget

PATIENCE = 100.0
"""Seconds until a condition has failed; the machine may be busy."""

Wait = float | Callable[[], object]


class Stage:
    """A shown napari window and hands to use it with.

    Parameters
    ----------
    kind : str
        Of the image: one of `images.IMAGES`.
    folder : Path
        To write into.
    """

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind, self.folder = kind, folder
        self.widget: Any = None
        self.runs = 0
        self.errors: list[str] = []
        self.expected: list[str] = []
        notification_manager.notification_ready.connect(self._told)
        self.viewer = napari.Viewer()
        self.viewer.window.resize(1366, 768)
        self.image = self.open(kind)

    def open(self, kind: str) -> Any:
        """Open an image; its layer is named as its kind."""
        made = IMAGES[kind]()
        return self.viewer.add_image(made.pop("data"), name=kind, **made)

    def dock(self, title: str) -> Any:
        """Open a dock as its menu does, and return the widget in it."""
        widget = self.viewer.window.add_plugin_dock_widget("napari-anyir", title)[1]
        QApplication.processEvents()
        return widget

    def close_dock(self, widget: Any) -> None:
        """Click the cross in the title of the widget's dock."""
        self.click(self.dock_of(widget).title.close_button)

    def click(self, button: QAbstractButton) -> None:
        """Click a button, which a person can only do if it is there and enabled."""
        if not button.isVisible() or not button.isEnabled():
            raise AssertionError(f"the button {button.text()!r} cannot be clicked")
        where = QPoint(button.width() // 2, button.height() // 2)
        QTest.mouseClick(button, Qt.MouseButton.LeftButton, pos=where)

    def show(self, widget: Any) -> None:
        """Bring the dock of a widget to the front of those that share its place."""
        self.dock_of(widget).raise_()

    def double_click(self, table: Any, row: int) -> None:
        """Double-click the first cell of a table's row."""
        where = table.visualItemRect(table.item(row, 0)).center()
        QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=where)
        QTest.mouseDClick(table.viewport(), Qt.MouseButton.LeftButton, pos=where)

    def activity_button(self) -> Any:
        """Find the cancel button of the bar that napari shows, or None."""
        window = self.viewer.window._qt_window
        bars = window.findChildren(QtLabeledProgressBar)
        return bars[0].cancel_button if bars else None

    def step(self) -> None:
        """Move the first slider under the image to its last plane and back, if there is one."""
        dims = self.viewer.dims
        for axis in dims.not_displayed:
            for place in (int(dims.nsteps[axis]) - 1, 0):
                dims.set_current_step(axis, place)

    def brightness(self) -> float:
        """Return the mean of what is drawn on the canvas, its empty border left out."""
        picture = self.viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(float)
        drawn = picture.max(axis=-1) > 0
        return float(picture[drawn].mean()) if drawn.mean() > 0.02 else 0.0

    def cut_off(self, widget: Any) -> list[str]:
        """Tell which words and fields in a dock are smaller than they have to be."""
        found = []
        for part in widget.findChildren(QWidget):
            if part.visibleRegion().isEmpty():  # folded away, or to be scrolled to
                continue
            if not isinstance(part, QLabel | QAbstractButton | QComboBox):
                continue
            least = part.minimumSizeHint()
            width, height = least.width(), least.height()
            if isinstance(part, QLabel) and part.wordWrap():
                width, height = 0, part.heightForWidth(part.width())
            if part.width() < width or part.height() < height:
                text = part.currentText() if isinstance(part, QComboBox) else part.text()
                found.append(f"{text!r}: {part.width()} x {part.height()} of {width} x {height}")
        # As the menu opens it; what opens it here gives the package's name.
        title = self.dock_of(widget).windowTitle().replace("(napari-anyir)", "(AnyIR)")
        label = self.dock_of(widget).title.findChild(QLabel)
        if label is not None and label.width() < label.fontMetrics().horizontalAdvance(title):
            found.append(f"the title {title!r}")
        return found

    def close(self) -> None:
        """Close napari's window."""
        self.viewer.close()

    def dock_of(self, widget: Any) -> Any:
        """Find the dock that holds a widget."""
        found = widget.parent()
        while not isinstance(found, QtViewerDockWidget):
            found = found.parent()
        return found

    def _told(self, notification: Any) -> None:
        text = str(notification.message)
        severe = notification.severity >= NotificationSeverity.ERROR
        if severe and not any(part in text for part in self.expected):
            self.errors.append(text)


class Player:
    """Plays a path while the event loop runs.

    Parameters
    ----------
    stage : Stage
        Where.
    path : iterator
        What it yields is waited for.
    """

    def __init__(self, stage: Stage, path: Iterator[Wait]) -> None:
        self.stage, self.path = stage, path
        self.failed = False
        self._wait: Wait = 0.3
        self._since = time.monotonic()
        self._timer = QTimer()
        self._timer.timeout.connect(self._look)
        self._timer.start(20)
        self._busy = False

    def _look(self) -> None:
        if self._busy:  # a path that handles events itself is called again in there
            return
        self._busy = True
        try:
            self._go_on()
        except StopIteration:
            self._end()
        except BaseException:  # noqa: BLE001 - told, and the process ends with 1
            traceback.print_exc()
            self.failed = True
            self._end()
        finally:
            self._busy = False

    def _go_on(self) -> None:
        waited = time.monotonic() - self._since
        if callable(self._wait):
            if not self._wait():
                if waited > PATIENCE:
                    line = self.path.gi_frame.f_lineno  # type: ignore[attr-defined]
                    raise TimeoutError(f"waited in vain in line {line} of paths.py")
                return
        elif waited < self._wait:
            return
        self._wait = next(self.path)
        self._since = time.monotonic()

    def _end(self) -> None:
        self._timer.stop()
        if QApplication.topLevelWidgets() and self.stage.viewer in napari.Viewer._instances:
            self.stage.close()


def main() -> int:
    """Play; return the exit status."""
    import paths

    name, kind, folder = sys.argv[1:4]
    faulthandler.enable()
    faulthandler.dump_traceback_later(2 * PATIENCE, exit=True)
    stage = Stage(kind, Path(folder))
    player = Player(stage, getattr(paths, name)(stage))
    napari.run()
    for text in stage.errors:
        print("napari told an error:", text, file=sys.stderr)
    print("the event loop has ended")
    return int(player.failed or bool(stage.errors))


if __name__ == "__main__":
    sys.exit(main())
