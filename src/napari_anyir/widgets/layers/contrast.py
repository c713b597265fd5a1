"""How far the contrast slider of a result goes; no Qt.

A result is drawn with the limits of its source, so that the two can be compared by eye. napari
makes the limits that a layer is given the ends of its slider as well, and what lies beyond them
could not be reached any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_anyir.widgets.layers.image_layers import pixels

if TYPE_CHECKING:
    from napari.layers import Image


def slider_range(layer: Image) -> tuple[float, float]:
    """Find how far a layer's contrast slider goes, which of 8 bits is all the way.

    Parameters
    ----------
    layer : napari.layers.Image
        The source.

    Returns
    -------
    tuple of float
        Least and largest contrast limit.

    Examples
    --------
    >>> from napari.layers import Image
    >>> slider_range(Image(np.zeros((8, 8), np.uint8), contrast_limits=(10, 90)))
    (0.0, 255.0)
    """
    if pixels(layer).dtype == np.uint8:
        return 0.0, 255.0
    low, high = (float(limit) for limit in layer.contrast_limits_range)
    return low, high


def span(*arrays: Any, known: tuple[float, float] | None = None) -> tuple[float, float] | None:
    """Find the least and the largest value of arrays in memory; lazy ones are not read.

    Parameters
    ----------
    *arrays : array
        Any shapes.
    known : (float, float), optional
        What the span contains in any case.

    Returns
    -------
    tuple of float, or None
        None if nothing is known.

    Examples
    --------
    >>> span(np.array([3, 7]), np.array([np.nan, 9]), known=(4.0, 5.0))
    (3.0, 9.0)
    """
    found = [known] if known is not None else []
    for array in arrays:
        if isinstance(array, np.ndarray) and array.size:
            ends = float(np.nanmin(array)), float(np.nanmax(array))
            found += [ends] if np.isfinite(ends).all() else []
    return (min(e[0] for e in found), max(e[1] for e in found)) if found else None


def widen_slider(layer: Image, ends: tuple[float, float] | None) -> None:
    """Let a layer's contrast slider go at least this far; its limits stay as they are.

    Parameters
    ----------
    layer : napari.layers.Image
        A result; colour has no limits, and stays untouched.
    ends : (float, float) or None
        Least and largest limit.

    Examples
    --------
    >>> from napari.layers import Image
    >>> result = Image(np.zeros((8, 8), np.uint16), contrast_limits=(10, 90))
    >>> widen_slider(result, (0.0, 400.0))
    >>> result.contrast_limits_range
    [0.0, 400.0]
    >>> [float(limit) for limit in result.contrast_limits]
    [10.0, 90.0]
    """
    if layer.rgb or ends is None:
        return
    low, high = layer.contrast_limits_range
    layer.contrast_limits_range = (min(float(low), ends[0]), max(float(high), ends[1]))
