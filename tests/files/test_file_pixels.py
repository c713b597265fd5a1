"""Pixels in a file: every index as numpy has it; a cut source and a full disk are sentences."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_anyir import ImageFileError
from napari_anyir.files import read_image
from napari_anyir.files.file_pixels import FilePixels, reserve

ARRAY = np.random.default_rng(0).integers(0, 60000, (3, 4, 5, 6)).astype(">u2")
INDICES = [
    (), 0, -1, slice(None), slice(1, 3), slice(None, None, 2), slice(None, None, -1), ...,
    (0, 1, 2, 3), (..., 2), (slice(None), 1), (slice(1, 2), slice(2, 4), slice(1, 4), slice(2, 5)),
    (..., slice(4, 1, -2), 0), (0, ..., slice(2, 2)), [0, 2], (slice(None), [3, 0], 1),
    (np.array([0, 2]), np.array([1, 3])), (slice(None), np.array([True, False, True, False])),
    (np.int64(2), slice(None), -2), (slice(5, 9),), (slice(None), []),
]  # fmt: skip


@pytest.fixture
def pixels(tmp_path: Path) -> FilePixels:
    """Return the array in a file, behind a head of 7 bytes."""
    (tmp_path / "pixels").write_bytes(b"1234567" + ARRAY.tobytes())
    return FilePixels(tmp_path / "pixels", ARRAY.dtype, ARRAY.shape, 7)


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_reading_and_writing_as_numpy_does(pixels: FilePixels, index: object) -> None:
    found = pixels[index]
    assert found.shape == ARRAY[index].shape  # type: ignore[index]
    assert np.array_equal(found, ARRAY[index])  # type: ignore[index]
    expected = ARRAY.copy()
    values = np.arange(expected[index].size).reshape(expected[index].shape)  # type: ignore[index]
    expected[index] = values  # type: ignore[index]
    pixels[index] = values
    assert np.array_equal(pixels[...], expected)
    pixels[index] = 9
    expected[index] = 9  # type: ignore[index]
    assert (pixels.path.read_bytes()) == b"1234567" + expected.tobytes()


@pytest.mark.parametrize("index", [3, (0, 9), (0, 0, 0, 0, 0), [7]], ids=str)
def test_outside(pixels: FilePixels, index: object) -> None:
    with pytest.raises(IndexError):
        pixels[index]


@pytest.mark.parametrize("suffix", [".npy", ".tif"])
def test_a_source_that_shrinks_while_it_is_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    stack = np.ones((40, 64, 64), np.uint16)
    if suffix == ".npy":
        np.save(path, stack)
    else:
        import tifffile

        tifffile.imwrite(path, stack, photometric="minisblack")
    lazy = read_image(path, lazy_above=0).array
    assert lazy[0].compute().sum() == 64 * 64
    os.truncate(path, 20000)
    assert lazy[0].compute().sum() == 64 * 64  # what is still there is right
    with pytest.raises(ImageFileError, match=r"cannot be read: .*") as caught:
        lazy[20].compute(scheduler="synchronous")
    assert str(path) in str(caught.value)


def test_space_is_reserved(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"head")
    reserve(path, 10**6)
    assert path.stat().st_size == 10**6
    assert path.read_bytes()[:4] == b"head"
    if sys.platform == "linux":
        assert path.stat().st_blocks * 512 >= 10**6


@pytest.mark.slow
@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="a small disk needs rights to mount it"
)
@pytest.mark.parametrize("suffix", [".tif", ".npy", ".ome.tif", ".ome.zarr"])
def test_a_full_disk_is_a_sentence(tmp_path: Path, suffix: str) -> None:
    code = (
        "import sys, dask.array as da\n"
        "from napari_anyir.files import write_image\n"
        "stack = da.random.default_rng(0).integers(0, 4000, (40, 256, 256), 'uint16',\n"
        "    chunks=(1, 256, 256))\n"
        "try: write_image(sys.argv[1], stack)\n"
        "except ValueError as error: print(error)\n"
    )
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", tmp_path], check=False
    )
    if mounted.returncode:
        pytest.skip("nothing can be mounted here")
    try:
        done = subprocess.run(
            [sys.executable, "-c", code, tmp_path / f"a{suffix}"],
            capture_output=True,
            text=True,
            check=False,
        )
        left = list(tmp_path.iterdir())
    finally:
        subprocess.run(["umount", tmp_path], check=True)
    assert done.returncode == 0, done.stderr
    assert "no space left on device" in done.stdout
    assert left == []
