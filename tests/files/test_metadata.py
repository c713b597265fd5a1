"""What is beside the pixels: kept between formats, or told, and never at the cost of the work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, PngImagePlugin

from napari_anyir.files import Settings, read_image, restore_files, write_image
from napari_anyir.files.fitting import fit

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (20, 30), np.uint8)
RGB = RNG.integers(0, 256, (20, 30, 3), np.uint8)
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a>\xc3\xa9</a></x:xmpmeta>'
TEXT = "Aufnahme für Müller, 5 µm"


def exif() -> Image.Exif:
    block = Image.Exif()
    block[271] = "Maker"
    block[315] = "Zoe"
    block[0x8769] = {33434: 0.004, 36867: "2024:01:02 03:04:05", 37500: b"note"}
    block[0x8825] = {1: "N", 2: (48.0, 8.0, 30.0)}
    return block


def everything(path: Path) -> Path:
    """An image with all that its format holds."""
    image = Image.fromarray(RGB)
    common: dict[str, Any] = {"icc_profile": PROFILE, "dpi": (300, 300)}
    if path.suffix == ".tif":
        block = exif()
        block[270], block[700] = "text", XMP
        image.save(path, **common, exif=block.tobytes())
        _set_description(path, TEXT)
    elif path.suffix == ".png":
        info = PngImagePlugin.PngInfo()
        info.add_text("Description", TEXT)
        info.add_itxt("XML:com.adobe.xmp", XMP.decode())
        image.save(path, **common, pnginfo=info, exif=exif())
    else:
        image.save(path, **common, comment=TEXT.encode(), exif=exif(), xmp=XMP)
    return path


def _set_description(path: Path, text: str) -> None:
    with tifffile.TiffFile(path, mode="r+") as tif:
        tif.pages[0].tags[270].overwrite(text.encode())


@pytest.mark.parametrize("target", [".tif", ".png", ".jpg", ".ome.zarr"])
@pytest.mark.parametrize("source", [".tif", ".png", ".jpg"])
def test_everything_survives(tmp_path: Path, source: str, target: str) -> None:
    if target == ".ome.zarr":
        pytest.importorskip("zarr")
    image = read_image(everything(tmp_path / f"a{source}"))
    path = write_image(tmp_path / f"b{target}", image.array, image)
    again = read_image(path)
    assert again.metadata["icc_profile"] == PROFILE
    inches = again.scale["X"] / {"inch": 1, "centimeter": 2.54}[again.units["X"]]
    assert inches == pytest.approx(1 / 300, rel=1e-3)
    texts = again.metadata["text"]
    assert TEXT in (texts.get("Description"), texts.get("Comment"))
    assert again.metadata["xmp"].strip(b"\0") == XMP
    block = Image.Exif()
    block.load(again.metadata["exif"])
    assert block[271] == "Maker"
    details = block.get_ifd(0x8769)
    assert float(details[33434]) == pytest.approx(1 / 250)
    assert details[36867] == "2024:01:02 03:04:05"
    assert [float(value) for value in block.get_ifd(0x8825)[2]] == [48.0, 8.0, 30.0]
    if target == ".tif":  # other programs find them as well
        with Image.open(path) as opened:
            assert opened.getexif().get_ifd(0x8769)[36867] == "2024:01:02 03:04:05"
        with tifffile.TiffFile(path) as tif:
            assert tif.pages[0].tags["ExifTag"].value["DateTimeOriginal"] == "2024:01:02 03:04:05"
            np.testing.assert_array_equal(tif.asarray(), image.array)


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
@pytest.mark.parametrize("code", [270, 315, 33432])
def test_texts_that_are_not_ascii(tmp_path: Path, code: int, encoding: str) -> None:
    text = "© 2024 Zoë"
    options: dict[str, Any] = {"extratags": [(code, 2, 0, text.encode(encoding), True)]}
    if code == 270:
        options = {"description": text.encode(encoding)}
    tifffile.imwrite(tmp_path / "a.tif", GREY, metadata=None, **options)
    image = read_image(tmp_path / "a.tif")
    again = read_image(write_image(tmp_path / "b.tif", image.array, image))
    assert text in again.metadata["text"].values()
    with Image.open(write_image(tmp_path / "b.png", image.array, image)) as picture:
        assert text in picture.text.values()


@pytest.mark.parametrize("dtype", ["int64", "uint64", "float64", "float32", "float16", "int8"])
@pytest.mark.parametrize("lazy", [False, True])
def test_compressed_files_of_any_type(tmp_path: Path, dtype: str, lazy: bool) -> None:
    array = (GREY // 4).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", array, compression="zlib")
    image = read_image(tmp_path / "a.tif", lazy_above=0 if lazy else 2**30)
    path = write_image(tmp_path / "b.tif", image.array, image)
    np.testing.assert_array_equal(tifffile.imread(path), array)


@pytest.mark.parametrize("target", [".jpg", ".png", ".webp", ".tif", ".npy"])
def test_long_exif_costs_no_work(tmp_path: Path, target: str) -> None:
    block = exif()
    block[0x8769] = {36867: "2024:01:02 03:04:05", 0x927C: b"x" * 70000}
    Image.fromarray(RGB).save(tmp_path / "a.webp", exif=block.tobytes(), lossless=True)
    settings = Settings(model="nano", strength=0)
    *_, last = restore_files([tmp_path / "a.webp"], tmp_path / f"b{target}", settings=settings)
    assert last.state == "done", last.message
    if target == ".jpg":
        assert "64 KB of EXIF" in last.message
        with Image.open(tmp_path / "b.jpg") as opened:
            assert opened.getexif()[271] == "Maker"
            assert opened.getexif().get_ifd(0x8769)[36867] == "2024:01:02 03:04:05"


@pytest.mark.parametrize("block", [b"Exif\0\0junk", b"Exif\0\0II*\0\xff\xff\xff\xff", b"\xff" * 99])
@pytest.mark.parametrize("target", [".jpg", ".png", ".tif", ".webp"])
def test_broken_exif_costs_no_work(tmp_path: Path, block: bytes, target: str) -> None:
    Image.fromarray(RGB).save(tmp_path / "a.png", exif=block)
    image = read_image(tmp_path / "a.png")
    again = read_image(write_image(tmp_path / f"b{target}", image.array, image))
    assert again.array.shape == RGB.shape


def test_odd_tags_cost_no_work(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GREY, metadata=None, description="kept")
    image = read_image(tmp_path / "a.tif")
    image.metadata["extratags"].append((33550, 12, 3, ("a", "b", "c"), True))
    again = write_image(tmp_path / "b.tif", image.array, image)
    assert "Its tag 33550 cannot be written and is left out" in caplog.text
    assert read_image(again).metadata["text"]["Description"] == "kept"


@pytest.mark.parametrize(
    ("colours", "array"), [(b"GRAY", RGB), (b"RGB ", GREY), (b"CMYK", RGB), (b"Lab ", GREY)]
)
@pytest.mark.parametrize("kind", ["png", "tiff", "jpeg", "webp"])
def test_profiles_of_other_colours_are_left_out(colours: bytes, array: Any, kind: str) -> None:
    from napari_anyir.files import ImageFile

    profile = PROFILE[:16] + colours + PROFILE[20:]
    like = ImageFile(None, "YXS"[: array.ndim], "png", metadata={"icc_profile": profile})
    fitted, notes = fit(kind, like, array.shape, array.dtype)
    assert "icc_profile" not in fitted.metadata
    assert "so it is left out" in notes[0]


@pytest.mark.parametrize("target", [".npy", ".bmp", ".webp"])
def test_what_cannot_be_kept_is_told_before_the_work(tmp_path: Path, target: str) -> None:
    everything(tmp_path / "a.png")
    settings = Settings(model="nano", strength=0)
    *_, last = restore_files([tmp_path / "a.png"], tmp_path / f"b{target}", settings=settings)
    assert last.state == "done"
    assert "does not hold its" in last.message
    assert ("colour profile" in last.message) == (target != ".webp")


def test_a_format_that_cannot_hold_the_pixels_is_told_before_the_work(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((9, 20, 30), np.uint8), photometric="minisblack")
    *_, last = restore_files([tmp_path / "a.tif"], tmp_path / "b.png")
    assert last.state == "failed"
    assert "PNG cannot hold" in last.message
    assert last.seconds < 60


def test_resolution_beyond_a_format_is_told(tmp_path: Path) -> None:
    metadata = {"axes": "YX", "PhysicalSizeX": 0.1, "PhysicalSizeY": 0.1}
    tifffile.imwrite(tmp_path / "a.ome.tif", GREY, metadata=metadata)
    image = read_image(tmp_path / "a.ome.tif")
    again = read_image(write_image(tmp_path / "b.png", image.array, image))
    assert again.scale["X"] == pytest.approx(1e-5)
    assert "does not hold a resolution" in fit("jpeg", image, GREY.shape, GREY.dtype)[1][0]
