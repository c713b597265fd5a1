"""Planes to network input and network output to planes: the arithmetic of the intensities.

All of it is float64, so that the result does not depend on how the image was stored, and row by
row, so that a large plane costs no float64 copy of itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_anyir.inference.arrays.intensity import IntensityRange

_VALUES = 2**20
"""Values per step: 8 MB in float64, which a processor's cache nearly holds."""


def _row_slices(rows: int, values_per_row: int) -> Iterator[slice]:
    step = max(1, _VALUES // max(1, values_per_row))
    return (slice(start, min(start + step, rows)) for start in range(0, rows, step))


def to_network(
    plane: NDArray[Any], mapping: IntensityRange, out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Bring a plane into the network's range.

    Parameters
    ----------
    plane : array (Y, X) or (Y, X, S)
        Grey, RGB or RGBA; alpha is left out, grey repeated three times.
    mapping : IntensityRange
        ``low`` becomes 0, ``high`` becomes 1, without clipping.
    out : array (3, Y, X) of float32, optional
        Where the result goes.

    Returns
    -------
    array (3, Y, X) of float32
        The network's input.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_anyir.inference.arrays.intensity import IntensityRange
    >>> from napari_anyir.inference.arrays.pixels import to_network
    >>> to_network(np.array([[0, 255]], np.uint8), IntensityRange(0, 255, True))[:, 0]
    array([[0., 1.],
           [0., 1.],
           [0., 1.]], dtype=float32)
    """
    rows, columns = plane.shape[:2]
    result = np.empty((3, rows, columns), np.float32) if out is None else out
    for part in _row_slices(rows, columns * (3 if plane.ndim == 3 else 1)):
        colours = plane[part, :, :3].transpose(2, 0, 1) if plane.ndim == 3 else plane[part]
        # Far outside the mapping float32 overflows; `from_network` then says so.
        with np.errstate(over="ignore"):
            result[:, part] = mapping.to_unit(colours)
    return result


def is_grey(plane: NDArray[Any]) -> bool:
    """Whether a plane of colours has none: grey that was saved as RGB.

    Parameters
    ----------
    plane : array (Y, X) or (Y, X, S)
        Grey, RGB or RGBA.

    Returns
    -------
    bool
        True if the three channels are equal in every pixel; False for a plane without samples,
        which needs no looking at. The first rows with a colour end the search.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_anyir.inference.arrays.pixels import is_grey
    >>> grey = np.repeat(np.arange(12, dtype=np.uint8).reshape(3, 4, 1), 3, axis=2)
    >>> is_grey(grey), is_grey(np.arange(36).reshape(3, 4, 3))
    (True, False)
    """
    if plane.ndim < 3:
        return False
    rows, columns = plane.shape[:2]
    return all(
        np.array_equal(plane[part, :, 0], plane[part, :, channel])
        for part in _row_slices(rows, 3 * columns)
        for channel in (1, 2)
    )


def from_network(
    restored: NDArray[np.float32],
    plane: NDArray[Any],
    mapping: IntensityRange,
    strength: float,
    out: NDArray[Any],
    *,
    grey: bool = False,
) -> None:
    """Bring the network's output back to a plane's own values and type.

    Parameters
    ----------
    restored : array (3, Y, X) of float32
        The network's output; a grey plane takes the mean of the three.
    plane : array (Y, X) or (Y, X, S)
        What went in.
    mapping : IntensityRange
        As for `to_network`.
    strength : float
        In [0, 1]: 0 is the input, 1 the output.
    out : array
        Where the result goes, of the shape of ``plane``. Integers are rounded; values that the
        type cannot hold become the nearest that it can.
    grey : bool
        Whether the three channels of ``plane`` are equal, as `is_grey` says, and are to stay so:
        each takes the mean of the three.

    Raises
    ------
    ValueError
        If the output is not finite: the input holds values too far outside the mapping.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_anyir.inference.arrays.intensity import IntensityRange
    >>> from napari_anyir.inference.arrays.pixels import from_network
    >>> plane = np.zeros((1, 2), np.uint8)
    >>> output = np.full((3, 1, 2), [0.5, 1.2], np.float32)
    >>> from_network(output, plane, IntensityRange(0, 255, True), 1.0, plane)
    >>> plane
    array([[128, 255]], dtype=uint8)
    """
    rows, columns = plane.shape[:2]
    for part in _row_slices(rows, 3 * columns):
        values = restored[:, part].astype(np.float64)
        # One look at the sum: anything that is not finite makes it so.
        if not np.isfinite(values.sum()):
            raise ValueError(
                "The network's result is not finite, because pixels lie too far outside the "
                f"intensity range of {mapping.low:g} to {mapping.high:g}; give "
                "intensity=(low, high), or precision='float32' if it was lower."
            )
        colour = plane.ndim == 3
        values = values.transpose(1, 2, 0) if colour and not grey else values.mean(axis=0)
        with np.errstate(over="ignore"):  # `to_dtype` saturates
            values = mapping.from_unit(values)
        if strength < 1:
            source = plane[part, :, 0 if grey else slice(3)] if colour else plane[part]
            before = source.astype(np.float64)
            values = before + strength * (values - before)
        result = to_dtype(values, out.dtype)
        target = out[part, :, :3] if colour else out[part]
        target[...] = result[..., np.newaxis] if colour and grey else result
        if plane.ndim == 3 and plane.shape[2] == 4:
            out[part, :, 3] = plane[part, :, 3]


def to_dtype(values: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Round and saturate.

    Parameters
    ----------
    values : array of float64
        Finite.
    dtype : numpy.dtype
        An integer or float type.

    Returns
    -------
    array
        Of that type.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_anyir.inference.arrays.pixels import to_dtype
    >>> to_dtype(np.array([-3.0, 2.5, 1e9]), np.dtype("uint16"))
    array([    0,     2, 65535], dtype=uint16)
    """
    if dtype.kind == "f":
        limit = np.finfo(dtype).max
        return np.clip(values, -float(limit), float(limit)).astype(dtype)
    info = np.iinfo(dtype)
    values = np.rint(values)
    # The largest 64-bit integers have no float64 of their own: float(info.max) is one too many.
    too_large = values >= float(info.max)
    result = np.where(too_large, 0, np.maximum(values, info.min)).astype(dtype)
    result[too_large] = info.max
    return result
