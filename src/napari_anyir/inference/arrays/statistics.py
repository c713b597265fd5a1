"""What has to be known of a volume before its intensities can be mapped.

Extremes, percentiles and the number of pixels that are not finite are gathered part by part, and
add up to the same numbers however the volume was cut.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_anyir.inference.arrays.axes import Layout
from napari_anyir.inference.arrays.memory_maps import unmapped
from napari_anyir.inference.arrays.noise_level import measure_blocks

PERCENTILES = (0.1, 99.9)
"""What ``"range"`` maps to 0 and 1, in percent."""

EXACT = 2**24
"""Up to this many values percentiles are exact; beyond, those of a regular sample of the pixels.

8- and 16-bit integers are counted in a histogram and exact at any size.
"""


@dataclass(frozen=True)
class Statistics:
    """What is known of the values of a volume, or of a part of it.

    Parameters
    ----------
    nan, infinite : int
        Numbers of pixels that are not finite.
    low, high : float
        Extremes of the finite values; infinity and minus infinity if there are none.
    histogram : array of int64, optional
        How often each value occurs, for 8- and 16-bit integers.
    first : int
        The value that the histogram begins with.
    samples : tuple of arrays
        Finite values, all or a regular selection, for the other types.
    blocks : tuple of arrays (N, 3)
        Means and variances of blocks, as from `noise_level.measure_blocks`.

    Examples
    --------
    >>> found = measure(np.arange(101, dtype=np.uint8).reshape(1, 101, 1), percentiles=True)
    >>> found.low, found.high, found.percentiles((50.0,))
    (0.0, 100.0, [50.0])
    """

    nan: int = 0
    infinite: int = 0
    low: float = math.inf
    high: float = -math.inf
    histogram: NDArray[np.int64] | None = None
    first: int = 0
    samples: tuple[NDArray[Any], ...] = ()
    blocks: tuple[NDArray[np.float64], ...] = ()

    def percentiles(self, percents: Sequence[float] = PERCENTILES) -> list[float]:
        """Percentiles with linear interpolation between neighbours, as ``numpy.percentile``.

        Parameters
        ----------
        percents : sequence of float
            In [0, 100].

        Returns
        -------
        list of float
            One value per percentage.

        Raises
        ------
        ValueError
            If no values were gathered.
        """
        if self.histogram is not None:
            cumulative = np.cumsum(self.histogram)
            count = int(cumulative[-1])
        else:
            values = np.concatenate(self.samples) if self.samples else np.empty(0)
            count = values.size
        if not count:
            raise ValueError("The volume has no finite pixels to take percentiles of.")
        positions = [(count - 1) * percent / 100 for percent in percents]
        ranks = sorted({r for p in positions for r in (math.floor(p), math.ceil(p))})
        if self.histogram is not None:
            found = np.searchsorted(cumulative, np.array(ranks), side="right") + self.first
        else:
            found = np.partition(values, ranks)[ranks]
        at = {rank: float(value) for rank, value in zip(ranks, found, strict=True)}
        results = []
        for position in positions:
            below, above = at[math.floor(position)], at[math.ceil(position)]
            results.append(below + (above - below) * (position - math.floor(position)))
        return results


def merge(parts: Iterable[Statistics]) -> Statistics:
    """Put the statistics of the parts of a volume together.

    Parameters
    ----------
    parts : iterable of Statistics
        In any order: the sum does not depend on it.

    Returns
    -------
    Statistics
        Those of the whole.

    Examples
    --------
    >>> planes = np.array([[1, 2], [3, 9]], np.uint8).reshape(2, 1, 2, 1)
    >>> found = merge(measure(plane, percentiles=True) for plane in planes)
    >>> found.low, found.high
    (1.0, 9.0)
    """
    nan = infinite = first = 0
    low, high = math.inf, -math.inf
    histogram: NDArray[np.int64] | None = None
    samples: list[NDArray[Any]] = []
    blocks: list[NDArray[np.float64]] = []
    # One after the other: a histogram of 16 bits weighs half a megabyte, and planes are many.
    for part in parts:
        nan, infinite = nan + part.nan, infinite + part.infinite
        low, high = min(low, part.low), max(high, part.high)
        first = min(first, part.first)
        samples += part.samples
        blocks += part.blocks
        if part.histogram is not None:
            histogram = part.histogram + (0 if histogram is None else histogram)
    return Statistics(nan, infinite, low, high, histogram, first, tuple(samples), tuple(blocks))


def sampling_step(layout: Layout) -> int:
    """Distance, in rows and in columns, between the pixels that percentiles are taken of.

    Parameters
    ----------
    layout : Layout
        The volume.

    Returns
    -------
    int
        1 up to `EXACT` values, then odd, so that no pattern of period two is seen by half.

    Examples
    --------
    >>> from napari_anyir.inference.arrays.axes import Layout
    >>> from napari_anyir.inference.arrays.statistics import sampling_step
    >>> sampling_step(Layout("YX", (4096, 4096))), sampling_step(Layout("ZYX", (50, 4096, 4096)))
    (1, 9)
    """
    size = math.prod(layout.shape)
    return 1 if size <= EXACT else math.ceil(math.sqrt(size / EXACT)) | 1


def measure(
    values: NDArray[Any],
    step: int = 1,
    start: tuple[int, int] = (0, 0),
    *,
    percentiles: bool,
    blocks: int = 0,
) -> Statistics:
    """Gather the statistics of a part of a volume.

    Parameters
    ----------
    values : array (..., Y, X, S)
        The part, without alpha; S is 1 where it is grey. What is masked does not count.
    step : int
        See `sampling_step`.
    start : tuple of 2 int
        Row and column of the part in its plane.
    percentiles : bool
        Whether to gather what percentiles need.
    blocks : int
        Step between the blocks whose noise is measured, see `noise_level.block_step`; 0 for none.

    Returns
    -------
    Statistics
        Of the part.

    Examples
    --------
    >>> plane = np.array([[3.0, np.nan]]).reshape(1, 2, 1)
    >>> measure(plane, percentiles=False).nan
    1
    """
    values = unmapped(values)  # of a lazy array these are the blocks as they lie in their file
    whole, selected = values, values[..., -start[0] % step :: step, -start[1] % step :: step, :]
    if isinstance(values, np.ma.MaskedArray):
        values, selected = np.ma.compressed(values), np.ma.compressed(selected)
    if not values.size:
        return Statistics()
    low, high = values.min(), values.max()
    nan = infinite = 0
    samples: tuple[NDArray[Any], ...] = ()
    noise: tuple[NDArray[np.float64], ...] = ()
    # NaN shows in both extremes and infinity in one: whole arrays are searched only if need be.
    if values.dtype.kind == "f" and not (np.isfinite(low) and np.isfinite(high)):
        nan = int(np.isnan(values).sum())
        infinite = int(np.isinf(values).sum())
        return Statistics(nan, infinite)
    if blocks:
        noise = (measure_blocks(whole, blocks, start),)
    if percentiles and values.dtype.kind in "iu" and values.dtype.itemsize <= 2:
        first = int(np.iinfo(values.dtype).min)
        flat = values.astype(np.int32).ravel() - first
        counts = np.bincount(flat, minlength=2 ** (8 * values.dtype.itemsize)).astype(np.int64)
        return Statistics(0, 0, float(low), float(high), counts, first, blocks=noise)
    if percentiles:
        samples = (selected.astype(values.dtype.newbyteorder("=")).ravel(),)
    return Statistics(low=float(low), high=float(high), samples=samples, blocks=noise)


def not_finite(values: NDArray[Any]) -> Statistics:
    """Count values that are not finite, and look at nothing else.

    Parameters
    ----------
    values : array
        Of any shape; what is masked does not count.

    Returns
    -------
    Statistics
        With these numbers alone.

    Examples
    --------
    >>> found = not_finite(np.array([1.0, np.nan, np.inf, np.inf]))
    >>> found.nan, found.infinite
    (1, 2)
    """
    if values.dtype.kind != "f" or not values.size:
        return Statistics()
    values = np.ma.compressed(values) if isinstance(values, np.ma.MaskedArray) else values
    return Statistics(int(np.isnan(values).sum()), int(np.isinf(values).sum()))


def check_finite(statistics: Statistics, where: str = "image") -> None:
    """Refuse what the network cannot see.

    Parameters
    ----------
    statistics : Statistics
        Of the image.
    where : str
        What to call it.

    Raises
    ------
    ValueError
        If a pixel is NaN or infinite; the sentence has their number.

    Examples
    --------
    >>> check_finite(Statistics(nan=1))
    Traceback (most recent call last):
    ...
    ValueError: The image has 1 NaN pixel; replace them first, for instance with numpy.nan_to_num.
    """
    nan, infinite = statistics.nan, statistics.infinite
    if not nan and not infinite:
        return
    found = [f"{count} {name}" for count, name in ((nan, "NaN"), (infinite, "infinite")) if count]
    raise ValueError(
        f"The {where} has {' and '.join(found)} {'pixel' if nan + infinite == 1 else 'pixels'}; "
        "replace them first, for instance with numpy.nan_to_num."
    )
