"""``anyir degrade``: clean images in, degraded images out, the same again for the same seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from napari_anyir.cli.option_groups import ResultOptions
from napari_anyir.cli.options import (
    Inputs,
    Intensity,
    Output,
    parse_intensity,
    shown,
    torch_first,
)
from napari_anyir.degradations.kinds import KIND_NAMES

__all__ = ["ANY_OPTION", "KIND_NAMES", "degrade"]

ANY_OPTION = {"ignore_unknown_options": True}
"""The parameters of a kind are options of their own, which only the kind knows."""


def _list_parameters(wanted: bool) -> None:
    if not wanted:
        return
    from napari_anyir.cli.degrading import parameter_rows
    from napari_anyir.cli.tables import print_table

    for kind in KIND_NAMES:
        rows = parameter_rows(kind)
        heads = ["option", "default", "allowed", "unit", "where the default is from"]
        print_table(heads, rows, title=f"--kind {kind}") if rows else typer.echo(f"--kind {kind}")
    raise typer.Exit


@dataclass(frozen=True)
class DegradeOptions:
    """What happens to the images."""

    kind: Annotated[str, typer.Option(help=f"One of {', '.join(KIND_NAMES)}.", show_default=False)]
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of the first file; file number n has seed + n.")
    ] = 0
    intensity: Intensity = "auto"
    parameters: Annotated[
        bool,
        typer.Option(
            "--parameters",
            help="List the parameters of all kinds and exit.",
            callback=_list_parameters,
            is_eager=True,
        ),
    ] = False


def degrade(inputs: Inputs, output: Output, how: DegradeOptions, results: ResultOptions) -> None:
    """Degrade images, reproducibly: noise, rain, haze, blur, darkness and more.

    The parameters of a kind are options, too: --kind noise --sigma 25, or --sigma 10,50 for a
    value drawn anew for each image; those that are not given are drawn from documented ranges
    (anyir degrade --parameters). The same command gives the same results.
    """
    files, given = split_parameters(inputs)
    value_range = parse_intensity(how.intensity)
    torch_first()
    from napari_anyir.cli.degrading import read_parameters
    from napari_anyir.cli.tables import bar
    from napari_anyir.degradations import make
    from napari_anyir.degrading import degrade_array
    from napari_anyir.files import read_image, write_image
    from napari_anyir.files.file_errors import is_there, sentence
    from napari_anyir.files.plan import make_plan

    degradation = make(how.kind, **read_parameters(how.kind, given))
    plan = make_plan(files, output, suffix=results.suffix, extension=results.format)
    taken = [job.target for job in plan.jobs if not job.problem and is_there(job.target)]
    if taken and not results.overwrite:
        raise ValueError(f"'{taken[0]}' exists already; name another folder or allow --overwrite.")
    failed: list[tuple[Path, str]] = []
    with bar("Degrading") as progress:
        for number, job in enumerate(progress.track(plan.jobs)):
            if job.problem:
                failed.append((job.source, job.problem))
                continue
            try:
                image = read_image(job.source)
                array = degrade_array(
                    image.array,
                    degradation,
                    seed=how.seed + number,
                    axes=image.axes,
                    intensity=value_range,
                )
                write_image(job.target, array, image.without_pixels())
            except Exception as error:  # noqa: BLE001 - one bad file stops nothing
                failed.append((job.source, sentence(error)))
    done = len(plan.jobs) - len(failed)
    seed = how.seed
    last = seed + len(plan.jobs) - 1
    seeds = f"seed {seed}" if len(plan.jobs) == 1 else f"seeds {seed} to {last} in order of names"
    typer.echo(f"{done} degraded by {degradation} with {seeds}; results in {shown(output)}")
    for source, reason in failed:
        typer.echo(f"Failed: {shown(source)}: {reason}", err=True)
    if failed:
        raise typer.Exit(1)


def split_parameters(tokens: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Tell files from the options that only a kind knows.

    Parameters
    ----------
    tokens : sequence of str
        What the command line leaves over.

    Returns
    -------
    files : list of str
        Inputs.
    parameters : dict of str to str
        Name to text.

    Raises
    ------
    typer.BadParameter
        If an option has no value.

    Examples
    --------
    >>> split_parameters(["a.png", "--sigma", "25", "b.png", "--storage=round"])
    (['a.png', 'b.png'], {'sigma': '25', 'storage': 'round'})
    """
    files: list[str] = []
    parameters: dict[str, str] = {}
    rest = iter(tokens)
    for token in rest:
        if not token.startswith("--"):
            files.append(token)
            continue
        name, equals, text = token[2:].partition("=")
        if not equals:
            text = next(rest, "")
        if not name or not text:
            raise typer.BadParameter(f"The option {token} needs a value.")
        parameters[name.replace("-", "_")] = text
    return files, parameters
