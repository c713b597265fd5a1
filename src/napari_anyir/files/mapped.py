"""Pixels that lie in a file one after the other, mapped into memory only while they are touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Mapped"]


class Mapped:
    """A C-ordered array in a file.

    A lasting memory map keeps every page that was touched in the process's memory until the
    system wants it back; here a map lasts for one access, so that memory stays that of one block.

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

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "pixels"
    >>> np.arange(12, dtype=np.uint8).tofile(path)
    >>> array = Mapped(path, np.dtype(np.uint8), (2, 3), offset=4)
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

    def _map(self, mode: Literal["r", "r+"]) -> np.memmap[Any, Any]:
        return np.memmap(self.path, self.dtype, mode, self.offset, self.shape)

    def __getitem__(self, index: Any) -> NDArray[Any]:
        return np.array(self._map("r")[index])

    def __setitem__(self, index: Any, values: Any) -> None:
        mapped = self._map("r+")
        mapped[index] = values
        mapped.flush()
