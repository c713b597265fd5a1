"""A table of the report as it is written: the paper's numbers and ours, in Markdown and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from napari_anyir.training.paper.table_files import Cell as Printed

DIGITS = {"psnr": 2, "ssim": 3, "parameters": 2, "flops": 2, "memory": 0, "seconds": 1}
"""Digits of a column, by the last word of its name."""


@dataclass(frozen=True)
class ReportRow:
    """One line of a table.

    Parameters
    ----------
    kind : {"paper", "ours", "difference"}
        Whose numbers these are.
    cells : tuple of str
        As printed.
    """

    kind: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class ReportTable:
    """A table of the report.

    Parameters
    ----------
    number : int
        The paper's number.
    title : str
        What it shows.
    columns : tuple of str
        Heads; the first names the row.
    rows : tuple of ReportRow
        The paper's, each followed by ours and the difference.
    notes : tuple of str
        What belongs beside the numbers.

    Examples
    --------
    >>> from napari_anyir.training.report.table_layout import ReportRow, ReportTable
    >>> row = ReportRow("ours", ("nano", "31.20"))
    >>> print(ReportTable(4, "Snow", ("method", "PSNR"), (row,), ()).markdown())
    ## Tab. 4: Snow
    <BLANKLINE>
    | method | PSNR |
    |---|---|
    | **nano** | **31.20** |
    <BLANKLINE>
    """

    number: int
    title: str
    columns: tuple[str, ...]
    rows: tuple[ReportRow, ...]
    notes: tuple[str, ...]

    def markdown(self) -> str:
        """Return the table as Markdown; ours in bold, differences in italics."""
        marks = {"paper": "", "ours": "**", "difference": "*"}
        heads = self.paired(self.columns, head=True)
        lines = [f"## Tab. {self.number}: {self.title}", "", _line(heads)]
        lines.append("|" + "---|" * len(heads))
        for row in self.rows:
            mark, cells = marks[row.kind], self.paired(row.cells)
            lines.append(_line([f"{mark}{cell}{mark}" if cell else "" for cell in cells]))
        return "\n".join([*lines, "", *(f"{note}\n" for note in self.notes)])

    def paired(self, cells: Sequence[str], *, head: bool = False) -> list[str]:
        """Set PSNR and SSIM of a set into one cell, so that wide tables need no scrolling.

        Parameters
        ----------
        cells : sequence of str
            One for each of the columns.
        head : bool
            Whether these are the heads.

        Returns
        -------
        list of str
            Cells such as ``"31.70 / 0.982"``.

        Examples
        --------
        >>> from napari_anyir.training.report.table_layout import ReportTable
        >>> table = ReportTable(1, "", ("method", "CSD PSNR", "CSD SSIM"), (), ())
        >>> table.paired(table.columns, head=True), table.paired(("nano", "30.1", "0.91"))
        (['method', 'CSD PSNR / SSIM'], ['nano', '30.1 / 0.91'])
        """
        shown: list[str] = []
        skip = False
        for at, (column, cell) in enumerate(zip(self.columns, cells, strict=True)):
            if skip:
                skip = False
                continue
            name = column.removesuffix(" PSNR")
            skip = name != column and self.columns[at + 1 : at + 2] == (f"{name} SSIM",)
            if not skip:
                shown.append(cell)
            elif head:
                shown.append(f"{column} / SSIM")
            else:
                both = list(dict.fromkeys((cell, cells[at + 1])))
                shown.append(both[0] if len(both) == 1 else " / ".join(one or "-" for one in both))
        return shown

    def csv(self) -> str:
        """Return the table as CSV, with a column that says whose numbers a line has."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("whose", *self.columns))
        writer.writerows((row.kind, *row.cells) for row in self.rows)
        return text.getvalue()


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def head_of(column: str) -> str:
    """Name of a column as printed.

    Examples
    --------
    >>> from napari_anyir.training.report.table_layout import head_of
    >>> head_of("SOTS outdoor psnr")
    'SOTS outdoor PSNR'
    """
    units = {"parameters": "parameters (M)", "flops": "multiply-adds (G)", "memory": "memory (MB)"}
    units["flops deviation"] = "± (G)"
    words = column.replace(" psnr", " PSNR").replace(" ssim", " SSIM")
    return units.get(column, words)


def format_value(value: Printed, column: str) -> str:
    """Write a value of the paper with the digits that its column has.

    Examples
    --------
    >>> from napari_anyir.training.report.table_layout import format_value
    >>> format_value(31.4, "SOTS outdoor psnr"), format_value(None, "SOTS outdoor psnr")
    ('31.40', '-')
    """
    if value is None:
        return "-"
    metric = column.rsplit(" ", 1)[-1]
    return f"{value:.{DIGITS[metric]}f}" if metric in ("psnr", "ssim") else str(value)


def is_number(column: str) -> bool:
    """Whether a column holds numbers that can be subtracted.

    Examples
    --------
    >>> from napari_anyir.training.report.table_layout import is_number
    >>> is_number("SOTS outdoor psnr"), is_number("method")
    (True, False)
    """
    return column.rsplit(" ", 1)[-1] in DIGITS
