"""PNG, JPEG, WebP and BMP with the chunks and tags that say what their numbers mean."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from napari_anyir.files import read_image, write_image

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (20, 30), np.uint8)
RGB = RNG.integers(0, 256, (20, 30, 3), np.uint8)
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def png(
    path: Path, array: np.ndarray, depth: int, colours: int, *more: tuple[bytes, bytes]
) -> Path:
    """A PNG by hand: any depth, and any chunks before the pixels."""
    height, width = array.shape[:2]
    if depth == 16:
        rows = array.astype(">u2").reshape(height, -1).view(np.uint8)
    elif depth == 8:
        rows = array.astype(np.uint8).reshape(height, -1)
    else:
        bits = np.unpackbits(array.reshape(height, -1, 1).astype(np.uint8), axis=-1)[..., -depth:]
        rows = np.packbits(bits.reshape(height, -1), axis=-1)
    data = b"".join(b"\0" + row.tobytes() for row in rows)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, 0)), *more]
    chunks += [(b"IDAT", zlib.compress(data)), (b"IEND", b"")]
    path.write_bytes(
        SIGNATURE
        + b"".join(
            struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d))
            for n, d in chunks
        )
    )
    return path


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_a_grey_that_is_transparent(tmp_path: Path, depth: int) -> None:
    numbers = RNG.integers(0, 2**depth, (20, 30), np.uint16)
    hidden = int(numbers[3, 4])
    path = png(tmp_path / "a.png", numbers, depth, 0, (b"tRNS", struct.pack(">H", hidden)))
    array = np.asarray(read_image(path).array)
    top = 65535 if depth == 16 else 255
    assert array.shape == (20, 30, 4)
    np.testing.assert_array_equal(array[..., 0], numbers * (top // (2**depth - 1)))
    np.testing.assert_array_equal(array[..., 3], np.where(numbers == hidden, 0, top))


@pytest.mark.parametrize("depth", [8, 16])
def test_a_colour_that_is_transparent(tmp_path: Path, depth: int) -> None:
    numbers = RNG.integers(0, 2**depth, (20, 30, 3), np.uint16)
    numbers[5:7, 5:9] = numbers[3, 4]
    hidden = struct.pack(">HHH", *numbers[3, 4].tolist())
    path = png(tmp_path / "a.png", numbers, depth, 2, (b"tRNS", hidden))
    image = read_image(path)
    top = 2**depth - 1
    np.testing.assert_array_equal(image.array[..., :3], numbers)
    expected = np.where((numbers == numbers[3, 4]).all(-1), 0, top)
    np.testing.assert_array_equal(image.array[..., 3], expected)
    again = read_image(write_image(tmp_path / "b.png", image.array, image))
    np.testing.assert_array_equal(again.array, image.array)


@pytest.mark.parametrize("depth", [8, 16])
def test_grey_with_alpha_stays_grey(tmp_path: Path, depth: int) -> None:
    numbers = RNG.integers(0, 2**depth, (20, 30, 2), np.uint16)
    path = png(tmp_path / "a.png", numbers, depth, 4)
    image = read_image(path)
    assert image.axes == "YXS"
    np.testing.assert_array_equal(image.array[..., [0, 3]], numbers)
    np.testing.assert_array_equal(image.array[..., 1], numbers[..., 0])
    again = write_image(tmp_path / "b.png", image.array, image)
    assert again.read_bytes()[24:26] == bytes([depth, 4])
    np.testing.assert_array_equal(read_image(again).array, image.array)
    tiff = write_image(tmp_path / "b.tif", image.array, image)
    np.testing.assert_array_equal(read_image(tiff).array, image.array)


@pytest.mark.parametrize("transparent", [0, bytes([0, 128, 255])])
def test_palettes_with_transparency(tmp_path: Path, transparent: Any) -> None:
    Image.fromarray(RGB).quantize(8).save(tmp_path / "a.png", transparency=transparent)
    with Image.open(tmp_path / "a.png") as image:
        expected = np.array(image.convert("RGBA"))
    array = read_image(tmp_path / "a.png").array
    np.testing.assert_array_equal(array, expected)
    assert array[..., 3].min() == 0


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.bmp", "a.gif"])
@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA"])
def test_modes_show_the_same_picture(tmp_path: Path, name: str, mode: str) -> None:
    if (name, mode) == ("a.bmp", "LA"):
        pytest.skip("there is no such BMP")
    source = Image.fromarray(RGB).convert(mode)
    source.save(tmp_path / name, **({"lossless": True} if name == "a.webp" else {}))
    with Image.open(tmp_path / name) as image:
        expected = np.array(image.convert("RGBA"))
    path = (tmp_path / name).rename(tmp_path / "b.png") if name == "a.gif" else tmp_path / name
    read = read_image(path)
    with Image.open(write_image(tmp_path / "c.png", read.array, read)) as image:
        np.testing.assert_array_equal(np.array(image.convert("RGBA")), expected)


def test_an_image_of_bits_fills_the_range(tmp_path: Path) -> None:
    for depth in (1, 2, 4):
        numbers = RNG.integers(0, 2**depth, (20, 30), np.uint8)
        array = read_image(png(tmp_path / "a.png", numbers, depth, 0)).array
        np.testing.assert_array_equal(array, numbers * (255 // (2**depth - 1)))


@pytest.mark.parametrize("deep", [False, True])
def test_gamma_and_primaries_are_kept(tmp_path: Path, deep: bool) -> None:
    gamma = (b"gAMA", struct.pack(">I", 100000))
    primaries = (b"cHRM", struct.pack(">8I", *range(31270, 31278)))
    array = RGB.astype(np.uint16) * 257 if deep else RGB
    path = png(tmp_path / "a.png", array, 16 if deep else 8, 2, gamma, primaries)
    image = read_image(path)
    data = write_image(tmp_path / "b.png", image.array, image).read_bytes()
    for name, value in (gamma, primaries):
        assert struct.pack(">I", len(value)) + name + value in data
        assert data.index(name) < data.index(b"IDAT")


def test_gamma_is_told_where_it_is_lost(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = png(tmp_path / "a.png", RGB, 8, 2, (b"gAMA", struct.pack(">I", 100000)))
    image = read_image(path)
    write_image(tmp_path / "b.jpg", image.array, image)
    assert "JPEG does not hold its gamma" in caplog.text
    caplog.clear()
    path = png(tmp_path / "c.png", RGB, 8, 2, (b"gAMA", struct.pack(">I", 45455)))
    image = read_image(path)
    write_image(tmp_path / "d.jpg", image.array, image)
    assert not caplog.text


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("deep", [False, True])
def test_orientation_of_a_png(tmp_path: Path, orientation: int, deep: bool) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    exif[271] = "Maker"
    block = exif.tobytes().removeprefix(b"Exif\0\0")
    array = RGB.astype(np.uint16) * 257 if deep else RGB
    path = png(tmp_path / "a.png", array, 16 if deep else 8, 2, (b"eXIf", block))
    Image.fromarray(RGB).save(tmp_path / "a.tif", tiffinfo={274: orientation})
    with Image.open(tmp_path / "a.tif") as image:
        expected = np.array(image)
    read = read_image(path)
    np.testing.assert_array_equal(read.array, expected.astype(array.dtype) * (257 if deep else 1))
    again = write_image(tmp_path / "b.png", read.array, read)
    with Image.open(again) as image:
        assert image.getexif().get(274) is None
        assert image.getexif()[271] == "Maker"
    np.testing.assert_array_equal(read_image(again).array, read.array)


@pytest.mark.parametrize("name", ["a.jpg", "a.webp", "a.png"])
def test_orientation_that_only_xmp_notes(tmp_path: Path, name: str) -> None:
    xmp = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="r"><rdf:Description '
        b'xmlns:tiff="t" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
    )
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", xmp.decode())
    options: dict[str, Any] = {"pnginfo": info} if name == "a.png" else {"xmp": xmp}
    Image.fromarray(RGB).save(tmp_path / name, **options)
    image = read_image(tmp_path / name)
    with Image.open(tmp_path / name) as opened:
        turned = opened.getexif().get(274) == 6  # as Pillow takes it
    assert image.array.shape[:2] == ((30, 20) if turned else (20, 30))
    again = read_image(write_image(tmp_path / f"b{name}", image.array, image))
    assert again.array.shape == image.array.shape


def test_cmyk_is_named(tmp_path: Path) -> None:
    Image.fromarray(RGB).convert("CMYK").save(tmp_path / "a.jpg")
    with pytest.raises(ValueError, match="its colours are CMYK"):
        read_image(tmp_path / "a.jpg")


def test_an_animation_of_16_bits_is_refused(tmp_path: Path) -> None:
    frames = [Image.fromarray(RGB), Image.fromarray(255 - RGB)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "PNG", save_all=True, append_images=frames[1:])
    (tmp_path / "a.png").write_bytes(buffer.getvalue())
    with pytest.raises(ValueError, match="animation"):
        read_image(tmp_path / "a.png")
