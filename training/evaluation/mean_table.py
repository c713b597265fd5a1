"""The table of a run: ours, the paper's, and the difference."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

from napari_anyir.training.evaluation.comparability import size_note
from napari_anyir.training.evaluation.evaluated_runs import Run, set_means, training_notes
from napari_anyir.training.evaluation.score_files import INPUT, OUTPUT, Mean
from napari_anyir.training.paper.protocols import find_protocol
from napari_anyir.training.paper.table_files import (
    AVERAGE,
    TABLES,
    paper_row,
    paper_table,
    paper_value,
)
from napari_anyir.training.writing import write_text


@dataclass(frozen=True)
class MeanTable:
    """A table to print.

    Parameters
    ----------
    columns : tuple of str
        Heads.
    rows : tuple of tuple of str
        Cells; "-" where the paper has no number to compare with.
    notes : tuple of str
        What belongs beside the numbers: the variant of the metric, and what does not compare.

    Examples
    --------
    >>> from napari_anyir.training.evaluation.mean_table import MeanTable
    >>> table = MeanTable(("set", "PSNR"), (("rain", "31.20"),), ("RGB.",))
    >>> print(table.markdown())
    | set | PSNR |
    |---|---|
    | rain | 31.20 |
    <BLANKLINE>
    RGB.
    <BLANKLINE>
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]

    def markdown(self) -> str:
        """Return the table as Markdown, its notes below."""
        lines = ["| " + " | ".join(row) + " |" for row in (self.columns, *self.rows)]
        lines.insert(1, "|" + "---|" * len(self.columns))
        return "\n".join([*lines, "", *self.notes, ""])

    def csv(self) -> str:
        """Return the table as CSV, its notes as comments above."""
        text = io.StringIO()
        text.writelines(f"# {note}\n" for note in self.notes)
        csv.writer(text, lineterminator="\n").writerows((self.columns, *self.rows))
        return text.getvalue()


def decibels(value: float) -> str:
    """Write a PSNR with two digits.

    Examples
    --------
    >>> decibels(31.199)
    '31.20'
    """
    return f"{value:.2f}" if math.isfinite(value) else "inf"


def mean_table(run: Run) -> MeanTable:
    """Make the table of a run.

    Parameters
    ----------
    run : Run
        What was measured.

    Returns
    -------
    MeanTable
        One row per set in the order of the protocol, and the average where all sets are there.
    """
    tests = [test.name for test in find_protocol(run.protocol).tests]
    measured = {name: (before, after) for name, before, after in set_means(run) if name in tests}
    names = [name for name in tests if name in measured]
    every = run.means()
    extra = sorted({method for one in every.values() for method in one} - {INPUT, OUTPUT})
    printed = run.protocol in TABLES and run.ours
    columns = ["set", "images", "PSNR in", "PSNR", "SSIM in", "SSIM"]
    if printed:
        columns += ["PSNR paper", "PSNR diff.", "SSIM paper", "SSIM diff."]
    columns += [f"PSNR {method}" for method in extra]
    rows = []
    for name in names:
        before, after = measured[name]
        row = [name, run.images(name, after.images), *_cells(before, after)]
        if printed:
            row += _paper_cells(run, name, after, fair=run.comparable(name, after.images))
        rows.append(
            (*row, *(decibels(every[name][m].psnr) if m in every[name] else "-" for m in extra))
        )
    if len(tests) > 1 and names == tests:
        before, after = (average([pair[at] for pair in measured.values()]) for at in (0, 1))
        row = [AVERAGE, str(after.images), *_cells(before, after)]
        if printed:
            fair = all(run.comparable(name, measured[name][1].images) for name in names)
            row += _paper_cells(run, AVERAGE, after, fair=fair)
        rows.append((*row, *("-" for _ in extra)))
    notes = _notes(run, measured, [name for name in tests if name not in measured])
    return MeanTable(tuple(columns), tuple(rows), tuple(notes))


def write_table(run: Run, table: MeanTable) -> None:
    """Write the table of a run beside its scores, as ``table.md`` and ``means.csv``.

    Parameters
    ----------
    run : Run
        Whose folder.
    table : MeanTable
        Its table.
    """
    for name, text in (("table.md", table.markdown()), ("means.csv", table.csv())):
        write_text(run.folder / name, text)


def average(values: Sequence[Mean]) -> Mean:
    """Mean of the means of sets, each counting alike; the images are added up.

    Examples
    --------
    >>> from napari_anyir.training.evaluation.score_files import Mean
    >>> average([Mean(30.0, 0.9, 68, 1.0), Mean(32.0, 0.8, 500, 2.0)]).psnr
    31.0
    """
    count = len(values)
    return Mean(
        sum(value.psnr for value in values) / count,
        sum(value.ssim for value in values) / count,
        sum(value.images for value in values),
        sum(value.seconds for value in values) / count,
    )


def _cells(before: Mean, after: Mean) -> list[str]:
    numbers = (decibels(before.psnr), decibels(after.psnr))
    return [*numbers, f"{before.ssim:.4f}", f"{after.ssim:.4f}"]


def _paper_cells(run: Run, name: str, after: Mean, *, fair: bool) -> list[str]:
    cells = []
    for metric, value, digits in (("psnr", after.psnr, 2), ("ssim", after.ssim, 3)):
        paper = paper_value(run.protocol, run.variant, name, metric)
        if paper is None:
            cells += ["-", "-"]
        else:
            shown = f"{value - paper:+.{digits}f}" if fair else "-"
            cells += [f"{paper:.{digits}f}", shown]
    return cells


def _notes(run: Run, measured: dict[str, tuple[Mean, Mean]], absent: list[str]) -> list[str]:
    notes = [run.describe(), *training_notes(run)]
    if run.protocol in TABLES and run.ours:
        number = 12 if run.protocol == "3deg-balanced" else TABLES[run.protocol]
        row = "AnyIR (new)" if number == 12 else paper_row(run.protocol, run.variant)
        notes.append(
            f"Paper: {row} in Tab. {number}; a difference is given where at least 95 % of the set "
            "were measured."
        )
        if note := size_note(run, paper_row(run.protocol, run.variant)):
            notes.append(note)
        table, named = paper_table(number), paper_row(run.protocol, run.variant)
        printed, again = (
            table.value(named, f"{AVERAGE} psnr"),
            table.mean_of_cells(named, "psnr"),
        )
        if isinstance(printed, float) and again is not None and abs(printed - again) > 0.01:
            notes.append(
                f"The paper prints an average PSNR of {printed:.2f}; the mean of its own cells is "
                f"{again:.2f}."
            )
    if absent and measured:
        notes.append(f"No average, as these sets were not run: {', '.join(absent)}.")
    if measured and all(after.psnr < before.psnr - 0.5 for before, after in measured.values()):
        notes.append("Every set came out worse than it went in: are these the right weights?")
    return notes
