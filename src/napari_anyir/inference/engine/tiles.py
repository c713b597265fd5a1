"""Overlapping tiles, for images that even strips cannot hold.

This is not exact: the network looks at all pixels of what it is given, so a tile restored alone
differs from the same place in the whole image. Tiles overlap and are blended smoothly, which hides
the seams but does not remove that difference.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from napari_anyir.inference.engine.run_plan import LEAST_TILE
from napari_anyir.model.config import SIZE_MULTIPLE
from napari_anyir.progress import Watch


def overlap_of(tile: int) -> int:
    """Pixels that neighbouring tiles share at least: a quarter of a tile, 64 at most.

    Parameters
    ----------
    tile : int
        Side length.

    Returns
    -------
    int
        A multiple of 8.

    Examples
    --------
    >>> from napari_anyir.inference.engine.tiles import overlap_of
    >>> overlap_of(512), overlap_of(96)
    (64, 24)
    """
    return min(64, tile // 4 // SIZE_MULTIPLE * SIZE_MULTIPLE)


def tile_starts(size: int, tile: int) -> list[int]:
    """First pixels of the tiles along one axis, evenly spread, at multiples of 8.

    Parameters
    ----------
    size : int
        Of the image.
    tile : int
        Side length, a multiple of 8.

    Returns
    -------
    list of int
        Increasing; the last tile ends at the border of the image.

    Examples
    --------
    >>> from napari_anyir.inference.engine.tiles import tile_starts
    >>> tile_starts(1000, 512)
    [0, 240, 488]
    """
    if size <= tile:
        return [0]
    count = math.ceil((size - tile) / (tile - overlap_of(tile))) + 1
    starts = [
        round((size - tile) * index / (count - 1) / SIZE_MULTIPLE) * SIZE_MULTIPLE
        for index in range(count - 1)
    ]
    return [*starts, size - tile]


def blend_weights(starts: list[int], tile: int, size: int) -> list[Tensor]:
    """Weights along one axis that sum to 1 at every pixel.

    Parameters
    ----------
    starts : list of int
        From `tile_starts`.
    tile, size : int
        Side length and size of the image.

    Returns
    -------
    list of Tensor
        For each tile its weights, half a cosine wave where it meets a neighbour.

    Examples
    --------
    >>> from napari_anyir.inference.engine.tiles import blend_weights
    >>> first, second = blend_weights([0, 4], 8, 12)
    >>> bool((first[4:] + second[:4] == 1).all())
    True
    """
    plain: dict[str, Any] = {
        "dtype": torch.float32,
        "device": "cpu",
    }  # whatever the host program's defaults are
    weights = [torch.ones(min(tile, size - start), **plain) for start in starts]
    ends = [start + len(weight) for start, weight in zip(starts, weights, strict=True)]
    pairs = zip(weights, weights[1:], ends, starts[1:], strict=False)
    for left, right, end, start in pairs:
        width = end - start
        rise = 0.5 - 0.5 * torch.cos(math.pi * (torch.arange(width, **plain) + 0.5) / width)
        right[:width] *= rise
        left[len(left) - width :] *= 1 - rise
    # Where the tiles are close, three meet at a pixel.
    total = torch.zeros(size, **plain)
    for start, weight in zip(starts, weights, strict=True):
        total[start : start + len(weight)] += weight
    return [
        weight / total[start : start + len(weight)]
        for start, weight in zip(starts, weights, strict=True)
    ]


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that memory ran out, on a card or on the host.

    Parameters
    ----------
    error : BaseException
        Any.

    Returns
    -------
    bool
        True for ``MemoryError``, torch's own error, and what torch raises when the host has none.

    Examples
    --------
    >>> from napari_anyir.inference.engine.tiles import is_out_of_memory
    >>> is_out_of_memory(MemoryError()), is_out_of_memory(ValueError())
    (True, False)
    """
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)


class TiledRun:
    """Restores images tile by tile.

    When the memory does not suffice for a tile, that tile is cut into tiles of half the side, and
    so are those that follow; what is finished is kept.

    Parameters
    ----------
    restore : callable
        Restores (B, 3, h, w) on the CPU to the same; only this sees the device.
    tile : int
        Side length, a multiple of 8.
    watch : Watch
        Progress in tiles, and cancelling.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.progress import Watch
    >>> from napari_anyir.inference.engine.tiles import TiledRun
    >>> image = torch.rand(1, 3, 100, 200)
    >>> run = TiledRun(lambda tile: 2 * tile, 64, Watch(1))
    >>> torch.allclose(run(image), 2 * image)
    True
    """

    def __init__(self, restore: Callable[[Tensor], Tensor], tile: int, watch: Watch) -> None:
        self.tile, self._restore, self._watch = tile, restore, watch
        self._depth = 0

    def __call__(self, images: Tensor) -> Tensor:
        """Restore (B, 3, H, W) in the tile size of now, which may shrink on the way.

        Raises
        ------
        Cancelled
            If the watch says so.
        MemoryError
            If even the smallest tile does not fit.
        """
        height, width = images.shape[-2:]
        tile = self.tile
        tops, lefts = tile_starts(height, tile), tile_starts(width, tile)
        if not self._depth:  # tiles within a tile are not counted
            self._watch.total = len(tops) * len(lefts)
        by_rows = blend_weights(tops, tile, height)
        by_columns = blend_weights(lefts, tile, width)
        result = torch.zeros_like(images, dtype=torch.float32)
        self._depth += 1
        for top, down in zip(tops, by_rows, strict=True):
            for left, across in zip(lefts, by_columns, strict=True):
                place = (
                    ...,
                    slice(top, top + len(down)),
                    slice(left, left + len(across)),
                )
                result[place] += self._one(images[place], tile) * down[:, None] * across
                if self._depth == 1:
                    self._watch.done += 1
                    self._watch.tell()
        self._depth -= 1
        return result

    def _one(self, tile: Tensor, side: int) -> Tensor:
        """Restore one tile, in smaller ones where it has to be."""
        self._watch.check()
        if side <= self.tile:
            try:
                return self._restore(tile)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                # Halved below, outside of this clause: the error holds on to the tensors.
                smaller = side // 2 // SIZE_MULTIPLE * SIZE_MULTIPLE
            if smaller < LEAST_TILE:
                raise MemoryError(
                    f"The memory does not suffice for a tile of {side} x {side} pixels; close "
                    "other programs or choose another device."
                )
            self.tile = min(self.tile, smaller)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        return self(tile)
