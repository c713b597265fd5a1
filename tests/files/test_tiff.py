"""TIFF: what is beside the pixels survives, for OME-TIFF, ImageJ's and plain files."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_anyir.files import ImageFile, read_image, write_image

RNG = np.random.default_rng(0)
STACK = RNG.integers(0, 60000, (2, 3, 2, 20, 30), np.uint16)


def again(path: Path, *, lazy: bool = False) -> tuple[ImageFile, tifffile.TiffFile]:
    """Read a file, write it anew, and return (what was read, what now stands on the disk)."""
    image = read_image(path, lazy_above=0 if lazy else 2**30)
    assert image.is_lazy == lazy
    target = path.with_name("again" + path.name)
    return image, tifffile.TiffFile(write_image(target, image.array, image))


@pytest.mark.parametrize("lazy", [False, True])
def test_imagej_hyperstack(tmp_path: Path, lazy: bool) -> None:
    path = tmp_path / "a.tif"
    metadata: dict[str, Any] = {
        "axes": "TZCYX",
        "unit": "um",
        "spacing": 0.5,
        "finterval": 2.0,
        "Info": "a note",
        "Labels": [f"plane {n}" for n in range(12)],
        "Ranges": (0.0, 100.0, 0.0, 200.0),
        "mode": "composite",
    }
    tifffile.imwrite(path, STACK, imagej=True, resolution=(4.0, 4.0), metadata=metadata)
    image, written = again(path, lazy=lazy)
    assert image.axes == "TZCYX"
    assert image.scale == {"X": 0.25, "Y": 0.25, "Z": 0.5, "T": 2.0}
    assert image.units == dict.fromkeys("XYZ", "micrometer") | {"T": "second"}
    with written:
        assert written.is_imagej
        assert written.series[0].axes == "TZCYX"
        found = written.imagej_metadata
        assert found is not None
        assert {name: found[name] for name in metadata if name != "axes"} == {
            name: value for name, value in metadata.items() if name != "axes"
        }
        assert written.pages[0].tags["XResolution"].value == (4, 1)
        np.testing.assert_array_equal(written.asarray(), STACK)


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_ome(tmp_path: Path, lazy: bool, compression: str | None) -> None:
    path = tmp_path / "a.ome.tif"
    metadata = {
        "axes": "TZCYX",
        "Name": "cells",
        "Description": "a note",
        "PhysicalSizeX": 0.1,
        "PhysicalSizeXUnit": "µm",
        "PhysicalSizeY": 100.0,
        "PhysicalSizeYUnit": "nm",
        "PhysicalSizeZ": 0.3,
        "PhysicalSizeZUnit": "µm",
        "TimeIncrement": 2.5,
        "TimeIncrementUnit": "s",
        "Channel": {"Name": ["DAPI", "GFP"], "EmissionWavelength": [461, 509]},
        "Plane": {"DeltaT": [float(n) for n in range(12)], "PositionX": [1.5] * 12},
    }
    tifffile.imwrite(path, STACK, metadata=metadata, compression=compression)
    image, written = again(path, lazy=lazy)
    assert image.axes == "TZCYX"
    assert image.scale == {"X": 0.1, "Y": 100.0, "Z": 0.3, "T": 2.5}
    assert image.units == {"X": "micrometer", "Y": "nanometer", "Z": "micrometer", "T": "second"}
    with written, tifffile.TiffFile(path) as source:
        assert source.ome_metadata is not None
        assert written.ome_metadata is not None

        def content(xml: str) -> str:
            return xml[xml.index("<Image") :]

        assert content(written.ome_metadata) == content(source.ome_metadata)
        np.testing.assert_array_equal(written.asarray(), STACK)
        compressed = written.pages[0].compression.name != "NONE"
        assert compressed == (compression is not None and not lazy)


def test_plain_file_with_tags(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    photo = RNG.integers(0, 255, (20, 30, 3), np.uint8)
    tifffile.imwrite(
        path,
        photo,
        photometric="rgb",
        description="Garden, Tuesday",
        resolution=(300, 300),
        resolutionunit="inch",
        iccprofile=b"profile",
        compression="zlib",
        tile=(16, 16),
        metadata=None,
        extratags=[(315, "s", 0, "Somebody", True), (33550, "d", 3, (1.0, 1.0, 0.0), True)],
    )
    image, written = again(path)
    assert image.axes == "YXS"
    assert image.units["X"] == "inch"
    assert image.scale["X"] == pytest.approx(1 / 300)
    with written:
        page = written.pages[0]
        assert page.description == "Garden, Tuesday"
        assert page.tags["Artist"].value == "Somebody"
        assert page.tags["ModelPixelScaleTag"].value == (1.0, 1.0, 0.0)
        assert page.resolution == (300, 300)
        assert page.resolutionunit == 2
        assert page.iccprofile == b"profile"
        assert page.tile == (16, 16)
        assert page.photometric.name == "RGB"
        np.testing.assert_array_equal(written.asarray(), photo)


def test_pages_that_say_nothing_are_a_stack(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    for plane in STACK[0, :, 0]:
        tifffile.imwrite(path, plane, append=True, metadata=None)
    image, written = again(path)
    assert image.axes == "ZYX"
    with written:
        assert len(written.pages) == 3
        np.testing.assert_array_equal(written.asarray(), STACK[0, :, 0])


def test_own_metadata_of_tifffile(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, STACK[0, 0], metadata={"axes": "CYX", "gain": 2})
    image, written = again(path)
    assert image.axes == "CYX"
    with written:
        assert written.shaped_metadata is not None
        assert written.shaped_metadata[0]["gain"] == 2
        assert written.series[0].axes == "CYX"


@pytest.mark.parametrize("lazy", [False, True])
def test_colours_in_planes_are_put_last(tmp_path: Path, lazy: bool) -> None:
    path = tmp_path / "a.tif"
    photo = RNG.integers(0, 255, (3, 20, 30), np.uint8)
    tifffile.imwrite(path, photo, photometric="rgb", planarconfig="separate")
    image = read_image(path, lazy_above=0 if lazy else 2**20)
    assert image.axes == "YXS"
    np.testing.assert_array_equal(image.array, np.moveaxis(photo, 0, -1))


@pytest.mark.parametrize("lazy", [False, True])
def test_palettes(tmp_path: Path, lazy: bool) -> None:
    grey = RNG.integers(0, 255, (20, 30), np.uint8)
    palette = RNG.integers(0, 255, (3, 256), np.uint16) * 257
    limit = 0 if lazy else 2**20
    tifffile.imwrite(tmp_path / "a.tif", grey, photometric="palette", colormap=palette)
    image = read_image(tmp_path / "a.tif", lazy_above=limit)
    assert image.axes == "YXS"
    assert image.array.dtype == np.uint8
    np.testing.assert_array_equal(image.array, (palette // 257).T[grey])

    # ImageJ's tables only colour intensities, which must stay what they are
    tifffile.imwrite(tmp_path / "b.tif", grey, imagej=True, photometric="palette", colormap=palette)
    image, written = again(tmp_path / "b.tif", lazy=lazy)
    assert image.axes == "YX"
    with written:
        np.testing.assert_array_equal(written.asarray(), grey)
        np.testing.assert_array_equal(written.pages[0].colormap, palette)


def test_big_endian(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", STACK[0, 0, 0], byteorder=">")
    for limit in (0, 2**20):
        array = np.asarray(read_image(tmp_path / "a.tif", lazy_above=limit).array)
        assert array.dtype == np.dtype(np.uint16)
        np.testing.assert_array_equal(array, STACK[0, 0, 0])


@pytest.mark.parametrize("lazy", [False, True])
def test_lzw_needs_no_more_packages(tmp_path: Path, lazy: bool) -> None:
    photo = RNG.integers(0, 255, (20, 30, 3), np.uint8)
    frames = [Image.fromarray(photo), Image.fromarray(255 - photo)]
    frames[0].save(
        tmp_path / "a.tif", compression="tiff_lzw", save_all=True, append_images=frames[1:]
    )
    image = read_image(tmp_path / "a.tif", lazy_above=0 if lazy else 2**20)
    assert image.axes == "ZYXS"
    np.testing.assert_array_equal(image.array, np.stack([photo, 255 - photo]))


def test_images_of_different_sizes_are_refused(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(np.zeros((20, 30), np.uint8))
        writer.write(np.zeros((22, 30), np.uint8))
    with pytest.raises(ValueError, match="2 images of different sizes"):
        read_image(tmp_path / "a.tif")
    with tifffile.TiffWriter(tmp_path / "b.tif") as writer:  # a thumbnail is not missed
        writer.write(np.zeros((64, 64), np.uint8))
        writer.write(np.zeros((16, 16), np.uint8))
    assert read_image(tmp_path / "b.tif").array.shape == (64, 64)


def test_cmyk_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((8, 8, 4), np.uint8), photometric="separated")
    with pytest.raises(ValueError, match="CMYK"):
        read_image(tmp_path / "a.tif")


def test_imagej_above_its_limit_becomes_ome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.tif"
    metadata = {"axes": "ZYX", "unit": "um", "spacing": 0.5}
    tifffile.imwrite(path, STACK[0, :, 0], imagej=True, resolution=(4.0, 4.0), metadata=metadata)
    monkeypatch.setattr("napari_anyir.files.tiff_writing._IMAGEJ_LIMIT", 1000)
    _, written = again(path)
    with written:
        assert written.is_bigtiff
        assert written.is_ome
    image = read_image(path.with_name("againa.tif"))
    assert image.axes == "ZYX"
    assert image.scale == {"X": 0.25, "Y": 0.25, "Z": 0.5}


def test_scale_of_another_format_is_kept(tmp_path: Path) -> None:
    array = STACK[0, :, 0]
    source = ImageFile(
        array,
        "ZYX",
        "zarr",
        scale={"Z": 2.0, "Y": 0.5, "X": 0.5},
        units=dict.fromkeys("ZYX", "micrometer"),
    )
    image = read_image(write_image(tmp_path / "a.tif", array, source))
    assert image.scale == source.scale
    assert image.units == source.units


def test_pages_go_to_other_processes(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, STACK, compression="zlib", metadata={"axes": "TZCYX"})
    lazy = read_image(path, lazy_above=0).array
    copy = pickle.loads(pickle.dumps(lazy))
    np.testing.assert_array_equal(copy[1, :, 0, 3:5].compute(), STACK[1, :, 0, 3:5])


def test_software_is_named(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.tif", STACK[0, 0, 0], software="napari-anyir 1, model tiny")
    with tifffile.TiffFile(path) as written:
        assert written.pages[0].software == "napari-anyir 1, model tiny"
