"""Statistics: the same numbers however a volume is cut, and those of numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest

from napari_anyir.inference.arrays import statistics
from napari_anyir.inference.arrays.axes import Layout
from napari_anyir.inference.arrays.statistics import Statistics, check_finite, measure, merge

DTYPES = [np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int64, np.float16, np.float64]


def volume(dtype: type) -> np.ndarray:
    generator = np.random.default_rng(0)
    return (
        (generator.normal(0, 40, (6, 37, 41, 1)) + (0 if np.dtype(dtype).kind != "u" else 100))
        .clip(-100, 250)
        .astype(dtype)
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_percentiles_are_those_of_numpy(dtype: type) -> None:
    values = volume(dtype)
    found = measure(values, percentiles=True)
    expected = np.percentile(values.astype(np.float64), (0.1, 50, 99.9))
    np.testing.assert_allclose(found.percentiles((0.1, 50, 99.9)), expected, rtol=1e-12)
    assert (found.low, found.high) == (values.min(), values.max())


@pytest.mark.parametrize("dtype", DTYPES)
def test_parts_add_up_to_the_whole(dtype: type) -> None:
    values = volume(dtype)
    whole = measure(values, percentiles=True)
    parts = [
        measure(values[z : z + 4, y : y + 10, x : x + 23], percentiles=True)
        for x in (23, 0)
        for z in (0, 4)
        for y in (30, 0, 20, 10)
    ]
    together = merge([merge(parts[:5]), merge(parts[5:])])
    assert together.percentiles() == whole.percentiles()
    assert (together.low, together.high) == (whole.low, whole.high)


def test_samples_of_parts_are_those_of_the_whole() -> None:
    values = np.random.default_rng(1).random((2, 50, 60, 3))
    step = 7
    whole = measure(values, step, percentiles=True)
    assert whole.samples[0].size == 2 * 8 * 9 * 3
    parts = [
        measure(values[:, y : y + 13, x : x + 5], step, (y, x), percentiles=True)
        for y in range(0, 50, 13)
        for x in range(0, 60, 5)
    ]
    assert merge(parts).percentiles() == whole.percentiles()


def test_large_volumes_are_sampled_and_small_ones_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    layout = Layout("ZYX", (10, 100, 100))
    assert statistics.sampling_step(layout) == 1
    monkeypatch.setattr(statistics, "EXACT", 10_000)
    step = statistics.sampling_step(layout)
    assert step == 5  # the square root of ten, rounded up, and odd
    values = np.random.default_rng(2).random((10, 100, 100, 1))
    sampled = measure(values, step, percentiles=True)
    assert sampled.samples[0].size == 4000
    np.testing.assert_allclose(sampled.percentiles((10, 90)), (0.1, 0.9), atol=0.02)
    # extremes are always those of all pixels
    assert (sampled.low, sampled.high) == (values.min(), values.max())


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        ([np.nan], "has 1 NaN pixel;"),
        ([np.nan, np.nan], "has 2 NaN pixels;"),
        ([np.inf], "has 1 infinite pixel;"),
        ([np.nan, np.inf, -np.inf], "has 1 NaN and 2 infinite pixels;"),
    ],
)
@pytest.mark.parametrize("percentiles", [True, False])
def test_pixels_that_are_not_finite_are_counted(
    bad: list[float], sentence: str, percentiles: bool
) -> None:
    values = np.zeros((4, 4, 1), np.float32)
    values.ravel()[: len(bad)] = bad
    found = merge(
        [measure(values[:2], percentiles=percentiles), measure(values[2:], percentiles=percentiles)]
    )
    with pytest.raises(ValueError, match=sentence):
        check_finite(found)


def test_nothing_has_no_statistics() -> None:
    assert measure(np.empty((0, 4, 1)), percentiles=True) == Statistics()
    assert merge([]) == Statistics()
    assert math.isinf(Statistics().low)
    with pytest.raises(ValueError, match="no finite pixels"):
        Statistics().percentiles()


def test_byte_order_does_not_matter() -> None:
    values = volume(np.uint16)
    for other in (values.astype(">u2"), values.astype("<u2")):
        assert (
            measure(other, percentiles=True).percentiles()
            == measure(values, percentiles=True).percentiles()
        )
