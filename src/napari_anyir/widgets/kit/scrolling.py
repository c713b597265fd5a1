"""A form that scrolls where a dock is too low for it, instead of being pressed together."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, QSize, Qt
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QFrame, QScrollArea, QSizePolicy, QWidget

LEAST = 110
"""Pixels of a form that are always shown: three rows."""


class Scrolling(QScrollArea):
    """Shows a widget as high as it wants to be, and scrolls it where there is less room.

    Qt takes the rows of a wrapped text for something that may be cut; a layout without room cuts
    them, and fields with them.

    Parameters
    ----------
    content : QWidget
        What is shown.

    Examples
    --------
    >>> from qtpy.QtWidgets import QApplication, QLabel
    >>> application = QApplication.instance() or QApplication([])
    >>> area = Scrolling(QLabel("a form"))
    >>> area.minimumSizeHint().height() <= 110
    True
    """

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidget(content)

    def sizeHint(self) -> QSize:
        """Say how high the content is at its present width."""
        content = self.widget()
        if content is None:
            return super().sizeHint()
        wish, layout = content.sizeHint(), content.layout()
        height = wish.height()
        if layout is not None and layout.hasHeightForWidth():
            height = layout.totalHeightForWidth(max(self.width(), wish.width() // 2))
        border = self.height() - self.maximumViewportSize().height()  # a theme may draw one
        return QSize(wish.width(), height + border)

    def minimumSizeHint(self) -> QSize:
        """Say how wide the content has to be; of its height a part will do."""
        content = self.widget()
        if content is None:
            return super().minimumSizeHint()
        bar = self.verticalScrollBar()
        width = content.minimumSizeHint().width() + (bar.sizeHint().width() if bar else 0)
        return QSize(width, min(LEAST, self.sizeHint().height()))

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Ask for another height at another width."""
        super().resizeEvent(event)
        self.updateGeometry()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Ask for another height when the content has changed."""
        if (
            watched is self.widget()
            and event is not None
            and event.type() == QEvent.Type.LayoutRequest
        ):
            self.updateGeometry()
        return bool(super().eventFilter(watched, event))
