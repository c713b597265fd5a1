from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from napari_anyir.analysis import pca_3d, split_pca_3d, t_sne

RNG = np.random.default_rng(0)


def blob(channels: int, spread: float = 1.0, level: float = 0.0, size: int = 16) -> np.ndarray:
    return RNG.normal(level, spread, size=(channels, size, size))


def test_principal_components_find_the_directions(make_maps: Callable) -> None:
    strengths = np.array([10.0, 5.0, 2.0, 0.1, 0.1])
    both = {part: blob(5) * strengths[:, None, None] for part in ("attention", "gated")}
    (panel,) = pca_3d(make_maps(both), samples=200, standardise=False).panels
    assert panel.groups == ("attention", "gated")
    assert panel.points.shape == (2, 200, 3)
    expected = strengths[:3] ** 2 / (strengths**2).sum()
    np.testing.assert_allclose(panel.explained, expected, atol=0.05)
    assert panel.mixing == pytest.approx(1, abs=0.15)
    expected_dimensions = (strengths**2).sum() ** 2 / (strengths**4).sum()
    assert panel.dimensions == pytest.approx((expected_dimensions,) * 2, rel=0.2)


def test_standardising_takes_level_and_loudness_away(make_maps: Callable) -> None:
    maps = make_maps({"attention": blob(4), "gated": blob(4, spread=3, level=50)})
    (plain,) = pca_3d(maps, samples=150).panels
    (raw,) = pca_3d(maps, samples=150, standardise=False).panels
    assert raw.mixing == 0
    assert plain.mixing > 0.8
    np.testing.assert_allclose(plain.points.mean(axis=1), 0, atol=1e-9)


def test_the_draw_is_seeded_and_shared(make_maps: Callable) -> None:
    maps = make_maps({"attention": blob(4), "gated": blob(4)})
    one, same, other = (pca_3d(maps, samples=50, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.pixels, same.pixels)
    np.testing.assert_array_equal(one.panels[0].points, same.panels[0].points)
    assert not np.array_equal(one.pixels, other.pixels)
    assert len({tuple(pixel) for pixel in one.pixels.tolist()}) == 50
    everything = pca_3d(maps, samples=10**6)
    assert everything.pixels.shape == (256, 2)


def test_splits_take_their_own_channels(make_maps: Callable) -> None:
    # Channels 0 and 1 vary, 2 and 3 hardly: a half split gives all variance to one side.
    array = blob(4) * np.array([1, 1, 1e-3, 1e-3])[:, None, None]
    maps = make_maps({"output": array})
    half, skip = split_pca_3d(maps, samples=100, standardise=False).panels
    spread = [panel.points.std(axis=1).max(axis=1) for panel in (half, skip)]
    assert spread[0][0] > 100 * spread[0][1]
    assert spread[1][0] == pytest.approx(spread[1][1], rel=0.5)


def test_few_channels_and_flat_maps(make_maps: Callable) -> None:
    maps = make_maps({"attention": blob(1), "gated": np.ones((1, 16, 16))})
    (panel,) = pca_3d(maps, samples=30).panels
    assert panel.points.shape == (2, 30, 3)
    assert not panel.points[..., 1:].any()
    assert panel.dimensions[1] == 0


def test_t_sne_keeps_clusters_apart_and_is_seeded(make_maps: Callable) -> None:
    pytest.importorskip("sklearn")
    maps = make_maps({"attention": blob(4, 0.1), "gated": blob(4, 0.1, level=9)})
    first, second = (t_sne(maps, samples=30, standardise=False, seed=3) for _ in range(2))
    assert first.panels[0].mixing == 0
    assert first.panels[0].points.shape == (2, 30, 2)
    np.testing.assert_array_equal(first.panels[0].points, second.panels[0].points)


def test_nonsense_is_refused(make_maps: Callable) -> None:
    maps = make_maps({"attention": blob(4), "gated": blob(4), "fused": blob(8)})
    with pytest.raises(ValueError, match="at least two parts of the same number of channels"):
        pca_3d(maps, parts=["attention", "fused"])
    with pytest.raises(ValueError, match="at least two parts"):
        pca_3d(maps, parts=["attention"])
    with pytest.raises(ValueError, match="at least 4 pixels; 2 of 16 x 16"):
        pca_3d(maps, samples=2)
    with pytest.raises(ValueError, match="'alpha' has 3 channels"):
        split_pca_3d(make_maps({"alpha": blob(3)}), part="alpha")
