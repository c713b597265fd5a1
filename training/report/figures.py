"""Charts of the report: PSNR per set, and the samples of an epoch (Fig. 14)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_anyir.training.evaluation.evaluated_runs import Run, set_means
from napari_anyir.training.measurement.sample_statistics import epoch_counts
from napari_anyir.training.report.measured_results import label_of
from napari_anyir.training.writing import replace_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INPUT_COLOUR, OUTPUT_COLOUR = "#b8bec6", "#1f6fb5"
SAMPLE_COLOURS = ("#b8bec6", "#1f6fb5")


def _save(figure: Figure, path: Path) -> Path:
    replace_file(path, lambda temporary: figure.savefig(temporary, dpi=110, format="png"))
    return path


def draw_psnr(runs: Sequence[Run], path: Path) -> Path | None:
    """Draw PSNR of inputs and outputs, a panel per run.

    Parameters
    ----------
    runs : sequence of Run
        Those with scores.
    path : Path
        PNG to write.

    Returns
    -------
    Path or None
        None if there is nothing to draw.

    Examples
    --------
    >>> from pathlib import Path
    >>> from napari_anyir.training.report.figures import draw_psnr
    >>> draw_psnr([], Path("psnr.png")) is None
    True
    """
    from matplotlib.figure import Figure

    panels = [(run, rows) for run in runs if (rows := list(set_means(run)))]
    if not panels:
        return None
    across = min(2, len(panels))
    down = math.ceil(len(panels) / across)
    lines = max(len(rows) for _, rows in panels)
    figure = Figure((6.2 * across, (1.1 + 0.42 * lines) * down), layout="constrained")
    grid = figure.subplots(down, across, squeeze=False)
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    for axes, (run, rows) in zip(grid.flat, panels, strict=False):
        at = np.arange(len(rows))
        values = [[before.psnr for _, before, _ in rows], [after.psnr for _, _, after in rows]]
        styles = ((-0.2, INPUT_COLOUR, "input"), (0.2, OUTPUT_COLOUR, "output"))
        for shift_colour_label, numbers in zip(styles, values, strict=True):
            shift, colour, label = shift_colour_label
            bars = axes.barh(at + shift, numbers, 0.38, color=colour, label=label)
            axes.bar_label(bars, fmt="%.2f", padding=3, fontsize=8)
        axes.set_yticks(at, [name for name, _, _ in rows], fontsize=8)
        axes.invert_yaxis()
        finite = [v for numbers in values for v in numbers if math.isfinite(v)]
        axes.set_xlim(0, 1.15 * max(finite, default=1))
        axes.set_xlabel("PSNR (dB)", fontsize=8)
        axes.set_title(f"{run.protocol}: {label_of(run)}", fontsize=9)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(fontsize=8, frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=2)
        axes.title.set_horizontalalignment("left")
        axes.title.set_position((0, 1))
    return _save(figure, path)


def draw_samples(path: Path) -> Path:
    """Draw Fig. 14: the items of an epoch by task, the protocol's and the balanced ones.

    Parameters
    ----------
    path : Path
        PNG to write.

    Returns
    -------
    Path
        The same.
    """
    from matplotlib.figure import Figure

    protocols = ("3deg", "3deg-balanced")
    grouped = [_by_task(epoch_counts(name)) for name in protocols]
    tasks = list(grouped[0])
    figure = Figure((7, 3.2), layout="constrained")
    axes = figure.subplots()
    for index, (name, counts) in enumerate(zip(protocols, grouped, strict=True)):
        total = sum(counts.values())
        bars = axes.bar(
            np.arange(len(tasks)) + 0.4 * (index - 0.5),
            [counts[task] for task in tasks],
            0.38,
            color=SAMPLE_COLOURS[index],
            label=f"{name}: {total:,} items",
        )
        axes.bar_label(bars, fmt="{:,.0f}", padding=2, fontsize=8)
    axes.set_xticks(range(len(tasks)), tasks)
    axes.set_ylabel("items per epoch")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_ylim(0, 1.06 * max(max(counts.values()) for counts in grouped))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return _save(figure, path)


def _by_task(counts: dict[str, int]) -> dict[str, int]:
    grouped: dict[str, int] = {}
    for name, count in counts.items():
        task = name.split(" ")[0]
        grouped[task] = grouped.get(task, 0) + count
    return grouped
