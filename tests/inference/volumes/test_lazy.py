"""Dask and zarr: lazy, and bit for bit what numpy gives, here and on a cluster."""

from __future__ import annotations

import pickle
import weakref
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
import torch

import napari_anyir
from napari_anyir.inference import restore, restore_into, restore_with_record
from napari_anyir.inference.arrays import statistics
from napari_anyir.model import AnyIR


@pytest.fixture(scope="module")
def movie() -> np.ndarray:
    """Return (T, C, Y, X) of uint16, each plane with another range."""
    generator = np.random.default_rng(0)
    bright = np.array([[300, 5000, 20000], [600, 9000, 30000]])[..., None, None]
    return (generator.random((2, 3, 26, 21)) * bright).astype(np.uint16)


@pytest.mark.parametrize(
    "chunks",
    [(2, 3, 26, 21), (1, 1, 26, 21), (1, 2, 10, 7), (2, 1, 1, 21), (1, 3, (20, 6), (1, 20))],
)
@pytest.mark.parametrize("dtype", ["uint16", "uint8", "float32", "float64", "int32", ">u2"])
def test_dask_equals_numpy(movie: np.ndarray, micro_file: Path, chunks: Any, dtype: str) -> None:
    image = (movie / 40000).astype(dtype) if dtype == "float64" else movie.astype(dtype)
    expected = restore(image, axes="TCYX", model=micro_file)
    lazy = restore(da.from_array(image, chunks=chunks), axes="TCYX", model=micro_file)
    assert isinstance(lazy, da.Array)
    assert (lazy.shape, lazy.dtype) == (image.shape, expected.dtype)
    assert lazy.chunks == ((1, 1), (1, 1, 1), (26,), (21,))  # a block is a plane
    result = lazy.compute()
    assert result.dtype == lazy.dtype
    np.testing.assert_array_equal(result, expected)


def _delayed(array: np.ndarray) -> da.Array:
    """One task per plane, as programs that read one file per plane make them."""
    read = dask.delayed(np.array)
    planes = [da.from_delayed(read(plane), plane.shape, array.dtype) for plane in array]
    return da.stack(planes)


@pytest.mark.slow
@pytest.mark.parametrize("tile", ["auto", 32])
@pytest.mark.parametrize(
    "derive",
    [
        lambda lazy: lazy[1:],
        lambda lazy: lazy[:, 2:30, 4:],
        lambda lazy: lazy[::-1, ::-1],
        lambda lazy: lazy[[2, 0]],
        lambda lazy: lazy[:, 4:].rechunk((2, 8, -1)),
        lambda lazy: da.stack([lazy[1], lazy[0]]),
        lambda lazy: da.concatenate([lazy[:1], lazy[1:]]),
        lambda lazy: lazy[1:] + lazy[0] // 2,
        lambda lazy: _delayed(lazy.compute()),
        lambda lazy: lazy[1:].persist(scheduler="synchronous"),
        lambda lazy: dask.optimize(lazy[1:])[0],
    ],
    ids=[
        "slice", "crop", "mirrored", "picked", "rechunked", "stack", "concatenation", "sum",
        "delayed", "persisted", "optimized",
    ],
)  # fmt: skip
def test_arrays_made_of_others(derive: Any, tile: Any, micro_file: Path) -> None:
    source = np.random.default_rng(0).integers(0, 4000, (3, 40, 36), np.uint16)
    lazy = derive(da.from_array(source, chunks=(1, 16, 36)))
    expected = restore(lazy.compute(), axes="ZYX", model=micro_file, tile=tile)
    found = restore(lazy, axes="ZYX", model=micro_file, tile=tile).compute()
    np.testing.assert_array_equal(found, expected)
    colour = da.stack([lazy] * 3, axis=-1)  # whose planes are read once more, whether they are grey
    expected = restore(colour.compute(), axes="ZYXS", model=micro_file, tile=tile)
    found = restore(colour, axes="ZYXS", model=micro_file, tile=tile).compute()
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("intensity", ["dtype", "range", (100, 9000)])
@pytest.mark.parametrize("strength", [0.0, 0.4, 1.0])
def test_options_are_heeded(
    movie: np.ndarray, micro_file: Path, intensity: Any, strength: float
) -> None:
    options: dict[str, Any] = {"model": micro_file, "intensity": intensity, "strength": strength}
    expected = restore(movie, axes="TCYX", **options)
    lazy = restore(da.from_array(movie, chunks=(1, 1, 9, 21)), axes="TCYX", **options)
    np.testing.assert_array_equal(lazy.compute(), expected)


@pytest.mark.parametrize("axes", ["YXS", "SYX", "XSY"])
@pytest.mark.parametrize("samples", [3, 4])
def test_colour_in_any_order(micro_file: Path, axes: str, samples: int) -> None:
    image = np.random.default_rng(0).random((14, 11, samples)).astype(np.float32) * 3
    image = image.transpose(["YXS".index(letter) for letter in axes])
    expected = restore(image, axes=axes, model=micro_file)
    lazy = restore(da.from_array(image, chunks=5), axes=axes, model=micro_file)
    np.testing.assert_array_equal(lazy.compute(), expected)


def test_axes_are_guessed_as_for_numpy(micro_file: Path) -> None:
    image = np.random.default_rng(0).integers(0, 255, (10, 12, 3), np.uint8)
    expected, record = restore_with_record(image, model=micro_file)
    lazy, told = restore_with_record(da.from_array(image), model=micro_file)
    np.testing.assert_array_equal(lazy.compute(), expected)
    assert (told.axes, told.intensity, told.planes) == (record.axes, record.intensity, 1)
    assert (told.mode, told.seconds) == (None, None)
    assert told.sha256 == record.sha256


def test_large_volumes_are_sampled_at_the_same_pixels(
    movie: np.ndarray, micro_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "EXACT", 300)
    image = movie.astype(np.float32)
    exact = np.percentile(image, 99.9)
    expected, record = restore_with_record(image, axes="TCYX", model=micro_file)
    assert record.intensity is not None
    assert record.intensity[1] != exact
    lazy = restore(da.from_array(image, chunks=(1, 2, 8, 5)), axes="TCYX", model=micro_file)
    np.testing.assert_array_equal(lazy.compute(), expected)


def test_nothing_is_read_before_the_result_is_asked_for(micro_file: Path) -> None:
    reads: list[int] = []

    def load(block: np.ndarray) -> np.ndarray:
        reads.append(1)
        return block

    image = da.zeros((3, 16, 16), chunks=(1, 16, 16), dtype=np.uint16)
    image = image.map_blocks(load, dtype=np.uint16, meta=np.empty((0, 0, 0), np.uint16))
    lazy = restore(image, axes="ZYX", model=micro_file)
    assert not reads
    lazy[1].compute()
    assert len(reads) == 4  # the range needs the whole volume, the plane itself


def test_one_plane_reads_one_plane_where_the_range_is_known(micro_file: Path) -> None:
    reads: list[int] = []

    def load(block: np.ndarray) -> np.ndarray:
        reads.append(1)
        return block

    image = da.zeros((3, 16, 16), chunks=(1, 16, 16), dtype=np.uint8)
    image = image.map_blocks(load, dtype=np.uint8, meta=np.empty((0, 0, 0), np.uint8))
    restore(image, axes="ZYX", model=micro_file, intensity="dtype")[1].compute()
    assert len(reads) == 1


def test_memory_does_not_grow_with_the_number_of_planes(micro_file: Path) -> None:
    alive: list[weakref.ref[np.ndarray]] = []
    most = 0

    def load(block: np.ndarray) -> np.ndarray:
        nonlocal most
        loaded = block + np.uint16(1)
        alive.append(weakref.ref(loaded))
        most = max(most, sum(reference() is not None for reference in alive))
        return loaded

    image = da.zeros((24, 8, 8), chunks=(1, 8, 8), dtype=np.uint16)
    image = image.map_blocks(load, dtype=np.uint16, meta=np.empty((0, 0, 0), np.uint16))
    target = np.zeros((24, 8, 8), np.uint16)
    with dask.config.set(scheduler="sync"):
        da.store(restore(image, axes="ZYX", model=micro_file), target)
    assert len(alive) == 48  # once for the range, once for the planes
    assert most <= 3
    np.testing.assert_array_equal(
        target, restore(np.ones_like(target), axes="ZYX", model=micro_file)
    )


def test_names_are_stable_and_the_graph_pickles(movie: np.ndarray, micro_file: Path) -> None:
    image = da.from_array(movie, chunks=(1, 1, 26, 21))
    lazy = restore(image, axes="TCYX", model=micro_file)
    assert restore(image, axes="TCYX", model=micro_file).name == lazy.name
    assert restore(image, axes="TCYX", model=micro_file, strength=0.5).name != lazy.name
    assert restore(image, axes="TCYX", model="nano").name != lazy.name
    copied = pickle.loads(pickle.dumps(lazy))
    np.testing.assert_array_equal(
        copied.compute(scheduler="sync"), restore(movie, axes="TCYX", model=micro_file)
    )


def test_a_network_given_as_module(movie: np.ndarray, micro: AnyIR) -> None:
    lazy = restore(da.from_array(movie), axes="TCYX", model=micro)
    np.testing.assert_array_equal(lazy.compute(), restore(movie, axes="TCYX", model=micro))


def test_empty(micro_file: Path) -> None:
    lazy = restore(da.zeros((0, 8, 8), dtype=">u2"), axes="ZYX", model=micro_file)
    assert lazy.compute().shape == (0, 8, 8)
    assert lazy.dtype == np.dtype(">u2")


def test_constant(micro_file: Path) -> None:
    image = np.full((2, 9, 9), 400, np.uint16)
    lazy = restore(da.from_array(image), axes="ZYX", model=micro_file)
    np.testing.assert_array_equal(lazy.compute(), restore(image, axes="ZYX", model=micro_file))


@pytest.fixture
def stores(movie: np.ndarray, tmp_path: Path) -> tuple[Any, Any]:
    """Return a zarr array that holds the movie, and an empty one like it."""
    zarr = pytest.importorskip("zarr")
    source, target = (
        zarr.open_array(
            tmp_path / name, mode="w", shape=movie.shape, chunks=(1, 2, 8, 8), dtype="u2"
        )
        for name in ("source.zarr", "target.zarr")
    )
    source[:] = movie
    return source, target


def test_zarr_is_lazy_and_equals_numpy(
    movie: np.ndarray, micro_file: Path, stores: tuple[Any, Any]
) -> None:
    source, target = stores
    expected = restore(movie, axes="TCYX", model=micro_file)
    lazy = restore(source, axes="TCYX", model=micro_file)
    assert isinstance(lazy, da.Array)
    np.testing.assert_array_equal(lazy.compute(), expected)
    record = restore_into(source, target, axes="TCYX", model=micro_file)
    np.testing.assert_array_equal(target[:], expected)
    assert (
        record.intensity == restore_with_record(movie, axes="TCYX", model=micro_file)[1].intensity
    )


def test_a_zarr_group_is_refused(tmp_path: Path, micro_file: Path) -> None:
    zarr = pytest.importorskip("zarr")
    with pytest.raises(TypeError, match="take one of the arrays in it"):
        restore(zarr.open_group(tmp_path / "group.zarr", mode="w"), model=micro_file)


def test_dask_into_a_target_with_progress(movie: np.ndarray, micro_file: Path) -> None:
    seen: list[tuple[int, int]] = []
    target = np.empty_like(movie)
    restore_into(
        da.from_array(movie, chunks=(1, 1, 9, 9)),
        target,
        axes="TCYX",
        model=micro_file,
        progress=lambda done, total: seen.append((done, total)),
    )
    np.testing.assert_array_equal(target, restore(movie, axes="TCYX", model=micro_file))
    assert seen[-1][0] == seen[-1][1]


def refused(image: da.Array, **options: Any) -> str:
    with pytest.raises((ValueError, TypeError, napari_anyir.ModelError)) as caught:
        restore(image, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith(".")
    return message


def test_what_the_shape_tells_is_refused_at_once(micro_file: Path) -> None:
    good = da.zeros((8, 8), dtype=np.uint8)
    assert "more than one way" in refused(da.zeros((3, 8, 8)), model=micro_file)
    assert "mask" in refused(good.astype(bool), model=micro_file)
    assert "names 3 axes" in refused(good, axes="ZYX", model=micro_file)
    assert "Unknown model" in refused(good, model="enormous")
    assert "strength" in refused(good, strength=2)
    assert "unknown" in refused(good, intensity="bright")
    assert "tile" in refused(good, tile=-1)
    assert "own size" in refused(da.from_array(np.zeros(9))[da.from_array(np.ones(9)) > 0])


@pytest.mark.parametrize("option", [{"progress": print}, {"cancel": object()}])
def test_progress_and_cancel_belong_to_work_done_at_once(option: dict[str, Any]) -> None:
    assert "restore_into" in refused(da.zeros((8, 8), dtype=np.uint8), model="nano", **option)


def test_what_the_pixels_tell_is_refused_when_they_are_read(micro_file: Path) -> None:
    image = np.zeros((2, 8, 8), np.float32)
    image[1, 0, :3] = np.nan
    lazy = restore(da.from_array(image, chunks=(1, 4, 4)), axes="ZYX", model=micro_file)
    with pytest.raises(ValueError, match="3 NaN pixels"):
        lazy.compute()
    lazy = restore(da.from_array(image), axes="ZYX", model=micro_file, intensity=(0, 1))
    lazy[0].compute()
    with pytest.raises(ValueError, match="3 NaN pixels"):
        lazy[1].compute()


def test_a_device_that_is_not_there(micro_file: Path) -> None:
    lazy = restore(da.zeros((8, 8), dtype=np.uint8), model=micro_file, device="cuda:99")
    with pytest.raises(ValueError, match="no device 'cuda:99'"):
        lazy.compute()


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_workers_threads_do_not_matter(
    movie: np.ndarray, micro_file: Path, threads: int
) -> None:
    lazy = restore(da.from_array(movie), axes="TCYX", model=micro_file)
    expected = restore(movie, axes="TCYX", model=micro_file)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        np.testing.assert_array_equal(lazy.compute(scheduler="sync"), expected)
    finally:
        torch.set_num_threads(before)


@pytest.mark.slow
def test_a_cluster_of_two_processes_equals_numpy(
    movie: np.ndarray, micro_file: Path, stores: tuple[Any, Any]
) -> None:
    distributed = pytest.importorskip("distributed")
    expected, _ = restore_with_record(movie, axes="TCYX", model=micro_file)
    image = da.from_array(movie, chunks=(1, 1, 13, 21))
    with (
        dask.config.set({"distributed.worker.daemon": True}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        # lazily, from zarr, and with the source held by the workers already
        for source in (image, stores[0], image.persist()):
            lazy = restore(source, axes="TCYX", model=micro_file)
            np.testing.assert_array_equal(lazy.compute(), expected)
        wide = da.from_array(np.concatenate([movie] * 3, axis=3), chunks=(1, 1, 26, 40))
        options: dict[str, Any] = {"axes": "TCYX", "model": micro_file, "tile": 32}
        tiled = restore(wide, **options)
        np.testing.assert_array_equal(tiled.compute(), restore(wide.compute(), **options))
        used = client.run(
            lambda: len(__import__("sys").modules["napari_anyir.inference.models"]._kept)
        )
    assert max(used.values()) == 1  # a worker loads the network once, not for every plane
