"""Lazy results: compute the plane that is about to be shown before napari asks for it; no Qt.

napari slices a dask layer in the window's thread, so that the window stands still while a plane
goes through the network. Here the planes that will be drawn are computed in the worker, into the
cache that napari's own slicing looks into first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_anyir.errors import Cancelled

if TYPE_CHECKING:
    from napari.components import ViewerModel


def fill_cache(
    array: Any, slices: tuple[slice, ...], progress: Any = None, cancel: Any = None
) -> None:
    """Compute a part of a dask array into napari's cache, block by block.

    Parameters
    ----------
    array : dask array
        The result that is to become a layer.
    slices : tuple of slice
        What will be drawn of it.
    progress : callable, optional
        ``progress(done, total)``, in blocks.
    cancel : object, optional
        Anything with ``is_set()``; looked at between blocks.

    Raises
    ------
    Cancelled
        If ``cancel.is_set()`` became true.

    Examples
    --------
    >>> import dask.array as da
    >>> read = []
    >>> def look(block):
    ...     read.append(block.size)
    ...     return block
    >>> lazy = da.zeros((3, 4, 4), chunks=(1, 4, 4)).map_blocks(look, meta=np.zeros((0, 0, 0)))
    >>> fill_cache(lazy, (slice(1, 2), slice(0, 4), slice(0, 4)))
    >>> read
    [16]
    """
    import dask
    from napari.utils import resize_dask_cache

    blocks = array.blocks
    places = _places(array.chunks, slices)
    # As napari slices: a fused graph would have other keys, and its cache would know none of them.
    with dask.config.set({"optimization.fuse.active": False}), resize_dask_cache():
        for number, place in enumerate(places):
            if cancel is not None and cancel.is_set():
                raise Cancelled("The computation was cancelled.")
            blocks[place].compute()
            if progress is not None:
                progress(number + 1, len(places))


def add_result(viewer: ViewerModel, data: Any, values: Mapping[str, Any]) -> Any:
    """Add an image to a viewer so that of a lazy one only the shown plane is computed.

    A layer first slices itself at the first plane, before a viewer tells it which one is shown;
    that plane would go through the network for nothing, in the window's thread.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer.
    data : array
        numpy or dask.
    values : mapping
        Keyword arguments of the layer.

    Returns
    -------
    napari.layers.Image
        The layer.

    Examples
    --------
    >>> from napari.components import ViewerModel
    >>> add_result(ViewerModel(), np.zeros((4, 4)), {"name": "dark"}).name
    'dark'
    """
    if not hasattr(data, "dask"):
        return viewer.add_image(data, **values)
    import dask.array as da

    layer = viewer.add_image(da.zeros(data.shape, dtype=data.dtype, chunks=data.chunks), **values)
    layer.data = data
    return layer


def _places(
    chunks: tuple[tuple[int, ...], ...], slices: tuple[slice, ...]
) -> list[tuple[int, ...]]:
    """Indices of all blocks that a part touches."""
    wanted = []
    for axis, sizes in enumerate(chunks):
        part = slices[axis] if axis < len(slices) else slice(None)
        stops = np.cumsum(sizes)
        start = 0 if part.start is None else part.start
        stop = int(stops[-1]) if part.stop is None else part.stop
        wanted.append(
            [
                index
                for index, (end, size) in enumerate(zip(stops, sizes, strict=True))
                if end > start and end - size < stop
            ]
        )
    grid = np.meshgrid(*wanted, indexing="ij")
    return [
        tuple(int(n) for n in place) for place in np.stack(grid, axis=-1).reshape(-1, len(chunks))
    ]
