"""``anyir features``: an image in, what the blocks of the network show of it out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_anyir.cli.option_groups import PassOptions
from napari_anyir.cli.options import parse_intensity, shown, torch_first

if TYPE_CHECKING:
    from napari_anyir.inference import FeatureMap

__all__ = ["features"]

FORMATS = ("tif", "zarr")

REDUCTIONS = ("mean_abs", "strongest", "pca", "none")


@dataclass(frozen=True)
class MapOptions:
    """Which maps, of which plane."""

    blocks: Annotated[
        list[str] | None,
        typer.Option(
            "--block",
            help="Block such as encoder1.0 or 'decoder*'; may be given again. Default: all.",
            show_default=False,
        ),
    ] = None
    parts: Annotated[
        list[str] | None,
        typer.Option(
            "--part",
            help="alpha, beta, gamma, attention, gated, spatial, frequency, fused or output; may "
            "be given again. Default: alpha, beta, gamma, attention, gated and fused.",
            show_default=False,
        ),
    ] = None
    reduce: Annotated[
        str,
        typer.Option(
            help="mean_abs (mean absolute value of the channels), strongest (channel), pca (three "
            "components as colours), or none: all channels.",
        ),
    ] = "mean_abs"
    index: Annotated[
        str | None,
        typer.Option(
            help="Plane of a stack: one number per axis that is not Y, X or S, as in 3 or 0,12.",
            show_default=False,
        ),
    ] = None


@dataclass(frozen=True)
class MapFileOptions:
    """What is written."""

    format: Annotated[str, typer.Option(help="Of the maps: tif or zarr.")] = "tif"
    sheet: Annotated[
        bool, typer.Option(help="Draw sheet.png: all parts of all blocks (needs matplotlib).")
    ] = True
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace results that are there.")
    ] = False


def features(
    image: Annotated[
        Path,
        typer.Argument(metavar="IN", help="One image file; of a stack, --index takes a plane."),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="OUT", help="Folder for the results.", show_default=False
        ),
    ],
    wanted: MapOptions,
    how: PassOptions,
    results: MapFileOptions,
) -> None:
    """Write the feature maps of an image, a contact sheet of them, and the numbers of the gates.

    Maps are float32: block-part.tif, or maps.zarr with an array for each block and part; their
    descriptions say how they lie over the image (scale and offset in pixels). gates.csv has
    tau_adj and lambda of each block.
    """
    if results.format not in FORMATS:
        raise typer.BadParameter(f"--format '{results.format}' is none of {', '.join(FORMATS)}.")
    if wanted.reduce not in REDUCTIONS:
        raise typer.BadParameter(f"--reduce '{wanted.reduce}' is none of {', '.join(REDUCTIONS)}.")
    position = parse_index(wanted.index)
    chosen = parse_intensity(how.intensity)
    torch_first()
    from napari_anyir.cli.feature_files import write_gates, write_tiffs, write_zarr
    from napari_anyir.cli.tables import bar
    from napari_anyir.files import read_image
    from napari_anyir.inference import GateNumbers, Intervention, feature_maps

    if output.is_dir() and any(output.iterdir()) and not results.overwrite:
        raise ValueError(f"'{output}' is not empty; name another folder or allow --overwrite.")
    changes = [Intervention.parse(text) for text in how.intervene or ()]
    file = read_image(image)
    options: dict[str, Any] = {
        "axes": how.axes or file.axes,
        "index": position,
        "model": how.model,
        "device": how.device,
        "precision": how.precision,
        "intensity": chosen,
        "interventions": changes,
    }
    reduce: Any = None if wanted.reduce == "none" else wanted.reduce
    with bar("Looking") as progress:
        task = progress.add_task("", total=None)
        maps = feature_maps(
            file.array,
            wanted.blocks or None,
            wanted.parts or _default_parts(how.model, file.array, options["axes"]),
            reduce=reduce,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
            **options,
        )
    found = list(maps.values())
    if results.format == "tif":
        write_tiffs(output, found)
    else:
        shared = {
            "image": image.name,
            "model": found[0].model,
            "interventions": [str(c) for c in changes],
        }
        write_zarr(output / "maps.zarr", found, shared)
    by_block = {f.block: GateNumbers(f.block, f.scale, f.tau_adj, f.lam) for f in found}
    write_gates(output / "gates.csv", by_block.values())
    if results.sheet:
        plane = _plane(file.array, options["axes"], position)
        _draw(output / "sheet.png", maps, plane, reduce or "mean_abs")
    count = len(by_block)
    model, why = found[0].model, f", because {found[0].chosen}" if found[0].chosen else ""
    typer.echo(
        f"{len(found)} maps of {count} {'block' if count == 1 else 'blocks'} of {model} in "
        f"{shown(output)}{why}"
    )


def _default_parts(model: str, array: Any, axes: str | None) -> list[str]:
    """Rows of Fig. 15, as far as the network that serves the image has them."""
    from napari_anyir.analysis.contact_sheet import ROWS
    from napari_anyir.inference.arrays.array_layout import make_layout
    from napari_anyir.inference.inside.network_parts import shown_parts
    from napari_anyir.inference.model_choice import choose_model
    from napari_anyir.inference.models import get_model

    choice = choose_model(model, array.dtype, colour=make_layout(array, axes).colour)
    there = shown_parts(get_model(choice.model).anyir.config)
    return [part for part in ROWS if part in there]


def _plane(array: Any, axes: str | None, position: tuple[int, ...] | None) -> Any:
    """Return the plane that the maps are of."""
    from napari_anyir.inference.arrays.array_layout import make_layout
    from napari_anyir.inference.arrays.plane_reading import read_plane

    layout = make_layout(array, axes)
    return read_plane(array, layout, position or (0,) * len(layout.planes))


def _draw(path: Path, maps: dict[tuple[str, str], FeatureMap], plane: Any, reduce: Any) -> None:
    """Draw the contact sheet; where matplotlib is missing, say so and go on."""
    from napari_anyir.analysis import contact_sheet
    from napari_anyir.atomic_writing import atomic_write

    sheet = contact_sheet(maps, plane, reduce=reduce)
    try:
        with atomic_write(path) as part:
            sheet.save(part)
    except ImportError as error:
        typer.echo(f"No {path.name}: {error}", err=True)


def parse_index(text: str | None) -> tuple[int, ...] | None:
    """Read the option ``--index``.

    Parameters
    ----------
    text : str or None
        Whole numbers with commas between them.

    Returns
    -------
    tuple of int or None
        As `napari_anyir.feature_maps` takes it.

    Raises
    ------
    typer.BadParameter
        If it is something else.

    Examples
    --------
    >>> parse_index("0,12"), parse_index(None)
    ((0, 12), None)
    """
    if text is None:
        return None
    try:
        return tuple(int(number) for number in text.split(","))
    except ValueError as error:
        raise typer.BadParameter(
            f"--index '{text}' is no number, nor numbers with commas."
        ) from error
