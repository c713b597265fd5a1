"""Which arrays are taken, and how they are read."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from napari_anyir.inference.arrays.axes import Layout, check_axes, guess_axes


def make_layout(image: Any, axes: str | None) -> Layout:
    """Find the planes of an array, by its letters or by a guess.

    Parameters
    ----------
    image : array
        Anything with ``shape`` and ``dtype``.
    axes : str, optional
        As for `restore`.

    Returns
    -------
    Layout
        Where its planes are.

    Raises
    ------
    TypeError, ValueError
        As `guess_axes` and `check_axes`, and if a dask array does not know its own size.

    Examples
    --------
    >>> layout = make_layout(np.zeros((5, 16, 20), np.uint16), None)
    >>> layout.axes, layout.count
    ('ZYX', 5)
    """
    shape = tuple(image.shape)
    if any(math.isnan(size) for size in shape):
        raise ValueError(
            "The dask array does not know its own size; call its compute_chunk_sizes() first."
        )
    if axes is None:
        return Layout(guess_axes(shape, image.dtype), shape)
    return Layout(check_axes(axes, shape, image.dtype), shape)


def as_array(image: Any, *, masked: bool = False) -> Any:
    """Return an array that the rest of this room can read, or refuse it.

    Parameters
    ----------
    image : object
        What a user gave.
    masked : bool
        Whether masked arrays of numpy are taken, which then stay masked.

    Returns
    -------
    array
        A numpy, dask or zarr array.

    Raises
    ------
    TypeError
        If it is none of these; the sentence says how to make one of it.

    Examples
    --------
    >>> as_array([[1, 2], [3, 4]])
    Traceback (most recent call last):
    ...
    TypeError: The image must be a numpy, dask or zarr array, not list; convert it with ...
    """
    if isinstance(image, np.ma.MaskedArray):
        if masked:
            return image
        raise TypeError(
            "The image is masked; fill its masked pixels first, for instance with filled(0)."
        )
    if isinstance(image, np.ndarray):
        return np.asarray(image)
    room = type(image).__module__.partition(".")[0]
    if room in ("dask", "zarr") and hasattr(image, "chunks") and hasattr(image, "dtype"):
        return image
    remedy = "convert it with numpy.asarray"
    if isinstance(image, torch.Tensor):
        remedy = "call its numpy(), with its channels last"
    elif room == "xarray":
        remedy = "pass its .data, and its dimensions as axes"
    elif room == "zarr":
        remedy = "take one of the arrays in it, for instance group['0']"
    raise TypeError(
        f"The image must be a numpy, dask or zarr array, not {type(image).__name__}; {remedy}."
    )
