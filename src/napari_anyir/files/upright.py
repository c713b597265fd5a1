"""Orientation as cameras and scanners note it: rows and columns to pixels that stand upright."""

from __future__ import annotations

import re
import struct
from typing import Any

from napari_anyir.files.lazy_arrays import flipped

__all__ = ["as_stored", "check_orientation", "set_upright", "turns", "upright"]

_TAG = 0x0112
# value of the tag: whether rows and columns are exchanged, and then whether rows and columns of
# the upright image run backwards
_TURNS = {
    1: (False, False, False),
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}
_IN_XMP = (
    re.compile(rb"""\s*tiff:Orientation\s*=\s*("[^"]*"|'[^']*')"""),
    re.compile(rb"<tiff:Orientation>[^<]*</tiff:Orientation>\s*"),
)


def check_orientation(value: object) -> int:
    """Read the value of an orientation tag.

    Parameters
    ----------
    value : object
        What a file says.

    Returns
    -------
    int
        From 1 to 8; 1 (upright) for anything else, as viewers take it.

    Examples
    --------
    >>> check_orientation(6), check_orientation(0), check_orientation("?")
    (6, 1, 1)
    """
    try:
        number = int(value)  # type: ignore[call-overload]
    except (TypeError, ValueError):
        return 1
    return number if number in _TURNS else 1


def turns(orientation: int) -> tuple[bool, bool, bool]:
    """Tell how a stored image becomes an upright one.

    Parameters
    ----------
    orientation : int
        From 1 to 8.

    Returns
    -------
    exchanged : bool
        Whether rows become columns, which comes first.
    rows, columns : bool
        Whether they then run backwards.

    Examples
    --------
    >>> turns(1), turns(3)  # upright; upside down
    ((False, False, False), (False, True, True))
    """
    return _TURNS[orientation]


def upright(array: Any, axes: str, orientation: int) -> Any:
    """Turn stored pixels upright.

    Parameters
    ----------
    array : numpy.ndarray or dask.array.Array
        As stored.
    axes : str
        Its axis letters, Y and X among them.
    orientation : int
        From 1 to 8, as in TIFF 6.0 (Orientation) and EXIF.

    Returns
    -------
    array
        The same pixels; a view where the array can give one.

    Examples
    --------
    >>> import numpy as np
    >>> upright(np.array([[1, 2, 3], [4, 5, 6]]), "YX", 6).tolist()
    [[4, 1], [5, 2], [6, 3]]
    """
    exchanged, rows, columns = _TURNS[orientation]
    y, x = axes.index("Y"), axes.index("X")
    if exchanged:
        array = _exchanged(array, y, x)
    return flipped(array, [axis for axis, back in ((y, rows), (x, columns)) if back])


def as_stored(array: Any, axes: str, orientation: int) -> Any:
    """Turn upright pixels back to how they are stored under an orientation.

    Parameters
    ----------
    array : numpy.ndarray, dask.array.Array or DeferredArray
        Upright.
    axes : str
        Its axis letters.
    orientation : int
        From 1 to 8.

    Returns
    -------
    array
        The inverse of `upright`.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.arange(6).reshape(2, 3)
    >>> all((as_stored(upright(image, "YX", n), "YX", n) == image).all() for n in range(1, 9))
    True
    """
    exchanged, rows, columns = _TURNS[orientation]
    y, x = axes.index("Y"), axes.index("X")
    array = flipped(array, [axis for axis, back in ((y, rows), (x, columns)) if back])
    return _exchanged(array, y, x) if exchanged else array


def _exchanged(array: Any, y: int, x: int) -> Any:
    order = [{y: x, x: y}.get(axis, axis) for axis in range(array.ndim)]
    return array.transpose(order)


def set_upright(block: bytes) -> bytes:
    """Take the note of an orientation out of a block of EXIF or XMP.

    The rest stays to the byte: EXIF that is unpacked and packed again loses what its makers put
    into it, and odd types cannot be packed at all.

    Parameters
    ----------
    block : bytes
        EXIF, with or without its leading ``Exif``, or XMP.

    Returns
    -------
    bytes
        Of the same length for EXIF; the same block if it says nothing of an orientation.

    Examples
    --------
    >>> set_upright(b'<x tiff:Orientation="6"/>')
    b'<x/>'
    """
    start = 6 if block.startswith(b"Exif\0\0") else 0
    order = {b"II": "<", b"MM": ">"}.get(block[start : start + 2])
    if order is None:
        for pattern in _IN_XMP:
            block = pattern.sub(b"", block)
        return block
    found = bytearray(block)
    try:
        (directory,) = struct.unpack_from(f"{order}I", found, start + 4)
        (count,) = struct.unpack_from(f"{order}H", found, start + directory)
        first = start + directory + 2
        end = first + 12 * count + 4  # behind the place of the next directory
        for at in range(first, end - 4, 12):
            if struct.unpack_from(f"{order}H", found, at) == (_TAG,) and end <= len(found):
                # Values lie where they lay; the entries behind this one move up.
                found[at:end] = found[at + 12 : end] + bytes(12)
                struct.pack_into(f"{order}H", found, first - 2, count - 1)
                break
    except struct.error:
        return block
    return bytes(found)
