"""Intensities: which of an array's values the network sees as 0 and 1.

One mapping serves a whole volume, so that planes, channels and tiles stay comparable. It is linear,
or that of counted photons.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from napari_anyir.inference.arrays.mappings import IntensityRange
from napari_anyir.inference.arrays.nodata import has_sentinels
from napari_anyir.inference.arrays.noise_level import NoiseLevel, fit_noise
from napari_anyir.inference.arrays.photons import PhotonRange, photon_range
from napari_anyir.inference.arrays.statistics import Statistics, check_finite

__all__ = [
    "Intensity",
    "IntensityRange",
    "PhotonRange",
    "check_dtype",
    "check_intensity",
    "choose_range",
    "for_model",
    "needs",
]

Intensity = str | tuple[float, float]
"""``"auto"``, ``"dtype"``, ``"range"``, ``"photons"``, ``(low, high)``, or a spelled mapping."""

NAMES = ("auto", "dtype", "range", "photons")

PHOTON_MODELS = ("denoise",)
"""Models for which ``"auto"`` takes photons where noise follows brightness."""

_AUTO_PHOTONS = "auto for photons"

_SMALL_PART = 0.5
"""A grey image of 8 bits whose percentiles span less of the type's range is mapped by them."""


class Sentinels(ValueError):
    """Pixels of a floating-point image hold the mark of no value.

    Examples
    --------
    >>> issubclass(Sentinels, ValueError)
    True
    """


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
        ``"auto"``, ``"dtype"``, ``"range"``, ``"photons"``, two numbers, or what
        `IntensityRange.spell` returned.

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
        if intensity not in (*NAMES, _AUTO_PHOTONS) and _spelled(intensity) is None:
            raise ValueError(
                f"The intensity {intensity!r} is unknown; choose 'auto', 'dtype', 'range', "
                "'photons' or two numbers (low, high)."
            )
        return intensity
    try:
        low, high = (float(value) for value in intensity)  # type: ignore[attr-defined]
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"intensity must be 'auto', 'dtype', 'range', 'photons' or two numbers (low, high), "
            f"not {' '.join(repr(intensity).split())[:80]}."
        ) from error
    if not (math.isfinite(low) and math.isfinite(high) and 0 < high - low < math.inf):
        raise ValueError(
            f"intensity=({low:g}, {high:g}) is no range; give two finite numbers, the lower first."
        )
    return low, high


def for_model(intensity: Intensity, model: str) -> Intensity:
    """What ``"auto"`` means for a model.

    Parameters
    ----------
    intensity : str or tuple
        As `check_intensity` returns it.
    model : str
        The model's name.

    Returns
    -------
    str or tuple
        The same, unless the model suits photons and may take them where an image shows them.

    Examples
    --------
    >>> for_model("auto", "tiny"), for_model("dtype", "denoise")
    ('auto', 'dtype')
    """
    return _AUTO_PHOTONS if intensity == "auto" and model in PHOTON_MODELS else intensity


def needs(intensity: Intensity, dtype: np.dtype[Any], *, grey: bool = False) -> str:
    """What has to be known of a volume before its first pixel is mapped.

    Parameters
    ----------
    intensity : str or tuple
        As `check_intensity` returns it.
    dtype : numpy.dtype
        Type of the array.
    grey : bool
        Whether planes have one channel.

    Returns
    -------
    str
        ``"nothing"``, ``"finite"`` (whether all pixels are), ``"percentiles"`` or ``"noise"``
        (percentiles, and the variance of blocks).

    Examples
    --------
    >>> needs("dtype", np.dtype("uint8")), needs("dtype", np.dtype("float32"))
    ('nothing', 'finite')
    >>> needs("range", np.dtype("uint16")), needs("photons", np.dtype("uint16"))
    ('percentiles', 'noise')
    """
    if intensity == "photons" or (intensity == _AUTO_PHOTONS and grey):
        return "noise"
    if intensity == "range":
        return "percentiles"
    if intensity in ("auto", _AUTO_PHOTONS) and (dtype != np.uint8 or grey):
        return "percentiles"
    return "finite" if dtype.kind == "f" else "nothing"


def choose_range(
    intensity: Intensity, dtype: np.dtype[Any], statistics: Statistics, *, grey: bool = False
) -> IntensityRange:
    """Choose the mapping of a volume.

    ``"range"`` takes the 0.1 and 99.9 percentiles; where they are equal, as in an image that is
    dark but for a few spots, the extremes; where these are equal too, 0 and the one value there is.
    ``"photons"`` takes the same where no noise can be found that follows brightness, as its own
    mapping becomes linear then.

    Parameters
    ----------
    intensity : str or tuple
        As `check_intensity` returns it.
    dtype : numpy.dtype
        Type of the array.
    statistics : Statistics
        Of the volume, as far as `needs` asks for.
    grey : bool
        Whether planes have one channel: then ``"auto"`` maps 8 bits, too, by percentiles where they
        lie close together.

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
    IntensityRange(low=0.0, high=255.0, clip=True, floor=-inf)
    """
    check_finite(statistics)
    if dtype.kind == "f" and has_sentinels(statistics.low, statistics.high):
        extreme = max(statistics.low, statistics.high, key=abs)
        raise Sentinels(
            f"The values of the image reach {extreme:.8g}, the mark of pixels without a value; "
            "give that number as nodata."
        )
    if isinstance(intensity, tuple):
        return IntensityRange(*intensity)
    if (spelled := _spelled(intensity)) is not None:
        return spelled
    if statistics.low > statistics.high and needs(intensity, dtype, grey=grey) != "nothing":
        return IntensityRange(0.0, 1.0)  # there is no value at all
    if needs(intensity, dtype, grey=grey) == "noise":
        level = fit_noise(np.concatenate(statistics.blocks or (np.empty((0, 3)),)))
        if level is not None and level.gain > 0 and (level.rising or intensity == "photons"):
            return _by_photons(level, dtype, statistics)
    full = IntensityRange(0.0, 1.0 if dtype.kind == "f" else float(np.iinfo(dtype).max), clip=True)
    if intensity == "dtype":
        return full
    if intensity in ("auto", _AUTO_PHOTONS):
        if dtype.kind == "f" and statistics.low >= 0 and statistics.high <= 1:
            return full
        if dtype == np.uint8:
            if not grey:
                return full
            low, high = statistics.percentiles()
            if low == high or high - low >= _SMALL_PART * full.span:
                return full
    low, high = _percentiles(statistics)
    return IntensityRange(low, high, floor=_floor(dtype, statistics))


def _by_photons(level: NoiseLevel, dtype: np.dtype[Any], statistics: Statistics) -> IntensityRange:
    low, high = _percentiles(statistics)
    floor = _floor(dtype, statistics)
    return photon_range(level, low, high, max(statistics.high, high), floor)


def _floor(dtype: np.dtype[Any], statistics: Statistics) -> float:
    """Fractions have no least value of their own: their results end where the image does."""
    return statistics.low if dtype.kind == "f" else -math.inf


def _percentiles(statistics: Statistics) -> tuple[float, float]:
    """Percentiles of a volume, or what stands for them where they are equal."""
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
    return low, high


def _spelled(intensity: str) -> IntensityRange | None:
    """Read what `IntensityRange.spell` wrote; None for anything else."""
    name, _, rest = intensity.partition(":")
    try:
        numbers = [float(number) for number in rest.split(",")]
    except ValueError:
        return None
    if any(map(math.isnan, numbers)) or len(numbers) < 2 or not numbers[0] < numbers[1] < math.inf:
        return None
    if name == "range" and len(numbers) == 3:
        return IntensityRange(numbers[0], numbers[1], floor=numbers[2])
    if name == "photons" and len(numbers) == 5 and 0 < numbers[2] < math.inf:
        low, high, gain, intercept, floor = numbers
        return PhotonRange(low, high, False, floor, gain, intercept)
    return None
