"""What is known of an image file: its pixels, axes, physical scale and metadata."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["METRES", "ImageFile", "can_be", "full_unit", "short_unit"]

# spelled in full, as OME-Zarr wants it: the short form of OME-XML, then other spellings in use
_UNITS: dict[str, tuple[str, ...]] = {
    "angstrom": ("Å",),
    "nanometer": ("nm", "nanometre"),
    "micrometer": ("µm", "μm", "um", "micron", "microns", "micrometre", "\\u00B5m"),
    "millimeter": ("mm", "millimetre"),
    "centimeter": ("cm", "centimetre"),
    "meter": ("m", "metre"),
    "inch": ("in", "inches", '"'),
    "nanosecond": ("ns",),
    "microsecond": ("µs", "μs", "us"),
    "millisecond": ("ms", "msec"),
    "second": ("s", "sec", "seconds"),
    "minute": ("min", "minutes"),
    "hour": ("h", "hours"),
}
_FULL = {name: full for full, names in _UNITS.items() for name in (full, *names)}

METRES = {
    "angstrom": 1e-10,
    "nanometer": 1e-9,
    "micrometer": 1e-6,
    "millimeter": 1e-3,
    "centimeter": 1e-2,
    "meter": 1.0,
    "inch": 0.0254,
}
"""Length of the units that scales are given in."""


def full_unit(unit: str) -> str:
    """Spell a unit in full.

    Parameters
    ----------
    unit : str
        As a file spells it.

    Returns
    -------
    str
        In full and in the singular; as it came if it is not known.

    Examples
    --------
    >>> full_unit("µm"), full_unit("micron"), full_unit("sec"), full_unit("pixel")
    ('micrometer', 'micrometer', 'second', 'pixel')
    """
    return _FULL.get(unit.strip(), _FULL.get(unit.strip().lower(), unit.strip()))


def short_unit(unit: str) -> str:
    """Abbreviate a unit, as OME-XML wants it.

    Parameters
    ----------
    unit : str
        In any spelling that `full_unit` knows.

    Returns
    -------
    str
        The abbreviation; as it came if it is not known.

    Examples
    --------
    >>> short_unit("micrometer"), short_unit("pixel")
    ('µm', 'pixel')
    """
    names = _UNITS.get(full_unit(unit))
    return names[0] if names else unit


def can_be(value: float, dtype: Any) -> bool:
    """Whether pixels of a type can have a value.

    Parameters
    ----------
    value : float
        Such as one that says that there is none.
    dtype : numpy.dtype
        Type of the pixels.

    Returns
    -------
    bool
        True for every value, NaN too, if they are floating point.

    Examples
    --------
    >>> can_be(-9999, "int16"), can_be(-9999, "uint8"), can_be(0.5, "uint8")
    (True, False, False)
    """
    dtype = np.dtype(dtype)
    if dtype.kind not in "iu":
        return True
    whole = math.isfinite(value) and float(value).is_integer()
    return whole and bool(np.iinfo(dtype).min <= value <= np.iinfo(dtype).max)


@dataclass(frozen=True)
class ImageFile:
    """An image that was read, with what must not be lost when its result is written.

    Parameters
    ----------
    array : numpy.ndarray or dask.array.Array
        Pixels; a dask array when the file is too large to be held whole.
    axes : str or None
        One letter of T, Z, C, Y, X and S (colours, last) per axis; None where the file does not
        say (.npy).
    format : str
        A value of `napari_anyir.files.FORMATS`.
    path : Path or None
        Where it came from.
    scale : mapping of str to float
        Axis letter to the distance between two pixels; axes without one are left out.
    units : mapping of str to str
        Axis letter to the unit of its scale, spelled in full.
    metadata : mapping
        ``icc_profile``, ``exif``, ``xmp`` (bytes) and ``text`` (mapping of str to str), which
        several formats can keep, and what only the same format can, as its writer wants it.
    seen : str or None
        Axis letters in the order in which the file has them, where that is another than ``axes``.
    nodata : float or None
        Value that says that there is no value; None if every value is one.
    notes : tuple of str
        What of the file is not in this, one clause each.

    Examples
    --------
    >>> import numpy as np
    >>> image = ImageFile(np.zeros((4, 8, 8)), "ZYX", "tiff", scale={"Z": 0.5})
    >>> image.scale_of_axes()
    (0.5, 1.0, 1.0)
    """

    array: Any
    axes: str | None
    format: str
    path: Path | None = None
    scale: Mapping[str, float] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    seen: str | None = None
    nodata: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def is_lazy(self) -> bool:
        """Whether the pixels are still in the file."""
        return hasattr(self.array, "dask")

    def scale_of_axes(self) -> tuple[float, ...]:
        """Distance between pixels along every axis, 1.0 where it is not known.

        Returns
        -------
        tuple of float
            One number per axis.
        """
        letters = self.axes or " " * self.array.ndim
        return tuple(float(self.scale.get(letter, 1.0)) for letter in letters)

    def named(self, axes: str) -> ImageFile:
        """Name the axes anew, as they follow one another in the file.

        Parameters
        ----------
        axes : str
            One letter per axis that other programs show: colours that lie in planes come before
            rows and columns; those of a palette need no letter.

        Returns
        -------
        ImageFile
            With these axes, and its pixels in the order of the file. Letters that do not fit are
            kept: `napari_anyir.restore` says why.

        Examples
        --------
        >>> import numpy as np
        >>> image = ImageFile(np.zeros((4, 8, 5)), "YXS", "tiff", seen="SYX")
        >>> image.named("CYX").array.shape
        (5, 4, 8)
        >>> ImageFile(np.zeros((4, 8, 3)), "YXS", "png").named("yx").axes
        'YXS'
        """
        letters = axes.upper()
        own = self.axes or ""
        if own.endswith("S") and "S" not in letters and len(letters) == len(own) - 1:
            return replace(self, axes=letters + "S", seen=None)
        seen = self.seen or own
        if seen == own or sorted(seen) != sorted(own) or len(letters) != len(seen):
            return replace(self, axes=letters, seen=None)
        if sorted(letters) == sorted(own) and letters.replace("S", "") == own.replace("S", ""):
            return replace(self, seen=None)
        order = [own.index(letter) for letter in seen]
        return replace(self, array=self.array.transpose(order), axes=letters, seen=None)

    def without_pixels(self) -> ImageFile:
        """Keep everything but the pixels, so that their memory can go.

        Returns
        -------
        ImageFile
            The same with None as its array.
        """
        return replace(self, array=None)
