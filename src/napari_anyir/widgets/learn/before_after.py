"""A piece of the first image, as it is and as the network would restore it by now."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_anyir.job_events import unpack_pixels
from napari_anyir.widgets.kit.form_parts import small_label

__all__ = ["BeforeAfter", "pixmap"]

SIDE = 128
"""Pixels of the screen that a picture takes, at most."""


def pixmap(packed: dict[str, Any]) -> QPixmap:
    """Turn the pixels of an event into a picture.

    Parameters
    ----------
    packed : dict
        From `napari_anyir.job_events.pack_pixels`.

    Returns
    -------
    QPixmap
        With a side of at most `SIDE`.
    """
    (height, width, _), data = unpack_pixels(packed)
    # The image only borrows the bytes; the copy owns its own.
    image = QImage(data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
    if max(height, width) > SIDE:
        image = image.scaled(SIDE, SIDE, Qt.AspectRatioMode.KeepAspectRatio)
    return QPixmap.fromImage(image)


class BeforeAfter(QWidget):
    """Two pictures side by side, hidden until there are some.

    Parameters
    ----------
    parent : QWidget, optional
        The parent.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.before, self.after = QLabel(), QLabel()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for label, text in ((self.before, "as it is"), (self.after, "restored by now")):
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            label.setAccessibleName(text)
            column = QVBoxLayout()
            column.setSpacing(2)
            column.addWidget(label)
            told = small_label(text)
            told.setAlignment(Qt.AlignmentFlag.AlignCenter)
            column.addWidget(told)
            row.addLayout(column)
        self.setVisible(False)

    def show_pair(self, before: dict[str, Any], after: dict[str, Any]) -> None:
        """Show two pictures, packed as in an event."""
        self.before.setPixmap(pixmap(before))
        self.after.setPixmap(pixmap(after))
        self.setVisible(True)

    def clear(self) -> None:
        """Show none."""
        self.before.clear()
        self.after.clear()
        self.setVisible(False)
