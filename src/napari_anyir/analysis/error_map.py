"""Where the image is wrong, and where the gate is active (Fig. 10)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_anyir.analysis.base import (
    Analysis,
    Maps,
    all_channels,
    new_figure,
    only_block,
    show,
    show_image,
)
from napari_anyir.analysis.images import comparable
from napari_anyir.inference.arrays.intensity import Intensity

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class ErrorMap(Analysis):
    """The error of an image beside the activity of a feature map.

    Parameters
    ----------
    block, part : str
        The feature map.
    image, reference : ndarray of float64
        (Y, X, 1 or 3) on one scale; 0 and 1 are the ends of the range.
    error : ndarray of float64
        (Y, X): absolute difference, mean over the samples, in the same units.
    activity : ndarray of float64
        (Y', X'): how far the map departs from each channel's own mean, as the root of the mean
        square over the channels.
    error_on_map : ndarray of float64
        (Y', X'): the error, mean over the pixels that a pixel of the map covers.
    correlation : float
        Pearson's, of ``activity`` and ``error_on_map``; NaN if one of them is constant.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_anyir
    >>> from napari_anyir.analysis import error_map
    >>> clean = np.zeros((16, 16), np.uint8)
    >>> maps = napari_anyir.feature_maps(clean + 5, "latent.0", "gated", model="nano")
    >>> found = error_map(clean + 5, clean, maps)
    >>> found.error_on_map.shape, round(float(found.error.mean()) * 255, 3)
    ((1, 1), 5.0)
    """

    block: str
    part: str
    image: NDArray[np.float64]
    reference: NDArray[np.float64]
    error: NDArray[np.float64]
    activity: NDArray[np.float64]
    error_on_map: NDArray[np.float64]
    correlation: float

    def table(self) -> tuple[Sequence[str], Iterator[Sequence[object]]]:
        """Return the numbers as (names of the columns, rows)."""
        rows = (
            (self.block, self.part, row, column, float(error), float(self.activity[row, column]))
            for (row, column), error in np.ndenumerate(self.error_on_map)
        )
        return ("block", "part", "row", "column", "mean_error", "activity"), rows

    def figure(self) -> Figure:
        """Draw image, reference, error and activity side by side."""
        height, width = self.error.shape
        panel = 3.4
        size = panel * min(max(height / width, 0.3), 2)
        figure = new_figure(4 * panel + 1.2, size + 0.8, "compressed")
        panels = figure.subplots(1, 4)
        show_image(panels[0], self.image, "image")
        show_image(panels[1], self.reference, "reference")
        # The largest errors are single pixels; a scale that ends with them shows only them.
        top = float(np.percentile(self.error, 99.5)) or 1e-6
        error = show(panels[2], self.error, "|image - reference|", (0.0, top))
        limits = np.percentile(self.activity, (0.5, 99.5))
        limits[1] += 1e-6 if limits[0] == limits[1] else 0
        activity = show(panels[3], self.activity, f"{self.part}: activity", tuple(limits.tolist()))
        for axes, drawn in ((panels[2], error), (panels[3], activity)):
            figure.colorbar(drawn, ax=axes, extend="max" if axes is panels[2] else "both")
        figure.suptitle(
            f"{self.block}, {self.part}: correlation with the error {self.correlation:.2f}"
        )
        return figure


def error_map(
    image: ArrayLike,
    reference: ArrayLike,
    maps: Maps,
    block: str | None = None,
    part: str = "gated",
    *,
    intensity: Intensity = "auto",
) -> ErrorMap:
    """Lay the error of a degraded image beside the output of the gate (Fig. 10).

    Parameters
    ----------
    image, reference : array_like
        (Y, X) or (Y, X, 3 or 4), the same size and type; the maps are those of ``image``.
    maps : mapping
        What `napari_anyir.feature_maps` returned for ``image``, without a reduction.
    block : str, optional
        The block; needed if there are maps of several.
    part : str
        The part.
    intensity : str or (float, float)
        What becomes 0 and 1, chosen on the reference; as for `napari_anyir.restore`.

    Returns
    -------
    ErrorMap
        The numbers, which draw and save themselves.

    Raises
    ------
    ValueError
        If the images differ in size or type, a pixel is not finite, or the map is missing, reduced,
        or of an image of another size.

    Examples
    --------
    >>> import numpy as np, napari_anyir
    >>> from napari_anyir.analysis import error_map
    >>> clean = np.full((32, 32), 0.5)
    >>> noisy = np.clip(clean + np.random.default_rng(0).normal(0, 0.1, clean.shape), 0, 1)
    >>> maps = napari_anyir.feature_maps(noisy, "encoder1.0", "gated")
    >>> error_map(noisy, clean, maps).error.shape
    (32, 32)
    """
    block = only_block(maps, block)
    planes = comparable(intensity, image=image, reference=reference)
    array = all_channels(maps, block, part).astype(np.float64)
    scale = maps[block, part].scale
    error = np.abs(planes["image"] - planes["reference"]).mean(axis=2)
    covered = tuple(-(-n // scale) for n in error.shape)
    if array.shape[1:] != covered:
        raise ValueError(
            f"The map of {block} is {array.shape[1]} x {array.shape[2]}, and an image of "
            f"{error.shape[0]} x {error.shape[1]} has maps of {covered[0]} x {covered[1]} there; "
            "give the image that the maps were made of."
        )
    centred = array - array.mean(axis=(1, 2), keepdims=True)
    activity = np.sqrt((centred**2).mean(axis=0))
    on_map = _mean_of_cells(error, scale)
    spread = activity.std() * on_map.std()
    together = ((activity - activity.mean()) * (on_map - on_map.mean())).mean()
    correlation = float(together / spread) if spread > 0 else float("nan")
    return ErrorMap(
        block,
        part,
        planes["image"],
        planes["reference"],
        error,
        activity,
        on_map,
        correlation,
    )


def _mean_of_cells(values: NDArray[np.float64], scale: int) -> NDArray[np.float64]:
    """Mean over cells of ``scale`` x ``scale``; cells at the border over what there is of them."""
    starts = [np.arange(0, size, scale) for size in values.shape]
    sums = np.add.reduceat(np.add.reduceat(values, starts[0], axis=0), starts[1], axis=1)
    sizes = [
        np.diff(np.append(start, size)) for start, size in zip(starts, values.shape, strict=True)
    ]
    means: NDArray[np.float64] = sums / np.outer(*sizes)
    return means
