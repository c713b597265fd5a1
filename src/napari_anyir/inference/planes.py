"""One plane at a time: the steps that every way into this package shares."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_anyir.inference import engine
from napari_anyir.inference.axes import Layout
from napari_anyir.inference.changing import run_changed
from napari_anyir.inference.intensity import (
    Intensity,
    IntensityRange,
    choose_range,
    needs,
)
from napari_anyir.inference.interventions import Intervention
from napari_anyir.inference.models import LoadedModel
from napari_anyir.inference.pixels import from_network, to_network
from napari_anyir.inference.statistics import measure, merge, sampling_step


def read_plane(image: Any, layout: Layout, plane: tuple[int, ...]) -> NDArray[Any]:
    """Read one plane of an array of any kind.

    Parameters
    ----------
    image : array
        Anything that takes indices: numpy, dask, zarr, h5py.
    layout : Layout
        Where its planes are.
    plane : tuple of int
        As from `Layout.indices`.

    Returns
    -------
    numpy.ndarray (Y, X) or (Y, X, S)
        A view where the array can give one.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_anyir.inference.axes import Layout
    >>> from napari_anyir.inference.planes import read_plane
    >>> read_plane(np.zeros((3, 5, 7)), Layout("SYX", (3, 5, 7)), ()).shape
    (5, 7, 3)
    """
    return np.asarray(image[layout.index(plane)]).transpose(layout.plane_order)


def write_plane(target: Any, layout: Layout, plane: tuple[int, ...], values: NDArray[Any]) -> None:
    """Write one plane of an array of any kind; the inverse of `read_plane`.

    Parameters
    ----------
    target : array
        Anything that takes indices and assignments.
    layout : Layout
        Where its planes are.
    plane : tuple of int
        As from `Layout.indices`.
    values : array (Y, X) or (Y, X, S)
        What to write.
    """
    order = np.argsort(layout.plane_order)
    target[layout.index(plane)] = values.transpose(order)


def find_range(image: Any, layout: Layout, intensity: Intensity) -> IntensityRange:
    """Find the intensity mapping of an array, and check that its pixels are finite.

    Parameters
    ----------
    image : array
        Not empty, of any kind that `read_plane` reads; each plane is read once.
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
    >>> from napari_anyir.inference.planes import find_range
    >>> image = np.array([[100, 200], [300, 400]], np.uint16)
    >>> find_range(image, Layout("YX", (2, 2)), "range").low
    100.3
    """
    dtype = np.dtype(image.dtype).newbyteorder("=")
    need = needs(intensity, dtype)
    step = sampling_step(layout)
    parts = (
        measure(
            colours(read_plane(image, layout, plane), layout),
            step,
            percentiles=need == "percentiles",
        )
        for plane in (layout.indices() if need != "nothing" else ())
    )
    return choose_range(intensity, dtype, merge(parts))


def colours(planes: Any, layout: Layout) -> Any:
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
    interventions: Sequence[Intervention] = (),
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
    device, precision, tile, strength, interventions, progress, cancel
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
    record: engine.RunRecord
    if interventions:
        restored, record = run_changed(
            loaded.network,
            images,
            interventions,
            device=device,
            precision=precision,
            progress=progress,
            cancel=cancel,
        )
    else:
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


class PlaneProgress:
    """One rising count over all planes, of the steps that the engine reports for each.

    The first plane tells how many steps a plane has. Should a later one take more, as after a lack
    of memory, its steps are counted in the measure of the first.

    Parameters
    ----------
    progress : callable or None
        Called as ``progress(done, total)``.
    planes : int
        Their number.

    Examples
    --------
    >>> from napari_anyir.inference.planes import PlaneProgress
    >>> report = PlaneProgress(lambda done, total: print(done, total), planes=2)
    >>> report(1, 2), report.finish(), report.finish()
    1 4
    2 4
    4 4
    (None, None, None)
    """

    def __init__(self, progress: engine.Progress | None, planes: int) -> None:
        self._progress = progress
        self._planes = planes
        self._steps: int | None = None
        self._finished = 0
        self._told = 0

    def __call__(self, done: int, total: int) -> None:
        """Report steps of the present plane."""
        if self._steps is None:
            self._steps = max(1, total)
        share = math.floor(self._steps * done / max(1, total))
        self._tell(self._finished * self._steps + min(share, self._steps))

    def finish(self) -> None:
        """Report that the present plane is done."""
        self._steps = self._steps or 1
        self._finished += 1
        self._tell(self._finished * self._steps)

    def _tell(self, done: int) -> None:
        if self._progress is None or self._steps is None or done <= self._told:
            return
        self._told = done
        self._progress(done, self._planes * self._steps)
