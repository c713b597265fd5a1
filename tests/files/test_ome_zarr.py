"""OME-Zarr: both versions, axes, transforms, pyramids, and what is no image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_anyir.files import ImageFile, read_image, write_image

zarr = pytest.importorskip("zarr", minversion="3.0")

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("lazy", [False, True])
def test_metadata_comes_back(tmp_path: Path, version: str, lazy: bool) -> None:
    array = RNG.integers(0, 60000, (2, 3, 300, 520), np.uint16)
    source = ImageFile(
        array,
        "CZYX",
        "zarr",
        scale={"C": 1.0, "Z": 2.0, "Y": 0.5, "X": 0.25},
        units=dict.fromkeys("ZYX", "micrometer"),
        metadata={
            "version": version,
            "name": "cells",
            "translation": {"Y": 10.0},
            "omero": {"channels": [{"label": "a"}, {"label": "b"}]},
        },
    )
    path = write_image(tmp_path / "a.ome.zarr", array, source)
    image = read_image(path, lazy_above=0 if lazy else 2**30)
    assert image.is_lazy == lazy
    assert (image.axes, image.scale, image.units) == (source.axes, source.scale, source.units)
    assert image.metadata == source.metadata
    np.testing.assert_array_equal(np.asarray(image.array), array)

    group = zarr.open_group(path, mode="r")
    assert group.metadata.zarr_format == (3 if version == "0.5" else 2)
    attributes = group.attrs.asdict()
    attributes = attributes["ome"] if version == "0.5" else attributes
    (multiscale,) = attributes["multiscales"]
    assert (attributes if version == "0.5" else multiscale)["version"] == version
    levels = multiscale["datasets"]
    assert [group[level["path"]].shape[-2:] for level in levels] == [
        (300, 520),
        (150, 260),
        (75, 130),
    ]
    np.testing.assert_array_equal(
        group["1"][0, 0], np.rint(array[0, 0].reshape(150, 2, 260, 2).mean((1, 3)))
    )
    scale, translation = levels[1]["coordinateTransformations"]
    assert scale["scale"] == [1.0, 2.0, 1.0, 0.5]
    assert translation["translation"] == [0.0, 0.0, 10.25, 0.125]


def test_axes_are_put_in_the_prescribed_order(tmp_path: Path) -> None:
    array = RNG.integers(0, 255, (2, 3, 4, 20, 30), np.uint8)
    image = read_image(write_image(tmp_path / "a.zarr", array, ImageFile(array, "TZCYX", "tiff")))
    assert image.axes == "TCZYX"
    np.testing.assert_array_equal(image.array, array.transpose(0, 2, 1, 3, 4))
    photo = array[0, 0, :3].transpose(1, 2, 0)
    image = read_image(write_image(tmp_path / "b.zarr", photo, ImageFile(photo, "YXS", "png")))
    assert image.axes == "CYX"
    np.testing.assert_array_equal(image.array, array[0, 0, :3])


def test_plain_arrays_and_nested_images(tmp_path: Path) -> None:
    array = RNG.random((20, 30)).astype(np.float32)
    zarr.create_array(tmp_path / "plain.zarr", data=array)
    image = read_image(tmp_path / "plain.zarr")
    assert image.axes is None
    again = write_image(tmp_path / "again.zarr", image.array, image)
    assert isinstance(zarr.open(again, mode="r"), zarr.Array)
    np.testing.assert_array_equal(read_image(again).array, array)

    outer = zarr.open_group(tmp_path / "many.zarr", mode="w", zarr_format=2)
    outer.attrs["bioformats2raw.layout"] = 3
    write_image(tmp_path / "many.zarr" / "0.zarr", array, ImageFile(array, "YX", "tiff"))
    (tmp_path / "many.zarr" / "0.zarr").rename(tmp_path / "many.zarr" / "0")
    np.testing.assert_array_equal(read_image(tmp_path / "many.zarr").array, array)


def test_what_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "empty.zarr").mkdir()
    with pytest.raises(ValueError, match=r"empty\.zarr' cannot be read"):
        read_image(tmp_path / "empty.zarr")
    plate = zarr.open_group(tmp_path / "plate.zarr", mode="w", zarr_format=2)
    plate.attrs["plate"] = {}
    with pytest.raises(ValueError, match="plate"):
        read_image(tmp_path / "plate.zarr")
    zarr.open_group(tmp_path / "none.zarr", mode="w", zarr_format=2)
    with pytest.raises(ValueError, match="multiscales"):
        read_image(tmp_path / "none.zarr")


def test_an_older_zarr_is_replaced_whole(tmp_path: Path) -> None:
    first = np.zeros((600, 600), np.uint8)
    path = write_image(tmp_path / "a.zarr", first, ImageFile(first, "YX", "tiff"))
    second = np.ones((20, 30), np.uint8)
    write_image(path, second, ImageFile(second, "YX", "tiff"))
    np.testing.assert_array_equal(read_image(path).array, second)
    assert not (path / "1").exists()
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.zarr"]


def test_large_planes_are_read_in_whole_chunks(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "a.zarr", shape=(5000, 3000), chunks=(300, 300), dtype="uint8")
    lazy = read_image(tmp_path / "a.zarr", lazy_above=0).array
    assert lazy.chunks[0][0] % 300 == 0
    assert 1500 < lazy.chunks[0][0] <= 2048


@pytest.mark.parametrize(
    ("file", "name"), [("a.ome.zarr", "a"), ("cells.day1.OME.zarr", "cells.day1"), ("b.zarr", "b")]
)
def test_an_image_has_the_name_of_its_file(tmp_path: Path, file: str, name: str) -> None:
    path = write_image(tmp_path / file, np.zeros((8, 8), np.uint8))
    assert zarr.open_group(path, mode="r").attrs["multiscales"][0]["name"] == name
