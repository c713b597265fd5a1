"""What a layer says about its pixels, and what a result must say in turn; no Qt.

Every function takes a napari image layer and gives plain values, so that a worker never sees a
layer and tests need no window.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_anyir.widgets.layers.foreign_arrays import as_engine_array

if TYPE_CHECKING:
    from napari.layers import Image


def pixels(layer: Image) -> Any:
    """Full-resolution array of a layer.

    Parameters
    ----------
    layer : napari.layers.Image
        Of one or of several scales.

    Returns
    -------
    array
        numpy, dask or zarr, whatever the layer holds; the finest level of a multiscale layer.

    Raises
    ------
    TypeError
        If its pixels cannot be read; see `as_engine_array`.

    Examples
    --------
    >>> import numpy as np
    >>> from napari.layers import Image
    >>> pixels(Image([np.zeros((8, 8)), np.zeros((4, 4))], multiscale=True)).shape
    (8, 8)
    """
    return as_engine_array(layer.data[0] if layer.multiscale else layer.data)


def guess_layer_axes(layer: Image) -> str:
    """Guess the axis letters of a layer from its labels and its shape.

    A layer says itself whether its last axis holds samples, so that nothing else is guessed to be
    one: a layer of shape (3, H, W) is a stack of three planes.

    Parameters
    ----------
    layer : napari.layers.Image
        Any image layer of at least two dimensions.

    Returns
    -------
    str
        One letter of T, Z, C, Y, X, S per axis of the array, for the user to correct.

    Raises
    ------
    ValueError
        If there are more leading axes than letters.

    Examples
    --------
    >>> import numpy as np
    >>> from napari.layers import Image
    >>> guess_layer_axes(Image(np.zeros((5, 8, 8))))
    'ZYX'
    >>> guess_layer_axes(Image(np.zeros((5, 8, 8)), axis_labels=("time", "y", "x")))
    'TYX'
    >>> guess_layer_axes(Image(np.zeros((8, 8, 3), np.uint8), rgb=True))
    'YXS'
    """
    from napari_anyir.inference.arrays.axes import SAMPLES, guess_axes

    shape = tuple(int(n) for n in pixels(layer).shape[: layer.ndim])
    # Lengths of 3 and 4 make `guess_axes` think of samples; of those the layer has told already.
    neutral = tuple(n if n not in SAMPLES else n + 4 for n in shape)
    return guess_axes(neutral, "uint16", _labels(layer)) + ("S" if layer.rgb else "")


def _labels(layer: Image) -> Sequence[str]:
    """Names of a layer's axes: those of the layer, or else those that its array has (xarray)."""
    labels = tuple(layer.axis_labels)
    data = layer.data[0] if layer.multiscale else layer.data
    named = tuple(str(name) for name in getattr(data, "dims", ()))[: layer.ndim]
    unnamed = all(label.startswith("axis ") or label.lstrip("-").isdigit() for label in labels)
    return named if unnamed and len(named) == len(labels) else labels


def check_layer_axes(layer: Image, axes: str) -> str:
    """Check letters against a layer.

    Parameters
    ----------
    layer : napari.layers.Image
        The source.
    axes : str
        Letters as typed.

    Returns
    -------
    str
        The letters in capitals.

    Raises
    ------
    ValueError
        If they cannot be true; one sentence says why.

    Examples
    --------
    >>> import numpy as np
    >>> from napari.layers import Image
    >>> check_layer_axes(Image(np.zeros((5, 8, 8))), " tyx ")
    'TYX'
    """
    from napari_anyir.inference.arrays.axes import check_axes

    data = pixels(layer)
    letters = check_axes(axes.strip(), data.shape, data.dtype)
    if layer.rgb and not letters.endswith("S"):
        raise ValueError(
            f"The layer {layer.name!r} is colour, so its last axis is samples; end the axes with S."
        )
    if "S" in letters and not letters.endswith("S"):
        raise ValueError("napari draws samples only as the last axis; move them there first.")
    return letters


def describe(layer: Image, axes: str) -> str:
    """Say what the letters make of a layer, for the line under them.

    Parameters
    ----------
    layer : napari.layers.Image
        The source.
    axes : str
        Letters that fit it.

    Returns
    -------
    str
        For instance ``"10 planes of 512 × 512, grey, uint16"``.

    Examples
    --------
    >>> import numpy as np
    >>> from napari.layers import Image
    >>> describe(Image(np.zeros((10, 8, 9), np.uint16)), "ZYX")
    '10 planes of 8 × 9 pixels, grey, uint16'
    """
    from napari_anyir.inference.arrays.axes import Layout

    data = pixels(layer)
    layout = Layout(axes.strip().upper(), tuple(int(n) for n in data.shape))
    height, width = layout.plane_shape[:2]
    count = "1 plane" if layout.count == 1 else f"{layout.count} planes"
    look = "colour" if layout.colour else "grey"
    lazy = "" if isinstance(data, np.ndarray) else ", read when needed"
    return f"{count} of {height} × {width} pixels, {look}, {data.dtype}{lazy}"


def spatial_metadata(
    layer: Image, *, origin: Sequence[float] | None = None, drop_last: bool = False
) -> dict[str, Any]:
    """Collect all that places a layer in the world, for a layer of results.

    Parameters
    ----------
    layer : napari.layers.Image
        The source.
    origin : sequence of float, optional
        Where in the source, in pixels, the first pixel of the result lies; default the first.
    drop_last : bool
        Whether the source's last axis holds the samples of the result, which are no dimension.

    Returns
    -------
    dict
        Keyword arguments: scale, translate, rotate, shear, affine, units, axis_labels.

    Examples
    --------
    >>> import numpy as np
    >>> from napari.layers import Image
    >>> source = Image(np.zeros((8, 8)), scale=(0.5, 0.5), translate=(1, 2))
    >>> spatial_metadata(source, origin=(4, 0))["translate"]
    array([3., 2.])
    """
    from napari.utils.transforms import Affine

    translate = np.asarray(layer.translate, dtype=float)
    if origin is not None:
        placed = Affine(
            scale=layer.scale, rotate=layer.rotate, shear=layer.shear, translate=layer.translate
        )
        translate = np.asarray(placed(np.asarray(origin, dtype=float)), dtype=float)
    values: dict[str, Any] = {
        "scale": np.array(layer.scale),
        "translate": translate,
        "rotate": np.array(layer.rotate),
        "shear": np.array(layer.shear),
        "affine": np.array(layer.affine.affine_matrix),
        "units": tuple(layer.units),
        "axis_labels": tuple(layer.axis_labels),
    }
    if drop_last:
        keep = [*range(layer.ndim - 1), layer.ndim]
        step = Affine(
            scale=layer.scale, rotate=layer.rotate, shear=layer.shear, translate=translate
        )
        # What is left of a rotation is in general none; napari splits the rest of the matrix anew.
        left = Affine(affine_matrix=step.affine_matrix[np.ix_(keep, keep)])
        values = {
            "scale": np.array(left.scale),
            "translate": np.array(left.translate),
            "rotate": np.array(left.rotate),
            "shear": _shear(left.shear, layer.ndim - 1),
            "affine": values["affine"][np.ix_(keep, keep)],
            "units": values["units"][:-1],
            "axis_labels": values["axis_labels"][:-1],
        }
    return values


def _shear(shear: Any, ndim: int) -> Any:
    """Entries above the diagonal; napari gives zeros of another number for a diagonal matrix."""
    count = ndim * (ndim - 1) // 2
    return np.array(shear) if len(shear) == count else np.zeros(count)


def appearance(layer: Image, *, rgb: bool) -> dict[str, Any]:
    """How the result is to look: as the source does, so that the two can be compared by eye.

    Parameters
    ----------
    layer : napari.layers.Image
        The source.
    rgb : bool
        Whether the result has samples.

    Returns
    -------
    dict
        Keyword arguments: rgb, gamma, interpolation and, of a grey layer, contrast_limits and
        colormap. Copied limits are never equal, which napari could not draw.

    Examples
    --------
    >>> import numpy as np
    >>> from napari.layers import Image
    >>> source = Image(np.zeros((8, 8), np.uint16), contrast_limits=(100, 900))
    >>> appearance(source, rgb=False)["contrast_limits"]
    (100.0, 900.0)
    """
    values: dict[str, Any] = {
        "rgb": rgb,
        "gamma": float(layer.gamma),
        "interpolation2d": str(layer.interpolation2d),
        "interpolation3d": str(layer.interpolation3d),
    }
    if not rgb:
        low, high = (float(limit) for limit in layer.contrast_limits)
        values["contrast_limits"] = (low, high) if high > low else (low, low + 1.0)
        values["colormap"] = layer.colormap
    return values


def unique_name(name: str, taken: Collection[str]) -> str:
    """Find a name that no layer has; napari would silently overwrite a layer of the same name.

    Parameters
    ----------
    name : str
        The wished name.
    taken : collection of str
        Names of the layers that are there.

    Returns
    -------
    str
        The name, followed by the first free number from 2 if it is taken.

    Examples
    --------
    >>> unique_name("coins (nano)", {"coins", "coins (nano)"})
    'coins (nano) 2'
    """
    if name not in taken:
        return name
    number = 2
    while f"{name} {number}" in taken:
        number += 1
    return f"{name} {number}"
