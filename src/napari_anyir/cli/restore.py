"""``anyir restore``: files, folders and patterns in, restored files out."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_anyir.cli.options import (
    Device,
    Inputs,
    Intensity,
    Model,
    Output,
    Overwrite,
    parse_intensity,
    parse_tile,
    shown,
    torch_first,
)

if TYPE_CHECKING:
    from napari_anyir.files import FileStatus

__all__ = ["restore"]


def restore(
    inputs: Inputs,
    output: Output,
    model: Model = "default",
    device: Device = "auto",
    precision: Annotated[str, typer.Option(help="auto, float32, bfloat16 or float16.")] = "auto",
    tile: Annotated[
        str,
        typer.Option(
            help="auto (whole images in exact strips if memory allows), whole, or the side of "
            "overlapping tiles in pixels.",
        ),
    ] = "auto",
    intensity: Intensity = "auto",
    axes: Annotated[
        str | None,
        typer.Option(
            help="One letter per axis: T, Z, C, Y, X, S (colours). Default: as each file says.",
            show_default=False,
        ),
    ] = None,
    strength: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="From 0 (the input) to 1 (restored).")
    ] = 1.0,
    intervene: Annotated[
        list[str] | None,
        typer.Option(
            metavar="BLOCK:PART=CHANGE",
            help="Change the network to see what a part does: BLOCK such as encoder1.0, 'decoder*' "
            "or '*'; PART of alpha, beta, gamma, tau_adj, attention, gated, spatial, frequency, "
            "fused and lambda; CHANGE off, mean (of each channel) or a number, as in "
            "'encoder1.*:alpha=off' or '*:lambda=0.3'. May be given again. Planes are then run as "
            "a whole.",
            show_default=False,
        ),
    ] = None,
    suffix: Annotated[
        str, typer.Option(help="Added to every name, for instance _restored.", show_default=False)
    ] = "",
    format: Annotated[  # noqa: A002 - the name of the option
        str | None,
        typer.Option(
            help="Format of all results: tif, ome.tif, png, jpg, webp, bmp, npy or ome.zarr. "
            "Default: each as its input.",
            show_default=False,
        ),
    ] = None,
    overwrite: Overwrite = False,
    reference: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE|FOLDER",
            help="Clean image, or folder of clean images of the same names: print PSNR and SSIM.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Restore images: .npy, TIFF, PNG, JPEG, WebP, BMP and OME-Zarr.

    Metadata (axes, resolution, colour profile) is kept. A run that was stopped goes on where it
    was; anyir-log.jsonl in the output folder tells how each result was made. Exit status 1 if any
    file failed, 130 after Ctrl-C.
    """
    chosen: dict[str, Any] = {
        "tile": parse_tile(tile),
        "intensity": parse_intensity(intensity),
        "axes": axes,
        "model": model,
        "device": device,
        "precision": precision,
        "strength": strength,
        "interventions": tuple(intervene or ()),
    }
    torch_first()
    from napari_anyir.cli.scores import find_references, print_scores
    from napari_anyir.cli.tables import bar
    from napari_anyir.files import Settings, restore_files

    started = time.perf_counter()
    last: dict[int, FileStatus] = {}
    references: dict[int, Path] | None = None
    with bar("Restoring") as progress:
        task = progress.add_task("", total=None)
        run = restore_files(
            inputs,
            output,
            settings=Settings(**chosen),
            suffix=suffix,
            extension=format,
            overwrite=overwrite,
            progress=lambda done, of: progress.update(task, completed=done, total=of),
        )
        with closing(run):
            for status in run:
                # All files are known now, and none is restored yet: time to miss a reference.
                if status.state == "running" and reference and references is None:
                    references = find_references(reference, list(last.values()))
                last[status.index] = status
                progress.update(task, description=status.name)
    statuses = list(last.values())
    if reference is not None:
        print_scores(statuses, references or find_references(reference, statuses))
    _summarise(statuses, output, time.perf_counter() - started)


def _summarise(statuses: list[FileStatus], output: Path, seconds: float) -> None:
    """Say what became of the files; leave with status 1 if one failed."""
    counts = Counter(status.state for status in statuses)
    parts = [f"{counts['done']} restored"]
    if counts["skipped"]:
        parts.append(f"{counts['skipped']} there already")
    if counts["failed"]:
        parts.append(f"{counts['failed']} failed")
    typer.echo(f"{', '.join(parts)} in {seconds:.1f} s; results in {shown(output)}")
    notes: dict[str, list[FileStatus]] = {}
    for status in statuses:
        if status.state == "done" and status.message:
            notes.setdefault(status.message, []).append(status)
    for note, noted in notes.items():
        more = f" and {len(noted) - 1} more" if len(noted) > 1 else ""
        typer.echo(f"Note: {shown(noted[0].source)}{more}: {note}")
    if not counts["failed"]:
        return
    for status in statuses:
        if status.state == "failed":
            typer.echo(f"Failed: {shown(status.source)}: {status.message}", err=True)
    raise typer.Exit(1)
