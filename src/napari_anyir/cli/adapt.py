"""``anyir adapt``: noisy images in, a model for their noise out; no clean images needed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_anyir.cli.option_groups import NetworkOptions, ResultOptions
from napari_anyir.cli.options import Axes, Events, Inputs, parse_intensity, shown, torch_first
from napari_anyir.errors import ImageFileError

if TYPE_CHECKING:
    from napari_anyir.inference.arrays.intensity import Intensity
    from napari_anyir.training.adaptation.noisy_windows import NoisySource

__all__ = ["Loss", "adapt"]


class Loss(StrEnum):
    """How errors count.

    Examples
    --------
    >>> [loss.value for loss in Loss]
    ['l2', 'l1']
    """

    l2 = "l2"
    l1 = "l1"


@dataclass(frozen=True)
class LearnOptions(NetworkOptions):
    """What is learned, and for how long."""

    minutes: Annotated[float, typer.Option(help="Time after which to end; it may end earlier.")] = (
        3.0
    )
    steps: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Steps after which to end, whatever the time: the same again for the same seed.",
            show_default=False,
        ),
    ] = None
    seed: Annotated[int, typer.Option(min=0, help="Seed of all randomness.")] = 0
    loss: Annotated[
        Loss,
        typer.Option(help="l2: noise that is zero on average; l1: outliers, as salt and pepper."),
    ] = Loss.l2
    axes: Axes = None


@dataclass(frozen=True)
class AfterOptions:
    """What becomes of the model."""

    restore: Annotated[
        Path | None,
        typer.Option(
            metavar="OUT",
            help="Restore the images with the adapted model, too, into this folder or file.",
            show_default=False,
        ),
    ] = None
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a model, and results, that are there.")
    ] = False
    add: Annotated[
        bool,
        typer.Option(
            "--add",
            help="Make the model known by its name everywhere, napari included, if it surely "
            "became better.",
        ),
    ] = False
    events: Events = False


def adapt(
    inputs: Inputs,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="MODEL",
            help="The adapted model, a .safetensors file; its card is written beside it.",
            show_default=False,
        ),
    ],
    how: LearnOptions,
    then: AfterOptions,
) -> None:
    """Adapt a model to noisy images, without clean ones.

    For noise that is independent from pixel to pixel, of a kind or strength that the model does
    not know: the model learns from neighbouring pixels of the images themselves
    (Neighbor2Neighbor, CVPR 2021). Several images must have the same kind of noise. If held-out
    pixels are not predicted better afterwards, the original weights are kept, and it is said so.
    A file that cannot be read or learned from is told at the end and stops nothing; then the exit
    status is 1.
    """
    value_range = parse_intensity(how.intensity)
    torch_first()
    from napari_anyir.cli.reporting import Reporter, peak_memory
    from napari_anyir.files.plan import make_plan
    from napari_anyir.training.adaptation.adapted_model import check_target, save_adapted
    from napari_anyir.training.adaptation.method import adapt_with_record
    from napari_anyir.training.adaptation.self_supervised import AdaptationRecipe
    from napari_anyir.weights import add_model, check_new_name

    check_target(output, overwrite=then.overwrite)
    if then.add:
        check_new_name(output.stem)
    if then.restore is not None:
        make_plan(inputs, then.restore)  # what would stand in the way is said before the work
    sources, names, failed = _opened(inputs, how.axes, value_range)
    events = then.events
    reporter = Reporter("Adapting", events=events)
    for problem in failed:
        reporter.tell("failed", text=problem)
    with reporter:
        network, record = adapt_with_record(
            sources,
            model=how.model,
            intensity=value_range,
            minutes=how.minutes,
            steps=how.steps,
            seed=how.seed,
            device=how.device,
            recipe=AdaptationRecipe(loss=how.loss.value),
            progress=reporter.progress,
            stop=reporter.stop,
            watch=reporter.look if events else None,
        )
    card = save_adapted(network, record, output, images=names, overwrite=then.overwrite)
    added = add_model(card.file).name if then.add and record.kept else None
    reporter.tell(
        "result",
        text=str(record),
        kept=record.kept,
        file=str(card.file),
        added=added,
        seconds=record.seconds,
        steps=record.steps,
        threads=record.threads,
        peak_memory=peak_memory(),
    )
    if not events:
        typer.echo(f"{record}")
        typer.echo(f"{record.seconds:.0f} s; the model is {shown(card.file)}")
        if added is not None:
            typer.echo(f"It is known as '{added}' now: anyir restore IN -o OUT --model {added}")
        elif then.restore is None:
            typer.echo(f"Use it with: anyir restore IN -o OUT --model {shown(card.file)}")
    for problem in failed if not events else ():
        typer.echo(f"Failed, and not learned from: {problem}", err=True)
    if then.restore is None:
        if failed and not events:
            raise typer.Exit(1)
        return
    from napari_anyir.cli.restore import RestoreOptions, restore

    restore(
        inputs,
        then.restore,
        RestoreOptions(str(card.file), how.device, how.intensity, axes=how.axes),
        ResultOptions(overwrite=then.overwrite),
    )


def _opened(
    inputs: Inputs, axes: str | None, intensity: Intensity
) -> tuple[list[NoisySource], list[str], list[str]]:
    """Images of all inputs, their names, and a sentence for each that cannot be learned from.

    Raises
    ------
    ImageFileError
        If none can be.
    """
    from napari_anyir.files import read_image
    from napari_anyir.files.file_errors import sentence
    from napari_anyir.files.finding import find_images
    from napari_anyir.training.adaptation.noisy_windows import NoisySource

    sources: list[NoisySource] = []
    names: list[str] = []
    failed: list[str] = []
    for found in (image for item in inputs for image in find_images(item)):
        try:
            if found.problem:
                raise ImageFileError(found.problem, found.path)
            image = read_image(found.path)
            sources.append(NoisySource.open(image.array, axes or image.axes, intensity))
            names.append(found.path.name)
        except (ImageFileError, FileNotFoundError) as error:
            failed.append(str(error))
        except (TypeError, ValueError, MemoryError) as error:  # too small, not finite, other axes
            failed.append(f"'{found.path}': {sentence(error)}")
    if not sources:
        more = f" (and {len(failed) - 1} more like it)" if len(failed) > 1 else ""
        raise ImageFileError(failed[0] + more)
    return sources, names, failed
