"""PNG, JPEG, BMP and WebP: metadata, orientation, palettes and transparency."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from napari_anyir.files import read_image, write_image


def corner() -> Image.Image:
    """An upright image, 6 wide and 4 high, with a red corner at the top left."""
    array = np.full((48, 64, 3), 128, np.uint8)
    array[:16, :16] = (255, 0, 0)
    return Image.fromarray(array)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_once(tmp_path: Path, orientation: int) -> None:
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = corner().transpose(undo[orientation]) if orientation > 1 else corner()
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "Maker"
    stored.save(tmp_path / "a.jpg", exif=exif, quality=95)
    image = read_image(tmp_path / "a.jpg")
    assert image.array.shape == (48, 64, 3)
    assert image.array[4, 4].tolist() == pytest.approx([255, 0, 0], abs=12)

    target = write_image(tmp_path / "b.jpg", image.array, image)
    with Image.open(target) as again:
        assert again.getexif().get(0x0112) is None
        assert again.getexif()[0x010F] == "Maker"
    assert read_image(target).array.shape == (48, 64, 3)


@pytest.mark.parametrize("deep", [False, True])
def test_profile_and_resolution_are_kept(tmp_path: Path, deep: bool) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    corner().save(tmp_path / "a.png", icc_profile=profile, dpi=(300, 300))
    image = read_image(tmp_path / "a.png")
    assert image.scale["X"] == pytest.approx(2.54 / 300, rel=1e-3)
    assert image.units["X"] == "centimeter"
    array = image.array.astype(np.uint16) * 257 if deep else image.array
    target = write_image(tmp_path / "b.png", array, image)
    with Image.open(target) as again:
        assert again.info["icc_profile"] == profile
        assert again.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    np.testing.assert_array_equal(read_image(target).array, array)


def test_palettes_become_colours(tmp_path: Path) -> None:
    corner().quantize(8).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert image.axes == "YXS"
    assert image.array.shape == (48, 64, 3)
    assert image.array[0, 0].tolist() == [255, 0, 0]


def test_transparency_is_kept(tmp_path: Path) -> None:
    grey = Image.new("LA", (6, 4), (100, 50))
    grey.save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").array[0, 0].tolist() == [100, 100, 100, 50]
    corner().save(tmp_path / "b.png", transparency=(255, 0, 0))
    array = read_image(tmp_path / "b.png").array
    assert array.shape == (48, 64, 4)
    assert array[0, 0, 3] == 0
    assert array[-1, -1, 3] == 255


def test_deep_colour_written_elsewhere_is_read(tmp_path: Path) -> None:
    # an interlaced file, which our own writer does not make: two passes' worth of rows by hand
    rng = np.random.default_rng(1)
    array = rng.integers(0, 65535, (16, 16, 3), np.uint16, endpoint=True)
    path = write_image(tmp_path / "a.png", array)
    with Image.open(path) as eight:  # Pillow's view of it: the upper bytes
        np.testing.assert_array_equal(np.array(eight), array >> 8)
    np.testing.assert_array_equal(read_image(path).array, array)


def test_grey_with_alpha_in_16_bits_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.new("RGBA", (2, 2)).save(buffer, "PNG")
    data = bytearray(buffer.getvalue())
    data[24], data[25] = 16, 4  # bit depth and colour type in the header
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(ValueError, match="cannot be read"):
        read_image(tmp_path / "a.png")


def test_a_photo_with_an_embedded_preview_is_a_photo(tmp_path: Path) -> None:
    corner().save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[corner()])
    assert read_image(tmp_path / "a.jpg").array.shape == (48, 64, 3)
