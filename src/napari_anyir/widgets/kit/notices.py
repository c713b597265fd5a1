"""Lines of small print that can turn into a warning or an error, legible on every theme."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QSizePolicy, QWidget

# Both bring their own background: no single colour of letters can be read on dark and on light.
ERROR_STYLE = "background-color: #f6cfcb; color: #5a0f0a; border-radius: 3px;"
WARNING_STYLE = "background-color: #f3e0a6; color: #463400; border-radius: 3px;"


class Notice(QLabel):
    """A line that explains or reports; plain text, wrapped, never wider than its dock.

    Parameters
    ----------
    text : str
        What it says at first.

    Examples
    --------
    >>> from qtpy.QtWidgets import QApplication
    >>> application = QApplication.instance() or QApplication([])
    >>> line = Notice()
    >>> line.complain("This image holds 3 pixels that are NaN.")
    >>> line.text(), line.styleSheet() == ERROR_STYLE
    ('This image holds 3 pixels that are NaN.', True)
    >>> line.setText("2 planes.")
    >>> line.styleSheet()
    ''
    """

    def __init__(self, text: str = "") -> None:
        super().__init__(text)
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)
        # A word-wrapped label otherwise asks for the width of its whole text.
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        font = self.font()
        font.setPointSizeF(max(7.0, font.pointSizeF() * 0.9))
        self.setFont(font)

    def setText(self, text: str | None) -> None:
        """Say something that is neither a warning nor an error."""
        self._say(text or "", "")

    def warn(self, text: str) -> None:
        """Say what should be looked at."""
        self._say(text, WARNING_STYLE)

    def complain(self, text: str) -> None:
        """Say what went wrong, or would."""
        self._say(text, ERROR_STYLE)

    def _say(self, text: str, style: str) -> None:
        mark(self, style if text else "")
        super().setText(text)


def mark(widget: QWidget, style: str) -> None:
    """Give a widget a style, or none; the same style again costs nothing."""
    if widget.styleSheet() != style:
        widget.setStyleSheet(style)
