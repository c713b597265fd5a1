"""Several models on one protocol, side by side: ours, and other people's networks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from napari_anyir.training.evaluation.evaluated_runs import Run, set_means
from napari_anyir.training.evaluation.mean_table import MeanTable, average, decibels
from napari_anyir.training.evaluation.score_files import Mean
from napari_anyir.training.paper.protocols import find_protocol
from napari_anyir.training.paper.table_files import AVERAGE
from napari_anyir.training.writing import write_text

NAME = "side-by-side"
"""Name of the files, without their endings."""


def compare_runs(runs: Sequence[Run]) -> MeanTable:
    """Put the means of several runs into one table.

    Parameters
    ----------
    runs : sequence of Run
        Of one protocol, in the order of the columns.

    Returns
    -------
    MeanTable
        A row per set in the protocol's order; the average of the sets that all runs have.

    Raises
    ------
    ValueError
        If the runs are of several protocols, or there are none.

    Examples
    --------
    >>> from napari_anyir.training.evaluation.comparison import compare_runs
    >>> compare_runs([])
    Traceback (most recent call last):
    ...
    ValueError: There is nothing to compare; name at least one run.
    """
    if not runs:
        raise ValueError("There is nothing to compare; name at least one run.")
    if len({run.protocol for run in runs}) > 1:
        raise ValueError("Runs of several protocols do not compare; choose one protocol.")
    order = [test.name for test in find_protocol(runs[0].protocol).tests]
    measured = [{name: (before, after) for name, before, after in set_means(run)} for run in runs]
    names = [name for name in order if any(name in one for one in measured)]
    columns = ["set", "images", "PSNR in"]
    columns += [f"{metric} {run.label}" for metric in ("PSNR", "SSIM") for run in runs]
    rows = []
    for name in names:
        there = [one.get(name) for one in measured]
        counts = {after.images for found in there if found for _, after in [found]}
        befores = {decibels(before.psnr) for found in there if found for before, _ in [found]}
        rows.append(
            (
                name,
                " / ".join(map(str, sorted(counts))),
                " / ".join(sorted(befores)),
                *_cells([found[1] if found else None for found in there]),
            )
        )
    common = [name for name in names if all(name in one for one in measured)]
    if len(common) > 1:
        before = average([measured[0][name][0] for name in common])
        after = [average([one[name][1] for name in common]) for one in measured]
        rows.append((AVERAGE, str(before.images), decibels(before.psnr), *_cells(after)))
    said = dict.fromkeys(run.describe() for run in runs)
    notes = [*said] if len(said) == 1 else [f"{r.label}: {r.describe()}" for r in runs]
    notes += [f"{run.label}: a {run.architecture} network." for run in runs if not run.ours]
    uneven = [name for name in common if len({one[name][1].images for one in measured}) > 1]
    if uneven:
        notes.append(f"Not the same number of images for all: {', '.join(uneven)}.")
    return MeanTable(tuple(columns), tuple(rows), tuple(notes))


def _cells(means: Sequence[Mean | None]) -> list[str]:
    return [decibels(mean.psnr) if mean else "-" for mean in means] + [
        f"{mean.ssim:.4f}" if mean else "-" for mean in means
    ]


def write_comparison(runs: Sequence[Run], folder: Path) -> MeanTable:
    """Write the table of several runs as ``side-by-side.md`` and ``side-by-side.csv``.

    Parameters
    ----------
    runs : sequence of Run
        As for `compare_runs`.
    folder : Path
        Where; it is made.

    Returns
    -------
    MeanTable
        The table.
    """
    table = compare_runs(runs)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / f"{NAME}.md", table.markdown())
    write_text(folder / f"{NAME}.csv", table.csv())
    return table
