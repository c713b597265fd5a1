"""``anyir evaluate``: a model on the test sets of a protocol, beside the paper's numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_anyir.cli.options import Cluster, Device, parse_tile, shown, torch_first

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["evaluate", "need_training"]


def need_training(error: ImportError) -> typer.BadParameter:
    """Say which extra brings what is missing.

    Parameters
    ----------
    error : ImportError
        What an import of the training package raised.

    Returns
    -------
    typer.BadParameter
        One sentence with the remedy.

    Examples
    --------
    >>> print(need_training(ImportError(name="lightning")).message)
    'lightning' is missing; install what this needs with: pip install 'napari-anyir[training]'
    """
    return typer.BadParameter(
        f"'{error.name}' is missing; install what this needs with: "
        "pip install 'napari-anyir[training]'"
    )


def parse_crop(text: str) -> int | None:
    """Read the option ``--crop``.

    Parameters
    ----------
    text : str
        A number of pixels, or ``"none"``.

    Returns
    -------
    int or None
        The multiple that images are cropped to.

    Raises
    ------
    typer.BadParameter
        If it is neither.

    Examples
    --------
    >>> parse_crop("16"), parse_crop("none")
    (16, None)
    """
    if text == "none":
        return None
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise typer.BadParameter(
        f"--crop must be none or a number of pixels, such as 16, not '{text}'."
    )


def _show(bars: Progress, task: TaskID, done: int, total: int, what: str) -> None:
    bars.update(task, completed=done, total=total, description=what)


@dataclass(frozen=True)
class SwitchOptions:
    """How images are restored and measured."""

    ssim: Annotated[
        str, typer.Option(help="Window: uniform (7 x 7) or gaussian (11 taps, sigma 1.5).")
    ] = "uniform"
    noise_seed: Annotated[str, typer.Option(help="Seed 0: once per run, or per-image.")] = "once"
    noise_storage: Annotated[
        str, typer.Option(help="8 bits for noisy images: truncate or round; or none.")
    ] = "truncate"
    rounding: Annotated[
        str, typer.Option(help="Outputs before they are measured: none or 8bit.")
    ] = "none"
    crop: Annotated[
        str,
        typer.Option(
            metavar="16|none",
            help="Centre crop to a multiple of so many pixels; default: 16, for cdd11 none.",
            show_default=False,
        ),
    ] = ""
    tile: Annotated[
        str,
        typer.Option(help="whole (exact strips where memory is short), auto, or a side in pixels."),
    ] = "whole"
    precision: Annotated[str, typer.Option(help="float32, bfloat16, float16 or auto.")] = "float32"


@dataclass(frozen=True)
class ScopeOptions:
    """What is measured, and where results go."""

    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            help="Name of a model, or path of a checkpoint; several are put side by side.",
            show_default="default",
        ),
    ] = None
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="RESULTS", help="Folder of all results.")
    ] = Path("results")
    images: Annotated[
        bool, typer.Option("--images", help="Keep the restored images, and strips to look at.")
    ] = False
    only: Annotated[
        str, typer.Option(metavar="SET", help="Part of a set's name.", show_default=False)
    ] = ""
    limit: Annotated[
        int | None, typer.Option(min=1, help="So many images of each set.", show_default=False)
    ] = None
    classical: Annotated[
        bool, typer.Option("--classical", help="Also scikit-image's denoisers.")
    ] = False
    name: Annotated[
        str | None,
        typer.Option(help="What to call the model in results.", show_default=False),
    ] = None
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Measure again what is there.")] = (
        False
    )
    device: Device = "auto"
    cluster: Cluster = None


def evaluate(
    protocol: Annotated[
        str,
        typer.Option(
            help="3deg, 5deg, cdd11, zeroshot-snow, zeroshot-underwater, denoise, derain, dehaze, "
            "3deg-balanced; dev for a folder of small sets; or pairs for ROOT/input and "
            "ROOT/target, images of any depth.",
            show_default=False,
        ),
    ],
    data: Annotated[
        Path, typer.Option(metavar="ROOT", help="Folder of the test sets.", show_default=False)
    ],
    how: SwitchOptions,
    scope: ScopeOptions,
) -> None:
    """Measure a model on a protocol of the paper: PSNR and SSIM, ours, the paper's, the difference.

    Results are per-image.csv, means.csv and table.md in RESULTS/PROTOCOL/MODEL; of several models
    also side-by-side.md in RESULTS/PROTOCOL, with --images pictures as well. A run that was stopped
    goes on where it was. Sets that are not there are skipped; exit status 1 if none is.
    """
    models = scope.model or ["default"]
    if scope.name and len(models) > 1:
        raise typer.BadParameter("--name is for one model; leave it out for several.")
    options: dict[str, Any] = {
        **vars(how),
        "tile": parse_tile(how.tile),
    }
    del options["crop"]
    if how.crop:
        options["crop"] = parse_crop(how.crop)
    torch_first()
    try:
        from napari_anyir.training.evaluation.comparison import write_comparison
        from napari_anyir.training.evaluation.evaluate import EvaluationOptions
        from napari_anyir.training.evaluation.evaluate import evaluate as measure
        from napari_anyir.training.evaluation.evaluated_runs import default_switches
        from napari_anyir.training.evaluation.mean_table import mean_table, write_table
        from napari_anyir.training.evaluation.visual_comparison import write_views
    except ImportError as error:
        raise need_training(error) from error
    from napari_anyir.cli.tables import bar, print_table

    switches = replace(default_switches(protocol), **options)
    chosen = EvaluationOptions(
        switches=switches,
        only=scope.only,
        limit=scope.limit,
        images=scope.images,
        classical=scope.classical,
        overwrite=scope.overwrite,
        device=scope.device,
        name=scope.name,
        cluster=scope.cluster,
    )
    runs = []
    for one in models:
        with bar("Evaluating") as progress:
            task = progress.add_task("", total=None)
            run, missing = measure(
                protocol,
                data,
                one,
                scope.out,
                chosen,
                partial(_show, progress, task),
            )
        runs.append(run)
        table = mean_table(run)
        write_table(run, table)
        print_table(
            table.columns,
            table.rows,
            title=f"{run.protocol}: {run.label} on {run.device}",
            caption="\n".join(table.notes),
            numbers=table.columns[1:],
        )
    if len(runs) > 1:
        table = write_comparison(runs, scope.out / runs[0].protocol)
        print_table(
            table.columns,
            table.rows,
            title=f"{runs[0].protocol}: side by side",
            caption="\n".join(table.notes),
            numbers=table.columns[1:],
        )
        if views := write_views(runs, scope.out / runs[0].protocol):
            typer.echo(f"Side by side, with a part enlarged: {shown(views[0].parent)}")
    if missing:
        typer.echo(
            f"Skipped, for they are not below '{shown(data)}': {', '.join(missing)}; "
            f"'anyir data check {shown(data)}' says how to lay them out."
        )
        for why in missing.values():
            if "(" in why.split(": lay it out")[0]:
                typer.echo(why)
    typer.echo(f"Per image and in the mean: {shown(run.folder)}")
