"""Every format through the one door: what comes back, what is refused, what is left on the disk."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_anyir import ImageFileError
from napari_anyir.files import ImageFile, read_image, write_image
from napari_anyir.files.deferred_array import DeferredArray

RNG = np.random.default_rng(0)


def pixels(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Random pixels over the whole range of a type."""
    if dtype.startswith("float"):
        return RNG.random(shape).astype(dtype)
    top = np.iinfo(dtype).max
    return RNG.integers(0, top, shape, dtype, endpoint=True)


@pytest.mark.parametrize(
    ("name", "shape", "dtype", "axes"),
    [
        ("a.png", (9, 7), "uint8", "YX"),
        ("a.png", (9, 7), "uint16", "YX"),
        ("a.png", (9, 7, 3), "uint8", "YXS"),
        ("a.png", (9, 7, 4), "uint8", "YXS"),
        ("a.png", (9, 7, 3), "uint16", "YXS"),
        ("a.png", (9, 7, 4), "uint16", "YXS"),
        ("a.bmp", (9, 7, 3), "uint8", "YXS"),
        ("a.webp", (9, 7, 3), "uint8", "YXS"),
        ("a.webp", (9, 7, 4), "uint8", "YXS"),
        ("a.tif", (9, 7), "float32", "YX"),
        ("a.tif", (9, 7, 3), "uint8", "YXS"),
        ("a.tif", (9, 7, 4), "uint16", "YXS"),
        ("a.tif", (3, 9, 7), "uint16", "ZYX"),
        ("a.ome.tif", (2, 3, 2, 9, 7), "uint16", "TZCYX"),
        ("a.npy", (2, 9, 7), "float64", "ZYX"),
        ("a.ome.zarr", (2, 2, 3, 9, 7), "uint16", "TCZYX"),
        ("a.zarr", (9, 7), "float32", "YX"),
    ],
)
def test_pixels_and_axes_come_back(
    tmp_path: Path, name: str, shape: tuple[int, ...], dtype: str, axes: str
) -> None:
    if ".zarr" in name:
        pytest.importorskip("zarr")
    array = pixels(shape, dtype)
    target = write_image(tmp_path / "new" / name, array, ImageFile(array, axes, "npy"))
    image = read_image(target)
    np.testing.assert_array_equal(image.array, array)
    assert image.array.dtype == array.dtype
    assert image.axes == (None if name.endswith("npy") else axes)
    assert [path.name for path in target.parent.iterdir()] == [name]


def test_jpeg_is_close(tmp_path: Path) -> None:
    y, x = np.mgrid[:32, :32]
    array = np.stack([y * 4, x * 4, y + x], -1).astype(np.uint8)
    image = read_image(write_image(tmp_path / "a.jpg", array))
    assert np.abs(image.array.astype(int) - array).max() < 8


def test_black_and_white_becomes_grey(tmp_path: Path) -> None:
    bits = pixels((8, 8), "uint8") > 127
    Image.fromarray(bits).save(tmp_path / "bits.png")
    np.save(tmp_path / "bits.npy", bits)
    for name in ("bits.png", "bits.npy"):
        array = read_image(tmp_path / name).array
        assert array.dtype == np.uint8
        np.testing.assert_array_equal(array, bits * 255)


# --- refused, each with one sentence --------------------------------------------------------------


def refusal(path: Path) -> str:
    """Return the sentence with which a file is refused."""
    with pytest.raises(ValueError, match="cannot be read") as caught:
        read_image(path)
    sentence = str(caught.value)
    assert str(path) in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.bmp", "a.tif", "a.npy"])
def test_text_and_empty_files(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("This is a shopping list, not an image.\n" * 40)
    assert "content" in refusal(path) or "first bytes" in refusal(path)
    path.write_bytes(b"")
    assert "empty" in refusal(path)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tif", "a.npy"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated_files(tmp_path: Path, name: str, share: float) -> None:
    path = write_image(tmp_path / name, pixels((40, 40, 3), "uint8"))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    refusal(path)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_truncated_stacks(tmp_path: Path, share: float, compression: str | None) -> None:
    tifffile = pytest.importorskip("tifffile")
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, pixels((5, 40, 40), "uint16"), compression=compression)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    refusal(path)


def test_what_is_no_image_of_numbers(tmp_path: Path) -> None:
    np.save(tmp_path / "complex.npy", np.ones((4, 4), complex))
    assert "complex128" in refusal(tmp_path / "complex.npy")
    np.save(tmp_path / "objects.npy", np.array([[{}]]), allow_pickle=True)
    refusal(tmp_path / "objects.npy")
    np.save(tmp_path / "line.npy", np.ones(4))
    assert "two axes" in refusal(tmp_path / "line.npy")


def test_cmyk_and_animations(tmp_path: Path) -> None:
    Image.new("CMYK", (8, 8)).save(tmp_path / "print.jpg")
    assert "CMYK" in refusal(tmp_path / "print.jpg")
    frames = [Image.fromarray(pixels((8, 8), "uint8")) for _ in range(3)]
    frames[0].save(tmp_path / "moving.webp", save_all=True, append_images=frames[1:])
    assert "3 images" in refusal(tmp_path / "moving.webp")


def test_missing_unknown_and_misnamed(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file '.*nowhere\.png'"):
        read_image(tmp_path / "nowhere.png")
    (tmp_path / "film.avi").touch()
    with pytest.raises(ValueError, match=r"extension '\.avi'"):
        read_image(tmp_path / "film.avi")
    (tmp_path / "folder.png").mkdir()
    assert "folder" in refusal(tmp_path / "folder.png")
    (tmp_path / "file.zarr").touch()
    assert "a file" in refusal(tmp_path / "file.zarr")


# --- writing --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shape", "dtype", "says"),
    [
        ("a.jpg", (4, 4), "uint16", "8 bits"),
        ("a.jpg", (4, 4, 4), "uint8", "shape"),
        ("a.png", (4, 4), "float32", "8 or 16 bits"),
        ("a.png", (2, 4, 5), "uint8", "shape"),
        ("a.webp", (0, 4), "uint8", "without pixels"),
    ],
)
def test_what_a_format_cannot_hold(
    tmp_path: Path, name: str, shape: tuple[int, ...], dtype: str, says: str
) -> None:
    with pytest.raises(ValueError, match=f"cannot be written.*{says}"):
        write_image(tmp_path / name, pixels(shape, dtype))
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.png", pixels((4, 4), "uint8"))
    before = path.read_bytes()
    with pytest.raises(ValueError, match="cannot be written"):
        write_image(path, pixels((4, 4), "float32"))
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("name", ["a.npy", "a.tif", "a.ome.zarr"])
def test_lazy_arrays_are_written_block_by_block(tmp_path: Path, name: str) -> None:
    if "zarr" in name:
        pytest.importorskip("zarr")
    da = pytest.importorskip("dask.array")
    array = pixels((5, 30, 20), "uint16")
    sizes: list[int] = []

    def noted(block: np.ndarray) -> np.ndarray:
        sizes.append(block.size)
        return block

    lazy = da.from_array(array, chunks=(1, 30, 20)).map_blocks(noted, dtype=array.dtype, meta=array)
    target = write_image(tmp_path / name, lazy, ImageFile(lazy, "ZYX", "tiff"))
    assert sizes == [600] * 5
    image = read_image(target)
    np.testing.assert_array_equal(image.array, array)
    lazy_again = read_image(target, lazy_above=0)
    assert lazy_again.is_lazy
    np.testing.assert_array_equal(lazy_again.array.compute(), array)


def test_a_lazy_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fill(target: np.ndarray) -> None:
        target[0] = 1
        raise KeyboardInterrupt

    for name in ("a.tif", "a.npy"):
        with pytest.raises(KeyboardInterrupt):
            write_image(tmp_path / name, DeferredArray((4, 9, 9), np.dtype(np.uint8), fill))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("axes", ["TZCYX", "YXS", "SYX", "CYX"])
def test_what_is_filled_is_put_in_order(tmp_path: Path, axes: str) -> None:
    pytest.importorskip("zarr")
    sizes = {"T": 2, "Z": 3, "C": 2, "Y": 10, "X": 8, "S": 3}
    array = pixels(tuple(sizes[letter] for letter in axes), "uint8")

    def fill(target: np.ndarray) -> None:
        for index in np.ndindex(array.shape[:-3]):
            target[index] = array[index]
        if array.ndim == 3:
            target[:, 2:5] = array[:, 2:5]

    filled = DeferredArray(array.shape, array.dtype, fill)
    for name in ("a.zarr", "a.tif"):
        like = ImageFile(None, axes, "npy")
        lazily = read_image(write_image(tmp_path / name, filled, like))
        at_once = read_image(write_image(tmp_path / f"b{name}", array, like))
        assert lazily.axes == at_once.axes
        np.testing.assert_array_equal(lazily.array, at_once.array)


def test_zarr_missing_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zarr", None)
    (tmp_path / "a.ome.zarr").mkdir()
    assert "pip install 'napari-anyir[ome]'" in refusal(tmp_path / "a.ome.zarr")
    with pytest.raises(ValueError, match="pip install"):
        write_image(tmp_path / "b.ome.zarr", pixels((4, 4), "uint8"))
    assert [path.name for path in tmp_path.iterdir()] == ["a.ome.zarr"]


def test_arrays_without_pixels(tmp_path: Path) -> None:
    path = tmp_path / "none.npy"
    np.save(path, np.zeros((0, 5), np.uint8))
    with pytest.raises(ValueError, match=r"none\.npy' cannot be read.*no pixels"):
        read_image(path)


@pytest.mark.skipif(sys.platform == "win32", reason="no limits there")
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp", ".tif", ".npy"])
def test_a_write_that_is_cut_short_is_an_error(tmp_path: Path, suffix: str) -> None:
    """As on a disk that becomes full: the system takes a part of what it is given."""
    import resource

    path = tmp_path / f"a{suffix}"
    noise = np.random.default_rng(0).integers(0, 255, (160, 160), np.uint8)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (7000, before[1]))
    try:
        with pytest.raises(ImageFileError, match="cannot be written"):
            write_image(path, noise)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []
