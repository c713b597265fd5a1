"""Intensities: which of an array's values the network sees as 0 and 1.

One linear mapping serves a whole volume, so that planes, channels and tiles stay comparable.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from napari_anyir.inference.arrays.nodata import has_sentinels
from napari_anyir.inference.arrays.statistics import Statistics, check_finite

Intensity = str | tuple[float, float]
"""``"auto"``, ``"dtype"``, ``"range"`` or ``(low, high)``."""

NAMES = ("auto", "dtype", "range")


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
    >>> from napari_anyir.inference.arrays.intensity import IntensityRange
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


class Sentinels(ValueError):
    """Pixels of a floating-point image hold the mark of no value."""


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
    >>> from napari_anyir.inference.arrays.intensity import check_dtype
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
    >>> from napari_anyir.inference.arrays.intensity import check_intensity
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
    >>> from napari_anyir.inference.arrays.intensity import Statistics, choose_range
    >>> choose_range("auto", np.dtype("uint8"), Statistics())
    IntensityRange(low=0.0, high=255.0, clip=True)
    """
    check_finite(statistics)
    if dtype.kind == "f" and has_sentinels(statistics.low, statistics.high):
        extreme = max(statistics.low, statistics.high, key=abs)
        raise Sentinels(
            f"The values of the image reach {extreme:.8g}, the mark of pixels without a value; "
            "give that number as nodata."
        )
    if isinstance(intensity, tuple):
        return IntensityRange(*intensity, clip=False)
    inside = dtype.kind == "f" and statistics.low >= 0 and statistics.high <= 1
    if intensity == "dtype" or (intensity == "auto" and (dtype == np.uint8 or inside)):
        return IntensityRange(0.0, 1.0 if dtype.kind == "f" else float(np.iinfo(dtype).max), True)
    if statistics.low > statistics.high:  # there is no value at all
        return IntensityRange(0.0, 1.0, clip=False)
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
