"""Samples are taken with the tags that say what they mean: results show the source's picture."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_anyir.files import read_image, write_image

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (20, 30), np.uint8)
RGB = RNG.integers(0, 256, (20, 30, 3), np.uint8)
ALPHA = RNG.integers(1, 256, (20, 30, 1), np.uint8)
DEEP = RNG.integers(0, 65536, (20, 30), np.uint16)


def shown(path: Path) -> np.ndarray:
    """What Pillow, which knows the tags, shows of a file."""
    with Image.open(path) as image:
        return np.array(image.convert("RGBA")).astype(int)


def pillow(image: Image.Image, **options: Any) -> Callable[[Path], None]:
    return lambda path: image.save(path, **options)


def tiff(array: np.ndarray, **options: Any) -> Callable[[Path], None]:
    return lambda path: tifffile.imwrite(path, array, **{"metadata": None, **options})


def white_is_zero(image: Image.Image, **options: Any) -> Callable[[Path], None]:
    return pillow(image, tiffinfo={262: 0}, **options)


def turned(orientation: int, **options: Any) -> Callable[[Path], None]:
    return pillow(Image.fromarray(RGB), tiffinfo={274: orientation}, **options)


def premultiplied() -> np.ndarray:
    return np.concatenate([np.rint(RGB * (ALPHA / 255)).astype(np.uint8), ALPHA], -1)


BLACK = Image.fromarray(GREY > 120)
PALETTE = Image.fromarray(RGB).quantize(16)

TIFFS: dict[str, Callable[[Path], None]] = {
    "white is zero, 1 bit": white_is_zero(BLACK),
    "white is zero, fax": white_is_zero(BLACK, compression="group4"),
    "white is zero, fax 3": white_is_zero(BLACK, compression="group3"),
    "black is zero, fax": pillow(BLACK, compression="group4"),
    "white is zero, LZW": white_is_zero(Image.fromarray(GREY), compression="tiff_lzw"),
    "white is zero, deflate": white_is_zero(Image.fromarray(GREY), compression="tiff_deflate"),
    "white is zero, tifffile": tiff(GREY, photometric="miniswhite"),
    "white is zero, zlib": tiff(GREY, photometric="miniswhite", compression="zlib"),
    "white is zero, 1 bit by tifffile": tiff(GREY > 120, photometric="miniswhite"),
    "white is zero, stack": tiff(np.stack([GREY, GREY.copy()[::-1]]), photometric="miniswhite"),
    **{f"orientation {n}": turned(n) for n in range(2, 9)},
    **{f"orientation {n}, LZW": turned(n, compression="tiff_lzw") for n in range(2, 9)},
    "orientation 6, white is zero": pillow(
        Image.fromarray(GREY), tiffinfo={262: 0, 274: 6}, compression="tiff_lzw"
    ),
    "YCbCr": pillow(Image.fromarray(RGB).convert("YCbCr")),
    "YCbCr, JPEG": pillow(Image.fromarray(RGB), compression="jpeg"),
    "YCbCr, LZW": pillow(Image.fromarray(RGB).convert("YCbCr"), compression="tiff_lzw"),
    "YCbCr by tifffile": tiff(np.array(Image.fromarray(RGB).convert("YCbCr")), photometric="ycbcr"),
    "palette": pillow(PALETTE),
    "palette, LZW": pillow(PALETTE, compression="tiff_lzw"),
    "colours in planes": tiff(
        np.moveaxis(RGB, -1, 0).copy(), photometric="rgb", planarconfig="separate"
    ),
    "colours and alpha": tiff(
        np.concatenate([RGB, ALPHA], -1), photometric="rgb", extrasamples=["unassalpha"]
    ),
    "premultiplied": tiff(premultiplied(), photometric="rgb", extrasamples=["assocalpha"]),
    "grey and alpha": pillow(Image.fromarray(np.concatenate([GREY[..., None], ALPHA], -1), "LA")),
    "fourth sample unknown": tiff(
        np.concatenate([RGB, ALPHA], -1), photometric="rgb", extrasamples=["unspecified"]
    ),
    "big": tiff(RGB, photometric="rgb", bigtiff=True),
    "big-endian": tiff(RGB, photometric="rgb", byteorder=">"),
}


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("name", TIFFS)
def test_tiff_shows_the_same_picture(tmp_path: Path, name: str, lazy: bool) -> None:
    source = tmp_path / "a.tif"
    TIFFS[name](source)
    image = read_image(source, lazy_above=0 if lazy else 2**30)
    assert image.is_lazy == lazy
    plain = name.startswith("YCbCr") and "JPEG" not in name  # not every Pillow shows these
    rgb = Image.fromarray(RGB).convert("YCbCr").convert("RGBA")
    before = np.array(rgb).astype(int) if plain else shown(source)
    again = write_image(tmp_path / "b.tif", image.array, image)
    near = 2 if plain else 1 if "premultiplied" in name else 0
    np.testing.assert_allclose(shown(again), before, atol=near)
    array, like = (image.array[0], None) if "stack" in name else (image.array, image)
    seen = write_image(tmp_path / "b.png", array, like)
    np.testing.assert_allclose(shown(seen), before, atol=near)


def test_stored_numbers_and_tags_stay(tmp_path: Path) -> None:
    for name in ("white is zero, tifffile", "orientation 6", "premultiplied", "colours in planes"):
        TIFFS[name](tmp_path / "a.tif")
        image = read_image(tmp_path / "a.tif")
        write_image(tmp_path / "b.tif", image.array, image)
        with tifffile.TiffFile(tmp_path / "a.tif") as a, tifffile.TiffFile(tmp_path / "b.tif") as b:
            np.testing.assert_array_equal(a.asarray(), b.asarray(), err_msg=name)
            first, second = a.pages[0], b.pages[0]
            assert first.photometric == second.photometric
            assert first.planarconfig == second.planarconfig
            assert first.extrasamples == second.extrasamples
            assert _orientation(first) == _orientation(second)


def _orientation(page: Any) -> int:
    return page.tags["Orientation"].value if "Orientation" in page.tags else 1


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize(
    ("dtype", "white"), [(np.uint16, 65535), (np.int16, -1), (np.uint32, 2**32 - 1)]
)
def test_white_is_zero_of_more_bits(tmp_path: Path, dtype: Any, white: int, lazy: bool) -> None:
    array = DEEP.astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="miniswhite", metadata=None)
    image = read_image(tmp_path / "a.tif", lazy_above=0 if lazy else 2**30)
    np.testing.assert_array_equal(np.asarray(image.array), white - array.astype(np.int64))
    write_image(tmp_path / "b.tif", image.array, image)
    with tifffile.TiffFile(tmp_path / "b.tif") as written:
        assert written.pages[0].photometric.name == "MINISWHITE"
        np.testing.assert_array_equal(written.asarray(), array)


def test_white_is_zero_of_floats_is_told(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GREY / np.float32(255), photometric="miniswhite")
    image = read_image(tmp_path / "a.tif")
    assert "zero is white" in image.notes[0]


@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite", "rgb"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("lazy", [False, True])
def test_bands_are_channels(tmp_path: Path, photometric: str, planar: str, lazy: bool) -> None:
    bands = np.stack([DEEP + np.uint16(i) for i in range(5)])
    stored = bands if planar == "separate" else np.moveaxis(bands, 0, -1)
    tifffile.imwrite(
        tmp_path / "a.tif", stored, photometric=photometric, planarconfig=planar, metadata=None
    )
    image = read_image(tmp_path / "a.tif", lazy_above=0 if lazy else 2**30)
    assert image.axes == ("CYX" if planar == "separate" else "YXC")
    again = write_image(tmp_path / "b.tif", image.array, image)
    with tifffile.TiffFile(again) as written:
        assert len(written.pages) == 1
        assert written.pages[0].samplesperpixel == 5
        np.testing.assert_array_equal(written.asarray(), stored)


def test_three_bands_that_are_no_colours(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif", RGB, photometric="minisblack", planarconfig="contig", metadata=None
    )
    assert read_image(tmp_path / "a.tif").axes == "YXC"


def test_axes_of_the_user_are_those_of_the_file(tmp_path: Path) -> None:
    planes = np.moveaxis(RGB, -1, 0).copy()
    tifffile.imwrite(tmp_path / "a.tif", planes, photometric="rgb", planarconfig="separate")
    image = read_image(tmp_path / "a.tif").named("CYX")
    np.testing.assert_array_equal(image.array, planes)
    again = write_image(tmp_path / "b.tif", image.array, image)
    np.testing.assert_array_equal(shown(again), shown(tmp_path / "a.tif"))
    assert read_image(tmp_path / "a.tif").named("SYX").axes == "YXS"
    PALETTE.save(tmp_path / "p.tif")
    assert read_image(tmp_path / "p.tif").named("yx").axes == "YXS"


def test_few_bits_fill_the_range(tmp_path: Path) -> None:
    four = (GREY // 16).astype(np.uint8)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, (four[:, ::2] << 4) | four[:, 1::2], metadata=None, photometric=1)
    with tifffile.TiffFile(path, mode="r+") as tif:
        tif.pages[0].tags["ImageWidth"].overwrite(30)
        tif.pages[0].tags["BitsPerSample"].overwrite(4)
    image = read_image(path)
    np.testing.assert_array_equal(image.array, four * 17)
    again = write_image(tmp_path / "b.tif", image.array, image)
    np.testing.assert_array_equal(shown(again), shown(path))


@pytest.mark.parametrize("compression", [None, "group4"])
def test_fill_order(tmp_path: Path, compression: str | None) -> None:
    path = tmp_path / "a.tif"
    BLACK.save(path, compression=compression)
    before = shown(path)
    with tifffile.TiffFile(path) as tif:
        page = tif.pages[0]
        start, count = page.dataoffsets[0], page.databytecounts[0]
        assert len(page.dataoffsets) == 1
    data = bytearray(path.read_bytes())
    strip = slice(start, start + count)
    data[strip] = [int(f"{byte:08b}"[::-1], 2) for byte in data[strip]]
    path.write_bytes(bytes(data))
    _add_fill_order(path)
    np.testing.assert_array_equal(shown(path), before)
    np.testing.assert_array_equal(read_image(path).array, before[..., 0])


def _add_fill_order(path: Path) -> None:
    """Write the first directory anew at the end, with FillOrder 2."""
    data = bytearray(path.read_bytes())
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    entries = [bytes(data[at + 2 + 12 * n : at + 14 + 12 * n]) for n in range(count)]
    entries = [e for e in entries if struct.unpack_from("<H", e)[0] != 266]
    entries.append(struct.pack("<HHIHH", 266, 3, 1, 2, 0))
    entries.sort(key=lambda entry: struct.unpack_from("<H", entry)[0])
    end = len(data) + len(data) % 2
    data += b"\0" * (len(data) % 2)
    data += struct.pack("<H", len(entries)) + b"".join(entries) + b"\0\0\0\0"
    struct.pack_into("<I", data, 4, end)
    path.write_bytes(bytes(data))


@pytest.mark.parametrize(
    "photometric", ["separated", "cielab", "icclab", "itulab", "cfa", "logl", "linear_raw"]
)
def test_colours_that_are_not_known_are_named(tmp_path: Path, photometric: str) -> None:
    samples = {"separated": (4,), "cfa": (), "logl": ()}.get(photometric, (3,))
    array = np.zeros((8, 8, *samples), np.uint8)
    known = "rgb" if samples == (3,) else "minisblack"
    planar = "contig" if samples else None
    tifffile.imwrite(
        tmp_path / "a.tif", array, photometric=known, planarconfig=planar, metadata=None
    )
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+") as tif:
        number = tifffile.PHOTOMETRIC[photometric.upper()].value
        tif.pages[0].tags["PhotometricInterpretation"].overwrite(number)
    with pytest.raises(ValueError, match="save it as RGB or grey"):
        read_image(tmp_path / "a.tif")
