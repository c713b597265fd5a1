"""PSNR and SSIM: stacks, orders of axes, alpha, and what counts as full scale."""

from __future__ import annotations

import math

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from napari_anyir.cli.scores import compare
from napari_anyir.files import ImageFile

RNG = np.random.default_rng(0)


def test_planes_count_together() -> None:
    clean = RNG.integers(0, 1000, (3, 20, 24), np.uint16)
    image = np.clip(clean + RNG.integers(0, 50, clean.shape), 0, 1000).astype(np.uint16)
    score = compare(ImageFile(image, "ZYX", "tiff"), ImageFile(clean, "ZYX", "tiff"))
    full = float(clean.max()) - float(clean.min())
    error = np.mean((image.astype(float) - clean) ** 2)
    assert score.data_range == full
    assert score.psnr == pytest.approx(10 * math.log10(full**2 / error))
    planes = [
        structural_similarity(a, b, data_range=full) for a, b in zip(image, clean, strict=True)
    ]
    assert score.ssim == pytest.approx(np.mean(planes))


def test_orders_of_axes_do_not_matter() -> None:
    clean = RNG.random((2, 3, 20, 24)).astype(np.float32)
    image = ImageFile(clean.transpose(1, 0, 2, 3), "CZYX", "zarr")
    score = compare(image, ImageFile(clean, "ZCYX", "tiff"))
    assert (score.psnr, score.ssim, score.data_range) == (math.inf, 1.0, 1.0)


def test_alpha_is_left_out() -> None:
    clean = RNG.integers(0, 255, (20, 24, 4), np.uint8)
    image = clean.copy()
    image[..., 3] = 0
    score = compare(ImageFile(image, "YXS", "png"), ImageFile(clean[..., :3], "YXS", "png"))
    assert score.psnr == math.inf


def test_small_images_have_no_ssim() -> None:
    image = ImageFile(np.zeros((6, 20), np.uint8), "YX", "png")
    assert math.isnan(compare(image, image).ssim)


def test_constant_reference() -> None:
    clean = ImageFile(np.full((8, 8), 7, np.uint16), "YX", "tiff")
    image = ImageFile(np.full((8, 8), 8, np.uint16), "YX", "tiff")
    assert compare(image, clean).psnr == 0.0
