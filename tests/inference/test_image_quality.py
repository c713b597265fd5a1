from __future__ import annotations

import math

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from napari_anyir.inference.image_quality import full_scale, score

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("values", "dtype", "span"),
    [
        (np.zeros((4, 4)), "uint8", 255),
        (np.array([0.2, 0.9]), "float32", 1),
        (np.array([-2.0, 3.0]), "float32", 5),
        (np.array([100, 4100]), "uint16", 4000),
        (np.full(4, 7), "uint16", 1),
    ],
)
def test_full_scale_belongs_to_the_reference(values, dtype: str, span: float) -> None:
    assert full_scale([values.astype(dtype)], dtype) == pytest.approx(span)


def test_full_scale_is_that_of_all_planes() -> None:
    assert full_scale(iter([np.array([3, 9]), np.array([1, 4])]), "uint16") == 8


@pytest.mark.parametrize("shape", [(20, 24), (20, 24, 3)])
def test_it_agrees_with_scikit_image(shape) -> None:
    clean = RNG.integers(0, 255, shape, np.uint8)
    image = RNG.integers(0, 255, shape, np.uint8)
    found = score([(image, clean)], 255)
    colours = {"channel_axis": -1} if len(shape) == 3 else {}
    assert found.psnr == pytest.approx(peak_signal_noise_ratio(clean, image, data_range=255))
    expected = structural_similarity(clean, image, data_range=255, **colours)
    assert found.ssim == pytest.approx(expected)


def test_psnr_is_over_all_planes_and_ssim_their_mean() -> None:
    clean = RNG.random((2, 16, 16))
    image = clean + np.array([0.0, 0.1])[:, None, None]
    found = score(zip(image, clean, strict=True), 1.0)
    assert found.psnr == pytest.approx(10 * math.log10(1 / 0.005))
    single = structural_similarity(image[1], clean[1], data_range=1.0)
    assert found.ssim == pytest.approx((1 + single) / 2)


def test_alpha_is_left_out_and_small_images_have_no_ssim() -> None:
    clean = RNG.integers(0, 255, (6, 20, 4), np.uint8)
    image = clean.copy()
    image[..., 3] = 0
    found = score([(image, clean)], 255)
    assert found.psnr == math.inf
    assert math.isnan(found.ssim)
