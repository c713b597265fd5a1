"""`restore`: an array in, the same array restored out.

One path for pixels: array, axes, intensity, network, and back through the same. The widget, the
command line and lazy arrays all take it. A plane comes out the same, to the last bit, whichever
kind of array it came in and whichever planes were beside it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import torch

from napari_anyir import __version__
from napari_anyir.inference.arrays.array_layout import as_array, make_layout
from napari_anyir.inference.arrays.intensity import (
    Intensity,
    IntensityRange,
    Sentinels,
    check_dtype,
)
from napari_anyir.inference.arrays.nodata import (
    NoData,
    Seen,
    Written,
    is_masked,
)
from napari_anyir.inference.arrays.photons import photons_of
from napari_anyir.inference.arrays.plane_reading import find_range
from napari_anyir.inference.engine import execution
from napari_anyir.inference.engine.host_state import own_state
from napari_anyir.inference.inside.interventions import Intervention
from napari_anyir.inference.preparation import Prepared, prepare
from napari_anyir.inference.provenance import Provenance
from napari_anyir.inference.recipe import Choices, Recipe, check_watching
from napari_anyir.inference.volumes.volume import restore_volume
from napari_anyir.progress import Cancel, Progress

if TYPE_CHECKING:
    from napari_anyir.weights.networks import Network


def restore(
    image: Any,
    *,
    axes: str | None = None,
    model: str | Path | Network = "default",
    device: str = "auto",
    precision: str = "auto",
    tile: str | int | None = "auto",
    intensity: Intensity = "auto",
    nodata: float | None = None,
    strength: float = 1.0,
    interventions: Iterable[Intervention] = (),
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Any:
    """Restore an image: remove noise, rain, haze, blur or darkness.

    Parameters
    ----------
    image : array
        A numpy array, or a dask or zarr array, which stays lazy. Any integer type, or float16,
        float32 or float64, in any byte order; it is not changed.
    axes : str, optional
        One letter per axis: T (time), Z (depth), C (channel), Y (row), X (column) and S (samples:
        RGB or RGBA). Default: what `guess_axes` says. Every plane is restored by itself, channels
        one by one; alpha passes through; grey planes are shown to the network as three equal
        colours, and the mean of its three answers is taken. So it is for an RGB plane whose
        channels are equal: grey stays grey.
    model : str, Path or network
        A name that `list_models` shows, a checkpoint's path, or a network of `load_model`. By
        default ``"denoise"``, which takes noise off and nothing else, for an image with one channel
        or with more than 8 bits, and the first model for everything for an 8-bit RGB photograph.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.
    precision : str
        ``"auto"``, ``"float32"``, ``"bfloat16"`` or ``"float16"``.
    tile : str, int or None
        ``"auto"``: the whole image, in exact strips, when memory allows, and overlapping tiles
        otherwise; a side length in pixels; None: the whole image.
    intensity : str or tuple of 2 float
        Which values the network sees as 0 and 1, the same for the whole array. ``"dtype"``: 0 and
        the type's maximum (floats: 1), where results end, too. ``"range"``: the 0.1 and 99.9
        percentiles, linearly, not clipped. ``"photons"``: the same through a square root that makes
        the noise of counted photons equally strong anywhere, by the gain and read noise found in
        the image; the mean is kept, and bright spots fit in. ``(low, high)``: these, not clipped.
        ``"auto"``: ``"dtype"`` for uint8 and for floats inside [0, 1], ``"range"`` otherwise and
        for grey uint8 whose percentiles span less than half the type's range; with the model
        ``"denoise"``, ``"photons"`` for grey planes whose noise clearly rises with brightness.
    nodata : float, optional
        The number, possibly NaN, that says that a pixel has no value. Such pixels, and those that
        a masked array of numpy or dask hides, are kept out of the mapping and come back as they
        are; the network sees their nearest neighbours in their place.
    strength : float
        From 0 (the input) to 1 (the restored image); between, their mixture.
    interventions : iterable of Intervention
        Parts of the network to switch off or to set, to see what they do; see
        `napari_anyir.inference.inside.interventions`. Each plane is then run as a whole.
    progress : callable, optional
        Called as ``progress(done, total)``, ``done`` rising to ``total``.
    cancel : object, optional
        Anything with ``is_set()``, such as a `threading.Event`; looked at between planes, strips
        and tiles.

    Returns
    -------
    array
        Of the type, shape and dtype of ``image``; dask for a zarr array.

    Raises
    ------
    TypeError, ValueError
        If the image or an option cannot be used.
    ModelError, FileNotFoundError
        If the model cannot.
    Cancelled
        If ``cancel.is_set()`` became true.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_anyir
    >>> noisy = np.random.default_rng(0).integers(0, 255, (32, 48, 3), np.uint8)
    >>> restored = napari_anyir.restore(noisy, model="nano")
    >>> restored.shape, restored.dtype
    ((32, 48, 3), dtype('uint8'))
    """
    result, _ = restore_with_record(
        image,
        axes=axes,
        model=model,
        device=device,
        precision=precision,
        tile=tile,
        intensity=intensity,
        nodata=nodata,
        strength=strength,
        interventions=interventions,
        progress=progress,
        cancel=cancel,
    )
    return result


def restore_with_record(
    image: Any,
    *,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
    **choices: Unpack[Choices],
) -> tuple[Any, Provenance]:
    """Restore an image and say how it was done.

    Parameters
    ----------
    image, progress, cancel
        As for `restore`.
    **choices
        The other keywords of `restore`: axes, model, device, precision, tile, intensity, nodata,
        strength and interventions.

    Returns
    -------
    restored : array
        As from `restore`.
    record : Provenance
        What is needed to make it again.

    Raises
    ------
    TypeError, ValueError, ModelError, FileNotFoundError, Cancelled
        As `restore`.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_anyir.inference import restore_with_record
    >>> restored, record = restore_with_record(np.zeros((2, 8, 8), np.uint16), model="nano")
    >>> record.axes, record.planes
    ('ZYX', 2)
    """
    image = as_array(image, masked=True)
    if not isinstance(image, np.ndarray):
        from napari_anyir.inference.volumes.lazy import (
            restore_lazily,
        )  # dask, only when it is needed

        if progress is not None or cancel is not None:
            raise ValueError(
                "progress and cancel do not reach a lazy result, which is computed later; leave "
                "them out, or use restore_into, which computes at once."
            )
        recipe = Recipe(**choices)
        return restore_lazily(image, make_layout(image, recipe.axes), recipe)
    check_dtype(image.dtype)
    result = np.empty_like(image, subok=False)  # in the memory order of the image
    record = restore_into(image, result, progress=progress, cancel=cancel, **choices)
    if isinstance(image, np.ma.MaskedArray):
        return np.ma.array(result, mask=image.mask.copy(), fill_value=image.fill_value), record
    return result, record


@own_state()
def restore_into(
    image: Any,
    target: Any,
    *,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
    **choices: Unpack[Choices],
) -> Provenance:
    """Restore an image at once, plane by plane, into an array that is there already.

    Source and target are never in memory as a whole, so that a zarr array streams into another.

    Parameters
    ----------
    image : array
        Anything with ``shape`` and ``dtype`` that takes indices: numpy, dask, zarr, h5py. Each
        plane is read once, or twice where the intensity mapping has to be found first; an RGB plane
        in tiles once more, as far as its first colour.
    target : array
        Anything of that shape and type that takes indices and assignments; not ``image`` itself.
    progress, cancel
        As for `restore`.
    **choices
        The other keywords of `restore`.

    Returns
    -------
    Provenance
        What is needed to make it again.

    Raises
    ------
    TypeError, ValueError, ModelError, FileNotFoundError, Cancelled
        As `restore`; after these the target may be written in part.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_anyir.inference import restore_into
    >>> image = np.random.default_rng(0).integers(0, 4000, (2, 16, 16), np.uint16)
    >>> target = np.zeros_like(image)
    >>> restore_into(image, target, axes="ZYX", model="nano").planes
    2
    """
    started = time.perf_counter()
    check_watching(progress, cancel)
    recipe = Recipe(**choices)
    dtype = check_dtype(image.dtype)
    layout = make_layout(image, recipe.axes)
    fits = tuple(target.shape) == layout.shape and check_dtype(target.dtype) == dtype
    if target is image or not fits:
        raise ValueError(
            f"The target must be another array of the shape {layout.shape} and type {dtype} of "
            "the image."
        )
    prepared = prepare(recipe, layout, dtype)
    run: execution.RunRecord | None = None
    if math.prod(layout.shape):
        image, target, mapping = _mapped(image, target, prepared)
        prepared = prepared.with_range(mapping)
        run = restore_volume(image, target, prepared, progress, cancel)
    mapped = prepared.mapping
    return Provenance(
        package="napari-anyir",
        version=__version__,
        torch=torch.__version__,
        model=prepared.loaded.name,
        sha256=prepared.loaded.sha256,
        device=run.device if run else str(prepared.device),
        precision=run.precision if run else prepared.precision,
        threads=torch.get_num_threads(),
        mode=run.mode if run else None,
        tile=run.tile if run else None,
        axes=layout.axes,
        intensity=(mapped.low, mapped.high) if mapped else None,
        strength=recipe.strength,
        interventions=tuple(map(str, recipe.changes)),
        planes=layout.count if mapped else 0,
        seconds=time.perf_counter() - started,
        photons=photons_of(mapped),
        chosen=prepared.reason,
    )


def _mapped(image: Any, target: Any, prepared: Prepared) -> tuple[Any, Any, IntensityRange]:
    """Find the mapping, and hide from all that follows what is no light."""
    layout, intensity = prepared.layout, prepared.recipe.intensity
    nodata = prepared.recipe.nodata
    hides = nodata is not None or is_masked(image)
    if not hides:
        try:
            return image, target, find_range(image, layout, intensity)
        except Sentinels:
            pass
    seen = Seen(image, layout, NoData(nodata))
    return seen, Written(target, seen), find_range(seen, layout, intensity)
