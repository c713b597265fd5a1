"""Dask arrays in, dask arrays out: nothing is read or computed before the result is asked for.

Every plane becomes one task of a function of `napari_anyir.inference.volumes.plane_tasks`, which
any worker of a dask.distributed cluster can import; it is told the model's name, and loads it once
per process.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import torch
from dask.base import tokenize
from dask.delayed import delayed

from napari_anyir import __version__
from napari_anyir.inference.arrays.axes import Layout
from napari_anyir.inference.arrays.intensity import (
    Intensity,
    IntensityRange,
    check_dtype,
    choose_range,
    needs,
)
from napari_anyir.inference.arrays.nodata import NoData, is_masked
from napari_anyir.inference.arrays.noise_level import BLOCK
from napari_anyir.inference.arrays.photons import photons_of
from napari_anyir.inference.arrays.plane_reading import colours, noise_step
from napari_anyir.inference.arrays.statistics import Statistics, measure, merge, sampling_step
from napari_anyir.inference.engine.device import resolve_device
from napari_anyir.inference.engine.run_plan import working_precision
from napari_anyir.inference.models import LoadedModel
from napari_anyir.inference.preparation import Prepared, load_chosen, tile_side
from napari_anyir.inference.provenance import Provenance
from napari_anyir.inference.recipe import Recipe
from napari_anyir.inference.volumes.lazy_tiles import restore_lazily_in_tiles
from napari_anyir.inference.volumes.plane_tasks import PlaneTask, restore_block
from napari_anyir.inference.volumes.second_reading import read_again
from napari_anyir.weights import DEFAULT, find_model, list_models

if TYPE_CHECKING:
    from napari_anyir.weights.networks import Network

_MERGED = 16
"""Statistics put together by one task: histograms of 16 bits weigh half a megabyte each."""


def as_dask(image: Any) -> da.Array:
    """Take a zarr array as dask, one block per chunk (or shard) of its store.

    Parameters
    ----------
    image : array
        Zarr or dask; the latter is returned as it is.

    Returns
    -------
    dask.array.Array
        The same values, lazily.

    Examples
    --------
    >>> lazy = da.zeros((4, 8, 8), chunks=(1, 8, 8))
    >>> as_dask(lazy) is lazy
    True
    """
    if isinstance(image, da.Array):
        return image
    return da.from_array(image, chunks=getattr(image, "shards", None) or image.chunks)


def find_range_lazily(image: da.Array, layout: Layout, intensity: Intensity) -> Any:
    """Find the intensity mapping of a dask array when its result is computed.

    The array is read for this, and again for the restoration: otherwise every block would have to
    be held until the last one was seen. Persist an array that is costly to compute.

    Parameters
    ----------
    image : dask array (..., Y, X) or (..., Y, X, S)
        In the order of `Layout.order`.
    layout : Layout
        Where its planes are.
    intensity : str or tuple
        As for `napari_anyir.restore`.

    Returns
    -------
    IntensityRange or dask Delayed of it
        The former where the type alone decides.
    """
    dtype = image.dtype.newbyteorder("=")
    grey = not layout.colour
    need = needs(intensity, dtype, grey=grey)
    if need not in ("percentiles", "noise"):
        return choose_range(intensity, dtype, Statistics())
    step = sampling_step(layout)
    noise = noise_step(layout) if need == "noise" else 0
    seen = colours(read_again(image, "napari-anyir"), layout)
    if noise:
        # Blocks whose noise is measured are not to be cut.
        seen = seen.rechunk({axis: _whole_blocks(seen.chunks[axis]) for axis in (-3, -2)})
    rows, columns = (np.cumsum((0, *seen.chunks[axis])) for axis in (-3, -2))
    blocks = seen.to_delayed()
    parts = []
    for place in np.ndindex(blocks.shape):
        start = (int(rows[place[-3]]), int(columns[place[-2]]))
        part = delayed(measure, pure=True)(
            blocks[place], step, start, percentiles=True, blocks=noise
        )
        parts.append(part)
    while len(parts) > 1:
        parts = [
            delayed(merge, pure=True)(parts[first : first + _MERGED])
            for first in range(0, len(parts), _MERGED)
        ]
    return delayed(choose_range, pure=True)(intensity, dtype, parts[0], grey=grey)


def _whole_blocks(chunks: tuple[int, ...]) -> tuple[int, ...]:
    """Move the borders between chunks to multiples of a block's side."""
    ends = np.cumsum(chunks)
    ends[:-1] = np.round(ends[:-1] / BLOCK).astype(int) * BLOCK
    ends = np.minimum(ends, ends[-1])
    return tuple(int(size) for size in np.diff(ends, prepend=0) if size)


def restore_lazily(image: Any, layout: Layout, recipe: Recipe) -> tuple[da.Array, Provenance]:
    """Restore a dask or zarr array when its result is computed, one block per plane.

    Planes for which the memory does not suffice, or that are to be cut, have one block per tile.

    Parameters
    ----------
    image : dask or zarr array
        The image.
    layout : Layout
        Where its planes are.
    recipe : Recipe
        What the user chose.

    Returns
    -------
    restored : dask array
        Of the shape and type of ``image``.
    record : Provenance
        As far as it is known before the computation.

    Raises
    ------
    TypeError, ValueError, ModelError, FileNotFoundError
        As `napari_anyir.restore`; what only the pixels can tell is raised by the computation.
    """
    dtype = check_dtype(image.dtype)
    recipe, loaded, reason = load_chosen(recipe, layout, dtype)
    mapping: Any = None
    side: int | None = None
    result = as_dask(image)
    if result.size:
        source = planes = result.transpose(layout.order)
        hides = recipe.nodata is not None or is_masked(result)
        hiding = NoData(recipe.nodata) if hides else None
        if hiding is None:
            mapping = find_range_lazily(planes, layout, recipe.intensity)
        else:
            seen = source.map_blocks(hiding.mask, dtype=dtype)
            mapping = find_range_lazily(seen, layout, recipe.intensity)
        threads = torch.get_num_threads() if recipe.changes else None
        task = PlaneTask(replace(recipe, model=_portable(recipe.model)), loaded.sha256, threads)
        named = tokenize(replace(task, recipe=replace(recipe, model=type(recipe.model).__name__)))
        # Named by hand: a network inside is neither searched nor hashed, and sent only once.
        told = delayed(task, f"anyir-task-{named}", traverse=False)
        side = _planned_side(layout, loaded, recipe)
        if hiding is not None:
            planes = _filled(planes, layout, hiding, whole=side is None)
        if side is not None:
            restored = restore_lazily_in_tiles(
                planes, layout, mapping, told, strength=recipe.strength, side=side
            )
        else:
            whole = (-1,) * len(layout.plane_shape)
            restored = da.map_blocks(
                restore_block,
                planes.rechunk((*(1,) * len(layout.planes), *whole)),
                mapping=mapping,
                task=told,
                colour=layout.colour,
                dtype=dtype,
                meta=np.empty((0,) * planes.ndim, dtype),
            )
        if hiding is not None:
            restored = da.map_blocks(
                hiding.put_back, restored.rechunk(source.chunks), source, dtype=dtype,
                meta=source._meta.astype(dtype),
            )  # fmt: skip
        result = restored.transpose(layout.inverse)
    if result.dtype != image.dtype:  # in another byte order
        result = result.astype(image.dtype)
    known = isinstance(mapping, IntensityRange)
    return result, Provenance(
        package="napari-anyir",
        version=__version__,
        torch=torch.__version__,
        model=loaded.name,
        sha256=loaded.sha256,
        device=recipe.device,
        precision=recipe.precision,
        threads=torch.get_num_threads(),
        mode="tiles" if side is not None else None,
        tile=side,
        axes=layout.axes,
        intensity=(mapping.low, mapping.high) if known else None,
        strength=recipe.strength,
        interventions=tuple(map(str, recipe.changes)),
        planes=layout.count if result.size else 0,
        seconds=None,
        photons=photons_of(mapping),
        chosen=reason,
    )


def _filled(planes: da.Array, layout: Layout, hiding: NoData, *, whole: bool) -> da.Array:
    """Planes with something everywhere: the nearest value of the plane, or of the block."""
    if whole:
        planes = planes.rechunk((*(1,) * len(layout.planes), *(-1,) * len(layout.plane_shape)))
    rows = planes.ndim - len(layout.plane_shape)
    return da.map_blocks(
        hiding.fill, planes, rows=rows, columns=rows + 1, dtype=planes.dtype,
        meta=np.empty((0,) * planes.ndim, planes.dtype),
    )  # fmt: skip


def _planned_side(layout: Layout, loaded: LoadedModel, recipe: Recipe) -> int | None:
    """Choose between blocks and tiles, by the memory here: a graph must be made somewhere."""
    try:
        device = resolve_device(recipe.device)
    except ValueError:  # a device that only the workers have; if they lack it, too, they say so
        device = torch.device("cpu")
    size = layout.plane_shape[0], layout.plane_shape[1]
    config = loaded.network.config
    working = working_precision(recipe.precision, config, size, device, recipe.tile)
    return tile_side(Prepared(recipe, layout, loaded, device, working))


def _portable(model: str | Path | Network) -> str | Path | Network:
    """Say where a worker finds a model: by name, or by a path that means the same anywhere."""
    if not isinstance(model, str | os.PathLike):
        return model
    card = find_model(model)
    named = str(model) == DEFAULT or str(model) in {known.name for known in list_models()}
    return card.name if named else card.file.resolve()
