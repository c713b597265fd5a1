"""What a run did to the brightness, in a small table under the buttons."""

from __future__ import annotations

from qtpy.QtWidgets import QGridLayout, QLabel, QVBoxLayout, QWidget

from napari_anyir.widgets.kit.form_parts import small_label
from napari_anyir.widgets.layers.levels import Change


class ResultReport(QWidget):
    """Mean and percentiles before and after; a warning if the mean has moved too far.

    Nothing is seen before there is a result.
    """

    def __init__(self) -> None:
        super().__init__()
        self._change: Change | None = None
        self.title = QLabel("Result")
        self.grid = QGridLayout()
        self.grid.setContentsMargins(0, 0, 0, 0)
        self.grid.setHorizontalSpacing(12)
        self.grid.setVerticalSpacing(0)
        self.cells = [[small_label() for _ in range(3)] for _ in range(4)]
        for row, cells in enumerate(self.cells):
            for column, cell in enumerate(cells):
                cell.setWordWrap(False)
                self.grid.addWidget(cell, row, column)
        self.grid.setColumnStretch(0, 3)
        self.grid.setColumnStretch(1, 2)
        self.grid.setColumnStretch(2, 2)
        self.warning = small_label()
        self.setToolTip(
            "Brightness of the source and of the result, over all pixels: a restoration should "
            "take noise away and leave intensities where they are."
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.title)
        layout.addLayout(self.grid)
        layout.addWidget(self.warning)
        self.setVisible(False)

    def show_change(self, change: Change | None, strength: float) -> None:
        """Show another result's numbers, or nothing.

        Parameters
        ----------
        change : Change or None
            As measured at full strength.
        strength : float
            Share of the restoration that is shown, 0 to 1.
        """
        self._change = change
        self.setVisible(change is not None)
        self.set_strength(strength)

    def set_strength(self, strength: float) -> None:
        """Follow the strength slider."""
        if self._change is None:
            return
        change = self._change.at(strength)
        self.title.setText(f"Result, {change.part}" if change.part else "Result")
        for cells, texts in zip(self.cells, (("", "before", "after"), *change.rows()), strict=True):
            for cell, text in zip(cells, texts, strict=True):
                cell.setText(text)
        text = change.warning()
        self.warning.setVisible(bool(text))
        self.warning.warn(text)
