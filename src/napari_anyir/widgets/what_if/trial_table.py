"""A table of what changes to the network did, the newest first."""

from __future__ import annotations

import math

from qtpy.QtWidgets import QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from napari_anyir.widgets.what_if.trial_job import Trial

COLUMNS = ("Change", "Kept", "PSNR", "Gain")
TIPS = (
    "What was changed.",
    "PSNR against the untouched restoration, in dB: the smaller, the more the change did.",
    "PSNR against the reference, in dB.",
    "PSNR with the change less PSNR without it, in dB.",
)


def decibel(value: float | None) -> str:
    """Say a PSNR in a cell.

    Parameters
    ----------
    value : float or None
        In dB; infinite for equal images, None where there is no reference.

    Returns
    -------
    str
        Two decimals.

    Examples
    --------
    >>> decibel(28.006), decibel(math.inf), decibel(None)
    ('28.01', 'equal', '–')
    """
    if value is None:
        return "–"
    return "equal" if math.isinf(value) else f"{value:.2f}"


class TrialTable(QTableWidget):
    """Lists trials, the newest first.

    Parameters
    ----------
    parent : QWidget, optional
        The parent.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, len(COLUMNS), parent)
        self.setHorizontalHeaderLabels(list(COLUMNS))
        self.setToolTip("What was tried, the newest first.")
        for column, tip in enumerate(TIPS):
            item = self.horizontalHeaderItem(column)
            if item is not None:
                item.setToolTip(tip)
        header, rows = self.horizontalHeader(), self.verticalHeader()
        if header is not None and rows is not None:
            rows.setVisible(False)
            rows.setDefaultSectionSize(22)
            header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
            header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.setMinimumHeight(80)
        self.setAccessibleName("Trials, the newest first")

    def add(self, trial: Trial) -> None:
        """Put a trial on top."""
        self.insertRow(0)
        cells = (
            "; ".join(trial.changes),
            decibel(trial.against_untouched),
            decibel(trial.psnr),
            "–" if trial.gain is None else f"{trial.gain:+.2f}",
        )
        for column, text in enumerate(cells):
            item = QTableWidgetItem(text)
            item.setToolTip(text.replace("; ", "\n"))
            self.setItem(0, column, item)
