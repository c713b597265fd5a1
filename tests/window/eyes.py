"""napari with eyes: what a person sees on the screen, and where, written to a file again and again.

    python eyes.py FILE

starts napari as its command does, empty, and five times a second writes to FILE, as JSON, what
stands in its windows. `hands` reads it to know where to point; all else it does as a person does.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import napari
from napari.utils.notifications import NotificationSeverity, notification_manager
from qtpy.QtCore import QPoint, QRect, QTimer
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QApplication,
    QComboBox,
    QDockWidget,
    QHeaderView,
    QLabel,
    QLineEdit,
    QMenu,
    QMenuBar,
    QSlider,
    QWidget,
)

KINDS = (QAbstractButton, QComboBox, QDockWidget, QLabel, QLineEdit, QSlider)

told: list[str] = []


def _place(widget: QWidget, part: QRect | None = None) -> list[int]:
    part = widget.rect() if part is None else part
    corner = widget.mapToGlobal(QPoint(part.x(), part.y()))
    return [corner.x(), corner.y(), part.width(), part.height()]


def _text(widget: Any) -> str:
    for name in ("text", "currentText", "windowTitle"):
        if isinstance(found := getattr(widget, name, None), str) or callable(found):
            text = found() if callable(found) else found
            if text:
                return str(text)
    return str(widget.toolTip())


def seen() -> Iterator[dict[str, Any]]:
    """Tell of each thing that is on the screen: its kind, its words, its place."""
    for widget in QApplication.allWidgets():
        if not widget.isVisible() or isinstance(widget, QHeaderView):
            continue
        if isinstance(widget, QMenu | QMenuBar):
            for action in widget.actions():
                where = widget.actionGeometry(action)
                if action.isVisible() and not action.isSeparator() and where.isValid():
                    yield {
                        "kind": "QMenu" if isinstance(widget, QMenu) else "QMenuBar",
                        "text": action.text().replace("&", ""),
                        "enabled": action.isEnabled(),
                        "place": _place(widget, where),
                    }
        elif isinstance(widget, QAbstractItemView) and widget.model() is not None:
            for row in range(widget.model().rowCount()):
                index = widget.model().index(row, 0)
                yield {
                    "kind": "item",
                    "text": str(index.data()),
                    "enabled": True,
                    "place": _place(widget.viewport(), widget.visualRect(index)),
                }
        elif isinstance(widget, KINDS):
            kind = next(kind.__name__ for kind in KINDS if isinstance(widget, kind))
            yield {
                "kind": kind,
                "text": _text(widget).replace("&", ""),
                "enabled": widget.isEnabled(),
                "place": _place(widget),
                "hint": [widget.minimumSizeHint().width(), widget.minimumSizeHint().height()],
            }


def main() -> None:
    """Open napari and look until its window is closed."""
    path = Path(sys.argv[1])

    def hear(notification: Any) -> None:
        if notification.severity >= NotificationSeverity.ERROR:
            told.append(str(notification.message))

    def look() -> None:
        part = path.with_suffix(".part")
        part.write_text(json.dumps({"seen": list(seen()), "errors": told}))
        part.replace(path)

    notification_manager.notification_ready.connect(hear)
    viewer = napari.Viewer()
    timer = QTimer(viewer.window._qt_window)
    timer.timeout.connect(look)
    timer.start(200)
    del viewer
    napari.run()


if __name__ == "__main__":
    main()
