"""Lazy arrays to files, one block at a time, in constant memory."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

__all__ = ["Watch", "blocks_of", "is_lazy", "plane_axes", "plane_chunks", "store"]

Watch = Callable[[int, int], None]
"""Called with (blocks done, all blocks) after each block; it may raise to stop."""


def is_lazy(array: Any) -> bool:
    """Whether an array is a dask array.

    Parameters
    ----------
    array : object
        Any array.

    Returns
    -------
    bool
        True for dask arrays.

    Examples
    --------
    >>> import numpy as np
    >>> is_lazy(np.zeros(3))
    False
    """
    return hasattr(array, "dask")


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


def store(array: Any, target: Any, watch: Watch | None = None) -> None:
    """Write a dask array into anything that can be assigned to, block by block.

    Parameters
    ----------
    array : dask.array.Array
        Source.
    target : numpy.memmap or zarr.Array
        Of the same shape.
    watch : callable, optional
        See `Watch`.

    Examples
    --------
    >>> import dask.array as da, numpy as np
    >>> target = np.zeros((4, 2))
    >>> store(da.ones((4, 2), chunks=(2, 2)), target)
    >>> float(target.sum())
    8.0
    """
    total = array.npartitions
    for done, (region, block) in enumerate(blocks_of(array), start=1):
        target[region] = block
        if watch is not None:
            watch(done, total)
