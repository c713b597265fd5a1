"""Arrays whose values lie in a file that another program may shorten while they are read.

A memory map of such a file ends the process with a signal (SIGBUS) where its bytes are gone, napari
with it. Its file is therefore looked at just before and just after its values are copied; what
happens within these milliseconds no program can catch.
"""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_anyir.errors import ImageFileError

__all__ = ["unmapped"]


def unmapped(values: NDArray[Any]) -> NDArray[Any]:
    """Copy values out of a memory map, if they lie in one and its file still holds them.

    Parameters
    ----------
    values : numpy.ndarray
        Any array, masked ones too: a memory map, a view of one, or neither.

    Returns
    -------
    numpy.ndarray
        The same array if it lies in no file, else a copy in the same order of memory.

    Raises
    ------
    ImageFileError
        If the file has become too short.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.npy"
    >>> np.save(path, np.arange(5000))
    >>> values = np.load(path, mmap_mode="r")[10:]
    >>> unmapped(values)[:2].tolist()
    [10, 11]
    >>> with path.open("r+b") as file:
    ...     _ = file.truncate(1000)
    >>> unmapped(values)
    Traceback (most recent call last):
    ...
    napari_anyir.errors.ImageFileError: The file '...a.npy', in which the image lies, has become ...
    """
    owner, name, offset = _map_of(values)
    if owner is None or not values.size:
        return values
    end = offset + _last_byte(np.ma.getdata(values)) - _first_byte(owner)
    _check(owner, end, name)
    masked = isinstance(values, np.ma.MaskedArray)
    copy = values.copy() if masked else np.array(values, order="K", subok=False)
    _check(owner, end, name)  # the rest of the last page would have been read as zeros
    return copy


def _map_of(values: Any) -> tuple[mmap.mmap | None, str, int]:
    """The map in which an array lies, the name of its file, and where in this it begins."""
    name, offset, owner = "", 0, values
    while owner is not None:
        if isinstance(owner, mmap.mmap):
            return owner, name, offset
        below: Any = owner.obj if isinstance(owner, memoryview) else getattr(owner, "base", None)
        if isinstance(owner, np.memmap) and isinstance(below, mmap.mmap):
            name = str(owner.filename or "")
            offset = int(owner.offset) - int(owner.offset) % mmap.ALLOCATIONGRANULARITY
        owner = below
    return None, name, offset


def _first_byte(owner: mmap.mmap) -> int:
    return int(np.frombuffer(owner, np.uint8).__array_interface__["data"][0])


def _last_byte(values: NDArray[Any]) -> int:
    """Address behind the last byte of an array, whatever its strides."""
    first = int(values.__array_interface__["data"][0])
    steps = zip(values.shape, values.strides, strict=True)
    return first + sum(max(0, (size - 1) * step) for size, step in steps) + values.itemsize


def _check(owner: mmap.mmap, end: int, name: str) -> None:
    try:
        held = owner.size()
    except (OSError, ValueError):  # closed, without a file, or of one that it does not keep open
        return
    if held < end:
        which = f"The file '{name}'" if name else "The file"
        raise ImageFileError(
            f"{which}, in which the image lies, has become too short: it has {held:,} bytes, and "
            f"{end:,} are needed; another program changed it while it was read. Write it anew, and "
            "open it again."
        )
