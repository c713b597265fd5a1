"""The plane that the viewer shows of a layer, and how a map of it is laid over the layer; no Qt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_anyir.widgets.layers import image_layers
from napari_anyir.widgets.layers.regions import Region, shown_plane

if TYPE_CHECKING:
    from napari.components import Dims
    from napari.layers import Image

    from napari_anyir.inference.model_choice import ModelChoice

Intensity = str | tuple[float, float]


@dataclass(frozen=True, eq=False)
class ShownPlane:
    """One plane of a layer: where its pixels are, and where they lie in the world.

    Parameters
    ----------
    data : array
        The layer's array at full resolution: numpy, or lazy (dask, zarr).
    axes : str
        Letters of the array.
    region : Region
        The plane.
    rgb : bool
        Whether the array's last axis holds samples.
    name : str
        Name of the layer.
    tag : str
        What tells the layer from others also after it was renamed.
    place : mapping
        Scale, translate, rotate, shear, affine, units and axis_labels of the layer.
    """

    data: Any
    axes: str
    region: Region
    rgb: bool
    name: str
    tag: str
    place: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"ShownPlane({self.name!r}, {self.region})"  # the pixels would be printed otherwise

    @property
    def ndim(self) -> int:
        """Dimensions of the layer, samples not counted."""
        return len(self.region.start)

    @property
    def displayed(self) -> tuple[int, int]:
        """Dimensions of the layer that lie down and across the canvas."""
        if self.region.displayed is None:
            raise RuntimeError("A shown plane has two displayed dimensions.")
        return self.region.displayed

    @property
    def letters(self) -> str:
        """Axes of what `pixels` gives."""
        return "YXS" if self.rgb else "YX"

    def same(self, other: ShownPlane | None) -> bool:
        """Whether two have the same pixels at the same place."""
        return (
            other is not None
            and self.data is other.data
            and self.region == other.region
            and self.tag == other.tag
        )

    def pixels(self) -> np.ndarray[Any, Any]:
        """Read the plane.

        Returns
        -------
        ndarray
            (Y, X) or (Y, X, S): down the canvas, across it, samples.
        """
        return self.take(self.data)

    def take(self, data: Any) -> np.ndarray[Any, Any]:
        """Read this plane of another array of the same shape, such as a reference.

        Parameters
        ----------
        data : array
            Of the layer's shape.

        Returns
        -------
        ndarray
            As `pixels`.
        """
        part = np.asarray(data[self.region.slices])
        down, across = self.displayed
        kept = (down, across, self.ndim) if self.rgb else (down, across)
        order = [*(axis for axis in range(part.ndim) if axis not in kept), *kept]
        return part.transpose(order).reshape([part.shape[axis] for axis in kept])

    def back(self, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Turn a picture of the plane into an array of the layer's dimensions.

        Parameters
        ----------
        values : ndarray
            (H, W) or (H, W, n), down and across the canvas.

        Returns
        -------
        ndarray
            Of the layer's dimensions, one long where the plane is one deep, then n.
        """
        down, across = self.displayed
        if down > across:
            values = np.swapaxes(values, 0, 1)
        shape = [1] * self.ndim
        shape[min(down, across)], shape[max(down, across)] = values.shape[:2]
        return np.ascontiguousarray(values.reshape(*shape, *values.shape[2:]))

    def overlay(
        self, scale: float = 1, offset: float = 0, *, channels: bool = False
    ) -> dict[str, Any]:
        """Say where a map of the plane lies, so that it covers what it was computed from.

        Parameters
        ----------
        scale : float
            Pixels of the layer per pixel of the map.
        offset : float
            Centre of the map's first pixel, in pixels of the layer.
        channels : bool
            Whether the map has a leading axis of channels, which gets a slider of its own.

        Returns
        -------
        dict
            Keyword arguments: scale, translate, rotate, shear, affine, units, axis_labels.
        """
        from napari.utils.transforms import Affine

        place = dict(self.place)
        origin = np.asarray(self.region.start, dtype=float)
        step = np.array(place["scale"], dtype=float)
        for axis in self.displayed:
            origin[axis] += offset
            step[axis] *= scale
        turned = {name: place[name] for name in ("rotate", "shear")}
        layer = Affine(scale=place["scale"], translate=place["translate"], **turned)
        # Turning and shearing come after scaling, so that a coarser step only changes the scale.
        place.update(scale=step, translate=np.asarray(layer(origin), dtype=float))
        return with_channels(place) if channels else place


def with_channels(place: dict[str, Any]) -> dict[str, Any]:
    """Put an axis before all others that nothing moves along."""
    ndim = len(place["scale"])
    rotate, affine = np.eye(ndim + 1), np.eye(ndim + 2)
    rotate[1:, 1:] = place["rotate"]
    affine[1:, 1:] = place["affine"]
    # napari keeps the entries above the diagonal, row by row: the new row comes first.
    shear = np.concatenate([np.zeros(ndim), np.asarray(place["shear"], dtype=float).ravel()])
    return {
        "scale": np.concatenate([[1.0], place["scale"]]),
        "translate": np.concatenate([[0.0], place["translate"]]),
        "rotate": rotate,
        "shear": shear,
        "affine": affine,
        "units": ("pixel", *(str(unit) for unit in place["units"])),
        "axis_labels": ("channel", *place["axis_labels"]),
    }


def read_shown_plane(layer: Image, dims: Dims) -> ShownPlane:
    """Find the plane that a viewer shows of a layer; no pixel is read yet.

    Parameters
    ----------
    layer : napari.layers.Image
        The source; not kept.
    dims : napari.components.Dims
        The viewer's dimensions.

    Returns
    -------
    ShownPlane
        To be read in any thread.

    Raises
    ------
    ValueError
        If the view is in 3-D, or beside the layer; one sentence says what to do.

    Examples
    --------
    >>> from napari.components import ViewerModel
    >>> viewer = ViewerModel()
    >>> layer = viewer.add_image(np.arange(24).reshape(2, 3, 4), name="cells")
    >>> viewer.dims.set_point(0, 1)
    >>> read_shown_plane(layer, viewer.dims).pixels()[0]
    array([12, 13, 14, 15])
    """
    if dims.ndisplay != 2:
        raise ValueError("The view is in 3-D; switch it to 2-D, as the network sees one plane.")
    place = image_layers.spatial_metadata(layer)
    ndim = layer.ndim
    if len(np.ravel(place["shear"])) != ndim * (ndim - 1) // 2:
        place["shear"] = np.zeros(ndim * (ndim - 1) // 2)
    return ShownPlane(
        data=image_layers.pixels(layer),
        axes=image_layers.guess_layer_axes(layer),
        region=shown_plane(layer, dims),
        rgb=bool(layer.rgb),
        name=str(layer.name),
        tag=str(layer.unique_id),
        place=place,
    )


def volume_intensity(
    plane: ShownPlane, wish: Intensity = "auto", model: str = "default"
) -> Intensity:
    """Choose the mapping of a plane: that of its whole volume, so that all planes fit together.

    A volume on disk is not read for it; its planes are mapped one by one unless a range is given.

    Parameters
    ----------
    plane : ShownPlane
        The plane.
    wish : str or (float, float)
        As for `napari_anyir.restore`.
    model : str
        Whose plane it will be.

    Returns
    -------
    str or (float, float)
        What to give to `napari_anyir.feature_maps` or `restore` with the plane alone.

    Raises
    ------
    ValueError
        If a pixel of the volume is not finite.

    Examples
    --------
    >>> from napari.components import ViewerModel
    >>> viewer = ViewerModel()
    >>> layer = viewer.add_image(np.arange(0, 240, 10, dtype=np.uint8).reshape(2, 3, 4))
    >>> volume_intensity(read_shown_plane(layer, viewer.dims))
    'dtype'
    """
    if wish not in ("auto", "range", "photons") or not isinstance(plane.data, np.ndarray):
        return wish
    from napari_anyir.inference.arrays.axes import Layout
    from napari_anyir.inference.arrays.intensity import check_dtype, check_intensity, for_model
    from napari_anyir.inference.arrays.plane_reading import find_range
    from napari_anyir.inference.models import get_model

    check_dtype(plane.data.dtype)
    layout = Layout(plane.axes, plane.data.shape)
    name = get_model(model_of_plane(plane, model).model).name
    wish = for_model(check_intensity(str(wish)), name)
    return find_range(plane.data, layout, wish).spell()


def model_of_plane(plane: ShownPlane, model: str = "default") -> ModelChoice:
    """Choose the model that serves a plane, unless one is named.

    Parameters
    ----------
    plane : ShownPlane
        The plane.
    model : str
        As for `napari_anyir.restore`.

    Returns
    -------
    ModelChoice
        The model, with the reason where the kind of the image chose it.

    Examples
    --------
    >>> from napari.components import ViewerModel
    >>> viewer = ViewerModel()
    >>> layer = viewer.add_image(np.zeros((3, 4), np.uint16))
    >>> model_of_plane(read_shown_plane(layer, viewer.dims)).reason
    'the image has one channel'
    """
    from napari_anyir.inference.model_choice import choose_model

    return choose_model(model, plane.data.dtype, colour=plane.axes.endswith("S"))
