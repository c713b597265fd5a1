"""What was measured, as the paper's tables ask for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from napari_anyir.model import VARIANTS, AnyIRConfig
from napari_anyir.training.evaluation.comparability import (
    config_of,
    count_weights,
    is_ablation,
    switches_of,
)
from napari_anyir.training.evaluation.evaluated_runs import Run, find_runs, set_means
from napari_anyir.training.evaluation.mean_table import average
from napari_anyir.training.evaluation.score_files import Mean
from napari_anyir.training.measurement.complexity import Complexity, read_complexity
from napari_anyir.training.measurement.sample_statistics import FILE as SAMPLES
from napari_anyir.training.measurement.timing import Timing, read_timings
from napari_anyir.training.paper.protocols import find_protocol
from napari_anyir.training.paper.table_files import AVERAGE, paper_row

ABLATIONS: dict[int, dict[str, AnyIRConfig]] = {
    7: {
        "(a)": replace(VARIANTS["tiny"], split="half", gate="none", fusion="none"),
        "(b)": replace(VARIANTS["tiny"], gate="none", fusion="none"),
        "(c)": replace(VARIANTS["tiny"], split="half", fusion="none"),
        "(d)": replace(VARIANTS["tiny"], fusion="none"),
        "(e)": VARIANTS["tiny"],
    },
    8: {
        "(0, 1/2, 1/2)": replace(VARIANTS["tiny"], gate_fractions=(0, 0.5, 0.5)),
        "(1/2, 0, 1/2)": replace(VARIANTS["tiny"], gate_fractions=(0.5, 0, 0.5)),
        "(1/2, 1/2, 0)": replace(VARIANTS["tiny"], gate_fractions=(0.5, 0.5, 0)),
        "(1/4, 1/4, 1/2)": replace(VARIANTS["tiny"], gate_fractions=(0.25, 0.25, 0.5)),
    },
    10: {
        "Spatial only": replace(VARIANTS["tiny"], fusion="spatial"),
        "Frequency only": replace(VARIANTS["tiny"], fusion="frequency"),
        "Fixed (0.5)": replace(VARIANTS["tiny"], fusion="fixed"),
        "Learnable": VARIANTS["tiny"],
    },
}
"""Networks in the rows of Tab. 7, 8 and 10, all trained as ``3deg``."""


@dataclass(frozen=True)
class Cell:
    """A number of ours.

    Parameters
    ----------
    value : float
        As the column has it.
    note : str
        Printed beside it, such as ``"3 of 68"``.
    fair : bool
        Whether it may be held against the paper's.

    Examples
    --------
    >>> Cell(30.12, "3 of 68", fair=False).fair
    False
    """

    value: float
    note: str = ""
    fair: bool = True


@dataclass(frozen=True)
class Ours:
    """A row of ours, to stand below one of the paper's.

    Parameters
    ----------
    label : str
        Which model, measured how.
    cells : mapping of str to Cell
        By column; what is not there was not run.

    Examples
    --------
    >>> Ours("tiny", {"CBSD68": Cell(30.1)}).cells["CBSD68"].value
    30.1
    """

    label: str
    cells: Mapping[str, Cell]


@dataclass(frozen=True)
class MeasuredResults:
    """Everything below a folder of results.

    Parameters
    ----------
    runs : list of Run
        Evaluations.
    complexity : mapping of str to Complexity
        By name of the network.
    timings : list of Timing
        Times.
    samples : mapping
        What `napari_anyir.training.measurement.sample_statistics.measure_samples` wrote.

    Examples
    --------
    >>> MeasuredResults(runs=[]).timings
    []
    """

    runs: list[Run]
    complexity: Mapping[str, Complexity] = field(default_factory=dict)
    timings: list[Timing] = field(default_factory=list)
    samples: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, results: Path) -> MeasuredResults:
        """Read a folder of results.

        Raises
        ------
        FileNotFoundError
            If there is no such folder.
        ValueError
            If a file in it cannot be used.
        """
        runs = find_runs(results)
        samples = results / SAMPLES
        values = json.loads(samples.read_text(encoding="utf-8")) if samples.is_file() else {}
        return cls(runs, read_complexity(results), read_timings(results), values)

    def of(self, *protocols: str) -> list[Run]:
        """Evaluations of AnyIR networks on any of these protocols."""
        runs = [run for run in self.runs if run.protocol in protocols]
        return [run for run in runs if run.ours]

    def of_config(self, config: AnyIRConfig, *protocols: str) -> list[Run]:
        """Evaluations of networks of just this configuration."""
        return [run for run in self.of(*protocols) if config_of(run) == config]

    def of_switches(self, config: AnyIRConfig, *protocols: str) -> list[Run]:
        """Evaluations of networks of any size with the switches of this configuration."""
        wanted = switches_of(config)
        return [run for run in self.of(*protocols) if switches_of(config_of(run)) == wanted]


def label_of(run: Run) -> str:
    """What a row calls a run: the model, and its protocol where it is not the table's own.

    Examples
    --------
    >>> from pathlib import Path
    >>> from napari_anyir.training.report.measured_results import label_of
    >>> from napari_anyir.training.evaluation.evaluated_runs import Run
    >>> label_of(Run(Path(), "dev", "nano", "", {}))
    'nano (dev)'
    """
    return f"{run.label} (dev)" if run.protocol == "dev" else run.label


def set_cells(run: Run) -> dict[str, Cell]:
    """Numbers of a run by column: its sets, and averages where they are complete."""
    measured = {name: after for name, _, after in set_means(run)}
    cells: dict[str, Cell] = {}

    def put(name: str, mean: Mean, note: str, *, fair: bool) -> None:
        cells[f"{name} psnr"] = Cell(mean.psnr, note, fair)
        cells[f"{name} ssim"] = Cell(mean.ssim, note, fair)

    partial = []
    for name, mean in measured.items():
        fair = run.comparable(name, mean.images)
        count = run.images(name, mean.images)
        if " of " in count:
            partial.append(name)
        put(name, mean, count if " of " in count else "", fair=fair)
    for column, names in (
        (AVERAGE, [test.name for test in find_protocol(run.protocol).tests]),
        ("denoising", [f"CBSD68 sigma {sigma}" for sigma in (15, 25, 50)]),
    ):
        if run.protocol != "dev" and all(name in measured for name in names):
            fair = all(run.comparable(name, measured[name].images) for name in names)
            note = "parts of sets" if set(partial) & set(names) else ""
            put(column, average([measured[name] for name in names]), note, fair=fair)
    return cells


def rows_of_sets(measured: MeasuredResults, method: str, *protocols: str) -> list[Ours]:
    """Rows of Tab. 1 to 5: published networks of any size below the paper's row they belong to."""
    rows = []
    for run in measured.of(*protocols):
        if is_ablation(run) or paper_row(run.protocol, run.variant) != method:
            continue
        cells = set_cells(run)
        if cells:
            # Printed in whole millions there, so nothing is subtracted.
            weights = Cell(count_weights(config_of(run)) / 1e6, fair=False)
            rows.append(Ours(label_of(run), {**cells, "parameters": weights}))
    return rows


def complexity_cells(found: Complexity | None) -> dict[str, Cell]:
    """Numbers of a network by column: weights in millions, multiply-adds in 10^9, memory in MiB."""
    if found is None:
        return {}
    return {
        "parameters": Cell(found.parameters / 1e6),
        "flops": Cell(found.multiply_adds / 1e9),
        # The paper's is the allocator's, which counts working space as well.
        "memory": Cell(
            (found.cuda_bytes or found.peak_bytes) / 2**20,
            "" if found.cuda_bytes else "tensors",
            fair=found.cuda_bytes is not None,
        ),
    }
