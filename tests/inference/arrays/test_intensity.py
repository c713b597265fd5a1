"""Intensities: which values become 0 and 1."""

from __future__ import annotations

import numpy as np
import pytest

from napari_anyir.inference.arrays.axes import Layout
from napari_anyir.inference.arrays.intensity import (
    Intensity,
    IntensityRange,
    check_dtype,
    check_intensity,
)
from napari_anyir.inference.arrays.plane_reading import find_range


def chosen(values: np.ndarray, intensity: Intensity) -> IntensityRange:
    return find_range(values, Layout("YX", values.shape), intensity)


RAMP = np.arange(4000).reshape(50, 80)


@pytest.mark.parametrize(
    ("dtype", "high"),
    [
        ("uint8", 255),
        ("int8", 127),
        ("uint16", 65535),
        ("int32", 2**31 - 1),
        ("uint64", 2**64),
        ("float32", 1),
    ],
)
def test_dtype(dtype: str, high: float) -> None:
    found = chosen(np.zeros((4, 4), dtype), "dtype")
    assert found == IntensityRange(0.0, float(high), clip=True)


@pytest.mark.parametrize("dtype", ["uint16", "int16", "uint32", "int64", "float32", "float64"])
def test_range_is_the_percentiles(dtype: str) -> None:
    found = chosen(RAMP.astype(dtype), "range")
    low, high = np.percentile(RAMP, (0.1, 99.9))
    assert (found.low, found.high) == pytest.approx((low, high))
    assert not found.clip


def test_auto() -> None:
    unit = np.linspace(0, 1, 400).reshape(20, 20)
    assert chosen(RAMP.astype(np.uint8), "auto").high == 255
    for dtype in ("float16", "float32", "float64"):
        assert chosen(unit.astype(dtype), "auto") == IntensityRange(0.0, 1.0, clip=True)
    assert chosen(unit * 1.01, "auto") == chosen(unit * 1.01, "range")
    assert chosen(unit - 0.01, "auto") == chosen(unit - 0.01, "range")
    assert chosen(RAMP.astype(np.uint16), "auto") == chosen(RAMP.astype(np.uint16), "range")
    # a uint16 array stays one, even if all its values would fit in eight bits
    assert chosen(np.arange(100, dtype=np.uint16).reshape(10, 10), "auto").high < 100


def test_numbers_are_taken_as_they_are() -> None:
    assert chosen(RAMP, (100, 4000.5)) == IntensityRange(100.0, 4000.5, clip=False)


def test_one_mapping_per_volume() -> None:
    stack = np.stack([RAMP, 10 * RAMP]).astype(np.uint16)
    found = find_range(stack, Layout("ZYX", stack.shape), "range")
    low, high = np.percentile(stack, (0.1, 99.9))
    assert (found.low, found.high) == pytest.approx((low, high))


def test_alpha_is_no_intensity() -> None:
    image = np.full((20, 30, 4), 60000, np.uint16)
    image[..., :3] = np.arange(1800).reshape(20, 30, 3)
    assert find_range(image, Layout("YXS", image.shape), "range").high < 1800
    image = image.astype(np.float32)
    image[..., 3] = np.nan
    with pytest.raises(ValueError, match="600 NaN pixels"):  # which could not pass through
        find_range(image, Layout("YXS", image.shape), "range")


@pytest.mark.parametrize("value", [0, 7, -3])
def test_constant(value: int) -> None:
    found = chosen(np.full((4, 4), value, np.int16), "range")
    assert (found.low, found.high) == {0: (0, 1), 7: (0, 7), -3: (-3, 0)}[value]


def test_few_bright_spots_in_the_dark() -> None:
    image = np.zeros((100, 100), np.uint16)
    image[5, 5] = 900
    assert chosen(image, "range") == IntensityRange(0.0, 900.0, clip=False)


def test_values_too_far_apart() -> None:
    image = np.array([[-1.7e308, 1.7e308]])
    with pytest.raises(ValueError, match="too far apart"):
        chosen(image, "range")


@pytest.mark.parametrize("intensity", ["auto", "dtype", "range", (0, 1)])
def test_not_finite(intensity: Intensity) -> None:
    image = np.zeros((5, 5), np.float32)
    image[0, :2] = np.nan
    image[1, 0] = np.inf
    with pytest.raises(ValueError, match="2 NaN and 1 infinite pixels"):
        chosen(image, intensity)


@pytest.mark.parametrize(
    ("intensity", "error", "sentence"),
    [
        ("percentile", ValueError, "unknown"),
        ((1, 1), ValueError, "no range"),
        ((2, 1), ValueError, "no range"),
        ((0, np.inf), ValueError, "no range"),
        ((np.nan, 1), ValueError, "no range"),
        ((-1.7e308, 1.7e308), ValueError, "no range"),
        ((1, 2, 3), TypeError, "two numbers"),
        (5, TypeError, "two numbers"),
        (None, TypeError, "two numbers"),
        (("a", "b"), TypeError, "two numbers"),
    ],
)
def test_wrong_intensity(intensity: object, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        check_intensity(intensity)


def test_pairs_of_any_kind() -> None:
    assert check_intensity([1, 2]) == (1.0, 2.0)
    assert check_intensity(np.array([1, 2], np.uint16)) == (1.0, 2.0)


@pytest.mark.parametrize(
    ("dtype", "sentence"),
    [
        ("bool", "mask"),
        ("complex64", "complex"),
        ("U3", "no intensities"),
        ("O", "no intensities"),
        ("M8[s]", "no intensities"),
        ([("a", "u1")], "no intensities"),
        ("longdouble", "no intensities"),
    ],
)
def test_wrong_dtype(dtype: object, sentence: str) -> None:
    if np.dtype(dtype) == np.float64:  # type: ignore[call-overload]
        pytest.skip("here a long double is a double")
    with pytest.raises(TypeError, match=sentence):
        check_dtype(dtype)  # type: ignore[arg-type]
