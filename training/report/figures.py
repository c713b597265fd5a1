"""Charts of the report: PSNR per set, and the samples of an epoch (Fig. 14)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_anyir.training.evaluation.comparability import config_of, count_weights, is_ablation
from napari_anyir.training.evaluation.evaluated_runs import Run, set_means
from napari_anyir.training.measurement.sample_statistics import epoch_counts
from napari_anyir.training.paper.table_files import AVERAGE, paper_table
from napari_anyir.training.report.measured_results import MeasuredResults, label_of, set_cells
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
        floor, end = bar_limits(finite)
        axes.set_xlim(floor, end)
        axes.set_xlabel(f"PSNR (dB), from {floor:g}" if floor else "PSNR (dB)", fontsize=8)
        axes.set_title(f"{run.protocol}: {label_of(run)}", fontsize=9)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(fontsize=8, frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=2)
        axes.title.set_horizontalalignment("left")
        axes.title.set_position((0, 1))
    return _save(figure, path)


def bar_limits(values: Sequence[float]) -> tuple[float, float]:
    """Choose where bars of PSNR begin and end, so that differences between them are seen.

    Parameters
    ----------
    values : sequence of float
        In dB.

    Returns
    -------
    floor, end : float
        The floor is a multiple of 5 at least 3 dB below the least, and never below 0.

    Examples
    --------
    >>> from napari_anyir.training.report.figures import bar_limits
    >>> bar_limits([24.8, 32.4])[0], bar_limits([7.7, 19.3])[0]
    (20.0, 0.0)
    """
    if not values:
        return 0.0, 1.0
    floor = max(0.0, 5.0 * math.floor((min(values) - 3) / 5))
    return floor, max(values) + 0.15 * (max(values) - floor)


def draw_quality(measured: MeasuredResults, path: Path) -> Path:
    """Draw Fig. 4: the paper's average PSNR over the cost of each network, and ours.

    Parameters
    ----------
    measured : MeasuredResults
        Complete evaluations of it are drawn beside the paper's.
    path : Path
        PNG to write.

    Returns
    -------
    Path
        The same.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator

    figure = Figure((13, 4.4), layout="constrained")
    drawn: list[tuple[Any, list[tuple[Any, ...]]]] = []
    panels = ((1, "parameters", "weights (millions)"), (2, "parameters", "weights (millions)"))
    for axes, (number, column, label) in zip(
        figure.subplots(1, 3), (*panels, (6, "flops", "multiply-adds (billions)")), strict=True
    ):
        table = paper_table(number)
        paper = [
            (str(row[0]), table.value(str(row[0]), column), table.value(str(row[0]), _AVERAGE))
            for row in table.rows
        ]
        axes.set_xscale("log")
        points = [*(p for p in paper if None not in p), *_measured(measured, number)]
        for name, cost, quality in points:
            marker = "*" if _colour(name) != _OTHERS else "o"
            size = 70 if marker == "*" else 28
            axes.scatter([cost], [quality], s=size, marker=marker, c=_colour(name), linewidths=0)
        axes.set_xlabel(label, fontsize=8)
        axes.set_ylabel("average PSNR (dB)", fontsize=8)
        axes.set_title(f"Tab. {number}: {table.title.split(' (')[0]}", fontsize=9)
        axes.grid(alpha=0.25)
        axes.tick_params(labelsize=8)
        axes.margins(x=0.18, y=0.1)
        axes.spines[["top", "right"]].set_visible(False)
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if number != 1 else (1,)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter("")
        drawn.append((axes, points))
    figure.draw_without_rendering()
    for axes, points in drawn:
        _name_points(axes, points)
    return _save(figure, path)


_AVERAGE = f"{AVERAGE} psnr"
_MEASURED_COLOUR, _OTHERS = "#c2410c", "#6b7480"


_SMALLER = "AnyIR-T"
_PLACES = (
    *((6, 4, "left"), (6, -10, "left"), (-6, 4, "right"), (-6, -10, "right")),
    *((0, 9, "center"), (0, -16, "center"), (6, 14, "left"), (6, -20, "left")),
)
"""Where the name of a point may stand: offset in points, and which end of it is there."""


def _colour(name: str) -> str:
    if name.startswith("ours"):
        return _MEASURED_COLOUR
    return OUTPUT_COLOUR if name.startswith("AnyIR") else _OTHERS


def _name_points(axes: Any, points: Sequence[tuple[Any, ...]]) -> None:
    """Write names beside points, each in the first place where it covers nothing."""
    where = [axes.transData.transform((cost, quality)) for _, cost, quality in points]
    taken: list[Any] = []
    for name, cost, quality in points:
        # The smaller of the two has the larger at its right.
        places = sorted(_PLACES, key=lambda one: one[2] != "right") if name == _SMALLER else _PLACES
        for x, y, end in places:
            text = axes.annotate(
                name,
                (cost, quality),
                (x, y),
                textcoords="offset points",
                ha=end,
                fontsize=7,
                color=_colour(name),
            )
            box = text.get_window_extent()
            inside = axes.bbox.x0 < box.x0 and box.x1 < axes.bbox.x1 + 20
            covers = any(box.overlaps(other) for other in taken) or any(
                box.contains(*place) for place in where
            )
            if inside and not covers:
                break
            if (x, y, end) != places[-1]:
                text.remove()
        taken.append(box)


def _measured(measured: MeasuredResults, number: int) -> list[tuple[Any, ...]]:
    """Name, cost and average PSNR of complete evaluations of published networks."""
    points = []
    for run in measured.of({1: "3deg", 2: "5deg", 6: "3deg"}[number]):
        mean = set_cells(run).get(_AVERAGE)
        counted = measured.complexity.get(run.variant)
        cost = count_weights(config_of(run)) / 1e6
        if number == 6:
            cost = counted.multiply_adds / 1e9 if counted else 0.0
        if mean is not None and cost and not is_ablation(run):
            points.append((f"ours: {label_of(run)}", cost, mean.value))
    return points


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

    Examples
    --------
    >>> import tempfile
    >>> draw_samples(Path(tempfile.mkdtemp()) / "fig14.png").stat().st_size > 1000
    True
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
