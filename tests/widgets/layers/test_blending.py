from __future__ import annotations

import numpy as np
import pytest

from napari_anyir.widgets.layers.blending import blend

TYPES = ["uint8", "uint16", "int16", "uint64", "float16", "float32", "float64"]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0])
def test_the_mixture_keeps_type_and_shape_and_lies_between(dtype: str, strength: float) -> None:
    generator = np.random.default_rng(0)
    source = (generator.random((7, 5)) * 100).astype(dtype)
    restored = (generator.random((7, 5)) * 100).astype(dtype)
    mixed = blend(source, restored, strength)
    assert mixed.dtype == dtype
    assert (mixed >= np.minimum(source, restored)).all()
    assert (mixed <= np.maximum(source, restored)).all()
    np.testing.assert_allclose(
        mixed.astype(float),
        source.astype(float) * (1 - strength) + restored.astype(float) * strength,
        atol=0.5 if np.issubdtype(dtype, np.integer) else 0.05,
    )


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("strength", [0.0, 0.3, 0.7, 1.0])
def test_the_limits_of_the_type_are_kept(dtype: str, strength: float) -> None:
    integer = np.issubdtype(dtype, np.integer)
    top = np.iinfo(dtype).max if integer else np.finfo(dtype).max
    full = np.full(3, top, dtype)
    mixed = blend(full, full.copy(), strength)
    np.testing.assert_allclose(mixed.astype(float), full.astype(float), rtol=1e-12)


def test_the_ends_are_exact() -> None:
    source, restored = np.arange(6, dtype="uint16"), np.arange(6, dtype="uint16")[::-1].copy()
    assert blend(source, restored, 1.0) is restored
    nothing = blend(source, restored, 0.0)
    assert nothing is not source
    np.testing.assert_array_equal(nothing, source)


def test_lazy_arrays_stay_lazy_and_give_the_same() -> None:
    da = pytest.importorskip("dask.array")
    generator = np.random.default_rng(0)
    arrays = [generator.integers(0, 255, (4, 6, 6)).astype("uint8") for _ in range(2)]
    lazy = blend(*(da.from_array(array, chunks=(1, 6, 6)) for array in arrays), 0.4)
    assert isinstance(lazy, da.Array)
    np.testing.assert_array_equal(lazy.compute(), blend(*arrays, 0.4))


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_a_strength_outside_is_refused(strength: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        blend(np.zeros(3), np.zeros(3), strength)


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be blended"):
        blend(np.zeros(3), np.zeros(4), 0.5)


def test_empty_arrays_are_blended() -> None:
    assert blend(np.zeros((0, 4)), np.zeros((0, 4)), 0.5).shape == (0, 4)
