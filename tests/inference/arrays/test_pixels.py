"""Pixels: the arithmetic of the way in and the way back."""

from __future__ import annotations

import numpy as np
import pytest

from napari_anyir.inference.arrays import pixels
from napari_anyir.inference.arrays.intensity import IntensityRange
from napari_anyir.inference.arrays.pixels import from_network, to_dtype, to_network

DTYPES = [
    "uint8",
    "int8",
    "uint16",
    "int16",
    "uint32",
    "int32",
    "uint64",
    "int64",
    "float16",
    "float32",
    "float64",
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(9, 7), (9, 7, 3), (9, 7, 4)])
def test_there_and_back_is_the_identity(dtype: str, shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).integers(0, 120, shape).astype(dtype)
    mapping = IntensityRange(10.0, 90.0, clip=False)
    result = np.zeros_like(values)
    from_network(to_network(values, mapping), values, mapping, 1.0, result)
    if values.dtype.kind == "f":
        np.testing.assert_allclose(
            result, values, rtol=2e-3 if dtype == "float16" else 1e-6, atol=1e-5
        )
    else:
        np.testing.assert_array_equal(result, values)


def test_rows_in_steps_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    values = generator.random((33, 20, 4)).astype(np.float32)
    output = generator.random((3, 33, 20)).astype(np.float32)
    mapping = IntensityRange(0.1, 0.8, clip=False)

    def both_ways() -> tuple[np.ndarray, np.ndarray]:
        result = np.empty_like(values)
        from_network(output, values, mapping, 0.3, result)
        return to_network(values, mapping), result

    at_once = both_ways()
    monkeypatch.setattr(pixels, "_VALUES", 100)
    for whole, stepwise in zip(at_once, both_ways(), strict=True):
        np.testing.assert_array_equal(whole, stepwise)


def test_nothing_is_clipped_on_the_way_in() -> None:
    values = np.array([[0, 1000]], np.uint16)
    found = to_network(values, IntensityRange(200.0, 600.0, clip=False))
    np.testing.assert_array_equal(found[0], [[-0.5, 2.0]])


def test_grey_takes_the_mean_of_the_three() -> None:
    plane = np.zeros((1, 2), np.float32)
    output = np.array([[[0.1, 0.0]], [[0.2, 0.3]], [[0.6, 0.6]]], np.float32)
    result = np.empty_like(plane)
    from_network(output, plane, IntensityRange(0.0, 1.0, clip=True), 1.0, result)
    np.testing.assert_allclose(result, [[0.3, 0.3]], atol=1e-7)


@pytest.mark.parametrize("clip", [True, False])
def test_only_dtype_ends_at_its_limits(clip: bool) -> None:
    plane = np.zeros((1, 2), np.float32)
    output = np.full((3, 1, 2), [-0.5, 1.5], np.float32)
    result = np.empty_like(plane)
    from_network(output, plane, IntensityRange(0.0, 1.0, clip=clip), 1.0, result)
    np.testing.assert_array_equal(result, [[0, 1]] if clip else [[-0.5, 1.5]])


def test_strength_mixes() -> None:
    plane = np.full((2, 2), 100, np.uint8)
    output = np.full((3, 2, 2), 200 / 255, np.float32)
    for strength, expected in ((0.0, 100), (0.25, 125), (1.0, 200)):
        result = np.empty_like(plane)
        from_network(output, plane, IntensityRange(0.0, 255.0, clip=True), strength, result)
        assert (result == expected).all()


def test_alpha_passes_through() -> None:
    plane = np.random.default_rng(0).integers(0, 255, (4, 5, 4), np.uint8)
    result = np.zeros_like(plane)
    from_network(np.zeros((3, 4, 5), np.float32), plane, IntensityRange(0, 255, True), 1.0, result)
    np.testing.assert_array_equal(result[..., 3], plane[..., 3])
    assert not result[..., :3].any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_saturation(dtype: str) -> None:
    kind = np.dtype(dtype)
    limits = np.finfo(kind) if kind.kind == "f" else np.iinfo(kind)
    with np.errstate(all="raise"):
        found = to_dtype(np.array([-1.7e308, 1.7e308]), kind)
    assert found.dtype == kind
    assert found[0] == (limits.min if kind != np.float64 else -1.7e308)
    assert found[1] == (limits.max if kind != np.float64 else 1.7e308)


def test_rounding() -> None:
    found = to_dtype(np.array([0.4, 0.6, 1.5, -0.4, 254.6, 255.4]), np.dtype("uint8"))
    np.testing.assert_array_equal(found, [0, 1, 2, 0, 255, 255])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_output_that_is_not_finite_is_refused(bad: float) -> None:
    plane = np.zeros((4, 4), np.float32)
    output = np.zeros((3, 4, 4), np.float32)
    output[1, 2, 3] = bad
    with pytest.raises(ValueError, match="not finite"):
        from_network(output, plane, IntensityRange(0, 1, True), 1.0, plane.copy())


def test_overflow_on_the_way_in_is_silent_here() -> None:
    with np.errstate(all="raise"):
        found = to_network(np.array([[1e300]]), IntensityRange(0.0, 1.0, clip=False))
    assert np.isinf(found).all()
