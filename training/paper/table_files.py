"""The paper's printed numbers as data, and which of them belong to which measurement."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import yaml

Cell = str | float | int | None

AVERAGE = "average"
"""What the columns of a mean over sets are called, before ``psnr`` and ``ssim``."""

TABLES: dict[str, int] = {
    "3deg": 1,
    "3deg-balanced": 1,
    "dev": 1,
    "5deg": 2,
    "cdd11": 3,
    "zeroshot-snow": 4,
    "zeroshot-underwater": 5,
    "derain": 9,
}
"""Protocol to the table its sets are printed in; of `dev` only the sets that are whole ones."""

ROWS: dict[str, str] = {"tiny": "AnyIR-T", "small": "AnyIR-S"}
"""Our variants to the paper's rows; anything else is held against AnyIR-T."""


@dataclass(frozen=True)
class PaperTable:
    """One table as printed.

    Parameters
    ----------
    number : int
        1 to 13.
    title : str
        What it shows.
    columns : tuple of str
        The first is ``"method"``; ``"X psnr"`` and ``"X ssim"`` are numbers of test set X.
    rows : tuple of tuple
        Cells in the order of the columns; None is not reported.

    Examples
    --------
    >>> from napari_anyir.training.paper.table_files import paper_table
    >>> paper_table(1).value("AnyIR-T", "average psnr")
    32.8
    """

    number: int
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def value(self, method: str, column: str) -> Cell:
        """Look a cell up; None if there is no such row, column or number."""
        if column not in self.columns:
            return None
        at = self.columns.index(column)
        return next((row[at] for row in self.rows if row[0] == method), None)

    def sets(self) -> list[str]:
        """Names of the test sets in the columns, averages left out."""
        names = (name.removesuffix(" psnr") for name in self.columns if name.endswith(" psnr"))
        return [name for name in names if name not in (AVERAGE, "denoising")]

    def mean_of_cells(self, method: str, metric: str) -> float | None:
        """Average a row's sets anew; None if one is not reported.

        Examples
        --------
        >>> from napari_anyir.training.paper.table_files import paper_table
        >>> round(paper_table(2).mean_of_cells("AnyIR-T", "psnr"), 2)  # 30.71 is printed
        30.55
        """
        cells = [self.value(method, f"{name} {metric}") for name in self.sets()]
        numbers = [cell for cell in cells if isinstance(cell, int | float)]
        return sum(numbers) / len(numbers) if cells and len(numbers) == len(cells) else None


@lru_cache(maxsize=1)
def paper_tables() -> tuple[PaperTable, ...]:
    """Return all tables of the paper, Tab. 1 to 13.

    Examples
    --------
    >>> from napari_anyir.training.paper.table_files import paper_tables
    >>> [table.number for table in paper_tables()] == list(range(1, 14))
    True
    """
    text = (files("napari_anyir.training.paper") / "tables" / "paper.yaml").read_text("utf-8")
    return tuple(
        PaperTable(
            entry["number"],
            entry["title"],
            tuple(entry["columns"]),
            tuple(tuple(row) for row in entry["rows"]),
        )
        for entry in yaml.safe_load(text)
    )


def paper_table(number: int) -> PaperTable:
    """Return one table of the paper.

    Raises
    ------
    ValueError
        If the paper has no such table.

    Examples
    --------
    >>> from napari_anyir.training.paper.table_files import paper_table
    >>> paper_table(4).title
    'Unseen desnowing (CSD), with the checkpoint of three degradations'
    """
    for table in paper_tables():
        if table.number == number:
            return table
    raise ValueError(f"The paper has no table {number}; it has 1 to {len(paper_tables())}.")


def paper_row(protocol: str, variant: str) -> str:
    """Name the row of the paper that a variant is held against.

    Parameters
    ----------
    protocol : str
        Name of a protocol.
    variant : str
        ``"tiny"``, ``"small"`` or anything else.

    Returns
    -------
    str
        ``"AnyIR-T"``, ``"AnyIR-S"``, or what the one row of ours in the table is called.

    Examples
    --------
    >>> from napari_anyir.training.paper.table_files import paper_row
    >>> paper_row("3deg", "nano"), paper_row("zeroshot-snow", "tiny")
    ('AnyIR-T', 'AnyIR')
    """
    row = ROWS.get(variant, "AnyIR-T")
    number = TABLES.get(protocol)
    if number is None:
        return row
    ours = [str(r[0]) for r in paper_table(number).rows if str(r[0]).startswith("AnyIR")]
    return row if row in ours else ours[0]


def paper_value(protocol: str, variant: str, name: str, metric: str) -> float | None:
    """Look up what the paper prints for a set.

    Parameters
    ----------
    protocol : str
        Name of a protocol.
    variant : str
        As for `paper_row`.
    name : str
        Name of a test set, or ``"average"``.
    metric : str
        ``"psnr"`` or ``"ssim"``.

    Returns
    -------
    float or None
        None where the paper has no number.

    Examples
    --------
    >>> from napari_anyir.training.paper.table_files import paper_value
    >>> paper_value("5deg", "small", "LOL-v1", "psnr")
    23.03
    """
    number = TABLES.get(protocol)
    if number is None or (protocol, name) == ("dev", AVERAGE):
        return None
    if protocol == "3deg-balanced" and name == AVERAGE:
        cell = paper_table(12).value("AnyIR (new)", f"{AVERAGE} {metric}")
    elif protocol == "3deg-balanced":
        return None
    else:
        cell = paper_table(number).value(paper_row(protocol, variant), f"{name} {metric}")
    return float(cell) if isinstance(cell, int | float) else None
