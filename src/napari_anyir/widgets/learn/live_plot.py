"""Curves that grow while a network learns; drawn by Qt, since matplotlib is an extra and slow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPalette, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

__all__ = ["Curve", "LivePlot", "Panel"]

# Of a middle lightness, so that they can be told from a dark and from a light background.
COLOURS = ("#3d9be9", "#e98a3d", "#5fb04f")


@dataclass
class Curve:
    """One curve.

    Parameters
    ----------
    label : str
        What it shows.
    points : list of (float, float)
        Step and value.
    margins : list of float
        Standard error of each value; drawn as a bar. May be empty.
    """

    label: str
    points: list[tuple[float, float]] = field(default_factory=list)
    margins: list[float] = field(default_factory=list)

    def add(self, step: float, value: float, margin: float = 0.0) -> None:
        """Add a point; what is not a finite number is left out.

        Examples
        --------
        >>> curve = Curve("loss")
        >>> curve.add(1, 0.5)
        >>> curve.add(2, float("nan"))
        >>> curve.points
        [(1, 0.5)]
        """
        if math.isfinite(value):
            self.points.append((step, value))
            self.margins.append(margin)


@dataclass
class Panel:
    """Curves over one axis.

    Parameters
    ----------
    title : str
        What is up, with its unit.
    curves : list of Curve
        At most three.
    share : int
        Share of the height.
    """

    title: str
    curves: list[Curve]
    share: int = 2

    def limits(self) -> tuple[float, float]:
        """Return the lowest and the highest value with some room; 0 and 1 without any.

        Examples
        --------
        >>> Panel("a", [Curve("b", [(0, 2.0), (1, 4.0)], [0.0, 0.0])]).limits()
        (1.9, 4.1)
        >>> Panel("a", []).limits()
        (0.0, 1.0)
        """
        values = [
            value + sign * margin
            for curve in self.curves
            for (_, value), margin in zip(curve.points, curve.margins, strict=True)
            for sign in (-1, 1)
        ]
        if not values:
            return 0.0, 1.0
        low, high = min(values), max(values)
        room = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
        return low - room, high + room


class LivePlot(QWidget):
    """Panels above each other over the same steps.

    Parameters
    ----------
    parent : QWidget, optional
        The parent.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.panels: list[Panel] = []
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Curves of the training")

    def sizeHint(self) -> QSize:
        """Return a size that fits a dock on a laptop."""
        return QSize(300, 170)

    def show_panels(self, panels: Sequence[Panel]) -> None:
        """Show other panels."""
        self.panels = list(panels)
        self.update()

    def paintEvent(self, event: Any) -> None:
        """Draw all of it; a few hundred points take a millisecond."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = painter.font()
        font.setPointSizeF(max(7.0, font.pointSizeF() * 0.8))
        painter.setFont(font)
        shares = sum(panel.share for panel in self.panels)
        last = max(
            (x for panel in self.panels for curve in panel.curves for x, _ in curve.points),
            default=1.0,
        )
        top = 0.0
        for panel in self.panels:
            height = self.height() * panel.share / shares
            _draw(painter, panel, QRectF(0, top, self.width(), height), max(last, 1.0), self)
            top += height


def _draw(painter: QPainter, panel: Panel, place: QRectF, last: float, widget: QWidget) -> None:
    palette, metrics = widget.palette(), painter.fontMetrics()
    line = float(metrics.height())
    low, high = panel.limits()
    texts = [f"{value:.4g}" for value in (low, high)]
    left = max(metrics.horizontalAdvance(text) for text in texts) + 6.0
    box = QRectF(left, place.top() + line + 2, place.width() - left - 4, place.height() - line - 6)
    faint = palette.color(QPalette.ColorRole.PlaceholderText)
    painter.setPen(QPen(faint, 1))
    painter.drawRect(box)
    right = Qt.AlignmentFlag.AlignRight
    if any(curve.points for curve in panel.curves):
        gutter = QRectF(0, box.bottom() - line, left - 4, line)
        painter.drawText(gutter, right, texts[0])
        painter.drawText(gutter.translated(0, line - box.height()), right, texts[1])
    painter.setPen(palette.color(QPalette.ColorRole.WindowText))
    painter.drawText(QPointF(left, place.top() + line - 3), panel.title)
    end = place.right() - 4

    def at(x: float, y: float) -> QPointF:
        across = box.left() + box.width() * x / last
        return QPointF(across, box.bottom() - box.height() * (y - low) / (high - low))

    for number, curve in reversed(list(enumerate(panel.curves))):
        colour = QColor(COLOURS[number % len(COLOURS)])
        painter.setPen(QPen(colour, 1.6))
        painter.drawPolyline(QPolygonF([at(x, y) for x, y in curve.points]))
        for (x, y), margin in zip(curve.points, curve.margins, strict=True):
            if margin:
                painter.drawLine(at(x, y - margin), at(x, y + margin))
        if curve.points:
            painter.drawEllipse(at(*curve.points[-1]), 1.5, 1.5)
        if len(panel.curves) > 1:
            end -= metrics.horizontalAdvance(curve.label)
            painter.drawText(QPointF(end, place.top() + line - 3), curve.label)
            end -= metrics.horizontalAdvance("  ")
