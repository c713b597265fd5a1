from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from napari_anyir.analysis import error_map

RNG = np.random.default_rng(0)


def test_error_and_activity_of_a_known_case(make_maps: Callable) -> None:
    clean = RNG.integers(50, 200, (11, 14, 3)).astype(np.uint8)
    wrong = clean.copy()
    wrong[2:5, 3:9] += 51
    array = np.zeros((4, 11, 14))
    array[:, 2:5, 3:9] = 1.0
    found = error_map(wrong, clean, make_maps({"gated": array}))
    np.testing.assert_allclose(found.error[2:5, 3:9], 0.2)
    assert found.error.sum() == pytest.approx(0.2 * 18)
    assert found.correlation == pytest.approx(1)
    np.testing.assert_allclose(found.activity[0, 0], 18 / 154, rtol=1e-6)
    np.testing.assert_allclose(found.activity[2, 3], 1 - 18 / 154, rtol=1e-6)


def test_the_error_is_averaged_over_what_a_map_pixel_covers(make_maps: Callable) -> None:
    clean = np.zeros((10, 13))
    wrong = RNG.random((10, 13))
    found = error_map(wrong, clean, make_maps({"gated": RNG.random((2, 3, 4))}, scale=4))
    assert found.error_on_map.shape == (3, 4)
    assert found.error_on_map[0, 0] == pytest.approx(wrong[:4, :4].mean())
    assert found.error_on_map[2, 3] == pytest.approx(wrong[8:, 12:].mean())
    assert found.error_on_map[2, 0] == pytest.approx(wrong[8:, :4].mean())


def test_both_images_are_on_the_scale_of_the_reference(make_maps: Callable) -> None:
    clean = RNG.integers(100, 900, (12, 12)).astype(np.uint16)
    found = error_map(clean + 400, clean, make_maps({"gated": RNG.random((2, 12, 12))}))
    low, high = np.percentile(clean, (0.1, 99.9))
    np.testing.assert_allclose(found.error, 400 / (high - low))
    given = error_map(
        clean + 400, clean, make_maps({"gated": RNG.random((2, 12, 12))}), intensity=(0, 1000)
    )
    np.testing.assert_allclose(given.error, 0.4)


def test_alpha_is_left_out(make_maps: Callable) -> None:
    clean = RNG.integers(0, 255, (9, 9, 4)).astype(np.uint8)
    other = clean.copy()
    other[..., 3] = 255 - other[..., 3]
    found = error_map(other, clean, make_maps({"gated": RNG.random((2, 9, 9))}))
    assert not found.error.any()
    assert np.isnan(found.correlation)
    pytest.importorskip("matplotlib")
    found.figure()


def test_what_does_not_fit_is_refused(make_maps: Callable) -> None:
    maps = make_maps({"gated": RNG.random((2, 8, 8))})
    image = np.zeros((8, 8))
    with pytest.raises(ValueError, match="give two images of the same size and type"):
        error_map(image, np.zeros((8, 9)), maps)
    with pytest.raises(ValueError, match="give two images of the same size and type"):
        error_map(image, np.zeros((8, 8), np.float32), maps)
    with pytest.raises(ValueError, match="has maps of 9 x 9 there"):
        error_map(np.zeros((9, 9)), np.zeros((9, 9)), maps)
    with pytest.raises(ValueError, match="1 NaN pixel"):
        error_map(np.where(np.indices((8, 8)).sum(0), 0.0, np.nan), image, maps)
    with pytest.raises(ValueError, match="image must be one plane"):
        error_map(np.zeros((5, 8, 8)), np.zeros((5, 8, 8)), maps)
