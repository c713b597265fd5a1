"""Grey that was saved as RGB stays grey, whichever way it is restored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest

from napari_anyir.inference import restore, restore_into
from napari_anyir.inference.arrays.pixels import is_grey

DTYPES = ["uint8", "uint16", ">u2", "float32", "float64"]


def plane(dtype: str, height: int = 70, width: int = 64) -> np.ndarray:
    """Return one grey plane with noise, whose values fill a part of the type."""
    values = np.random.default_rng(0).poisson(90, (height, width))
    return (values / 255 if np.dtype(dtype).kind == "f" else values).astype(dtype)


def coloured(grey: np.ndarray, samples: int) -> np.ndarray:
    """Return it as RGB or RGBA; alpha is of its own."""
    image = np.repeat(grey[..., np.newaxis], samples, axis=-1)
    if samples == 4:
        image[..., 3] = image[..., 3].T if image.shape[0] == image.shape[1] else 1
    return image


def channels(image: np.ndarray, axis: int = -1) -> list[np.ndarray]:
    return [np.take(image, number, axis) for number in range(3)]


def check_grey(result: np.ndarray, source: np.ndarray, axis: int = -1) -> None:
    red, green, blue = channels(result, axis)
    np.testing.assert_array_equal(red, green)
    np.testing.assert_array_equal(red, blue)
    assert not np.array_equal(red, channels(source, axis)[0]), "it was restored"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("samples", [3, 4])
@pytest.mark.parametrize("tile", [None, 32])
@pytest.mark.parametrize("strength", [1.0, 0.3])
def test_equal_channels_come_back_equal(
    dtype: str, samples: int, tile: int | None, strength: float, micro_file: Path
) -> None:
    image = coloured(plane(dtype), samples)
    options: dict[str, Any] = {"axes": "YXS", "model": micro_file, "tile": tile}
    result = restore(image, strength=strength, **options)
    check_grey(result, image)
    if samples == 4:
        np.testing.assert_array_equal(result[..., 3], image[..., 3])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("tile", [None, 32])
def test_it_is_the_restoration_of_the_one_channel(
    dtype: str, tile: int | None, micro_file: Path
) -> None:
    grey = plane(dtype)
    options: dict[str, Any] = {"model": micro_file, "intensity": (0, 150), "tile": tile}
    alone = restore(grey, axes="YX", **options)
    np.testing.assert_array_equal(restore(coloured(grey, 3), axes="YXS", **options)[..., 0], alone)


@pytest.mark.parametrize("axes", ["ZYXS", "SZYX", "YXZS"])
@pytest.mark.parametrize("tile", [None, 32])
@pytest.mark.parametrize("lazy", [False, True])
def test_each_plane_of_a_stack_is_judged_by_itself(
    axes: str, tile: int | None, lazy: bool, micro_file: Path
) -> None:
    grey = coloured(plane("uint8"), 3)
    colour = np.random.default_rng(1).integers(0, 255, grey.shape, np.uint8)
    order = ["ZYXS".index(letter) for letter in axes]
    stack = np.stack([grey, colour]).transpose(order)
    image = da.from_array(stack, chunks=40) if lazy else stack
    result = np.asarray(restore(image, axes=axes, model=micro_file, tile=tile))
    first, second = result.transpose(np.argsort(order))
    check_grey(first, grey)
    assert not is_grey(second)
    alone = restore(colour, axes="YXS", model=micro_file, tile=tile)
    np.testing.assert_array_equal(second, alone)


@pytest.mark.parametrize("tile", [None, 32])
def test_lazy_and_streamed_ones_are_the_same(tile: int | None, micro_file: Path) -> None:
    image = coloured(plane("uint16", 90, 100), 4)
    options: dict[str, Any] = {"axes": "YXS", "model": micro_file, "tile": tile}
    expected = restore(image, **options)
    chunked = da.from_array(image, chunks=(40, 30, 2))
    np.testing.assert_array_equal(restore(chunked, **options).compute(), expected)
    target = np.zeros_like(image)
    restore_into(chunked, target, **options)
    np.testing.assert_array_equal(target, expected)
    check_grey(expected, image)


@pytest.mark.parametrize("place", [(0, 0, 0), (69, 63, 2)])
@pytest.mark.parametrize("tile", [None, 32])
def test_one_coloured_pixel_is_a_colour(place: Any, tile: int | None, micro_file: Path) -> None:
    """Grey parts of a colour photograph are no grey image: their noise has colours."""
    image = coloured(plane("uint8"), 3)
    image[place] += 1
    assert not is_grey(image)
    result = restore(image, axes="YXS", model=micro_file, tile=tile)
    assert not is_grey(result[20:50, 20:50])


def test_pixels_without_a_value_hide_no_grey(micro_file: Path) -> None:
    image = coloured(plane("float32"), 3)
    image[3:9, 4:20] = np.nan
    result = restore(image, axes="YXS", model=micro_file, nodata=np.nan)
    filled = np.nan_to_num(result, nan=-1)
    check_grey(filled, np.nan_to_num(image, nan=-1))
    assert np.isnan(result[3:9, 4:20]).all()
