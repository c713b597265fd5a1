"""Arrays that napari draws and the engine does not take: made into those that it does; no Qt."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

BLOCK = 2**22
"""Pixels that are read at a time from an array that has no chunks."""


def as_engine_array(data: Any) -> Any:
    """Return what a layer holds as a numpy, dask or zarr array.

    Nothing is read: xarray only names the axes of another array, and whatever else can be cut into
    parts (a data set of h5py, say) is read part by part when it is needed.

    Parameters
    ----------
    data : array
        Anything that napari draws: it has a shape and a type, and can be cut.

    Returns
    -------
    array
        numpy, dask or zarr.

    Raises
    ------
    TypeError
        If its pixels have no type that numpy knows, or are masked; one sentence says what to do.

    Examples
    --------
    >>> import dask.array as da
    >>> as_engine_array(np.zeros((2, 3))).shape
    (2, 3)
    >>> class Opened:  # as h5py's data sets
    ...     shape, dtype, ndim, chunks = (4, 8, 8), np.dtype("uint8"), 3, None
    ...     def __getitem__(self, index):
    ...         return np.ones(self.shape, self.dtype)[index]
    >>> made = as_engine_array(Opened())
    >>> type(made).__name__, int(made.sum())
    ('Array', 256)
    """
    if isinstance(data, np.ma.MaskedArray):
        raise TypeError(
            "The layer's pixels are masked; fill them first, for instance with "
            "layer.data = layer.data.filled(0)."
        )
    if isinstance(data, np.ndarray):
        return data
    room = type(data).__module__.partition(".")[0]
    if room == "xarray":
        return as_engine_array(data.data)
    if room in ("dask", "zarr"):
        return data
    try:
        dtype = np.dtype(data.dtype)
        shape = tuple(int(n) for n in data.shape)
    except (TypeError, AttributeError) as error:
        kind = f"{room}.{type(data).__name__}"
        raise TypeError(
            f"The layer holds a {kind}, whose pixels cannot be read; make it a numpy array first: "
            "in napari's console, layer.data = numpy.asarray(layer.data)."
        ) from error
    import dask.array as da

    # A lock, because few file formats can be read by several threads at once.
    meta = np.empty((0,) * len(shape), dtype)
    return da.from_array(data, chunks=_chunks(data, shape), lock=True, meta=meta)


def _chunks(data: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Parts as they are stored; otherwise whole planes, as far as they are not huge."""
    stored: Any = getattr(data, "chunks", None)
    if isinstance(stored, tuple) and [type(n) for n in stored] == [int] * len(shape):
        return tuple(stored)
    rows = [1] * max(0, len(shape) - 3) + list(shape[-3:])
    while math.prod(rows) > BLOCK and max(rows) > 1:
        place = next(axis for axis, n in enumerate(rows) if n > 1)
        rows[place] = -(-rows[place] // 2)
    return tuple(max(1, n) for n in rows)
