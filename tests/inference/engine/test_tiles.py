from __future__ import annotations

import threading
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from napari_anyir import Cancelled
from napari_anyir.inference.engine.tiles import (
    TiledRun,
    blend_weights,
    is_out_of_memory,
    overlap_of,
    tile_starts,
)
from napari_anyir.progress import Watch


@pytest.mark.parametrize("size", [64, 65, 100, 129, 500, 1000, 1001])
@pytest.mark.parametrize("tile", [64, 96, 512])
def test_weights_sum_to_one_and_tiles_overlap(size: int, tile: int) -> None:
    starts = tile_starts(size, tile)
    total = torch.zeros(size)
    for start, weight in zip(starts, blend_weights(starts, tile, size), strict=True):
        assert bool((weight > 0).all())
        total[start : start + len(weight)] += weight
    assert torch.allclose(total, torch.ones(size), atol=1e-6)
    gaps = [second - first for first, second in pairwise(starts)]
    # Rounding to multiples of 8 may take at most 8 pixels off the overlap.
    assert all(0 < gap <= tile - overlap_of(tile) + 8 for gap in gaps)


def test_only_a_tile_is_seen_at_a_time() -> None:
    seen: list[tuple[int, ...]] = []

    def restore(tile: Tensor) -> Tensor:
        seen.append(tuple(tile.shape))
        return tile

    images = torch.rand(2, 3, 150, 90)
    assert torch.allclose(TiledRun(restore, 64, Watch(1))(images), images)
    assert set(seen) == {(2, 3, 64, 64)}


@pytest.mark.parametrize("error", [MemoryError(), torch.cuda.OutOfMemoryError("CUDA")])
def test_out_of_memory_halves_and_keeps_what_is_finished(error: Exception) -> None:
    tried: list[int] = []

    def restore(tile: Tensor) -> Tensor:
        tried.append(tile.shape[-1])
        if len(tried) > 2 and tile.shape[-1] > 130:
            raise error
        return tile

    images = torch.rand(1, 3, 256, 700)
    run = TiledRun(restore, 256, Watch(1))
    assert torch.allclose(run(images), images, atol=1e-6)
    assert tried[:3] == [256, 256, 256]  # two finished, and one that failed
    assert set(tried[3:]) == {128}
    assert run.tile == 128


def test_too_little_memory_for_the_smallest_tile() -> None:
    def restore(tile: Tensor) -> Tensor:
        raise MemoryError

    with pytest.raises(MemoryError, match="32 x 32"):
        TiledRun(restore, 128, Watch(1))(torch.rand(1, 3, 256, 256))


def test_other_errors_pass_through() -> None:
    def restore(tile: Tensor) -> Tensor:
        raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        TiledRun(restore, 128, Watch(1))(torch.rand(1, 3, 256, 256))


def test_what_torch_says_when_the_host_has_no_memory() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)


def test_progress_and_cancelling_per_tile() -> None:
    cancel = threading.Event()
    calls: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        calls.append((done, total))
        if done == 3:
            cancel.set()

    with pytest.raises(Cancelled):
        TiledRun(lambda tile: tile, 64, Watch(1, progress, cancel))(torch.rand(1, 3, 200, 200))
    tiles = len(tile_starts(200, 64)) ** 2
    assert calls == [(1, tiles), (2, tiles), (3, tiles)]
