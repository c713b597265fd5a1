"""Images on one scale, to be compared and shown."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_anyir.inference.arrays.axes import SAMPLES, Layout
from napari_anyir.inference.arrays.intensity import (
    Intensity,
    IntensityRange,
    check_dtype,
    check_intensity,
)
from napari_anyir.inference.arrays.plane_reading import find_range


def colour_plane(image: ArrayLike, what: str = "image") -> NDArray[Any]:
    """Return one plane with its samples last, without alpha.

    Parameters
    ----------
    image : array_like
        (Y, X), or (Y, X, S) with 3 or 4 samples.
    what : str
        What to call it in the message.

    Returns
    -------
    ndarray
        (Y, X, 1) or (Y, X, 3), of the same type.

    Raises
    ------
    ValueError
        If the shape is another one, or there are no pixels.
    TypeError
        If the type holds no intensities.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_anyir.analysis.images import colour_plane
    >>> colour_plane(np.zeros((4, 5, 4), np.uint8)).shape
    (4, 5, 3)
    """
    array = np.asarray(image)
    check_dtype(array.dtype)
    if array.ndim == 2:
        array = array[..., None]
    elif array.ndim != 3 or array.shape[2] not in SAMPLES:
        raise ValueError(
            f"The {what} must be one plane, (Y, X) or (Y, X, 3 or 4), not {array.shape}; "
            "take one plane of the stack."
        )
    if not array.size:
        raise ValueError(f"The {what} has no pixels; give one of at least 1 x 1.")
    return array[..., :3]


def range_of(image: NDArray[Any], intensity: Intensity = "auto") -> IntensityRange:
    """Choose the mapping of one plane, as `napari_anyir.restore` does.

    Parameters
    ----------
    image : ndarray
        (Y, X, 1 or 3).
    intensity : str or (float, float)
        As for `napari_anyir.restore`.

    Returns
    -------
    IntensityRange
        What becomes 0 and 1.

    Raises
    ------
    ValueError
        If pixels are not finite, or the intensity is unknown.

    Examples
    --------
    >>> range_of(np.zeros((4, 4, 3), np.uint8), "dtype").to_unit(np.array([0.0, 255.0]))
    array([0., 1.])
    """
    return find_range(image, Layout("YXS", image.shape), check_intensity(intensity))


def on_unit_scale(image: NDArray[Any], mapping: IntensityRange) -> NDArray[np.float64]:
    """Map an image to the network's range, without clipping.

    Parameters
    ----------
    image : ndarray
        Any shape.
    mapping : IntensityRange
        What becomes 0 and 1.

    Returns
    -------
    ndarray of float64
        The same shape.

    Examples
    --------
    >>> mapping = range_of(np.zeros((4, 4, 3), np.uint8), "dtype")
    >>> on_unit_scale(np.array([0, 51, 255], np.uint8), mapping)
    array([0. , 0.2, 1. ])
    """
    return mapping.to_unit(image)


def comparable(
    intensity: Intensity = "auto", **images: ArrayLike
) -> dict[str, NDArray[np.float64]]:
    """Bring images of one size and type to one scale, that of the last one.

    Parameters
    ----------
    intensity : str or (float, float)
        As for `napari_anyir.restore`; chosen on the last image.
    **images : array_like
        Planes, by the names that messages call them.

    Returns
    -------
    dict of str to ndarray of float64
        (Y, X, 1 or 3); 0 and 1 are the ends of the range.

    Raises
    ------
    ValueError
        If sizes or types differ, or a pixel is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_anyir.analysis.images import comparable
    >>> dark, bright = np.zeros((2, 2), np.uint8), np.full((2, 2), 255, np.uint8)
    >>> comparable(image=dark, reference=bright)["reference"][0, 0]
    array([1.])
    """
    planes = {name: colour_plane(image, name) for name, image in images.items()}
    first, last = next(iter(planes)), next(reversed(planes))
    for name, plane in planes.items():
        if plane.shape != planes[first].shape or plane.dtype != planes[first].dtype:
            raise ValueError(
                f"The {first} is {planes[first].shape} {planes[first].dtype} and the {name} is "
                f"{plane.shape} {plane.dtype}; give two images of the same size and type."
            )
        range_of(plane, intensity)  # refuses NaN and infinity, by their number
    mapping = range_of(planes[last], intensity)
    return {name: on_unit_scale(plane, mapping) for name, plane in planes.items()}
