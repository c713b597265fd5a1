"""Mix a restored image with its source after the fact; no Qt.

`napari_anyir.restore` blends before it rounds, in one go; the widget's strength slider blends what
is there already, so that moving it costs no second run. The scripts that the widget writes call
this function, and so give the same pixels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_VALUES = 2**20
"""Values per step, so that a large image costs no float copy of itself."""


def blend(source: Any, restored: Any, strength: float) -> Any:
    """Mix an image with its restored version.

    Parameters
    ----------
    source, restored : array
        Of one shape and type; numpy, or dask (stays lazy).
    strength : float
        0 gives the source, 1 the restored image, unchanged.

    Returns
    -------
    array
        ``source + strength * (restored - source)``, of the same shape and type; integers rounded.
        Never the array of the source itself; that of the restored image at strength 1.

    Raises
    ------
    ValueError
        If the strength lies outside [0, 1], or the shapes or types differ.

    Examples
    --------
    >>> import numpy as np
    >>> blend(np.array([10, 200], np.uint8), np.array([20, 100], np.uint8), 0.25)
    array([ 12, 175], dtype=uint8)
    """
    if not 0 <= strength <= 1:
        raise ValueError(f"The strength is {strength:g}; it must lie between 0 and 1.")
    if source.shape != restored.shape or source.dtype != restored.dtype:
        raise ValueError(
            f"An array of {source.dtype}, {source.shape}, cannot be blended with one of "
            f"{restored.dtype}, {restored.shape}; give an image and its restored version."
        )
    if strength == 1:
        return restored
    if not (isinstance(source, np.ndarray) and isinstance(restored, np.ndarray)):
        import dask.array as da

        lazy = [da.asarray(array) for array in (source, restored)]
        return da.map_blocks(_blend, *lazy, strength, dtype=restored.dtype)
    return _blend(source, restored, strength)


def _blend(
    source: np.ndarray[Any, Any], restored: np.ndarray[Any, Any], strength: float
) -> np.ndarray[Any, Any]:
    """Blend arrays in memory, some rows at a time."""
    result = np.empty_like(restored)
    if not result.size:
        return result
    if not result.ndim:
        result[...] = _mix(source, restored, strength)
        return result
    step = max(1, _VALUES * len(result) // result.size)
    for start in range(0, len(result), step):
        part = slice(start, start + step)
        result[part] = _mix(source[part], restored[part], strength)
    return result


def _mix(before: Any, after: Any, strength: float) -> Any:
    # float64 holds every value of 8, 16 and 32 bits, so that equal pixels stay equal.
    low = np.asarray(before, dtype=np.float64)
    mixed = low + strength * (np.asarray(after, dtype=np.float64) - low)
    if np.issubdtype(after.dtype, np.integer):
        # Between two values of the type there is nothing that it cannot hold, but the largest
        # 64-bit integers round up in float64.
        information = np.iinfo(after.dtype)
        if after.dtype.itemsize == 8:
            top = np.nextafter(float(information.max), 0)
            mixed = np.minimum(mixed, top)
        return np.rint(mixed).astype(after.dtype)
    return mixed.astype(after.dtype)
