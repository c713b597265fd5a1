"""A grid of boxes to tick parts of a block."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from qtpy.QtWidgets import QCheckBox, QGridLayout, QWidget

from napari_anyir.widgets.kit.qt import Signal


class PartBoxes(QWidget):
    """Boxes to tick, three in a row.

    Parameters
    ----------
    tips : mapping of str to str
        Part to what its tool tip says.
    parent : QWidget, optional
        The parent.

    Attributes
    ----------
    changed : Signal
        A box was ticked or cleared.
    """

    changed = Signal()

    def __init__(self, tips: Mapping[str, str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.boxes: dict[str, QCheckBox] = {}
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(2)
        for index, (name, tip) in enumerate(tips.items()):
            box = QCheckBox(name)
            box.setToolTip(tip)
            box.toggled.connect(self.changed)
            grid.addWidget(box, index // 3, index % 3)
            self.boxes[name] = box

    @property
    def chosen(self) -> tuple[str, ...]:
        """Ticked parts that the model has."""
        return tuple(
            name for name, box in self.boxes.items() if box.isChecked() and box.isEnabled()
        )

    @property
    def ticked(self) -> tuple[str, ...]:
        """Ticked parts, whether the model has them or not: what is remembered."""
        return tuple(name for name, box in self.boxes.items() if box.isChecked())

    def choose(self, names: Collection[str]) -> None:
        """Tick these and no others."""
        for name, box in self.boxes.items():
            box.setChecked(name in names)

    def offer(self, names: Iterable[str]) -> None:
        """Enable the parts that the model has."""
        there = set(names)
        for name, box in self.boxes.items():
            box.setEnabled(name in there)
