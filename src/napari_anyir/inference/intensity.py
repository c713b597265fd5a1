"""Intensities: from an array's own values to the network's [0, 1], and what that takes to know.

One linear mapping serves a whole volume, so that planes, channels and tiles stay comparable. What
has to be known of the volume (its extremes, its percentiles) is gathered block by block in
`Statistics`, which add up to the same numbers however the volume was cut.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from napari_anyir.inference.axes import Layout

Intensity = str | tuple[float, float]
"""``"auto"``, ``"dtype"``, ``"range"`` or ``(low, high)``."""

NAMES = ("auto", "dtype", "range")

PERCENTILES = (0.1, 99.9)
"""What ``"range"`` maps to 0 and 1, in percent."""

EXACT = 2**24
"""Up to this many values percentiles are exact; beyond, those of a regular sample of the pixels.

8- and 16-bit integers are counted in a histogram and exact at any size.
"""


@dataclass(frozen=True)
class IntensityRange:
    """The linear mapping of a volume: ``low`` becomes 0 and ``high`` becomes 1.

    Parameters
    ----------
    low, high : float
        In the array's own units.
    clip : bool
        Whether results end at ``low`` and ``high``. True for ``"dtype"``, whose limits are those
        of the type; the other mappings are open, so that bright pixels stay bright.

    Examples
    --------
    >>> from napari_anyir.inference.intensity import IntensityRange
    >>> IntensityRange(0.0, 255.0, clip=True).span
    255.0
    """

    low: float
    high: float
    clip: bool

    @property
    def span(self) -> float:
        """``high - low``, positive."""
        return self.high - self.low


def check_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """Check that values of a type are intensities.

    Parameters
    ----------
    dtype : dtype-like
        Type of an array's elements.

    Returns
    -------
    numpy.dtype
        The same type in the machine's byte order.

    Raises
    ------
    TypeError
        If it is neither an integer nor a float of 16, 32 or 64 bits.

    Examples
    --------
    >>> from napari_anyir.inference.intensity import check_dtype
    >>> check_dtype(">u2")
    dtype('uint16')
    >>> check_dtype(bool)
    Traceback (most recent call last):
    ...
    TypeError: An image of type bool is a mask, not intensities; convert it first if it is one, ...
    """
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        raise TypeError(
            "An image of type bool is a mask, not intensities; convert it first if it is one, for "
            "instance with image.astype('uint8') * 255."
        )
    if dtype.kind == "c":
        raise TypeError(
            f"An image of type {dtype} is complex; restore its magnitude, or its real and "
            "imaginary parts one by one."
        )
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise TypeError(
            f"An image of type {dtype} holds no intensities; convert it to an integer type, "
            "float16, float32 or float64."
        )
    return dtype.newbyteorder("=")


def check_intensity(intensity: object) -> Intensity:
    """Check the ``intensity`` argument.

    Parameters
    ----------
    intensity : object
        ``"auto"``, ``"dtype"``, ``"range"`` or two numbers.

    Returns
    -------
    str or tuple of 2 float
        The same, with a pair as floats.

    Raises
    ------
    TypeError
        If it is neither a string nor two numbers.
    ValueError
        If the name is unknown, or the numbers are not finite and in rising order.

    Examples
    --------
    >>> from napari_anyir.inference.intensity import check_intensity
    >>> check_intensity([100, 4000])
    (100.0, 4000.0)
    """
    if isinstance(intensity, str):
        if intensity not in NAMES:
            raise ValueError(
                f"The intensity {intensity!r} is unknown; choose 'auto', 'dtype', 'range' or two "
                "numbers (low, high)."
            )
        return intensity
    try:
        low, high = (float(value) for value in intensity)  # type: ignore[attr-defined]
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"intensity must be 'auto', 'dtype', 'range' or two numbers (low, high), not "
            f"{intensity!r}."
        ) from error
    if not (math.isfinite(low) and math.isfinite(high) and 0 < high - low < math.inf):
        raise ValueError(
            f"intensity=({low:g}, {high:g}) is no range; give two finite numbers, the lower first."
        )
    return low, high


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
    """

    nan: int = 0
    infinite: int = 0
    low: float = math.inf
    high: float = -math.inf
    histogram: NDArray[np.int64] | None = None
    first: int = 0
    samples: tuple[NDArray[Any], ...] = ()

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
    """
    parts = list(parts)
    histograms = [part.histogram for part in parts if part.histogram is not None]
    return Statistics(
        nan=sum(part.nan for part in parts),
        infinite=sum(part.infinite for part in parts),
        low=min((part.low for part in parts), default=math.inf),
        high=max((part.high for part in parts), default=-math.inf),
        histogram=np.sum(histograms, axis=0) if histograms else None,
        first=min((part.first for part in parts), default=0),
        samples=tuple(sample for part in parts for sample in part.samples),
    )


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
    >>> from napari_anyir.inference.axes import Layout
    >>> from napari_anyir.inference.intensity import sampling_step
    >>> sampling_step(Layout("YX", (4096, 4096))), sampling_step(Layout("ZYX", (50, 4096, 4096)))
    (1, 9)
    """
    size = math.prod(layout.shape)
    return 1 if size <= EXACT else math.ceil(math.sqrt(size / EXACT)) | 1


def needs(intensity: Intensity, dtype: np.dtype[Any]) -> str:
    """What has to be known of a volume before its first pixel is mapped.

    Parameters
    ----------
    intensity : str or tuple
        As `check_intensity` returns it.
    dtype : numpy.dtype
        Type of the array.

    Returns
    -------
    str
        ``"nothing"``, ``"finite"`` (whether all pixels are) or ``"percentiles"``.
    """
    if intensity == "range" or (intensity == "auto" and dtype != np.uint8):
        return "percentiles"
    return "finite" if dtype.kind == "f" else "nothing"


def measure(
    values: NDArray[Any], step: int = 1, start: tuple[int, int] = (0, 0), *, percentiles: bool
) -> Statistics:
    """Gather the statistics of a part of a volume.

    Parameters
    ----------
    values : array (..., Y, X, S)
        The part, without alpha; S is 1 where it is grey.
    step : int
        See `sampling_step`.
    start : tuple of 2 int
        First row and column of the part that belong to the sample.
    percentiles : bool
        Whether to gather what percentiles need.

    Returns
    -------
    Statistics
        Of the part.
    """
    if not values.size:
        return Statistics()
    low, high = values.min(), values.max()
    nan = infinite = 0
    samples: tuple[NDArray[Any], ...] = ()
    # NaN shows in both extremes and infinity in one: whole arrays are searched only if need be.
    if values.dtype.kind == "f" and not (np.isfinite(low) and np.isfinite(high)):
        nan = int(np.isnan(values).sum())
        infinite = int(np.isinf(values).sum())
        low, high = math.inf, -math.inf
    elif percentiles and values.dtype.kind in "iu" and values.dtype.itemsize <= 2:
        first = int(np.iinfo(values.dtype).min)
        flat = values.astype(np.int32).ravel() - first
        counts = np.bincount(flat, minlength=2 ** (8 * values.dtype.itemsize))
        return Statistics(
            low=float(low), high=float(high), histogram=counts.astype(np.int64), first=first
        )
    elif percentiles:
        selected = values[..., start[0] :: step, start[1] :: step, :]
        samples = (selected.astype(values.dtype.newbyteorder("=")).ravel(),)
    return Statistics(nan, infinite, float(low), float(high), samples=samples)


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
    """
    nan, infinite = statistics.nan, statistics.infinite
    if not nan and not infinite:
        return
    found = [f"{count} {name}" for count, name in ((nan, "NaN"), (infinite, "infinite")) if count]
    raise ValueError(
        f"The {where} has {' and '.join(found)} {'pixel' if nan + infinite == 1 else 'pixels'}; "
        "replace them first, for instance with numpy.nan_to_num."
    )


def choose_range(
    intensity: Intensity, dtype: np.dtype[Any], statistics: Statistics
) -> IntensityRange:
    """Choose the mapping of a volume.

    ``"range"`` takes the 0.1 and 99.9 percentiles; where they are equal, as in an image that is
    dark but for a few spots, the extremes; where these are equal too, 0 and the one value there is.

    Parameters
    ----------
    intensity : str or tuple
        As `check_intensity` returns it.
    dtype : numpy.dtype
        Type of the array.
    statistics : Statistics
        Of the volume, as far as `needs` asks for.

    Returns
    -------
    IntensityRange
        The mapping.

    Raises
    ------
    ValueError
        If pixels are not finite, or lie so far apart that float64 cannot hold their distance.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_anyir.inference.intensity import Statistics, choose_range
    >>> choose_range("auto", np.dtype("uint8"), Statistics())
    IntensityRange(low=0.0, high=255.0, clip=True)
    """
    check_finite(statistics)
    if isinstance(intensity, tuple):
        return IntensityRange(*intensity, clip=False)
    inside = dtype.kind == "f" and statistics.low >= 0 and statistics.high <= 1
    if intensity == "dtype" or (intensity == "auto" and (dtype == np.uint8 or inside)):
        return IntensityRange(0.0, 1.0 if dtype.kind == "f" else float(np.iinfo(dtype).max), True)
    low, high = statistics.percentiles()
    if low == high:
        low, high = statistics.low, statistics.high
    if low == high:
        low, high = (min(low, 0.0), max(low, 0.0)) if low else (0.0, 1.0)
    if not math.isfinite(high - low):
        raise ValueError(
            f"The values of the image, {low:g} to {high:g}, lie too far apart; give the range that "
            "matters as intensity=(low, high)."
        )
    return IntensityRange(low, high, clip=False)
