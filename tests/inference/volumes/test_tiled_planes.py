"""Tiles streamed from array to array: the numbers of tiles in memory, one row of them held."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import torch

import napari_anyir
from napari_anyir.inference import restore, restore_into, restore_with_record
from napari_anyir.inference.arrays.intensity import IntensityRange
from napari_anyir.inference.arrays.pixels import from_network, to_network
from napari_anyir.inference.engine import execution
from napari_anyir.model import AnyIR

SHAPES = [((150, 200), "YX"), ((70, 64, 4), "YXS"), ((2, 100, 40), "ZYX"), ((64, 3, 130), "YSX")]


def picture(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 5000, shape, np.uint16)


def in_memory(image: np.ndarray, network: AnyIR, mapping: IntensityRange, side: int) -> np.ndarray:
    """Restore one grey plane by the engine's own tiles."""
    seen = torch.from_numpy(to_network(image, mapping))[None]
    here = execution.Placement(torch.device("cpu"), tile=side)
    output, record = execution.run(network, seen, here)
    assert record.mode == "tiles"
    result = np.empty_like(image)
    from_network(output[0].numpy(), image, mapping, 1.0, result)
    return result


@pytest.mark.parametrize(
    ("shape", "side"),
    [((150, 200), 64), ((64, 300), 64), ((65, 66), 64), ((33, 40), 32), ((150, 200), 96)],
)
def test_numbers_are_those_of_tiles_in_memory(
    micro: AnyIR, shape: tuple[int, int], side: int
) -> None:
    image = picture(shape)
    result, record = restore_with_record(image, model=micro, tile=side, intensity=(0, 5000))
    assert (record.mode, record.tile) == ("tiles", side)
    expected = in_memory(image, micro, IntensityRange(0, 5000, False), side)
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize(("shape", "axes"), SHAPES)
@pytest.mark.parametrize("strength", [1.0, 0.3])
def test_dask_equals_numpy(
    micro_file: Path, shape: tuple[int, ...], axes: str, strength: float
) -> None:
    image = picture(shape)
    options: dict[str, Any] = {"axes": axes, "model": micro_file, "tile": 64, "strength": strength}
    expected, record = restore_with_record(image, **options)
    lazy, told = restore_with_record(da.from_array(image, chunks=33), **options)
    assert (told.mode, told.tile) == (record.mode, record.tile) == ("tiles", 64)
    assert (lazy.shape, lazy.dtype) == (image.shape, image.dtype)
    np.testing.assert_array_equal(lazy.compute(), expected)


def test_a_lazy_chunk_is_a_step_of_the_tiles(micro_file: Path) -> None:
    lazy = restore(da.from_array(picture((112, 160)), chunks=50), model=micro_file, tile=64)
    assert lazy.chunks == ((48, 64), (48, 48, 64))


def test_alpha_passes_through_tiles(micro: AnyIR) -> None:
    image = picture((100, 90, 4))
    result = restore(image, axes="YXS", model=micro, tile=64)
    np.testing.assert_array_equal(result[..., 3], image[..., 3])
    assert not np.array_equal(result, image)


@pytest.mark.slow
def test_each_row_is_read_once_and_few_are_held(micro: AnyIR) -> None:
    image = picture((500, 80))
    reads: list[tuple[int, int]] = []
    writes: list[tuple[int, int]] = []

    class Watched:
        shape, dtype = image.shape, image.dtype

        def __init__(self, values: np.ndarray, seen: list[tuple[int, int]]) -> None:
            self.values, self.seen = values, seen

        def __getitem__(self, index: Any) -> np.ndarray:
            self.seen.append((index[0].start, index[0].stop))
            return self.values[index]

        def __setitem__(self, index: Any, values: np.ndarray) -> None:
            self.seen.append((index[0].start, index[0].stop))
            self.values[index] = values

    target = np.zeros_like(image)
    options: dict[str, Any] = {"model": micro, "tile": 64, "intensity": (0, 5000)}
    restore_into(Watched(image, reads), Watched(target, writes), **options)
    for seen in (reads, writes):
        assert seen[0][0] == 0
        assert seen[-1][1] == 500
        assert all(one[1] == two[0] for one, two in itertools.pairwise(seen))
        assert max(stop - start for start, stop in seen) <= 64
    np.testing.assert_array_equal(target, restore(image, **options))


def test_progress_and_cancel(micro: AnyIR) -> None:
    seen: list[tuple[int, int]] = []
    image = picture((2, 100, 90))
    restore(image, axes="ZYX", model=micro, tile=64, progress=lambda *step: seen.append(step))
    done = [step for step, _ in seen]
    assert done == sorted(set(done))
    assert {total for _, total in seen} == {done[-1]}
    assert len(seen) > 8  # more than one report for each of the tiles
    event = threading.Event()
    later: list[int] = []

    def stop(step: int, total: int) -> None:
        later.append(step)
        if 4 * step > total:
            event.set()

    with pytest.raises(napari_anyir.Cancelled):
        restore(image, axes="ZYX", model=micro, tile=64, progress=stop, cancel=event)
    assert 0 < len(later) < len(seen)


@pytest.mark.slow
def test_after_a_lack_of_memory_tiles_are_halved(
    micro: AnyIR, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = picture((256, 200))
    expected = restore(image, model=micro, tile=64, intensity=(0, 5000))
    sides: list[int] = []
    genuine = execution.run

    def small(
        model: AnyIR, images: torch.Tensor, placement: execution.Placement, **options: Any
    ) -> Any:
        if placement.tile is None and max(images.shape[-2:]) > 64:
            raise MemoryError
        sides.append(max(images.shape[-2:]))
        return genuine(model, images, placement, **options)

    monkeypatch.setattr(execution, "run", small)
    result, record = restore_with_record(image, model=micro, tile=128, intensity=(0, 5000))
    assert sides
    assert record.tile == 64
    # smaller tiles within a tile lie elsewhere than smaller tiles of the plane: close, not equal
    difference = np.abs(result.astype(float) - expected)
    assert difference.mean() < 50


def test_memory_that_never_suffices_is_told(micro: AnyIR, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> Any:
        raise MemoryError("The memory does not suffice.")

    monkeypatch.setattr(execution, "run", never)
    with pytest.raises(MemoryError, match="does not suffice"):
        restore(picture((256, 200)), model=micro, tile=128)


@pytest.mark.slow
def test_planes_too_large_for_memory_take_tiles_by_themselves(
    micro_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_anyir.inference.engine import run_plan

    monkeypatch.setattr(run_plan, "free_bytes", lambda device: 6_000_000)
    image = picture((200, 260))
    result, record = restore_with_record(image, model=micro_file)
    assert record.mode == "tiles"
    lazy, told = restore_with_record(da.from_array(image, chunks=64), model=micro_file)
    assert told.tile == record.tile
    np.testing.assert_array_equal(lazy.compute(), result)


def test_a_tile_that_covers_the_plane_is_no_tile(micro: AnyIR) -> None:
    image = picture((60, 50))
    result, record = restore_with_record(image, model=micro, tile=64)
    assert record.mode == "strips"
    np.testing.assert_array_equal(result, restore(image, model=micro))
