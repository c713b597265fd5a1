"""Images of any depth as planes: mapped as the engine maps them, cut where something is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from napari_anyir.files import write_image
from napari_anyir.files.image_file import ImageFile
from napari_anyir.inference.arrays.intensity import IntensityRange
from napari_anyir.training.config_files import read_config
from napari_anyir.training.data.crop_source import StepCrops
from napari_anyir.training.data.data_sources import open_source
from napari_anyir.training.pixels.image_bank import ImageBank, split_by_depth
from napari_anyir.training.pixels.image_planes import PlaneFile, is_photograph
from napari_anyir.training.pixels.plane_bank import PlaneBank, open_planes

CPU = torch.device("cpu")


def stack(shape: tuple[int, ...], dtype: str = "uint16", seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).integers(100, 4000, shape)
    return values.astype(dtype)


@pytest.mark.parametrize(
    ("name", "array", "axes", "planes", "grey"),
    [
        ("grey16.png", stack((40, 50)), "YX", 1, True),
        ("colour16.png", stack((40, 50, 3)), "YXS", 1, False),
        ("colour16.tif", stack((40, 50, 3)), "YXS", 1, False),
        ("stack.tif", stack((4, 40, 50)), "ZYX", 4, True),
        ("channels.ome.tif", stack((2, 3, 40, 50)), "TCYX", 6, True),
        ("float.tif", stack((40, 50), "float32"), "YX", 1, True),
        ("volume.ome.zarr", stack((2, 3, 40, 50)), "CZYX", 6, True),
        ("array.npy", stack((3, 40, 50), "float64"), "ZYX", 3, True),
        ("bytes.tif", stack((5, 40, 50), "uint8"), "ZYX", 5, True),
    ],
)
def test_every_kind_becomes_planes_in_the_engines_own_mapping(
    tmp_path: Path, name: str, array: np.ndarray, axes: str, planes: int, grey: bool
) -> None:
    if name.endswith(".zarr"):
        pytest.importorskip("zarr")
    path = write_image(tmp_path / name, array, ImageFile(array, axes, "npy"))
    assert not is_photograph(path)
    opened = PlaneFile.open(path, axes=axes if name.endswith(".npy") else None)
    assert (len(opened), opened.grey, opened.size) == (planes, grey, (40, 50))
    low, high = np.percentile(array, (0.1, 99.9))
    if array.dtype == np.uint8:
        low, high = 0, 255
    expected = (array.astype(float) - low) / (high - low)
    plane = expected.reshape(-1, 40, 50)[planes - 1] if grey else expected.transpose(2, 0, 1)
    crop = opened.crop(planes - 1, 3, 5, 32)
    assert crop.shape == (3, 32, 32)
    np.testing.assert_allclose(crop, np.broadcast_to(plane[..., 3:35, 5:37], crop.shape), atol=1e-6)


def test_a_crop_of_a_small_plane_is_extended_by_reflection(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.tif", stack((10, 12)))
    crop = PlaneFile.open(path).crop(0, 0, 0, 32)
    assert crop.shape == (3, 32, 32)
    np.testing.assert_array_equal(crop[:, 10], crop[:, 8])


def test_crops_do_not_drown_in_background(tmp_path: Path) -> None:
    dark = np.random.default_rng(0).normal(100, 8, (512, 512))
    dark[300:340, 80:130] += 2000  # 0.8 % of the image
    path = write_image(tmp_path / "sparse.tif", np.rint(dark).astype(np.uint16))
    opened = PlaneFile.open(path)
    generator = np.random.default_rng(1)
    crops = [opened.crop(0, *opened.place(0, 64, generator), 64) for _ in range(200)]
    bright = sum(bool((crop > 0.5).any()) for crop in crops) / 200
    assert 0.5 < bright < 0.95  # drawn evenly it were 5 %, and background is seen, too
    assert all(crop.shape == (3, 64, 64) for crop in crops)


def test_places_cover_an_even_image(tmp_path: Path) -> None:
    path = write_image(tmp_path / "even.tif", np.full((80, 90), 7, np.uint16))
    opened = PlaneFile.open(path, (0, 10))
    places = {opened.place(0, 32, np.random.default_rng(i)) for i in range(400)}
    tops, lefts = zip(*places, strict=True)
    assert (min(tops), max(tops), min(lefts), max(lefts)) == (0, 48, 0, 58)


def test_what_cannot_be_used_is_named(tmp_path: Path) -> None:
    array = np.zeros((20, 20), np.float32)
    array[3, 3] = np.nan
    path = write_image(tmp_path / "nan.tif", array)
    with pytest.raises(ValueError, match=r"nan.tif' cannot be trained on: .*1 NaN pixel"):
        PlaneFile.open(path)
    with pytest.raises(ValueError, match=r"axes|letters"):
        PlaneFile.open(write_image(tmp_path / "a.tif", stack((20, 20))), axes="ZYX")


def test_a_bank_mixes_photographs_and_deep_images_by_their_pixels(tmp_path: Path) -> None:
    paths = [
        write_image(tmp_path / "photo.png", stack((60, 60, 3), "uint8")),
        write_image(tmp_path / "deep.tif", stack((3, 60, 60))),
        write_image(tmp_path / "grey.png", stack((60, 60), "uint8")),
    ]
    assert split_by_depth(paths) == ([paths[0], paths[2]], [paths[1]])
    bank = ImageBank.open(paths, CPU)
    crops, grey = bank.draw(400, 32, torch.Generator().manual_seed(0))
    assert crops.shape == (400, 3, 32, 32)
    equal = (crops[:, 1:] == crops[:, :1]).flatten(1).all(1)
    assert torch.equal(equal, grey)  # what has one colour is known to have it
    assert 0.7 < grey.float().mean() < 0.9  # four planes of five
    again = bank.draw(400, 32, torch.Generator().manual_seed(0))[0]
    assert torch.equal(crops, again)


def test_large_files_stay_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_anyir.training.pixels import plane_bank

    path = write_image(tmp_path / "stack.tif", stack((4, 64, 64)))
    whole = open_planes([path])
    monkeypatch.setattr(plane_bank, "free_bytes", lambda device: 20_000)
    lazy = open_planes([path])
    assert hasattr(lazy[0].image, "dask")
    assert isinstance(whole[0].image, np.ndarray)
    assert isinstance(lazy[0].mapping, IntensityRange)
    assert lazy[0].mapping == whole[0].mapping
    draws = [PlaneBank(f).draw(3, 32, torch.Generator().manual_seed(1))[0] for f in (whole, lazy)]
    assert torch.equal(*draws)


def test_a_folder_of_micrographs_is_degraded_in_one_colour(tmp_path: Path) -> None:
    for number in range(2):
        write_image(tmp_path / f"{number}.tif", stack((2, 70, 70), seed=number))
    config = read_config("folder", data={"root": tmp_path, "shares": {"noise": 1}})
    source = open_source(config)
    degraded, clean = source.batch(StepCrops(0, 6, 32), CPU, 0, 1)
    assert degraded.shape == clean.shape == (6, 3, 32, 32)
    for images in (degraded, clean):
        assert torch.equal(images[:, 0], images[:, 1])
        assert torch.equal(images[:, 0], images[:, 2])
    assert not torch.equal(degraded, clean)
