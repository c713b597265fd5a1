"""Lazy arrays to files, one block at a time, in constant memory."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from napari_anyir.files.deferred_array import DeferredArray

__all__ = [
    "blocks_of",
    "changed",
    "flipped",
    "is_lazy",
    "plane_chunks",
    "plane_ndim",
    "store",
]


def flipped(array: Any, axes: Sequence[int]) -> Any:
    """Let some axes of an array run backwards.

    Parameters
    ----------
    array : numpy.ndarray, dask.array.Array or DeferredArray
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
    return array.flip(axes) if isinstance(array, DeferredArray) else np.flip(array, tuple(axes))


def changed(array: Any, function: Callable[[Any], Any], dtype: Any = None) -> Any:
    """Apply a function of pixels, at once or when the array is computed.

    Parameters
    ----------
    array : numpy.ndarray, dask.array.Array or DeferredArray
        Any array.
    function : callable
        Of arrays, to the same shape; for a `DeferredArray` to the same type.
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
    if isinstance(array, DeferredArray):
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
        True for dask arrays and `DeferredArray`.

    Examples
    --------
    >>> import numpy as np
    >>> is_lazy(np.zeros(3))
    False
    """
    return isinstance(array, DeferredArray) or hasattr(array, "dask")


def plane_ndim(shape: Sequence[int], axes: str | None) -> int:
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
    >>> plane_ndim((9, 64, 64), "ZYX"), plane_ndim((64, 64, 3), None)
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
    stacked = len(shape) - plane_ndim(shape, axes)
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
    array : dask.array.Array or DeferredArray
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
    if isinstance(array, DeferredArray):
        array.fill(target)
        return
    for region, block in blocks_of(array):
        target[region] = block
