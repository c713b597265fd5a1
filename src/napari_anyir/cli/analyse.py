"""``anyir analyse``: the paper's Fig. 9 to 13 of an image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_anyir.cli.option_groups import NetworkOptions
from napari_anyir.cli.options import parse_intensity, shown, torch_first

__all__ = ["FigureOptions", "analyse", "write_figures"]


@dataclass(frozen=True)
class FigureOptions(NetworkOptions):
    """Which figures, of which block.

    Examples
    --------
    >>> FigureOptions(figures=[11]).block
    'decoder1.0'
    """

    figures: Annotated[
        list[int] | None,
        typer.Option(
            "--figure",
            help="Number of the paper's figure, 9 to 13; may be given again. Default: all, Fig. 10 "
            "with --reference only.",
            show_default=False,
        ),
    ] = None
    reference: Annotated[
        Path | None,
        typer.Option(help="The clean image, for the error map of Fig. 10.", show_default=False),
    ] = None
    block: Annotated[str, typer.Option(help="Block such as encoder1.0.")] = "decoder1.0"


def analyse(
    image: Annotated[
        Path,
        typer.Argument(metavar="IN", help="One image file; of a stack the first plane."),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="OUT", help="Folder for the figures.", show_default=False
        ),
    ],
    options: FigureOptions,
) -> None:
    """Draw the paper's figures 9 to 13 of an image of your own, with their numbers as CSV.

    Fig. 9 channel activations, 10 error map beside the gate, 11 singular values, 12 PCA of half
    and skip split, 13 t-SNE of attention and gate.
    """
    parse_intensity(options.intensity)  # before torch comes
    torch_first()
    written = write_figures(image, output, options)
    typer.echo(f"{len(written)} figures with their numbers in {shown(output)}")


def write_figures(image: Path, output: Path, options: FigureOptions | None = None) -> list[Path]:
    """Draw figures of an image file into a folder.

    Parameters
    ----------
    image, output, options
        As for the command.

    Returns
    -------
    list of Path
        The pictures, ``figure-09.png`` and so on; the numbers lie beside them as CSV.

    Raises
    ------
    ValueError
        If a figure is unknown or an image does not suit.
    ImportError
        If matplotlib, or for Fig. 13 scikit-learn, is missing.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> folder = Path(tempfile.mkdtemp())
    >>> Image.new("RGB", (32, 32), (90, 60, 30)).save(folder / "a.png")
    >>> wanted = FigureOptions(model="nano", figures=[11])
    >>> [path.name for path in write_figures(folder / "a.png", folder, wanted)]
    ['figure-11.png']
    """
    from napari_anyir import feature_maps
    from napari_anyir.analysis.paper_figures import FIGURES, needed_parts, paper_figures
    from napari_anyir.atomic_writing import atomic_write
    from napari_anyir.files import read_image
    from napari_anyir.inference.arrays.array_layout import make_layout
    from napari_anyir.inference.arrays.plane_reading import read_plane

    options = options or FigureOptions()
    reference, block = options.reference, options.block
    intensity: Any = parse_intensity(options.intensity)
    numbers = options.figures or [
        number for number in FIGURES if number != 10 or reference is not None
    ]
    if unknown := [number for number in numbers if number not in FIGURES]:
        raise ValueError(
            f"Figure {unknown[0]} cannot be made of one image; choose of "
            f"{', '.join(map(str, FIGURES))}."
        )
    if 10 in numbers and reference is None:
        raise ValueError("Figure 10 needs the clean image, too: give it with --reference.")

    def plane_of(path: Path) -> Any:
        file = read_image(path)
        layout = make_layout(file.array, file.axes)
        return read_plane(file.array, layout, (0,) * len(layout.planes))

    plane = plane_of(image)
    clean = None if reference is None else plane_of(reference)
    maps = feature_maps(
        plane,
        [block],
        needed_parts(numbers),
        reduce=None,
        model=options.model,
        device=options.device,
        intensity=intensity,
        axes="YXS" if plane.ndim == 3 else "YX",
    )
    made = paper_figures(maps, numbers, block, image=plane, reference=clean, intensity=intensity)
    output.mkdir(parents=True, exist_ok=True)
    pictures = []
    for number, analysis in made.items():
        for suffix in (".csv", ".png"):
            path = output / f"figure-{number:02}{suffix}"
            with atomic_write(path) as part:
                analysis.save(part)
        pictures.append(path)
    return pictures
