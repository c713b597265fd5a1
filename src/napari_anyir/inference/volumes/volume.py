"""All planes of an array into another: several at once, one by one, or tile by tile."""

from __future__ import annotations

import itertools
import time
from typing import Any

import numpy as np

from napari_anyir.errors import Cancelled
from napari_anyir.inference.arrays.intensity import check_dtype
from napari_anyir.inference.arrays.plane_reading import read_plane, write_plane
from napari_anyir.inference.engine import execution
from napari_anyir.inference.preparation import Prepared
from napari_anyir.inference.volumes.plane_restoration import (
    PlaneProgress,
    planes_together,
    restore_planes,
)
from napari_anyir.inference.volumes.tiled_planes import TileRunner, restore_in_tiles
from napari_anyir.progress import Cancel, Progress


def restore_volume(
    image: Any,
    target: Any,
    prepared: Prepared,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> execution.RunRecord | None:
    """Restore all planes of an array into another.

    Parameters
    ----------
    image, target : array
        As for `napari_anyir.inference.restore_into`.
    prepared : Prepared
        How, with the range of the whole volume; its planes have pixels.
    progress, cancel
        As for `napari_anyir.restore`.

    Returns
    -------
    RunRecord or None
        How the last planes were done; None at strength 0.

    Raises
    ------
    Cancelled
        If ``cancel.is_set()`` became true; what was written by then stays.
    """
    started = time.perf_counter()
    dtype = check_dtype(image.dtype)
    layout, device = prepared.layout, prepared.device
    report = PlaneProgress(progress, layout.count)
    inner = report if progress is not None else None
    record: execution.RunRecord | None = None
    if prepared.side is not None:
        tiles = TileRunner(prepared, prepared.side, cancel)
        for index in layout.indices():
            report.begin(1)
            restore_in_tiles(image, target, index, prepared, tiles, inner)
            report.finish()
        seconds = time.perf_counter() - started
        return execution.RunRecord("tiles", tiles.side, str(device), prepared.precision, seconds)
    indices = layout.indices()
    together = planes_together(layout, device, changed=bool(prepared.recipe.changes))
    while batch := list(itertools.islice(indices, together)):
        if cancel is not None and cancel.is_set():
            raise Cancelled("The restoration was cancelled.")
        report.begin(len(batch))
        planes = [read_plane(image, layout, index) for index in batch]
        restored = [np.empty(plane.shape, dtype) for plane in planes]
        record = restore_planes(planes, restored, prepared, inner, cancel)
        for index, plane in zip(batch, restored, strict=True):
            write_plane(target, layout, index, plane)
        report.finish()
    return record
