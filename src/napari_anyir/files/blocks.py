"""Lazy arrays to files, one block at a time, in constant memory."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = [
    "Filled",
    "blocks_of",
    "changed",
    "flipped",
    "is_lazy",
    "plane_axes",
    "plane_chunks",
    "store",
]


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

    def flip(self, axes: Sequence[int]) -> Filled:
        """Same array with some axes running backwards.

        Parameters
        ----------
        axes : sequence of int
            Which.

        Returns
        -------
        Filled
            Still not there.

        Examples
        --------
        >>> import numpy as np
        >>> count = Filled((3,), np.dtype(int), lambda target: target.__setitem__(..., range(3)))
        >>> count.flip([0]).compute().tolist()
        [2, 1, 0]
        """
        return Filled(
            self.shape, self.dtype, lambda target: self.fill(_Flipped(target, frozenset(axes)))
        )

    def map(self, function: Callable[[Any], Any]) -> Filled:
        """Same array with a function applied to what is assigned.

        Parameters
        ----------
        function : callable
            Of arrays, pixel by pixel, to the same type.

        Returns
        -------
        Filled
            Still not there.

        Examples
        --------
        >>> import numpy as np
        >>> ones = Filled((2,), np.dtype(int), lambda target: target.__setitem__(..., np.ones(2)))
        >>> ones.map(lambda values: values + 1).compute().tolist()
        [2, 2]
        """
        return Filled(self.shape, self.dtype, lambda target: self.fill(_Applied(target, function)))

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


def _full_index(index: Any, ndim: int) -> tuple[Any, ...]:
    """Give an index one element per axis."""
    index = index if isinstance(index, tuple) else (index,)
    if Ellipsis in index:
        at = index.index(Ellipsis)
        index = (*index[:at], *(slice(None),) * (ndim - len(index) + 1), *index[at + 1 :])
    return (*index, *(slice(None),) * (ndim - len(index)))


class _View:
    """A target that is assigned to in another form."""

    def __init__(self, target: Any, shape: tuple[int, ...]) -> None:
        self._target = target
        self.shape = shape
        self.dtype = target.dtype
        self.ndim = len(shape)


class _Permuted(_View):
    """A target seen with its axes in the order of the source."""

    def __init__(self, target: Any, order: Sequence[int], shape: tuple[int, ...]) -> None:
        super().__init__(target, shape)
        self._order = order

    def __setitem__(self, index: Any, values: Any) -> None:
        index = _full_index(index, self.ndim)
        kept = [axis for axis in range(self.ndim) if isinstance(index[axis], slice)]
        if np.ndim(values):
            moved = [kept.index(axis) for axis in self._order if axis in kept]
            values = np.transpose(values, moved)
        self._target[tuple(index[axis] for axis in self._order)] = values


class _Flipped(_View):
    """A target seen with some axes running backwards."""

    def __init__(self, target: Any, axes: frozenset[int]) -> None:
        super().__init__(target, tuple(target.shape))
        self._axes = axes

    def __setitem__(self, index: Any, values: Any) -> None:
        there: list[Any] = []
        flips: list[int] = []
        kept = 0
        for axis, (part, size) in enumerate(
            zip(_full_index(index, self.ndim), self.shape, strict=True)
        ):
            if axis not in self._axes:
                there.append(part)
            elif isinstance(part, slice):
                start, stop, step = part.indices(size)
                if step != 1:
                    raise NotImplementedError("a backward target is filled in runs")
                there.append(slice(size - stop, size - start))
                flips.append(kept)
            else:
                there.append(size - 1 - part % size)
            kept += isinstance(part, slice)
        values = np.asarray(values)
        if values.ndim == kept:
            values = np.flip(values, tuple(flips))
        self._target[tuple(there)] = values


class _Applied(_View):
    """A target to which a function of the values is assigned."""

    def __init__(self, target: Any, function: Callable[[Any], Any]) -> None:
        super().__init__(target, tuple(target.shape))
        self._function = function

    def __setitem__(self, index: Any, values: Any) -> None:
        self._target[index] = self._function(np.asarray(values))


def flipped(array: Any, axes: Sequence[int]) -> Any:
    """Let some axes of an array run backwards.

    Parameters
    ----------
    array : numpy.ndarray, dask.array.Array or Filled
        Any array.
    axes : sequence of int
        Which; none gives the same array.

    Returns
    -------
    array
        Of the same kind.

    Examples
    --------
    >>> import numpy as np
    >>> flipped(np.arange(3), [0]).tolist()
    [2, 1, 0]
    """
    if not len(axes):
        return array
    return array.flip(axes) if isinstance(array, Filled) else np.flip(array, tuple(axes))


def changed(array: Any, function: Callable[[Any], Any], dtype: Any = None) -> Any:
    """Apply a function of pixels, at once or when the array is computed.

    Parameters
    ----------
    array : numpy.ndarray, dask.array.Array or Filled
        Any array.
    function : callable
        Of arrays, to the same shape; for a `Filled` to the same type.
    dtype : numpy.dtype, optional
        Type of its results; default: that of the array.

    Returns
    -------
    array
        Of the same kind.

    Examples
    --------
    >>> import numpy as np
    >>> changed(np.arange(3), np.negative).tolist()
    [0, -1, -2]
    """
    if isinstance(array, Filled):
        return array.map(function)
    if hasattr(array, "dask"):
        dtype = np.dtype(dtype or array.dtype)
        return array.map_blocks(function, dtype=dtype, meta=np.empty((0,) * array.ndim, dtype))
    return function(array)


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
