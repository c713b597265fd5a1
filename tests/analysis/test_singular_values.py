from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from napari_anyir.analysis import singular_values

RNG = np.random.default_rng(0)


def rank_map(strengths: list[float], channels: int = 6, size: int = 20) -> np.ndarray:
    """A map whose centred matrix has exactly these singular values."""
    left = np.linalg.qr(RNG.normal(size=(channels, channels)))[0][:, : len(strengths)]
    pixels = RNG.normal(size=(len(strengths), size * size))
    pixels -= pixels.mean(axis=1, keepdims=True)
    right = np.linalg.qr(pixels.T)[0]
    return ((left * strengths) @ right.T + 5).reshape(channels, size, size)


def test_singular_values_of_a_known_map(make_maps: Callable) -> None:
    found = singular_values(make_maps({"fused": rank_map([8.0, 4.0, 1.0])}), parts=["fused"])
    np.testing.assert_allclose(found.values["fused"][:3], [8, 4, 1], rtol=1e-4)
    assert found.values["fused"][3:].max() < 1e-3
    np.testing.assert_allclose(
        found.cumulative("fused")[:3], np.array([64, 80, 81]) / 81, rtol=1e-4
    )
    assert found.components_for("fused", 0.5) == 1
    assert found.components_for("fused", 0.95) == 2
    assert found.components_for("fused", 0.99) == 3
    assert 1 <= found.components_for("fused", 1.0) <= 6


def test_a_flat_map_has_no_variance(make_maps: Callable) -> None:
    found = singular_values(make_maps({"fused": np.full((3, 8, 8), 2.0)}), parts=["fused"])
    assert not found.values["fused"].any()
    assert found.cumulative("fused").tolist() == [1.0, 1.0, 1.0]
    assert found.components_for("fused") == 1
    pytest.importorskip("matplotlib")
    found.figure()


def test_fewer_pixels_than_channels(make_maps: Callable) -> None:
    found = singular_values(make_maps({"fused": RNG.normal(size=(9, 2, 2))}), parts=["fused"])
    assert found.values["fused"].shape == (4,)
