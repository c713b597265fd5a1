"""Lazy arrays to files, one block at a time, in constant memory."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Filled", "blocks_of", "is_lazy", "plane_axes", "plane_chunks", "store"]


@dataclass(frozen=True)
class Filled:
    """An array that is not there yet: it is known how to fill one of its shape and type.

    Parameters
    ----------
    shape : tuple of int
        Its shape.
    dtype : numpy.dtype
        Its type.
    fill : callable
        Called with anything of that shape and type that takes assignments.

    Examples
    --------
    >>> import numpy as np
    >>> ones = Filled((2, 3), np.dtype(float), lambda target: target.__setitem__(..., 1.0))
    >>> float(ones.transpose((1, 0)).compute().sum())
    6.0
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fill: Callable[[Any], None]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes that it will fill."""
        return self.size * self.dtype.itemsize

    def transpose(self, order: Sequence[int]) -> Filled:
        """Same array with its axes in another order.

        Parameters
        ----------
        order : sequence of int
            As for `numpy.transpose`.

        Returns
        -------
        Filled
            Still not there.
        """
        shape = tuple(self.shape[axis] for axis in order)
        return Filled(
            shape, self.dtype, lambda target: self.fill(_Permuted(target, order, self.shape))
        )

    def compute(self, **_: Any) -> np.ndarray[Any, Any]:
        """Fill an array in memory.

        Returns
        -------
        numpy.ndarray
            The array.
        """
        target = np.empty(self.shape, self.dtype)
        self.fill(target)
        return target


class _Permuted:
    """A target seen with its axes in the order of the source."""

    def __init__(self, target: Any, order: Sequence[int], shape: tuple[int, ...]) -> None:
        self._target = target
        self._order = order
        self.shape = shape
        self.dtype = target.dtype
        self.ndim = len(shape)

    def __setitem__(self, index: Any, values: Any) -> None:
        index = index if isinstance(index, tuple) else (index,)
        if Ellipsis in index:
            at = index.index(Ellipsis)
            index = (*index[:at], *(slice(None),) * (self.ndim - len(index) + 1), *index[at + 1 :])
        index += (slice(None),) * (self.ndim - len(index))
        kept = [axis for axis in range(self.ndim) if isinstance(index[axis], slice)]
        if np.ndim(values):
            moved = [kept.index(axis) for axis in self._order if axis in kept]
            values = np.transpose(values, moved)
        self._target[tuple(index[axis] for axis in self._order)] = values


def is_lazy(array: Any) -> bool:
    """Whether an array has still to be computed.

    Parameters
    ----------
    array : object
        Any array.

    Returns
    -------
    bool
        True for dask arrays and `Filled`.

    Examples
    --------
    >>> import numpy as np
    >>> is_lazy(np.zeros(3))
    False
    """
    return isinstance(array, Filled) or hasattr(array, "dask")


def plane_axes(shape: Sequence[int], axes: str | None) -> int:
    """Number of last axes that make one plane: 3 with colours, else 2.

    Parameters
    ----------
    shape : sequence of int
        Shape of an array.
    axes : str or None
        Its axis letters, if known.

    Returns
    -------
    int
        At most the number of axes.

    Examples
    --------
    >>> plane_axes((9, 64, 64), "ZYX"), plane_axes((64, 64, 3), None)
    (2, 3)
    """
    colours = axes.endswith("S") if axes else len(shape) > 2 and shape[-1] in (3, 4)
    return min(len(shape), 3 if colours else 2)


def plane_chunks(shape: Sequence[int], axes: str | None) -> tuple[int, ...]:
    """Chunks of one plane each.

    Parameters
    ----------
    shape : sequence of int
        Shape of an array.
    axes : str or None
        Its axis letters, if known.

    Returns
    -------
    tuple of int
        Chunk size along every axis.

    Examples
    --------
    >>> plane_chunks((9, 2, 64, 64), "ZCYX")
    (1, 1, 64, 64)
    """
    stacked = len(shape) - plane_axes(shape, axes)
    return (1,) * stacked + tuple(shape[stacked:])


def blocks_of(array: Any) -> Iterator[tuple[tuple[slice, ...], Any]]:
    """Compute the blocks of a dask array, one after the other.

    One at a time, and in this thread: the network already uses all cores, and several blocks at
    once would need several times the memory.

    Parameters
    ----------
    array : dask.array.Array
        Any dask array of known chunks.

    Yields
    ------
    region : tuple of slice
        Where the block lies.
    block : numpy.ndarray
        Its values.

    Examples
    --------
    >>> import dask.array as da
    >>> [int(block.sum()) for _, block in blocks_of(da.ones((4, 2), chunks=(2, 2)))]
    [4, 4]
    """
    starts = [[0, *itertools.accumulate(sizes)] for sizes in array.chunks]
    for index in itertools.product(*(range(len(sizes)) for sizes in array.chunks)):
        region = tuple(slice(starts[a][i], starts[a][i + 1]) for a, i in enumerate(index))
        yield region, array.blocks[index].compute(scheduler="synchronous")


def store(array: Any, target: Any) -> None:
    """Write an array that is not there yet into anything that can be assigned to.

    Parameters
    ----------
    array : dask.array.Array or Filled
        Source.
    target : numpy.memmap or zarr.Array
        Of the same shape.

    Examples
    --------
    >>> import dask.array as da, numpy as np
    >>> target = np.zeros((4, 2))
    >>> store(da.ones((4, 2), chunks=(2, 2)), target)
    >>> float(target.sum())
    8.0
    """
    if isinstance(array, Filled):
        array.fill(target)
        return
    for region, block in blocks_of(array):
        target[region] = block
