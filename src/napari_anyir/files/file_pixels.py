"""Pixels that lie in a file one after the other, read and written where they are touched.

No memory map: a map of a file that another program shortens, or of space that a full disk does not
give, ends the process with a signal (SIGBUS) instead of an error.
"""

from __future__ import annotations

import errno
import itertools
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from napari_anyir.errors import ImageFileError

__all__ = ["FilePixels", "reserve"]

# What a file system answers that cannot reserve space; each write will tell whether there is some.
_CANNOT = {errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS}


def reserve(path: Path, size: int) -> None:
    """Reserve space for a whole file, so that a full disk is told before hours of computing.

    Parameters
    ----------
    path : Path
        A file that is there.
    size : int
        Bytes that it will have.

    Raises
    ------
    OSError
        If the disk is full or the quota is used up.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "pixels"
    >>> path.touch()
    >>> reserve(path, 100)
    >>> path.stat().st_size
    100
    """
    with path.open("r+b") as file:
        if hasattr(os, "posix_fallocate"):
            try:
                os.posix_fallocate(file.fileno(), 0, size)
            except OSError as error:
                if error.errno not in _CANNOT:
                    raise
        if file.seek(0, os.SEEK_END) < size:
            file.truncate(size)


class FilePixels:
    """A C-ordered array in a file; its memory is that of one access.

    Parameters
    ----------
    path : Path
        The file, which must hold the whole array.
    dtype : numpy.dtype
        Type of the elements, with their byte order.
    shape : tuple of int
        Shape of the array.
    offset : int
        Bytes before it.

    Raises
    ------
    ImageFileError
        On reading, if the file has become too short.
    OSError
        On writing, if the disk is full.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "pixels"
    >>> np.arange(12, dtype=np.uint8).tofile(path)
    >>> array = FilePixels(path, np.dtype(np.uint8), (2, 3), offset=4)
    >>> array[1] = 0
    >>> array[:, 1:].tolist()
    [[5, 6], [0, 0]]
    """

    def __init__(
        self, path: Path, dtype: np.dtype[Any], shape: tuple[int, ...], offset: int = 0
    ) -> None:
        self.path = path
        self.dtype = np.dtype(dtype)
        self.shape = tuple(shape)
        self.ndim = len(self.shape)
        self.offset = offset

    def __getitem__(self, index: Any) -> NDArray[Any]:
        box, inner = self._box(index)
        return self._read(box)[inner]

    def __setitem__(self, index: Any, values: Any) -> None:
        box, inner = self._box(index)
        plain = all(isinstance(i, int) or (isinstance(i, slice) and i.step == 1) for i in inner)
        block = np.empty([len(r) for r in box], self.dtype) if plain else self._read(box)
        block[inner] = values
        flat = block.reshape(-1).view(np.uint8)
        with self.path.open("r+b", buffering=0) as file:
            for start, stop, at in self._runs(box):
                file.seek(at)
                piece = flat[start:stop].data
                while piece.nbytes:
                    piece = piece[file.write(piece) or 0 :]

    def _read(self, box: list[range]) -> NDArray[Any]:
        """Values of a box, by as few reads as lie in one piece."""
        block = np.empty([len(r) for r in box], self.dtype)
        flat = block.reshape(-1).view(np.uint8)
        with self.path.open("rb", buffering=0) as file:
            for start, stop, at in self._runs(box):
                file.seek(at)
                _fill(file, flat[start:stop].data)
        return block

    def _box(self, index: Any) -> tuple[list[range], tuple[Any, ...]]:
        """Smallest box that holds what is asked for, and the index within it."""
        index = index if isinstance(index, tuple) else (index,)
        if any(i is Ellipsis for i in index):
            at = next(n for n, i in enumerate(index) if i is Ellipsis)
            index = (*index[:at], *(slice(None),) * (self.ndim - len(index) + 1), *index[at + 1 :])
        index += (slice(None),) * (self.ndim - len(index))
        if len(index) != self.ndim:
            raise IndexError(f"{len(index)} indices for an array of {self.ndim} axes")
        parts = [_part(i, size) for i, size in zip(index, self.shape, strict=True)]
        return [box for box, _ in parts], tuple(inner for _, inner in parts)

    def _runs(self, box: list[range]) -> Iterator[tuple[int, int, int]]:
        """Pieces of a box that lie in one piece: first and last byte in it, place in the file."""
        if not all(map(len, box)):
            return
        whole = self.ndim  # axes from here on are taken as a whole
        while whole and len(box[whole - 1]) == self.shape[whole - 1]:
            whole -= 1
        split = max(0, whole - 1)
        size = self.dtype.itemsize * math.prod(len(r) for r in box[split:])
        steps = [self.dtype.itemsize * math.prod(self.shape[a + 1 :]) for a in range(self.ndim)]
        inside = sum(box[a].start * steps[a] for a in range(split, self.ndim))
        for number, place in enumerate(itertools.product(*box[:split])):
            at = sum(i * step for i, step in zip(place, steps, strict=False)) + inside
            yield number * size, (number + 1) * size, self.offset + at


def _part(index: Any, size: int) -> tuple[range, Any]:
    """Range of one axis that holds what is asked for, and the index within it."""
    if isinstance(index, slice):
        wanted = range(*index.indices(size))
        if not wanted:
            return range(0), slice(0, 0, 1)
        return range(min(wanted[0], wanted[-1]), max(wanted[0], wanted[-1]) + 1), slice(
            None, None, wanted.step
        )
    numbers = np.asarray(index)
    if numbers.dtype == bool:
        numbers = np.flatnonzero(numbers)
    if not numbers.size:
        return range(0), numbers.astype(int)
    numbers = np.where(numbers < 0, numbers + size, numbers)
    low, high = int(numbers.min()), int(numbers.max())
    if low < 0 or high >= size:
        raise IndexError(f"index {index} is out of bounds for an axis of size {size}")
    return range(low, high + 1), 0 if numbers.ndim == 0 else numbers - low


def _fill(file: IO[bytes], piece: memoryview) -> None:
    """Read until a buffer is full."""
    while piece.nbytes:
        count = file.readinto(piece)  # type: ignore[attr-defined]
        if not count:
            raise ImageFileError(
                "it ends too early: it was cut off, or another program changed it meanwhile"
            )
        piece = piece[count:]
