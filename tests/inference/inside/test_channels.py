from __future__ import annotations

import numpy as np
import pytest

from napari_anyir.inference.inside.channels import REDUCTIONS, reduce_channels, reduced_channels

MAPS = np.random.default_rng(0).normal(size=(6, 9, 7)).astype(np.float32)


def test_mean_abs_and_strongest_are_what_they_say() -> None:
    maps = MAPS.copy()
    maps[4] *= -5
    np.testing.assert_allclose(reduce_channels(maps, "mean_abs")[0], np.abs(maps).mean(0), 1e-6)
    np.testing.assert_array_equal(reduce_channels(maps, "strongest")[0], maps[4])


def test_pca_finds_the_components_in_order() -> None:
    rng = np.random.default_rng(1)
    sources = rng.normal(size=(3, 400)) * np.array([[9.0], [3.0], [1.0]])
    mixing = np.linalg.qr(rng.normal(size=(8, 8)))[0][:, :3]
    picture = reduce_channels((mixing @ sources + 7).reshape(8, 20, 20), "pca").reshape(3, -1)
    for found, source in zip(picture, sources, strict=True):
        assert abs(np.corrcoef(found, source)[0, 1]) > 0.98
    assert picture.min() >= 0
    assert picture.max() <= 1
    assert picture[0].std() > 2 * picture[1].std() > 4 * picture[2].std()


def test_pca_has_one_sign() -> None:
    np.testing.assert_allclose(
        reduce_channels(MAPS, "pca"), reduce_channels(MAPS.copy(), "pca"), atol=1e-6
    )
    shifted = reduce_channels(MAPS + 100, "pca")
    np.testing.assert_allclose(reduce_channels(MAPS, "pca"), shifted, atol=1e-3)


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_few_channels_and_flat_maps(channels: int, reduce: str) -> None:
    picture = reduce_channels(MAPS[:channels], reduce)
    assert picture.shape == (reduced_channels(reduce, channels), 9, 7)
    flat = reduce_channels(np.full((channels, 4, 4), 2.0), reduce)
    np.testing.assert_allclose(flat, 0.5 if reduce == "pca" else 2.0)


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="mean_abs, strongest, pca"):
        reduce_channels(MAPS, "max")
    with pytest.raises(ValueError, match=r"\(channels, height, width\)"):
        reduce_channels(MAPS[0], "pca")
