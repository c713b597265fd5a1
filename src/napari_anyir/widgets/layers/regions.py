"""Which pixels to restore: everything, the plane that is shown, or a rectangle of it; no Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_anyir.widgets.layers.image_layers import appearance, pixels, spatial_metadata

if TYPE_CHECKING:
    from napari.components import Dims
    from napari.layers import Image, Shapes


@dataclass(frozen=True)
class Region:
    """A box of whole pixels in a layer's array, at full resolution.

    Parameters
    ----------
    start, stop : tuple of int
        First pixel, and the one after the last, along each dimension of the layer.
    displayed : tuple of int, optional
        The two dimensions that make the picture, down and across, where it is one plane.

    Examples
    --------
    >>> region = Region((4, 0, 10), (5, 8, 16), displayed=(1, 2))
    >>> region.shape, region.slices
    ((1, 8, 6), (slice(4, 5, None), slice(0, 8, None), slice(10, 16, None)))
    """

    start: tuple[int, ...]
    stop: tuple[int, ...]
    displayed: tuple[int, int] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of pixels along each dimension."""
        return tuple(b - a for a, b in zip(self.start, self.stop, strict=True))

    @property
    def slices(self) -> tuple[slice, ...]:
        """Index of the region in the array."""
        return tuple(slice(a, b) for a, b in zip(self.start, self.stop, strict=True))


def all_pixels(layer: Image) -> Region:
    """Region of all pixels of a layer.

    Parameters
    ----------
    layer : napari.layers.Image
        The source.

    Returns
    -------
    Region
        All of it.

    Examples
    --------
    >>> import numpy as np
    >>> from napari.layers import Image
    >>> all_pixels(Image(np.zeros((8, 9, 3)), rgb=True)).stop
    (8, 9)
    """
    shape = tuple(int(n) for n in pixels(layer).shape[: layer.ndim])
    return Region((0,) * layer.ndim, shape)


def displayed_axes(layer: Image, dims: Dims) -> tuple[int, int]:
    """Find which dimensions of a layer lie down and across the canvas.

    Parameters
    ----------
    layer : napari.layers.Image
        The source.
    dims : napari.components.Dims
        The viewer's dimensions; a layer of fewer dimensions owns the last ones.

    Returns
    -------
    tuple of int
        Two dimensions of the layer.

    Raises
    ------
    ValueError
        If the view is in 3-D, or does not show a plane of the layer.

    Examples
    --------
    >>> import numpy as np
    >>> from napari.components import ViewerModel
    >>> viewer = ViewerModel()
    >>> layer = viewer.add_image(np.zeros((5, 8, 9)))
    >>> viewer.dims.order = (1, 0, 2)
    >>> displayed_axes(layer, viewer.dims)
    (0, 2)
    """
    if dims.ndisplay != 2:
        raise ValueError("The view is in 3-D; switch it to 2-D to restore one plane.")
    offset = dims.ndim - layer.ndim
    shown = tuple(int(axis) - offset for axis in dims.displayed if axis >= offset)
    if len(shown) != 2:
        raise ValueError(
            f"The view shows no plane of {layer.name!r}; change the order of the axes."
        )
    return shown[0], shown[1]


def shown_plane(layer: Image, dims: Dims) -> Region:
    """Region of the plane that the viewer shows of a layer.

    Parameters
    ----------
    layer : napari.layers.Image
        The source.
    dims : napari.components.Dims
        The viewer's dimensions.

    Returns
    -------
    Region
        One plane, of one pixel along every dimension that is not displayed.

    Raises
    ------
    ValueError
        If the view is in 3-D, or beside the layer.

    Examples
    --------
    >>> import numpy as np
    >>> from napari.components import ViewerModel
    >>> viewer = ViewerModel()
    >>> layer = viewer.add_image(np.zeros((5, 8, 9)), scale=(2, 1, 1))
    >>> viewer.dims.set_point(0, 6)
    >>> shown_plane(layer, viewer.dims).start
    (3, 0, 0)
    """
    displayed = displayed_axes(layer, dims)
    full = all_pixels(layer)
    start, stop = list(full.start), list(full.stop)
    point = np.asarray(layer.world_to_data(dims.point[-layer.ndim :]))
    for axis in range(layer.ndim):
        if axis in displayed:
            continue
        index = int(np.floor(point[axis] + 0.5))
        if not 0 <= index < full.stop[axis]:
            raise ValueError(
                f"The shown plane lies outside {layer.name!r}; move the slider onto the layer."
            )
        start[axis], stop[axis] = index, index + 1
    return Region(tuple(start), tuple(stop), displayed)


def visible_field(layer: Image, dims: Dims) -> Region:
    """Region of the plane that lies within the canvas.

    Parameters
    ----------
    layer : napari.layers.Image
        The source; it must be visible, or napari does not follow the canvas for it.
    dims : napari.components.Dims
        The viewer's dimensions.

    Returns
    -------
    Region
        A rectangle of the shown plane, at full resolution also where napari draws a coarser level.

    Raises
    ------
    ValueError
        If no pixel is in view.

    Examples
    --------
    >>> import numpy as np
    >>> from napari.components import ViewerModel
    >>> viewer = ViewerModel()
    >>> layer = viewer.add_image(np.zeros((64, 64)))
    >>> layer.corner_pixels = np.array([[10, 20], [29, 49]])
    >>> visible_field(layer, viewer.dims)
    Region(start=(10, 20), stop=(30, 50), displayed=(0, 1))
    """
    plane = shown_plane(layer, dims)
    corners = np.asarray(layer.corner_pixels, dtype=float)
    if layer.multiscale:
        factors = np.asarray(layer.downsample_factors[layer.data_level], dtype=float)
        corners = np.stack([corners[0] * factors, (corners[1] + 1) * factors - 1])
    return _within(plane, corners[0], corners[1] + 1, layer.name)


def rectangle(layer: Image, shapes: Shapes, dims: Dims) -> Region:
    """Region of the rectangle that is selected, or was drawn last, in a Shapes layer.

    Parameters
    ----------
    layer : napari.layers.Image
        The source.
    shapes : napari.layers.Shapes
        Of any scale and affine; the smallest upright box around the shape is taken.
    dims : napari.components.Dims
        The viewer's dimensions.

    Returns
    -------
    Region
        A rectangle of the shown plane.

    Raises
    ------
    ValueError
        If there is no shape, or it lies outside the layer.

    Examples
    --------
    >>> import numpy as np
    >>> from napari.components import ViewerModel
    >>> viewer = ViewerModel()
    >>> layer = viewer.add_image(np.zeros((64, 64)), scale=(2, 2))
    >>> shapes = viewer.add_shapes([[10, 20], [60, 80]], shape_type="rectangle")
    >>> rectangle(layer, shapes, viewer.dims)
    Region(start=(5, 10), stop=(30, 40), displayed=(0, 1))
    """
    if not len(shapes.data):
        raise ValueError(f"There is no shape in {shapes.name!r}; draw a rectangle first.")
    index = max(shapes.selected_data, default=len(shapes.data) - 1)
    plane = shown_plane(layer, dims)
    corners = np.asarray(shapes.data[index], dtype=float)
    world = np.asarray([shapes.data_to_world(corner) for corner in corners])
    missing = layer.ndim - world.shape[1]
    if missing > 0:  # a flat Shapes layer belongs to every plane: it has only the last dimensions
        ahead = np.tile(np.asarray(dims.point[-layer.ndim :])[:missing], (len(world), 1))
        world = np.concatenate([ahead, world], axis=1)
    inside = np.asarray([layer.world_to_data(corner[-layer.ndim :]) for corner in world])
    # A pixel reaches half to each side of its index; one that is cut by the border is taken whole
    # only if its middle lies inside.
    low = np.ceil(inside.min(axis=0) - 1e-6)
    high = np.floor(inside.max(axis=0) - 1e-6) + 1
    return _within(plane, low, high, layer.name)


def limit(region: Region, most: int) -> Region:
    """Keep the middle of a plane where it is larger than a preview can be.

    Parameters
    ----------
    region : Region
        One plane.
    most : int
        Number of pixels.

    Returns
    -------
    Region
        The region, or the middle of it, of at most ``most`` pixels.

    Examples
    --------
    >>> limit(Region((0, 0), (100, 400), displayed=(0, 1)), 10_000).shape
    (100, 100)
    >>> limit(Region((0, 0), (400, 400), displayed=(0, 1)), 10_000).start
    (150, 150)
    """
    if region.displayed is None or int(np.prod(region.shape)) <= most:
        return region
    short, long = sorted(region.displayed, key=lambda axis: region.shape[axis])
    side = min(region.shape[short], max(1, int(most**0.5)))
    sides = {short: side, long: min(region.shape[long], max(1, most // side))}
    start, stop = list(region.start), list(region.stop)
    for axis, length in sides.items():
        start[axis] += (region.shape[axis] - length) // 2
        stop[axis] = start[axis] + length
    return Region(tuple(start), tuple(stop), region.displayed)


def plane_axes(axes: str, region: Region) -> str:
    """Axis letters of a region: what lies down the canvas is Y, what lies across it is X.

    Parameters
    ----------
    axes : str
        Letters of the layer's array.
    region : Region
        All planes, or one.

    Returns
    -------
    str
        The letters, changed only where the view shows another plane than YX.

    Examples
    --------
    >>> plane_axes("ZYX", Region((0, 4, 0), (5, 5, 9), displayed=(0, 2)))
    'YZX'
    """
    if region.displayed is None:
        return axes
    letters = list(axes)
    for letter, axis in zip("YX", region.displayed, strict=True):
        other = letters.index(letter)
        letters[other], letters[axis] = letters[axis], letters[other]
    return "".join(letters)


def _within(plane: Region, low: np.ndarray, high: np.ndarray, name: str) -> Region:
    """Cut a plane down to the box from low to high along its displayed dimensions."""
    start, stop = list(plane.start), list(plane.stop)
    for axis in plane.displayed or ():
        start[axis] = max(plane.start[axis], int(np.floor(low[axis])))
        stop[axis] = min(plane.stop[axis], int(np.ceil(high[axis])))
        if start[axis] >= stop[axis]:
            raise ValueError(f"No pixel of {name!r} lies in there; move the view or the rectangle.")
    return Region(tuple(start), tuple(stop), plane.displayed)


def placement(layer: Image, axes: str, region: Region) -> dict[str, Any]:
    """Say where a result lies and how it looks: where its source lies, and as its source does.

    Parameters
    ----------
    layer : napari.layers.Image
        The source.
    axes : str
        Letters of its array.
    region : Region
        What is restored of it.

    Returns
    -------
    dict
        Keyword arguments of a layer.
    """
    samples = "S" in axes
    return {
        **appearance(layer, rgb=samples),
        **spatial_metadata(layer, origin=region.start, drop_last=samples and not layer.rgb),
    }
