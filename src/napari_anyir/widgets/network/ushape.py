"""A picture of the U-shape on which blocks are chosen, by mouse or by keyboard."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFontMetricsF, QPainter, QPalette, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_anyir.model.config import LEVELS, STAGES
from napari_anyir.widgets.kit.qt import Signal
from napari_anyir.widgets.network.model_structure import Structure
from napari_anyir.widgets.network.ushape_layout import Rectangle, place_blocks

RIGHT = tuple(STAGES)[LEVELS:]
"""Stages on the way up, on the right-hand side."""

ACCENT = "#3d8bfd"
"""Colour of chosen blocks; the highlight of napari's themes is hardly seen beside their grey."""


class UShape(QWidget):
    """Draws the network; blocks are chosen by clicking, or with arrow keys and space.

    Parameters
    ----------
    single : bool
        Whether only one block can be chosen at a time.
    parent : QWidget, optional
        The parent.

    Attributes
    ----------
    changed : Signal
        Other blocks were chosen by the user.
    """

    changed = Signal()

    def __init__(self, *, single: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._structure: Structure | None = None
        self._single = single
        self._chosen: set[str] = set()
        self._current: str | None = None
        self._boxes: dict[str, Rectangle] = {}
        self._titles: dict[str, Rectangle] = {}
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self.setAccessibleName("Blocks of the network")
        self._describe()

    # ---------------------------------------------------------------- what is chosen

    @property
    def structure(self) -> Structure | None:
        """The network that is drawn, or None."""
        return self._structure

    @property
    def chosen(self) -> tuple[str, ...]:
        """Addresses of the chosen blocks, in the order of computation."""
        return () if self._structure is None else self._structure.order(self._chosen)

    def set_structure(self, structure: Structure | None) -> None:
        """Draw another network; blocks of the same address stay chosen."""
        self._structure = structure
        names = structure.names if structure is not None else ()
        self._chosen &= set(names)
        if self._single and not self._chosen and names:
            self._chosen = {names[-1]}
        if self._current not in names:
            self._current = names[0] if names else None
        self._lay_out()
        self._describe()
        self.update()

    def choose(self, names: Iterable[str]) -> None:
        """Choose these blocks and no others; those that are not there are passed over."""
        known = self._structure.names if self._structure is not None else ()
        wanted = [name for name in names if name in known]
        self._set(set(wanted[:1]) if self._single else set(wanted))

    def set_single(self, single: bool) -> None:
        """Allow one block, or several; of several the first stays chosen."""
        self._single = single
        if single:
            known = self._structure.names if self._structure is not None else ()
            self._set(set(self.chosen[:1] or known[-1:]))
        self._describe()

    def _set(self, chosen: set[str]) -> None:
        if self._single and not chosen and self._chosen:
            return  # one always is
        if chosen != self._chosen:
            self._chosen = chosen
            self._describe()
            self.update()
            self.changed.emit()

    def toggle(self, name: str) -> None:
        """Choose a block, or leave it."""
        self._current = name
        self._set({name} if self._single else self._chosen ^ {name})
        self.update()

    def toggle_stage(self, stage: str) -> None:
        """Choose all blocks of a stage, or leave them if all are chosen."""
        if self._structure is None:
            return
        blocks = set(self._structure.stages().get(stage, ()))
        if self._single:
            self._set(set(sorted(blocks)[-1:]))
        else:
            self._set(self._chosen - blocks if blocks <= self._chosen else self._chosen | blocks)

    def _describe(self) -> None:
        how = (
            "Click a block. Arrow keys move, space chooses."
            if self._single
            else "Click blocks or the name of a stage. Arrow keys move, space chooses, Ctrl+A "
            "takes all, Escape none."
        )
        chosen = ", ".join(self.chosen) or "none"
        self.setAccessibleDescription(f"Chosen: {chosen}. At: {self._current}. {how}")

    # ---------------------------------------------------------------- size and place

    def sizeHint(self) -> QSize:
        """Wide enough for the smallest network, and not higher than a laptop allows."""
        return QSize(300, 164)

    def minimumSizeHint(self) -> QSize:
        """As high as the hint; a narrower dock makes narrower blocks."""
        return QSize(260, 164)

    def resizeEvent(self, event: Any) -> None:
        """Lay the blocks out anew."""
        super().resizeEvent(event)
        self._lay_out()

    def _lay_out(self) -> None:
        self._boxes, self._titles = {}, {}
        if self._structure is not None:
            self._boxes, self._titles = place_blocks(self._structure, self.width(), self.height())

    def block_at(self, x: float, y: float) -> str | None:
        """Address of the block at a point, or None."""
        return _hit(self._boxes, x, y)

    def box(self, name: str) -> Rectangle:
        """Where a block is drawn: left, top, width, height."""
        return self._boxes[name]

    def stage_at(self, x: float, y: float) -> str | None:
        """Stage whose name is at a point, or None."""
        return _hit(self._titles, x, y)

    # ---------------------------------------------------------------- mouse and keys

    def mousePressEvent(self, event: Any) -> None:
        """Choose what was clicked."""
        if event.button() != Qt.MouseButton.LeftButton:
            super().mousePressEvent(event)
            return
        point = event.position()
        block, stage = (find(point.x(), point.y()) for find in (self.block_at, self.stage_at))
        if block is not None:
            self.toggle(block)
        elif stage is not None:
            self.toggle_stage(stage)

    def mouseMoveEvent(self, event: Any) -> None:
        """Show by the cursor what can be clicked."""
        point = event.position()
        over = self.block_at(point.x(), point.y()) or self.stage_at(point.x(), point.y())
        shape = Qt.CursorShape.PointingHandCursor if over else Qt.CursorShape.ArrowCursor
        self.setCursor(shape)

    def keyPressEvent(self, event: Any) -> None:
        """Move with the arrows, choose with space."""
        names = self._structure.names if self._structure is not None else ()
        if not names or self._current is None:
            super().keyPressEvent(event)
            return
        at = names.index(self._current)
        key = event.key()
        if key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            step = 1 if key == Qt.Key.Key_Right else -1
            self._move(names[min(len(names) - 1, max(0, at + step))])
        elif key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self._move(self._neighbour(1 if key == Qt.Key.Key_Down else -1))
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            self._move(names[0 if key == Qt.Key.Key_Home else -1])
        elif key in (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.toggle(self._current)
        elif (
            key == Qt.Key.Key_A
            and event.modifiers() & Qt.KeyboardModifier.ControlModifier
            and not self._single
        ):
            self._set(set(names))
        elif key == Qt.Key.Key_Escape and self._chosen and not self._single:
            self._set(set())
        else:
            super().keyPressEvent(event)

    def _move(self, name: str) -> None:
        self._current = name
        self._describe()
        self.update()

    def _neighbour(self, down: int) -> str:
        """Nearest block on the next level below or above."""
        here = self._boxes[str(self._current)]
        rows = {box[1] for box in self._boxes.values()}
        beyond = [top for top in rows if (top - here[1]) * down > 1]
        if not beyond:
            return str(self._current)
        row = min(beyond, key=lambda top: abs(top - here[1]))
        there = {name: box for name, box in self._boxes.items() if box[1] == row}
        return min(there, key=lambda name: abs(there[name][0] - here[0]))

    def event(self, event: Any) -> bool:
        """Show a tool tip for the block under the mouse."""
        if event.type() == QEvent.Type.ToolTip:
            point = event.pos()
            text = self.tip(point.x(), point.y())
            if text:
                QToolTip.showText(event.globalPos(), text, self)
            else:
                QToolTip.hideText()
            return True
        return bool(super().event(event))

    def tip(self, x: float, y: float) -> str:
        """What the tool tip at a point says; empty if there is none."""
        name = self.block_at(x, y)
        if name is not None and self._structure is not None:
            block = next(block for block in self._structure.blocks if block.name == name)
            size = "full size" if block.scale == 1 else f"1/{block.scale} of the size"
            chosen = ", chosen" if name in self._chosen else ""
            return f"{name}: {block.channels} channels at {size}{chosen}"
        stage = self.stage_at(x, y)
        if stage is not None and not self._single:
            return f"Choose all blocks of {title_of(stage)}, or none of them"
        return ""

    # ---------------------------------------------------------------- drawing

    def paintEvent(self, event: Any) -> None:
        """Draw skips and flow, then boxes and names."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        palette = self.palette()
        ink = palette.color(QPalette.ColorRole.WindowText)
        if self._structure is None:
            painter.setPen(ink)
            painter.drawText(QRectF(self.rect()), Qt.AlignmentFlag.AlignCenter, "Reading the model")
            return
        faint = QColor(ink)
        faint.setAlpha(110)
        painter.setPen(QPen(faint, 1.2))
        self._draw_flow(painter, faint)
        font = painter.font()
        font.setPointSizeF(max(6.5, font.pointSizeF() * 0.82))
        painter.setFont(font)
        metrics = QFontMetricsF(font)
        for stage, box in self._titles.items():
            painter.setPen(ink)
            title = metrics.elidedText(title_of(stage), Qt.TextElideMode.ElideRight, box[2])
            side = Qt.AlignmentFlag.AlignRight if stage in RIGHT else Qt.AlignmentFlag.AlignLeft
            painter.drawText(QRectF(*box), side | Qt.AlignmentFlag.AlignVCenter, title)
        accent = QColor(ACCENT)
        empty = QColor(ink)
        empty.setAlpha(36)
        for name, box in self._boxes.items():
            painter.setPen(QPen(accent if name in self._chosen else faint, 1.2))
            painter.setBrush(accent if name in self._chosen else empty)
            painter.drawRoundedRect(QRectF(*box), 3, 3)
            if name in self._chosen:  # not by colour alone
                _tick(painter, box)
        if self.hasFocus() and self._current in self._boxes:
            left, top, width, height = self._boxes[str(self._current)]
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(ink, 1.6, Qt.PenStyle.DotLine))
            painter.drawRoundedRect(QRectF(left - 2, top - 2, width + 4, height + 4), 4, 4)

    def _ends(self, stage: str) -> tuple[QPointF, QPointF] | None:
        """Middle of the left and of the right end of a stage."""
        boxes = [box for name, box in self._boxes.items() if name.partition(".")[0] == stage]
        if not boxes:
            return None
        middle = boxes[0][1] + boxes[0][3] / 2
        return QPointF(boxes[0][0], middle), QPointF(boxes[-1][0] + boxes[-1][2], middle)

    def _draw_flow(self, painter: QPainter, colour: QColor) -> None:
        """Draw the way through the network, and the skips as dashed lines."""
        there = [stage for stage in STAGES if self._ends(stage) is not None]
        half = next(iter(self._boxes.values()), (0.0, 0.0, 0.0, 8.0))[3] / 2
        for one, other in pairwise(there):
            start, end = self._ends(one), self._ends(other)
            if start is None or end is None:
                continue
            if end[0].y() > start[0].y() + 1:  # down, along the left side
                corner = QPointF(start[0].x() + 5, end[0].y())
                painter.drawLine(QPointF(corner.x(), start[0].y() + half), corner)
                _arrow(painter, corner, end[0] - QPointF(2, 0), colour)
            elif end[0].y() < start[0].y() - 1:  # up, along the right side
                corner = QPointF(end[1].x() - 5, start[0].y())
                painter.drawLine(start[1] + QPointF(1, 0), corner)
                _arrow(painter, corner, QPointF(corner.x(), end[1].y() + half + 2), colour)
            else:
                _arrow(painter, start[1] + QPointF(2, 0), end[0] - QPointF(2, 0), colour)
        painter.setPen(QPen(colour, 1.0, Qt.PenStyle.DashLine))
        for level in range(1, LEVELS):
            start, end = self._ends(f"encoder{level}"), self._ends(f"decoder{level}")
            if start is not None and end is not None:
                painter.drawLine(start[1] + QPointF(6, 0), end[0] - QPointF(6, 0))


def title_of(stage: str) -> str:
    """Write a stage's name as it is drawn.

    Parameters
    ----------
    stage : str
        One of `napari_anyir.model.config.STAGES`.

    Returns
    -------
    str
        The name, with its number apart.

    Examples
    --------
    >>> title_of("encoder1"), title_of("latent")
    ('encoder 1', 'latent')
    """
    name = stage.rstrip("0123456789")
    return f"{name} {stage.removeprefix(name)}".strip()


def _hit(boxes: dict[str, Rectangle], x: float, y: float) -> str | None:
    for name, (left, top, width, height) in boxes.items():
        if left - 1 <= x <= left + width + 1 and top - 1 <= y <= top + height + 1:
            return name
    return None


def _arrow(painter: QPainter, start: QPointF, end: QPointF, colour: QColor) -> None:
    """Draw a line with a head."""
    painter.drawLine(start, end)
    way = end - start
    length = max((way.x() ** 2 + way.y() ** 2) ** 0.5, 1e-6)
    unit = QPointF(way.x() / length, way.y() / length)
    across = QPointF(-unit.y(), unit.x())
    painter.setBrush(colour)
    painter.drawPolygon(QPolygonF([end, end - unit * 5 + across * 3, end - unit * 5 - across * 3]))


def _tick(painter: QPainter, box: Rectangle) -> None:
    left, top, width, height = box
    points = ((0.26, 0.52), (0.44, 0.72), (0.76, 0.3))
    line = [QPointF(left + x * width, top + y * height) for x, y in points]
    painter.setPen(QPen(QColor("white"), 1.6))
    painter.drawPolyline(QPolygonF(line))
