"""Two layers against each other, and against a reference: pixels and numbers; no Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_anyir.errors import Cancelled
from napari_anyir.inference.image_quality import full_scale, score
from napari_anyir.widgets.layers import image_layers
from napari_anyir.widgets.layers.lazy_results import fill_cache
from napari_anyir.widgets.layers.regions import shown_plane

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari.components import Dims
    from napari.layers import Image


def check_pair(one: Image, other: Image) -> None:
    """Check that two layers can be compared pixel by pixel.

    Parameters
    ----------
    one, other : napari.layers.Image
        The layers.

    Raises
    ------
    ValueError
        If they are the same layer, or their shapes differ; one sentence says so.

    Examples
    --------
    >>> from napari.layers import Image
    >>> check_pair(Image(np.zeros((8, 8)), name="a"), Image(np.zeros((8, 9)), name="b"))
    Traceback (most recent call last):
    ...
    ValueError: 'a' has 8 × 8 pixels and 'b' has 8 × 9; choose two layers of one size.
    """
    if one == other:
        raise ValueError(f"{one.name!r} cannot be compared with itself; choose another layer.")
    shapes = [tuple(int(n) for n in image_layers.pixels(item).shape) for item in (one, other)]
    if shapes[0] != shapes[1]:
        first, second = (" × ".join(str(n) for n in shape) for shape in shapes)
        raise ValueError(
            f"{one.name!r} has {first} pixels and {other.name!r} has {second}; choose two layers "
            "of one size."
        )


def results_of(source: Image, layers: Iterable[Any]) -> list[Any]:
    """Find all restorations of a layer, the oldest first.

    Parameters
    ----------
    source : napari.layers.Image
        The layer that was restored.
    layers : iterable of Layer
        Where to look.

    Returns
    -------
    list of napari.layers.Image
        Layers that say so in their metadata, and are of its size.

    Examples
    --------
    >>> from napari.layers import Image
    >>> source = Image(np.zeros((8, 8)), name="dark")
    >>> result = Image(np.zeros((8, 8)), metadata={"napari_anyir": {"source": "dark"}})
    >>> results_of(source, [source, result]) == [result]
    True
    """
    found = []
    for layer in layers:
        record = layer.metadata.get("napari_anyir", {})
        if record.get("source") == source.name and "degradation" not in record:
            try:
                check_pair(source, layer)
            except ValueError:
                continue
            found.append(layer)
    return found


def wipe(layer: Image, axis: int, share: float) -> tuple[Any, tuple[int, ...]]:
    """Cut away what lies before the wipe's edge; no pixel is copied.

    Parameters
    ----------
    layer : napari.layers.Image
        The upper layer.
    axis : int
        Its dimension across the canvas.
    share : float
        Where the edge is, 0 to 1.

    Returns
    -------
    data : array
        The part behind the edge, at least one pixel wide.
    origin : tuple of int
        Its first pixel in the layer.

    Examples
    --------
    >>> from napari.layers import Image
    >>> data, origin = wipe(Image(np.zeros((8, 10))), axis=1, share=0.3)
    >>> data.shape, origin
    ((8, 7), (0, 3))
    """
    data = image_layers.pixels(layer)
    size = int(data.shape[axis])
    edge = min(size - 1, max(0, round(size * share)))
    origin = tuple(edge if other == axis else 0 for other in range(layer.ndim))
    return data[tuple(slice(start, None) for start in origin)], origin


def difference(one: Any, other: Any) -> Any:
    """Subtract, sample by sample, and take the mean of the samples.

    Parameters
    ----------
    one, other : array
        (..., Y, X) or, of colour, (..., Y, X, S) with three samples.

    Returns
    -------
    array of float32
        ``other - one``; lazy if they are.

    Examples
    --------
    >>> difference(np.array([200], np.uint8), np.array([100], np.uint8))
    array([-100.], dtype=float32)
    """
    return other.astype(np.float32) - one.astype(np.float32)


def symmetric_limits(values: Any) -> tuple[float, float]:
    """Contrast limits around 0, so that no difference is the middle of the colormap.

    Parameters
    ----------
    values : array
        Differences.

    Returns
    -------
    tuple of float
        The 99.5 percentile of their size, negative and positive.

    Examples
    --------
    >>> symmetric_limits(np.array([-3.0, 0.0, 1.0]))
    (-2.98, 2.98)
    """
    sample = np.abs(np.asarray(values).ravel()[:: max(1, values.size // 2**20)])
    top = round(float(np.percentile(sample, 99.5)), 6) if sample.size else 0.0
    return (-top, top) if top > 0 else (-1.0, 1.0)


class Plane:
    """One plane of a layer, read when it is asked for: in the worker, not in the window's thread.

    Parameters
    ----------
    layer : napari.layers.Image
        The layer; only its array is kept.
    dims : napari.components.Dims
        The viewer's dimensions.

    Raises
    ------
    ValueError
        If no plane of the layer is shown.

    Examples
    --------
    >>> from napari.components import ViewerModel
    >>> viewer = ViewerModel()
    >>> layer = viewer.add_image(np.zeros((5, 8, 9)))
    >>> np.asarray(Plane(layer, viewer.dims)).shape
    (8, 9)
    """

    def __init__(self, layer: Image, dims: Dims) -> None:
        region = shown_plane(layer, dims)
        self._data, self._slices = image_layers.pixels(layer), region.slices
        down, across = region.displayed or (layer.ndim - 2, layer.ndim - 1)
        self._kept = (down, across, layer.ndim) if layer.rgb else (down, across)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray[Any, Any]:
        """Read it: (H, W) or (H, W, S)."""
        plane = np.asarray(self._data[self._slices])
        kept = self._kept
        order = [*(axis for axis in range(plane.ndim) if axis not in kept), *kept]
        flat = plane.transpose(order).reshape([plane.shape[axis] for axis in kept])
        return flat if dtype is None else flat.astype(dtype)


@dataclass(frozen=True)
class DifferenceJob:
    """Subtracts one layer's pixels from another's.

    Parameters
    ----------
    before, after : array
        Of one shape.
    rgb : bool
        Whether the last axis holds samples; alpha is left out.
    shown : tuple of slice, optional
        What the viewer will draw of a lazy difference.

    Examples
    --------
    >>> job = DifferenceJob(np.full((4, 4), 9), np.full((4, 4), 4), rgb=False)
    >>> values, limits = job(None, None)
    >>> float(values[0, 0]), limits
    (-5.0, (-5.0, 5.0))
    """

    before: Any
    after: Any
    rgb: bool
    shown: tuple[slice, ...] | None = None

    def __str__(self) -> str:
        return "Subtracting"

    __repr__ = __str__

    def __call__(self, progress: Any, cancel: Any) -> tuple[Any, tuple[float, float]]:
        """Subtract.

        Parameters
        ----------
        progress : callable or None
            ``progress(done, total)``.
        cancel : object or None
            Anything with ``is_set()``.

        Returns
        -------
        values : array of float32
            After minus before; lazy if they are.
        limits : tuple of 2 float
            Contrast limits, from the shown plane of a lazy difference.
        """
        arrays = [self.before, self.after]
        if self.rgb:
            arrays = [array[..., :3] for array in arrays]
        if not all(isinstance(array, np.ndarray) for array in arrays):
            import dask.array as da

            arrays = [da.asarray(array) for array in arrays]
        values = difference(*arrays)
        if self.rgb:
            values = values.mean(axis=-1)
        if isinstance(values, np.ndarray):
            return values, symmetric_limits(values)
        shown = self.shown or (slice(0, 1),) * (values.ndim - 2)
        if self.shown is not None:
            fill_cache(values, self.shown, progress, cancel)
        return values, symmetric_limits(np.asarray(values[shown]))


@dataclass(frozen=True)
class MeasureJob:
    """Compares images with a reference.

    Parameters
    ----------
    images : dict of str to array
        Name to one plane, (Y, X) or (Y, X, S).
    reference : array
        The truth, of the same shape.

    Examples
    --------
    >>> rows = MeasureJob({"dark": np.zeros((16, 16))}, np.full((16, 16), 0.1))(None, None)
    >>> round(rows["dark"][0], 6)
    20.0
    """

    images: dict[str, Any]
    reference: Any

    def __str__(self) -> str:
        return "Measuring PSNR and SSIM"

    __repr__ = __str__

    def __call__(self, progress: Any, cancel: Any) -> dict[str, tuple[float, float]]:
        """Measure.

        Parameters
        ----------
        progress : callable or None
            ``progress(done, total)``.
        cancel : object or None
            Anything with ``is_set()``.

        Returns
        -------
        dict
            Name to PSNR in dB (infinite if equal) and SSIM.

        Raises
        ------
        Cancelled
            If ``cancel.is_set()`` became true.
        """
        truth = np.asarray(self.reference)
        span = full_scale([truth], truth.dtype)
        rows: dict[str, tuple[float, float]] = {}
        for number, (name, image) in enumerate(self.images.items()):
            if cancel is not None and cancel.is_set():
                raise Cancelled("The measurement was cancelled.")
            found = score([(np.asarray(image), truth)], span)
            rows[name] = found.psnr, found.ssim
            if progress is not None:
                progress(number + 1, len(self.images))
        return rows
