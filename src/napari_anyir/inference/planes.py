"""One plane at a time: the steps that every way into this package shares."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
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

_VALUES = 2**24
"""Values that are looked at in one piece."""

SMALL_PLANE = 256 * 256
"""Pixels up to which several planes go to the network together."""

TOGETHER = 32
"""How many planes at most."""


def read_plane(
    image: Any, layout: Layout, plane: tuple[int, ...], rows: slice = slice(None)
) -> NDArray[Any]:
    """Read one plane, or some rows of it, of an array of any kind.

    Parameters
    ----------
    image : array
        Anything that takes indices: numpy, dask, zarr, h5py.
    layout : Layout
        Where its planes are.
    plane : tuple of int
        As from `Layout.indices`.
    rows : slice
        Which rows.

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
    return np.asarray(image[layout.index(plane, rows)]).transpose(layout.plane_order)


def write_plane(
    target: Any,
    layout: Layout,
    plane: tuple[int, ...],
    values: NDArray[Any],
    rows: slice = slice(None),
) -> None:
    """Write one plane, or some rows of it, of an array of any kind; the inverse of `read_plane`.

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
    rows : slice
        Which rows.
    """
    order = np.argsort(layout.plane_order)
    target[layout.index(plane, rows)] = values.transpose(order)


def find_range(image: Any, layout: Layout, intensity: Intensity) -> IntensityRange:
    """Find the intensity mapping of an array, and check that its pixels are finite.

    Parameters
    ----------
    image : array
        Not empty, of any kind that `read_plane` reads; each pixel is read once.
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
    bands = list(row_bands(image, layout)) if need != "nothing" else ()
    parts = (
        measure(
            colours(read_plane(image, layout, plane, rows), layout),
            step,
            (-rows.start % step, 0),
            percentiles=need == "percentiles",
        )
        for plane in layout.indices()
        for rows in bands
    )
    return choose_range(intensity, dtype, merge(parts))


def row_bands(image: Any, layout: Layout) -> Iterator[slice]:
    """Cut planes into bands of rows that fit into memory, and along the chunks of the array.

    Parameters
    ----------
    image : array
        Its ``chunks``, if it has any, are those of zarr or of dask.
    layout : Layout
        Where its planes are.

    Yields
    ------
    slice
        Rows; together all.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_anyir.inference.axes import Layout
    >>> from napari_anyir.inference.planes import row_bands
    >>> [rows.stop for rows in row_bands(None, Layout("YX", (30_000, 2000)))]
    [8388, 16776, 25164, 30000]
    """
    height, *others = layout.plane_shape
    rows = max(1, _VALUES // max(1, math.prod(others)))
    chunks = getattr(image, "chunks", None)
    if chunks is not None:
        chunk = chunks[layout.axes.index("Y")]
        chunk = max(1, max(chunk) if isinstance(chunk, tuple) else chunk)
        rows = max(rows // chunk, 1) * chunk
    return (slice(start, min(start + rows, height)) for start in range(0, height, rows))


def colours(planes: Any, layout: Layout) -> Any:
    """Return planes as (..., Y, X, S) without alpha; S is 1 where they are grey."""
    return planes[..., :3] if layout.colour else planes[..., np.newaxis]


def planes_together(layout: Layout, device: torch.device, *, changed: bool) -> int:
    """Number of planes that go to the network at once: several where they are small.

    Only on a processor, where strips treat each image of a batch by itself, so that the company of
    a plane does not change its last bits; on a GPU it would.

    Parameters
    ----------
    layout : Layout
        Where the planes are.
    device : torch.device
        Where they are restored.
    changed : bool
        Whether parts of the network are changed; planes are then run one by one.

    Returns
    -------
    int
        At least 1.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.inference.axes import Layout
    >>> from napari_anyir.inference.planes import planes_together
    >>> planes_together(Layout("ZYX", (500, 64, 64)), torch.device("cpu"), changed=False)
    32
    """
    small = math.prod(layout.plane_shape[:2]) <= SMALL_PLANE
    return TOGETHER if small and device.type == "cpu" and not changed else 1


def restore_planes(
    planes: Sequence[NDArray[Any]],
    outs: Sequence[NDArray[Any]],
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
    """Restore planes of one size: the step that every way into this package shares.

    Parameters
    ----------
    planes : sequence of arrays (Y, X) or (Y, X, S)
        Finite values.
    outs : sequence of arrays
        Where the results go, of the same shapes.
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
        for plane, out in zip(planes, outs, strict=True):
            out[...] = plane
        return None
    seen = np.empty((len(planes), 3, *planes[0].shape[:2]), np.float32)
    for plane, place in zip(planes, seen, strict=True):
        to_network(plane, mapping, out=place)
    images = torch.from_numpy(seen)
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
    del images, seen
    for output, plane, out in zip(restored.numpy(), planes, outs, strict=True):
        from_network(output, plane, mapping, strength, out)
    return record


class PlaneProgress:
    """One rising count over all planes, of the steps that the engine reports for each.

    The first planes tell how many steps a plane has. Should a later one take more, as after a lack
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
    >>> report.begin(1), report(1, 2), report.finish(), report.begin(1), report.finish()
    1 4
    2 4
    4 4
    (None, None, None, None, None)
    """

    def __init__(self, progress: engine.Progress | None, planes: int) -> None:
        self._progress = progress
        self._planes = planes
        self._steps: int | None = None
        self._finished = 0
        self._present = 0
        self._told = 0

    def begin(self, count: int) -> None:
        """Say how many planes come next, together."""
        self._present = count

    def __call__(self, done: int, total: int) -> None:
        """Report steps of the present planes."""
        if self._steps is None:
            self._steps = max(1, total // self._present)
        present = self._present * self._steps
        share = math.floor(present * done / max(1, total))
        self._tell(self._finished * self._steps + min(share, present))

    def finish(self) -> None:
        """Report that the present planes are done."""
        self._steps = self._steps or 1
        self._finished += self._present
        self._tell(self._finished * self._steps)

    def _tell(self, done: int) -> None:
        if self._progress is None or self._steps is None or done <= self._told:
            return
        self._told = done
        self._progress(done, self._planes * self._steps)
