"""Planes that are larger than memory: tile by tile from one array into another.

The tiles, their weights and the order of the sums are those of
`napari_anyir.inference.engine.tiles`, so that the numbers are those of a tiled run in memory. Only
one row of tiles is held.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_anyir.errors import Cancelled
from napari_anyir.inference.arrays.pixels import from_network, to_network
from napari_anyir.inference.arrays.plane_reading import is_grey_plane, read_plane, write_plane
from napari_anyir.inference.engine import execution
from napari_anyir.inference.engine.tiles import blend_weights, is_out_of_memory, tile_starts
from napari_anyir.inference.preparation import Prepared
from napari_anyir.progress import Cancel, Progress

_STEPS = 100  # of progress in a tile


class TileGrid:
    """Where the tiles of a plane lie, and how they are blended.

    Parameters
    ----------
    height, width : int
        Of the plane.
    side : int
        Side length of the tiles.

    Examples
    --------
    >>> from napari_anyir.inference.volumes.tiled_planes import TileGrid
    >>> grid = TileGrid(100, 200, 128)
    >>> grid.tops, grid.lefts
    ([0], [0, 72])
    """

    def __init__(self, height: int, width: int, side: int) -> None:
        self.tops, self.lefts = tile_starts(height, side), tile_starts(width, side)
        self.down = [w.numpy() for w in blend_weights(self.tops, side, height)]
        self.across = [w.numpy() for w in blend_weights(self.lefts, side, width)]

    def window(self, row: int, column: int) -> tuple[slice, slice]:
        """Rows and columns of the plane that a tile covers."""
        top, left = self.tops[row], self.lefts[column]
        return (
            slice(top, top + len(self.down[row])),
            slice(left, left + len(self.across[column])),
        )

    def weigh(self, tile: NDArray[np.float32], row: int, column: int) -> NDArray[np.float32]:
        """Multiply a restored tile (3, h, w) with its weights."""
        return tile * self.down[row][:, np.newaxis] * self.across[column]


class TileRunner:
    """Restores windows of a plane, in smaller tiles once memory has run out.

    Parameters
    ----------
    prepared : Prepared
        Network, device and precision.
    side : int
        Side length of the windows.
    cancel : object, optional
        As for `napari_anyir.restore`.
    """

    def __init__(self, prepared: Prepared, side: int, cancel: Cancel | None = None) -> None:
        self.side = side
        self.cancel = cancel
        self._prepared = prepared
        self._inner: int | None = None

    def __call__(
        self, images: NDArray[np.float32], progress: Progress | None = None
    ) -> NDArray[np.float32]:
        """Restore a window (3, h, w) in the network's range."""
        try:
            return self._run(images, progress)
        except Exception as error:
            if self._inner is not None or not is_out_of_memory(error):
                raise
        # Again outside of the clause above, whose error holds on to the tensors. The engine halves
        # further by itself.
        self._inner = self.side // 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return self._run(images, progress)

    def _run(self, images: NDArray[np.float32], progress: Progress | None) -> NDArray[np.float32]:
        restored, record = execution.run(
            self._prepared.loaded.network,
            torch.from_numpy(images)[None],
            replace(self._prepared.placement, tile=self._inner),
            progress=progress,
            cancel=self.cancel,
        )
        if record.tile is not None:
            self.side = self._inner = record.tile
        return restored[0].numpy()


def restore_in_tiles(
    image: Any,
    target: Any,
    plane: tuple[int, ...],
    prepared: Prepared,
    run: TileRunner,
    progress: Progress | None = None,
) -> None:
    """Restore one plane of an array into another, holding one row of tiles.

    Each row of the source is read once.

    Parameters
    ----------
    image, target : array
        As for `napari_anyir.inference.restore_into`.
    plane : tuple of int
        Which one.
    prepared : Prepared
        How, with the range of the whole volume.
    run : TileRunner
        Restores a window; says whether to stop.
    progress : callable, optional
        As for `napari_anyir.restore`.

    Raises
    ------
    Cancelled
        If ``cancel.is_set()`` became true; what was written by then stays.
    """
    layout, mapping, cancel = prepared.layout, prepared.range, run.cancel
    height, width = layout.plane_shape[:2]
    grid = TileGrid(height, width, run.side)
    count = len(grid.tops) * len(grid.lefts)
    dtype = np.dtype(image.dtype).newbyteorder("=")
    grey = is_grey_plane(image, layout, plane)
    source = np.empty((0, *layout.plane_shape[1:]), dtype)
    sums = np.zeros((3, 0, width), np.float32)
    for row, top in enumerate(grid.tops):
        bottom = top + len(grid.down[row])
        more = read_plane(image, layout, plane, slice(top + len(source), bottom))
        source = np.concatenate((source, more.astype(dtype, copy=False)))
        sums = np.concatenate((sums, np.zeros((3, len(more), width), np.float32)), axis=1)
        del more
        for column in range(len(grid.lefts)):
            if cancel is not None and cancel.is_set():
                raise Cancelled("The restoration was cancelled.")
            done = row * len(grid.lefts) + column
            _, columns = grid.window(row, column)
            seen = to_network(source[:, columns], mapping)
            restored = mapping.settle(seen, run(seen, _part(progress, done, count)))
            sums[:, :, columns] += grid.weigh(restored, row, column)
        # Rows that no later tile reaches are done.
        end = grid.tops[row + 1] if row + 1 < len(grid.tops) else height
        rows = end - top
        result = np.empty((rows, *source.shape[1:]), dtype)
        from_network(
            sums[:, :rows],
            source[:rows],
            mapping,
            prepared.recipe.strength,
            result,
            grey=grey,
        )
        write_plane(target, layout, plane, result, slice(top, end))
        source, sums = source[rows:].copy(), sums[:, rows:].copy()


def _part(progress: Progress | None, done: int, count: int) -> Progress | None:
    """Progress within one of several tiles."""
    if progress is None:
        return None

    def report(steps: int, total: int) -> None:
        progress(_STEPS * done + _STEPS * steps // max(1, total), _STEPS * count)

    return report
