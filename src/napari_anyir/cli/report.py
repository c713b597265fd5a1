"""``anyir report``: the paper's tables and figures from results on disk."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from napari_anyir.cli.evaluate import need_training
from napari_anyir.cli.options import Device, shown, torch_first

__all__ = ["Measure", "MeasureOptions", "report"]


class Measure(StrEnum):
    """What is measured before the report is written.

    Examples
    --------
    >>> Measure("time") is Measure.time
    True
    """

    complexity = "complexity"
    time = "time"
    samples = "samples"
    figures = "figures"


@dataclass(frozen=True)
class MeasureOptions:
    """What is measured before the report is written.

    Examples
    --------
    >>> MeasureOptions(measure=[Measure.figures]).measure[0].value
    'figures'
    """

    measure: Annotated[
        list[Measure] | None,
        typer.Option(
            help="Measure first: complexity (Tab. 6, 9, 11), time (Tab. 13, needs --data), "
            "samples (Fig. 14) or figures (Fig. 9 to 13, of a bundled sample). May be given again.",
            show_default=False,
        ),
    ] = None
    data: Annotated[
        Path | None,
        typer.Option(metavar="ROOT", help="Folder of the sets.", show_default=False),
    ] = None
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            help="Model to time, or PromptIR. May be given again; default: default.",
            show_default=False,
        ),
    ] = None
    protocol: Annotated[str, typer.Option(help="Sets to time.")] = "3deg"
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="So many images of each set are timed.", show_default=False),
    ] = None
    device: Device = "auto"


def report(
    results: Annotated[
        Path,
        typer.Option("--results", "-r", metavar="DIR", help="Folder that anyir evaluate wrote."),
    ] = Path("results"),
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT", help="Folder for the report.")
    ] = Path("report"),
    *,
    options: MeasureOptions,
) -> None:
    """Fill the paper's Tab. 1 to 13 from results on disk; cells that were not run say so.

    OUT gets report.html, report.md, tables/*.csv and pictures/. What --measure finds is kept in
    DIR for later reports.
    """
    wanted = options.measure or []
    data, model, limit, device = options.data, options.model, options.limit, options.device
    if Measure.time in wanted and data is None:
        raise typer.BadParameter("--measure time needs --data ROOT, the folder of the test sets.")
    timed = {"--data": data, "--model": model, "--limit": limit}
    if Measure.time not in wanted:
        idle = [name for name, value in timed.items() if value]
        if Measure.figures in wanted and "--model" in idle:
            idle.remove("--model")
        if Measure.samples in wanted and "--data" in idle:
            idle.remove("--data")
        if idle:
            raise typer.BadParameter(f"{idle[0]} has no effect without --measure time.")
    torch_first()
    try:
        from napari_anyir.training.measurement import complexity, sample_statistics, timing
        from napari_anyir.training.report.document import write_report
    except ImportError as error:
        raise need_training(error) from error
    from napari_anyir.cli.tables import bar

    if not wanted and not results.is_dir():
        raise FileNotFoundError(
            f"There is no folder '{results}'; name the one that 'anyir evaluate' wrote into."
        )
    with bar("Measuring") as progress:
        task = progress.add_task("", total=None)
        if Measure.complexity in wanted:
            found = []
            for name, network in complexity.networks():
                progress.update(task, description=name)
                found.append(complexity.measure_complexity(name, network))
            typer.echo(f"Complexity: {shown(complexity.write_complexity(found, results))}")
        if Measure.samples in wanted:
            progress.update(task, description="samples")
            sample_statistics.measure_samples(results, data)
            typer.echo(f"Samples: {shown(results / sample_statistics.FILE)}")
        if Measure.time in wanted and data is not None:
            timings = timing.measure_time(
                data,
                model or ["default"],
                protocol_name=options.protocol,
                device=device,
                limit=limit,
                progress=lambda what: progress.update(task, description=what),
            )
            typer.echo(f"Time: {shown(timing.write_timings(timings, results))}")
    if Measure.figures in wanted:
        from napari_anyir.cli.analyse import FigureOptions, write_figures
        from napari_anyir.samples import FOLDER, SAMPLES

        sample = SAMPLES["rain"]
        for name in model or ["default"]:
            folder = results / "figures" / f"{sample.key}-{Path(name).stem}"
            write_figures(
                FOLDER / sample.degraded,
                folder,
                FigureOptions(name, device, reference=FOLDER / sample.clean),
            )
            typer.echo(f"Figures: {shown(folder)}")
    page = write_report(results, output)
    typer.echo(f"Report: {shown(page)}, {shown(page.with_name('report.md'))}")
