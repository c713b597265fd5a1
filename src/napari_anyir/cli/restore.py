"""``anyir restore``: files, folders and patterns in, restored files out."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_anyir.cli.option_groups import PassOptions, ResultOptions
from napari_anyir.cli.options import (
    Cluster,
    Inputs,
    Output,
    parse_intensity,
    parse_tile,
    shown,
    torch_first,
)

if TYPE_CHECKING:
    from napari_anyir.files import FileStatus

__all__ = ["RestoreOptions", "restore"]


@dataclass(frozen=True)
class RestoreOptions(PassOptions):
    """How images are restored.

    Examples
    --------
    >>> RestoreOptions(tile="512").tile
    '512'
    """

    tile: Annotated[
        str,
        typer.Option(
            help="auto (whole images in exact strips if memory allows), whole, or the side of "
            "overlapping tiles in pixels.",
        ),
    ] = "auto"
    strength: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="From 0 (the input) to 1 (restored).")
    ] = 1.0
    nodata: Annotated[
        float | None,
        typer.Option(
            metavar="VALUE",
            help="Pixels of this value have none, such as -9999 or nan: they are left as they are "
            "and count for nothing. Default: as each file says (GDAL's tag).",
            show_default=False,
        ),
    ] = None


def restore(
    inputs: Inputs,
    output: Output,
    how: RestoreOptions,
    results: ResultOptions,
    reference: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE|FOLDER",
            help="Clean image, or folder of clean images of the same names: print PSNR and SSIM.",
            show_default=False,
        ),
    ] = None,
    cluster: Cluster = None,
) -> None:
    """Restore images: .npy, TIFF, PNG, JPEG, WebP, BMP and OME-Zarr.

    Metadata (axes, resolution, colour profile) is kept. A run that was stopped goes on where it
    was; anyir-log.jsonl in the output folder tells how each result was made. Exit status 1 if any
    file failed, 130 after Ctrl-C.
    """
    chosen: dict[str, Any] = {
        "tile": parse_tile(how.tile),
        "intensity": parse_intensity(how.intensity),
        "axes": how.axes,
        "model": how.model,
        "device": how.device,
        "precision": how.precision,
        "strength": how.strength,
        "nodata": how.nodata,
        "interventions": tuple(how.intervene or ()),
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
            suffix=results.suffix,
            extension=results.format,
            overwrite=results.overwrite,
            cluster=cluster,
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
