"""All parts of many blocks on one sheet (Fig. 8 and 15)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_anyir.analysis.base import Analysis, Maps, new_figure, show, show_image
from napari_anyir.analysis.images import colour_plane, on_unit_scale, range_of
from napari_anyir.inference.arrays.intensity import Intensity
from napari_anyir.inference.inside.channels import Reduction, check_reduction, reduce_channels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROWS = ("alpha", "beta", "gamma", "attention", "gated", "fused")

COLUMNS = 12
"""Blocks side by side; more go into a further band below."""

SIDE = 1.25
"""Longer side of a picture on the sheet, in inches."""


@dataclass(frozen=True, eq=False)
class ContactSheet(Analysis):
    """Pictures of feature maps, parts as rows and blocks as columns.

    Parameters
    ----------
    blocks, parts : tuple of str
        Columns and rows, in order.
    reduce : {"mean_abs", "strongest", "pca"}
        How channels became a picture.
    pictures : mapping
        (block, part) to (H', W'), or (H', W', 3) in [0, 1] for ``"pca"``.
    scales : mapping of str to int
        Block to image pixels per pixel.
    images : mapping of str to ndarray
        What stands before the blocks: the input and the restored image, as far as given.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_anyir
    >>> from napari_anyir.analysis import contact_sheet
    >>> grey = np.zeros((16, 16), np.uint8)
    >>> maps = napari_anyir.feature_maps(grey, "encoder*", "fused", model="nano")
    >>> sheet = contact_sheet(maps)
    >>> sheet.parts, sheet.blocks[:2]
    (('fused',), ('encoder1.0', 'encoder2.0'))
    """

    blocks: tuple[str, ...]
    parts: tuple[str, ...]
    reduce: Reduction
    pictures: Mapping[tuple[str, str], NDArray[np.float32]]
    scales: Mapping[str, int]
    images: Mapping[str, NDArray[np.float64]]

    def table(self) -> tuple[Sequence[str], Iterator[Sequence[object]]]:
        """Return the mean, deviation and extremes of each picture."""
        rows = (
            (
                block,
                part,
                self.scales[block],
                *picture.shape[:2],
                *(float(f(picture)) for f in (np.mean, np.std, np.min, np.max)),
            )
            for (block, part), picture in self.pictures.items()
        )
        sizes = ("scale", "rows", "columns")
        return ("block", "part", *sizes, "mean", "deviation", "min", "max"), rows

    def figure(self) -> Figure:
        """Draw the sheet; each picture has its own contrast, percentiles 1 to 99."""
        names = [*self.images, *self.blocks]
        bands = [names[start : start + COLUMNS] for start in range(0, len(names), COLUMNS)]
        height, width = self._aspect()
        across = min(len(names), COLUMNS)
        figure = new_figure(
            across * width + 0.9, len(bands) * (len(self.parts) * height + 0.35) + 0.4, "compressed"
        )
        layout = figure.get_layout_engine()
        if layout is not None:
            layout.set(w_pad=0.015, h_pad=0.015, wspace=0, hspace=0)  # type: ignore[call-arg]
        grid = figure.subplots(len(bands) * len(self.parts), across, squeeze=False)
        for axes in grid.flat:
            axes.set_axis_off()
        for band, columns in enumerate(bands):
            rows = grid[band * len(self.parts) : (band + 1) * len(self.parts)]
            for index, name in enumerate(columns):
                self._column(name, [row[index] for row in rows], first=index == 0)
        figure.suptitle(f"Feature maps ({self._words()})", fontsize="medium")
        return figure

    def _aspect(self) -> tuple[float, float]:
        """Height and width of a picture in inches, from any map: scales change both alike."""
        picture = next(iter(self.pictures.values()), np.zeros((1, 1)))
        height, width = picture.shape[:2]
        ratio = min(max(height / width, 0.25), 4)
        return SIDE * min(1, ratio), SIDE * min(1, 1 / ratio)

    def _words(self) -> str:
        return {
            "mean_abs": "mean absolute value of the channels",
            "strongest": "strongest channel",
            "pca": "three principal components as red, green and blue",
        }[self.reduce]

    def _column(self, name: str, cells: Sequence[object], *, first: bool) -> None:
        for index, (part, axes) in enumerate(zip(self.parts, cells, strict=True)):
            title = name if index == 0 else ""
            if name in self.images:
                if index == 0:
                    axes.set_axis_on()  # type: ignore[attr-defined]
                    show_image(axes, self.images[name], title)
            elif (name, part) in self.pictures:
                axes.set_axis_on()  # type: ignore[attr-defined]
                picture = self.pictures[name, part]
                show(axes, picture, title, None if picture.ndim == 3 else _contrast(picture))
            axes.title.set_fontsize(8)  # type: ignore[attr-defined]
            if first:
                axes.text(  # type: ignore[attr-defined]
                    -0.06, 0.5, part, rotation=90, va="center", ha="right", fontsize=8,
                    transform=axes.transAxes,  # type: ignore[attr-defined]
                )  # fmt: skip


def _contrast(picture: NDArray[np.float32]) -> tuple[float, float]:
    low, high = (float(v) for v in np.percentile(picture, (1, 99)))
    return low, high if high > low else low + 1


def contact_sheet(
    maps: Maps,
    image: ArrayLike | None = None,
    restored: ArrayLike | None = None,
    *,
    parts: Sequence[str] | None = None,
    reduce: Reduction = "mean_abs",
    intensity: Intensity = "auto",
) -> ContactSheet:
    """Put the feature maps of an image on one sheet (Fig. 15; Fig. 8 with the gate's parts alone).

    Parameters
    ----------
    maps : mapping
        What `napari_anyir.feature_maps` returned, with all channels or reduced in the same way.
    image, restored : array_like, optional
        (Y, X) or (Y, X, 3 or 4); they stand before the blocks.
    parts : sequence of str, optional
        Rows; those of Fig. 15 of which there are maps, then the others.
    reduce : {"mean_abs", "strongest", "pca"}
        How channels become a picture.
    intensity : str or (float, float)
        Black and white of the images; as for `napari_anyir.restore`.

    Returns
    -------
    ContactSheet
        The pictures, which draw and save themselves.

    Raises
    ------
    ValueError
        If there are no maps of a part, or they were reduced in another way.

    Examples
    --------
    >>> import numpy as np, napari_anyir
    >>> from napari_anyir.analysis import contact_sheet
    >>> image = np.random.default_rng(0).random((32, 32))
    >>> maps = napari_anyir.feature_maps(image, ["encoder1.0", "latent.*"], reduce="mean_abs")
    >>> contact_sheet(maps, image).parts
    ('alpha', 'beta', 'gamma', 'attention', 'fused')
    """
    if check_reduction(reduce) is None:
        raise ValueError("A sheet needs pictures; name a reduction, such as 'mean_abs'.")
    there = list(dict.fromkeys(part for _, part in maps))
    if parts is None:
        parts = [*(p for p in ROWS if p in there), *(p for p in there if p not in ROWS)]
    missing = [part for part in parts if part not in there]
    if missing or not parts:
        raise ValueError(
            f"There are no maps of {missing[0] if missing else 'any part'}; ask feature_maps for "
            "them first."
        )
    pictures = {}
    for (block, part), found in maps.items():
        if part not in parts:
            continue
        if found.reduce not in (None, reduce):
            raise ValueError(
                f"The maps were reduced to '{found.reduce}'; say reduce='{found.reduce}', or ask "
                "feature_maps for all channels."
            )
        array = reduce_channels(found.array, reduce) if found.reduce is None else found.array
        pictures[block, part] = array[0] if array.shape[0] == 1 else np.moveaxis(array, 0, 2)
    images = {}
    # Input and output on one scale, so that they can be compared.
    shown = {"input": image, "restored": restored}
    planes = {name: colour_plane(i, name) for name, i in shown.items() if i is not None}
    if planes:
        mapping = range_of(next(iter(planes.values())), intensity)
        images = {name: on_unit_scale(plane, mapping) for name, plane in planes.items()}
    return ContactSheet(
        tuple(dict.fromkeys(block for block, _ in pictures)),
        tuple(parts),
        reduce,
        pictures,
        {found.block: found.scale for found in maps.values()},
        images,
    )
