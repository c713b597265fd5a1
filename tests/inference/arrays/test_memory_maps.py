"""A file that shrinks while its memory map is read is an error, and no end of the process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import napari_anyir
from napari_anyir import ImageFileError
from napari_anyir.inference.arrays.memory_maps import unmapped

STACK = np.random.default_rng(0).integers(0, 999, (40, 96, 96), np.uint16)
# All in one process, which goes on where it once was killed.
START = """
import os, sys
import dask.array as da
import numpy as np
from dask.delayed import delayed
import napari_anyir
from napari_anyir import ImageFileError
from napari_anyir.training.adaptation.method import adapt
path, whole = sys.argv[1], open(sys.argv[1], "rb").read()

def restore(image, **more):
    napari_anyir.restore(image, axes="ZYX", model="nano", **more)

def cut(done=0, total=0):
    os.truncate(path, 9000)

def cut_before(image):
    cut()
    restore(image)

def blocks_of(image):
    parts = [da.from_delayed(delayed(lambda z: image[z])(z), (96, 96), "uint16") for z in range(40)]
    lazy = napari_anyir.restore(da.stack(parts), axes="ZYX", model="nano")
    cut()
    lazy.compute(scheduler="synchronous")

def features_of(image):
    cut()
    napari_anyir.feature_maps(image, index=3, model="nano")

for name, work in {
    "plain": lambda image: restore(image, progress=cut),
    "view": lambda image: restore(image[:, ::-1, 2:].transpose(0, 2, 1), progress=cut),
    "nodata": lambda image: restore(image, nodata=7, progress=cut),
    "masked": lambda image: restore(np.ma.masked_equal(image, 7, copy=False), progress=cut),
    "before": cut_before,
    "lazy": blocks_of,
    "features": features_of,
    "adapt": lambda image: adapt(image, axes="ZYX", model="nano", steps=40, progress=cut),
}.items():
    with open(path, "wb") as file:
        file.write(whole)
    try:
        work(np.load(path, mmap_mode="r"))
        print(name, "was read to its end")
    except ImageFileError as error:
        print(name, error)
"""
MAPPED = pytest.mark.skipif(sys.platform == "win32", reason="a mapped file cannot be cut there")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    np.save(tmp_path / "stack.npy", STACK)
    return tmp_path / "stack.npy"


@pytest.mark.slow
@MAPPED
def test_a_file_that_shrinks_is_one_sentence(path: Path) -> None:
    pytest.importorskip("dask")
    done = subprocess.run(
        [sys.executable, "-c", START, path],
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    told = done.stdout.splitlines()
    assert len(told) == 8, told
    for line in told:
        assert "stack.npy', in which the image lies, has become too short: it has 9,000 by" in line


def test_a_memory_map_is_restored_as_the_array_in_it(path: Path) -> None:
    expected = napari_anyir.restore(STACK[:2], axes="ZYX", model="nano")
    for mode in ("r", "c", "r+"):
        mapped = np.load(path, mmap_mode=mode)
        found = napari_anyir.restore(mapped[:2], axes="ZYX", model="nano")
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(np.load(path), STACK)


def test_what_lies_in_no_file_is_not_copied() -> None:
    for array in (STACK, STACK[::2].T, np.ma.masked_equal(STACK, 3)):
        assert unmapped(array) is array


@MAPPED
@pytest.mark.parametrize(
    ("part", "whole"),
    [((slice(0, 4),), True), ((slice(4, 12),), False), ((slice(None, None, -3),), False)],
    ids=["front", "behind", "steps"],
)
def test_only_the_bytes_that_are_read_have_to_be_there(
    path: Path, part: tuple[slice, ...], whole: bool
) -> None:
    mapped = np.load(path, mmap_mode="r")
    with path.open("r+b") as file:
        file.truncate(mapped.offset + 5 * 96 * 96 * 2)
    if whole:
        np.testing.assert_array_equal(unmapped(mapped[part]), STACK[part])
        return
    with pytest.raises(ImageFileError, match="too short"):
        unmapped(mapped[part])


@MAPPED
def test_maps_far_into_a_file_and_without_numpy(tmp_path: Path) -> None:
    import mmap

    path = tmp_path / "raw"
    path.write_bytes(bytes(10_000) + STACK.tobytes())
    mapped = np.memmap(path, np.uint16, "r", offset=10_000, shape=STACK.shape)
    np.testing.assert_array_equal(unmapped(mapped), STACK)
    with path.open("r+b") as file:
        owner = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        plain = np.frombuffer(owner, np.uint8)
        assert unmapped(plain).size == path.stat().st_size
        file.truncate(10_000 + STACK.nbytes - 1)  # the rest of the page would read as zero
    for array in (mapped, plain):
        with pytest.raises(ImageFileError, match=f"{10_000 + STACK.nbytes:,} are needed"):
            unmapped(array)
    assert unmapped(mapped[:-1]).shape == (39, 96, 96)
