"""`restore`: an array in, the same array restored out.

One path for pixels: array, axes, intensity, network, and back through the same. The widget, the
command line and lazy arrays all take it, plane by plane: several planes at once would be no faster
on a processor, and the last bits of a sum depend on what it is computed together with, so that the
same plane could come out differently in another array.
"""

from __future__ import annotations

import math
import numbers
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_anyir import __version__
from napari_anyir.errors import Cancelled
from napari_anyir.inference import engine
from napari_anyir.inference.axes import Layout, check_axes, guess_axes
from napari_anyir.inference.device import PRECISIONS, resolve_device, resolve_precision
from napari_anyir.inference.intensity import (
    Intensity,
    IntensityRange,
    check_dtype,
    check_intensity,
    choose_range,
    measure,
    merge,
    needs,
    sampling_step,
)
from napari_anyir.inference.models import LoadedModel, get_model
from napari_anyir.inference.pixels import from_network, to_network
from napari_anyir.inference.provenance import Provenance

if TYPE_CHECKING:
    from napari_anyir.model import AnyIR


@dataclass(frozen=True)
class Options:
    """What a plane is restored with; plain values that travel to any worker.

    Parameters
    ----------
    device, precision, tile
        As for `restore`.
    strength : float
        In [0, 1].
    """

    device: str = "auto"
    precision: str = "auto"
    tile: str | int | None = "auto"
    strength: float = 1.0


def check_options(device: object, precision: object, tile: object, strength: object) -> Options:
    """Check the arguments of `restore` that need no image.

    Parameters
    ----------
    device, precision, tile, strength
        As for `restore`.

    Returns
    -------
    Options
        The same.

    Raises
    ------
    TypeError, ValueError
        One sentence: which is wrong and what it may be.
    """
    if not isinstance(device, str | torch.device):
        raise TypeError(f"device must be a name such as 'cpu', not {type(device).__name__}.")
    if precision != "auto" and precision not in PRECISIONS:
        raise ValueError(
            f"The precision {precision!r} is unknown; choose 'auto' or one of "
            f"{', '.join(PRECISIONS)}."
        )
    side: str | int | None
    if tile is None or tile == "auto":
        side = None if tile is None else "auto"
    elif isinstance(tile, numbers.Integral) and not isinstance(tile, bool) and int(tile) > 0:
        side = int(tile)
    else:
        raise ValueError(
            f"tile must be 'auto', a side length in pixels or None for the whole image, not "
            f"{tile!r}."
        )
    if not isinstance(strength, numbers.Real) or not 0 <= float(strength) <= 1:
        raise ValueError(f"strength must be a number from 0 to 1, not {strength!r}.")
    return Options(str(device), str(precision), side, float(strength))


def restore(
    image: Any,
    *,
    axes: str | None = None,
    model: str | Path | AnyIR = "default",
    device: str = "auto",
    precision: str = "auto",
    tile: str | int | None = "auto",
    intensity: Intensity = "auto",
    strength: float = 1.0,
    progress: engine.Progress | None = None,
    cancel: engine.Cancel | None = None,
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
        colours, and the mean of its three answers is taken.
    model : str, Path or AnyIR
        A name that `list_models` shows, a checkpoint's path, or a network of `load_model`.
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
        percentiles, linearly, not clipped. ``(low, high)``: these, not clipped. ``"auto"``:
        ``"dtype"`` for uint8 and for floats inside [0, 1], ``"range"`` otherwise.
    strength : float
        From 0 (the input) to 1 (the restored image); between, their mixture.
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
        strength=strength,
        progress=progress,
        cancel=cancel,
    )
    return result


def restore_with_record(
    image: Any,
    *,
    axes: str | None = None,
    model: str | Path | AnyIR = "default",
    device: str = "auto",
    precision: str = "auto",
    tile: str | int | None = "auto",
    intensity: Intensity = "auto",
    strength: float = 1.0,
    progress: engine.Progress | None = None,
    cancel: engine.Cancel | None = None,
) -> tuple[Any, Provenance]:
    """Restore an image and say how it was done.

    Parameters
    ----------
    image, axes, model, device, precision, tile, intensity, strength, progress, cancel
        As for `restore`.

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
    started = time.perf_counter()
    options = check_options(device, precision, tile, strength)
    intensity = check_intensity(intensity)
    if not isinstance(image, np.ndarray) or isinstance(image, np.ma.MaskedArray):
        raise TypeError(_no_array(image))
    dtype = check_dtype(image.dtype)
    axes = guess_axes(image.shape, dtype) if axes is None else check_axes(axes, image.shape, dtype)
    layout = Layout(axes, image.shape)
    target = resolve_device(options.device)
    working = resolve_precision(options.precision, target)
    loaded = get_model(model)
    result = np.empty(image.shape, dtype)
    record: engine.RunRecord | None = None
    mapping: IntensityRange | None = None
    if image.size:
        mapping = find_range(image, layout, intensity)
        planes = np.asarray(image).transpose(layout.order)
        restored = result.transpose(layout.order)
        report = _PlaneProgress(progress, layout.count)
        for number, index in enumerate(layout.indices()):
            if cancel is not None and cancel.is_set():
                raise Cancelled("The restoration was cancelled.")
            report.start(number)
            record = restore_plane(
                planes[index],
                restored[index],
                mapping,
                loaded,
                device=target,
                precision=working,
                tile=options.tile,
                strength=options.strength,
                progress=report if progress is not None else None,
                cancel=cancel,
            )
            report.finish(number)
    return result, Provenance(
        package="napari-anyir",
        version=__version__,
        torch=torch.__version__,
        model=loaded.name,
        sha256=loaded.sha256,
        device=record.device if record else str(target),
        precision=record.precision if record else working,
        threads=torch.get_num_threads(),
        mode=record.mode if record else None,
        tile=record.tile if record else None,
        axes=axes,
        intensity=(mapping.low, mapping.high) if mapping else None,
        strength=options.strength,
        planes=layout.count if image.size else 0,
        seconds=time.perf_counter() - started,
    )


def _no_array(image: object) -> str:
    if isinstance(image, np.ma.MaskedArray):
        return "The image is masked; fill its masked pixels first, for instance with filled(0)."
    remedy = "convert it with numpy.asarray"
    if isinstance(image, torch.Tensor):
        remedy = "call its numpy(), with its channels last"
    return f"The image must be a numpy, dask or zarr array, not {type(image).__name__}; {remedy}."


def find_range(image: NDArray[Any], layout: Layout, intensity: Intensity) -> IntensityRange:
    """Find the intensity mapping of an array, and check that its pixels are finite.

    Parameters
    ----------
    image : array
        Not empty.
    layout : Layout
        Where its planes are.
    intensity : str or tuple
        As for `restore`.

    Returns
    -------
    IntensityRange
        The mapping.

    Raises
    ------
    ValueError
        If pixels are NaN or infinite.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_anyir.inference.axes import Layout
    >>> from napari_anyir.inference.restoration import find_range
    >>> image = np.array([[100, 200], [300, 400]], np.uint16)
    >>> find_range(image, Layout("YX", (2, 2)), "range").low
    100.3
    """
    dtype = image.dtype.newbyteorder("=")
    need = needs(intensity, dtype)
    step = sampling_step(layout)
    planes = np.asarray(image).transpose(layout.order)
    parts = (
        measure(colours(planes[index], layout), step, percentiles=need == "percentiles")
        for index in (layout.indices() if need != "nothing" else ())
    )
    return choose_range(intensity, dtype, merge(parts))


def colours(planes: NDArray[Any], layout: Layout) -> NDArray[Any]:
    """Return planes as (..., Y, X, S) without alpha; S is 1 where they are grey."""
    return planes[..., :3] if layout.colour else planes[..., np.newaxis]


def restore_plane(
    plane: NDArray[Any],
    out: NDArray[Any],
    mapping: IntensityRange,
    loaded: LoadedModel,
    *,
    device: torch.device,
    precision: str,
    tile: str | int | None,
    strength: float,
    progress: engine.Progress | None = None,
    cancel: engine.Cancel | None = None,
) -> engine.RunRecord | None:
    """Restore one plane: the step that every way into this package shares.

    Parameters
    ----------
    plane : array (Y, X) or (Y, X, S)
        Finite values.
    out : array
        Where the result goes, of the same shape.
    mapping : IntensityRange
        Of the whole volume.
    loaded : LoadedModel
        The network.
    device, precision, tile, strength, progress, cancel
        Resolved and checked.

    Returns
    -------
    RunRecord or None
        How it was done; None if there was nothing to do, at strength 0.
    """
    if strength == 0:
        out[...] = plane
        return None
    images = torch.from_numpy(to_network(plane, mapping)).unsqueeze(0)
    restored, record = engine.run(
        loaded.network,
        images,
        device=device,
        precision=precision,
        tile=tile,
        progress=progress,
        cancel=cancel,
    )
    from_network(restored[0].numpy(), plane, mapping, strength, out)
    return record


class _PlaneProgress:
    """One rising count over all planes, of the steps that the engine reports for each.

    The first plane tells how many steps a plane has. Should a later one take more, as after a lack
    of memory, its steps are counted in the measure of the first.
    """

    def __init__(self, progress: engine.Progress | None, planes: int) -> None:
        self.progress = progress
        self.planes = planes
        self.steps: int | None = None
        self.plane = 0
        self.done = 0

    def start(self, plane: int) -> None:
        self.plane = plane

    def __call__(self, done: int, total: int) -> None:
        if self.steps is None:
            self.steps = max(1, total)
        self._tell(self.plane * self.steps + math.floor(self.steps * done / max(1, total)))

    def finish(self, plane: int) -> None:
        self.steps = self.steps or 1
        self._tell((plane + 1) * self.steps)

    def _tell(self, done: int) -> None:
        if self.progress is None or self.steps is None or done <= self.done:
            return
        self.done = done
        self.progress(done, self.planes * self.steps)
