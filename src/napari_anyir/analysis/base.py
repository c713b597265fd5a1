"""What the analyses share: saving, choosing maps, and the looks of the figures."""

from __future__ import annotations

import csv
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_anyir.atomic_writing import atomic_write
from napari_anyir.inference.inside.collecting import FeatureMap

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Maps = Mapping[tuple[str, str], FeatureMap]

FIGURE_SUFFIXES = (".png", ".svg", ".pdf")

COLOURS = {
    "attention": "#0072b2",
    "gated": "#d55e00",
    "fused": "#009e73",
    "alpha": "#e69f00",
    "beta": "#56b4e9",
    "gamma": "#cc79a7",
}
"""One colour per part in all figures, told apart also by those who see fewer colours."""

GREY = "#666666"


def colour_of(part: str) -> str:
    """Return the colour of a part; grey for those that have none of their own.

    Examples
    --------
    >>> colour_of("attention") != colour_of("gated"), colour_of("output of my own") == GREY
    (True, True)
    """
    return COLOURS.get(part, GREY)


class Analysis(ABC):
    """Numbers that can draw and save themselves.

    Examples
    --------
    >>> class Two(Analysis):
    ...     def figure(self):
    ...         return new_figure(2, 2)
    ...
    ...     def table(self):
    ...         return ("name", "value"), [("a", 1), ("b", 2)]
    >>> import tempfile
    >>> Two().save(Path(tempfile.mkdtemp()) / "two.csv").read_text().split()
    ['name,value', 'a,1', 'b,2']
    """

    @abstractmethod
    def figure(self) -> Figure:
        """Draw the numbers.

        Returns
        -------
        matplotlib.figure.Figure
            A new figure at each call, known to no pyplot.
        """

    @abstractmethod
    def table(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        """Return the numbers as (names of the columns, rows)."""

    def to_csv(self, path: str | Path) -> Path:
        """Write the numbers as comma-separated values.

        Parameters
        ----------
        path : str or Path
            The file; one that is there is replaced once the new one is whole.

        Returns
        -------
        Path
            The file.
        """
        path = Path(path)
        names, rows = self.table()
        with atomic_write(path) as part, part.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(names)
            writer.writerows(rows)
        return path

    def save(self, path: str | Path, dpi: int = 150) -> Path:
        """Write the figure, or the numbers, as the suffix says.

        Parameters
        ----------
        path : str or Path
            .png, .svg or .pdf for the figure, .csv for the numbers.
        dpi : int
            Pixels per inch of a .png.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        ValueError
            If the suffix is another one.
        """
        path = Path(path)
        suffix = path.suffix.lower()
        if suffix == ".csv":
            return self.to_csv(path)
        if suffix not in FIGURE_SUFFIXES:
            raise ValueError(
                f"'{path.name}' cannot be written; end its name in {', '.join(FIGURE_SUFFIXES)} "
                "or .csv."
            )
        figure = self.figure()
        from matplotlib import rc_context

        # The same numbers give the same file: no date, no random identifiers.
        dates = {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
        with rc_context({"svg.hashsalt": "napari-anyir"}), atomic_write(path) as part:
            figure.savefig(part, dpi=dpi, metadata=dates[suffix], format=suffix[1:])
        return path


def new_figure(
    width: float, height: float, layout: Literal["constrained", "compressed"] = "constrained"
) -> Figure:
    """Make an empty figure that no pyplot knows of.

    Parameters
    ----------
    width, height : float
        Size in inches.
    layout : {"constrained", "compressed"}
        What keeps labels apart; compressed draws pictures of a fixed shape together.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    ImportError
        If matplotlib is not installed; the sentence says how to install it.

    Examples
    --------
    >>> figure = new_figure(4, 3)
    >>> [float(side) for side in figure.get_size_inches()]
    [4.0, 3.0]
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(missing("matplotlib")) from error
    return Figure(figsize=(width, height), layout=layout)


def missing(package: str) -> str:
    """Return the sentence for a package of the extra that is not installed.

    Examples
    --------
    >>> missing("matplotlib")
    "This analysis needs matplotlib, which is not installed; install it with: pip ..."
    """
    return (
        f"This analysis needs {package}, which is not installed; "
        "install it with: pip install 'napari-anyir[analysis]'"
    )


def show(
    axes: Any,
    picture: NDArray[Any],
    title: str = "",
    limits: tuple[float, float] | None = None,
    colours: str = "magma",
) -> Any:
    """Show a picture without ticks.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where.
    picture : ndarray
        (H, W), or (H, W, 3) in [0, 1].
    title : str
        Above it.
    limits : (float, float), optional
        Lowest and highest value of the colour scale; the picture's own if not given.
    colours : str
        Name of the colour map of a picture without samples.

    Returns
    -------
    matplotlib.image.AxesImage
        The image, for a colour bar.

    Examples
    --------
    >>> import numpy as np
    >>> axes = new_figure(2, 2).subplots()
    >>> show(axes, np.zeros((4, 6)), "a map", (0.0, 1.0)).get_clim()
    (0.0, 1.0)
    """
    low, high = limits if limits is not None else (None, None)
    # Values are averaged, not colours: of a fine pattern, averaged colours would be a muddy grey.
    image = axes.imshow(picture, cmap=colours, vmin=low, vmax=high, interpolation_stage="data")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(title, fontsize="medium")
    return image


def show_image(axes: Any, plane: NDArray[np.float64], title: str) -> None:
    """Show an image, (Y, X, 1 or 3) on a scale from 0 (black) to 1 (white).

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where.
    plane : ndarray of float64
        The image; what lies beyond the scale is clipped.
    title : str
        Above it.

    Examples
    --------
    >>> import numpy as np
    >>> axes = new_figure(2, 2).subplots()
    >>> show_image(axes, np.full((4, 6, 3), 1.5), "too bright")
    >>> float(axes.images[0].get_array().max())
    1.0
    """
    clipped = np.clip(plane, 0, 1)
    picture = clipped[..., 0] if clipped.shape[-1] == 1 else clipped
    show(axes, picture, title, (0.0, 1.0), "gray")


def only_block(maps: Maps, block: str | None) -> str:
    """Return the block to analyse: the one that is named, or the only one there is.

    Parameters
    ----------
    maps : mapping
        What `feature_maps` returned.
    block : str or None
        The name.

    Returns
    -------
    str
        A block of which there are maps.

    Raises
    ------
    ValueError
        If there is no such block, or if none is named and there are several.

    Examples
    --------
    >>> only_block({("latent.0", "fused"): None}, None)
    'latent.0'
    >>> only_block({("latent.0", "fused"): None}, "encoder1.0")
    Traceback (most recent call last):
    ...
    ValueError: There are no maps of the block 'encoder1.0'; there are maps of latent.0.
    """
    blocks = list(dict.fromkeys(name for name, _ in maps))
    there = f"there are maps of {', '.join(blocks) or 'none'}."
    if block is None:
        if len(blocks) != 1:
            raise ValueError(f"Name a block; {there}")
        return blocks[0]
    if block not in blocks:
        raise ValueError(f"There are no maps of the block {block!r}; {there}")
    return block


def all_channels(maps: Maps, block: str, part: str) -> NDArray[np.float32]:
    """Return one map with all of its channels.

    Parameters
    ----------
    maps : mapping
        What `feature_maps` returned.
    block, part : str
        Which.

    Returns
    -------
    ndarray of float32
        (C, H', W').

    Raises
    ------
    ValueError
        If it is not there, or its channels were reduced.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_anyir
    >>> grey = np.zeros((16, 16), np.uint8)
    >>> maps = napari_anyir.feature_maps(grey, "latent.0", "attention", model="nano")
    >>> all_channels(maps, "latent.0", "attention").shape
    (96, 1, 1)
    """
    if (block, part) not in maps:
        raise ValueError(
            f"There is no map of {part!r} of the block {block!r}; ask feature_maps for "
            f"blocks=[{block!r}] and parts=[{part!r}]."
        )
    found = maps[block, part]
    if found.reduce is not None:
        raise ValueError(
            f"The map of {part!r} was reduced to '{found.reduce}', and this analysis needs all "
            "channels; ask feature_maps for it without reduce."
        )
    return found.array
