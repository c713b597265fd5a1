"""Planes that no worker can hold, tile by tile through dask; see `tiled_planes` for the numbers.

A task restores one tile. Another puts a chunk of the result together, from all tiles that reach
into it, in the order in which `restore_in_tiles` adds them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import dask.array as da
import numpy as np
from dask.delayed import delayed
from numpy.typing import NDArray

from napari_anyir.inference.arrays.axes import Layout
from napari_anyir.inference.arrays.intensity import IntensityRange, check_dtype
from napari_anyir.inference.arrays.pixels import from_network, to_network
from napari_anyir.inference.engine.host_state import own_state
from napari_anyir.inference.volumes.plane_tasks import (
    PlaneTask,
    check_plane,
    prepare_on_worker,
    turn,
)
from napari_anyir.inference.volumes.second_reading import read_again
from napari_anyir.inference.volumes.tiled_planes import TileGrid, TileRunner

Tiles = Sequence[tuple[int, int, NDArray[np.float32]]]


class PlaneFacts(NamedTuple):
    """What has to be known of a plane before its first tile is restored.

    Parameters
    ----------
    mapping : IntensityRange
        Of the whole volume.
    grey : bool
        Whether the plane is grey that was saved as RGB, as `is_grey` says.
    """

    mapping: IntensityRange
    grey: bool


@own_state()
def restore_window(
    window: NDArray[Any], facts: PlaneFacts, task: PlaneTask, colour: bool
) -> NDArray[np.float32]:
    """Restore one tile on a worker.

    Parameters
    ----------
    window : array (h, w) or (h, w, S)
        What the tile covers.
    facts : PlaneFacts
        Of the whole plane.
    task : PlaneTask
        How.
    colour : bool
        Whether there are samples.

    Returns
    -------
    array (3, h, w) of float32
        The network's output, in its own range.

    Raises
    ------
    ValueError
        If the tile is not finite.
    ModelError
        If the worker's model is another than the caller's.
    """
    check_plane(window, colour)
    prepared = prepare_on_worker(task, window, facts.mapping)
    with turn(task):
        runner = TileRunner(prepared, max(window.shape[:2]))
        seen = to_network(window, facts.mapping)
        return facts.mapping.settle(seen, runner(seen))


@own_state()
def join_tiles(
    source: NDArray[Any],
    facts: PlaneFacts,
    strength: float,
    size: tuple[int, int, int],
    place: tuple[int, int],
    tiles: Tiles,
) -> NDArray[Any]:
    """Put a chunk of the result together.

    Parameters
    ----------
    source : array (h, w) or (h, w, S)
        The chunk before.
    facts : PlaneFacts
        Of the whole plane.
    strength : float
        As for `napari_anyir.restore`.
    size : tuple of 3 int
        Height and width of the plane, side length of the tiles.
    place : tuple of 2 int
        First row and column of the chunk in the plane.
    tiles : sequence of (int, int, array)
        Row and column in the grid of each tile that reaches into the chunk, in rising order, and
        its values (3, h, w).

    Returns
    -------
    array
        Of the shape and type of ``source``.
    """
    grid = TileGrid(*size)
    height, width = source.shape[:2]
    sums = np.zeros((3, height, width), np.float32)
    for row, column, tile in tiles:
        weighed = grid.weigh(tile, row, column)
        (to_rows, from_rows), (to_columns, from_columns) = (
            _shared(start, length, window)
            for start, length, window in zip(
                place, (height, width), grid.window(row, column), strict=True
            )
        )
        sums[:, to_rows, to_columns] += weighed[:, from_rows, from_columns]
    result = np.empty(source.shape, check_dtype(source.dtype))
    from_network(sums, source, facts.mapping, strength, result, grey=facts.grey)
    return result


def _shared(start: int, length: int, window: slice) -> tuple[slice, slice]:
    """What a chunk and a window share along one axis, seen from each of them."""
    first, last = max(start, window.start), min(start + length, window.stop)
    return slice(first - start, last - start), slice(first - window.start, last - window.start)


def restore_lazily_in_tiles(
    planes: da.Array, layout: Layout, mapping: Any, task: Any, *, strength: float, side: int
) -> da.Array:
    """Restore large planes when the result is computed, a chunk for each step of the tiles.

    Parameters
    ----------
    planes : dask array (..., Y, X) or (..., Y, X, S)
        In the order of `Layout.order`.
    layout : Layout
        Where the planes are.
    mapping : IntensityRange or dask Delayed of it
        Of the whole volume.
    task : dask Delayed of PlaneTask
        How.
    strength : float
        As for `napari_anyir.restore`.
    side : int
        Side length of the tiles.

    Returns
    -------
    dask array
        Of the shape and type of ``planes``.
    """
    # Chunks are read for this, and again for the tiles: otherwise all of them would be held.
    again = read_again(planes, "napari-anyir grey") if layout.colour else None
    restored = []
    for index in layout.indices():
        grey = False if again is None else _is_grey(again[index])
        facts = delayed(PlaneFacts, pure=True)(mapping, grey)
        restored.append(_restore_plane(planes[index], layout, facts, task, strength, side))
    if not layout.planes:
        return restored[0]
    return da.stack(restored).reshape(planes.shape)


def _restore_plane(
    plane: da.Array, layout: Layout, facts: Any, task: Any, strength: float, side: int
) -> da.Array:
    size = (*layout.plane_shape[:2], side)
    grid = TileGrid(*size)
    dtype = check_dtype(plane.dtype)

    def block(rows: slice, columns: slice) -> Any:
        return plane[rows, columns].rechunk(-1).to_delayed().item()

    tiles = {
        (row, column): delayed(restore_window, pure=True)(
            block(*grid.window(row, column)), facts, task, layout.colour
        )
        for row in range(len(grid.tops))
        for column in range(len(grid.lefts))
    }
    by_rows, by_columns = _steps(grid.tops, size[0]), _steps(grid.lefts, size[1])
    reach = [
        [_reaching(step, windows) for step in steps]
        for steps, windows in (
            (by_rows, [grid.window(row, 0)[0] for row in range(len(grid.tops))]),
            (by_columns, [grid.window(0, column)[1] for column in range(len(grid.lefts))]),
        )
    ]
    chunks = []
    for rows, near_rows in zip(by_rows, reach[0], strict=True):
        line = []
        for columns, near_columns in zip(by_columns, reach[1], strict=True):
            joined = delayed(join_tiles, pure=True)(
                block(rows, columns),
                facts,
                strength,
                size,
                (rows.start, columns.start),
                [(row, column, tiles[row, column]) for row in near_rows for column in near_columns],
            )
            shape = (
                rows.stop - rows.start,
                columns.stop - columns.start,
                *layout.plane_shape[2:],
            )
            line.append(da.from_delayed(joined, shape, dtype=dtype))
        chunks.append(da.concatenate(line, axis=1))
    result: da.Array = da.concatenate(chunks, axis=0)
    return result


def _is_grey(plane: da.Array) -> Any:
    """`is_grey` of a plane (Y, X, S), when the result is computed."""
    return (plane[..., 1:3] == plane[..., :1]).all()


def _steps(starts: list[int], size: int) -> list[slice]:
    """Cut an axis where tiles start."""
    return [slice(a, b) for a, b in zip(starts, [*starts[1:], size], strict=True)]


def _reaching(step: slice, windows: list[slice]) -> list[int]:
    return [
        number
        for number, window in enumerate(windows)
        if window.start < step.stop and window.stop > step.start
    ]
