import numpy as np
import pytest
import torch
from torchmetrics.functional.image import (
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)

from napari_anyir.training.evaluation.metrics import (
    ROUNDINGS,
    SSIMS,
    as_measured,
    check_choice,
    describe_metric,
    psnr,
    ssim,
)


@pytest.fixture
def pair():
    generator = np.random.default_rng(0)
    rows, columns = np.mgrid[:48, :64]
    clean = np.stack([rows / 48, columns / 64, (rows + columns) % 13 / 13], -1).astype(np.float32)
    noisy = np.clip(clean + generator.normal(0, 0.1, clean.shape), 0, 1).astype(np.float32)
    return noisy, clean


def batch(image):
    return torch.from_numpy(image).permute(2, 0, 1)[None].double()


def inner_mean(border, *images, **options):
    """torchmetrics reflects at the border and averages everything; scikit-image leaves it out."""
    _, everywhere = structural_similarity_index_measure(
        *map(batch, images), data_range=1.0, return_full_image=True, **options
    )
    return float(everywhere[..., border:-border, border:-border].mean())


def test_psnr_against_torchmetrics(pair):
    noisy, clean = pair
    other = peak_signal_noise_ratio(batch(noisy), batch(clean), data_range=1.0)
    assert psnr(noisy, clean) == pytest.approx(float(other), abs=1e-4)
    assert 18 < psnr(noisy, clean) < 23


def test_gaussian_ssim_against_torchmetrics(pair):
    noisy, clean = pair
    other = inner_mean(5, noisy, clean, gaussian_kernel=True, sigma=1.5, kernel_size=11)
    assert ssim(noisy, clean, "gaussian") == pytest.approx(other, abs=1e-5)


def test_uniform_ssim_against_torchmetrics(pair):
    """torchmetrics divides variances by N, the protocol by N - 1; undone through its constants.

    SSIM's second factor is (2 cov + C2) / (var + var + C2). With all covariances larger by
    N / (N - 1) it equals the one of the population covariances with C2 smaller by as much.
    """
    noisy, clean = pair
    count = 7 * 7
    k2 = 0.03 * np.sqrt((count - 1) / count)
    other = inner_mean(3, noisy, clean, gaussian_kernel=False, kernel_size=7, k2=k2)
    assert ssim(noisy, clean, "uniform") == pytest.approx(other, abs=1e-5)


def test_the_two_windows_give_other_numbers_and_say_so(pair):
    assert abs(ssim(*pair, "uniform") - ssim(*pair, "gaussian")) > 1e-3
    assert "7 x 7" in describe_metric("uniform")
    assert "11 taps" in describe_metric("gaussian")


def test_trap_silent_letter_case_of_the_metric_variant(pair):
    with pytest.raises(ValueError, match="did you mean 'gaussian'"):
        ssim(*pair, "Gaussian")
    with pytest.raises(ValueError, match="one of none, 8bit, not '8-bit'"):
        as_measured(pair[0], "8-bit")
    assert check_choice("ssim", "uniform", SSIMS) == "uniform"
    assert next(iter(ROUNDINGS)) == "none"


def test_trap_images_on_another_scale(pair):
    noisy, clean = pair
    with pytest.raises(ValueError, match="scale of 0 to 1"):
        psnr(noisy * 255, clean * 255)
    with pytest.raises(ValueError, match="crop both alike"):
        ssim(noisy[1:], clean)


def test_small_images_and_equal_images(pair):
    noisy, clean = pair
    with pytest.raises(ValueError, match="11 x 11 window"):
        ssim(noisy[:10], clean[:10], "gaussian")
    assert psnr(clean, clean) == np.inf


def test_rounding_is_a_switch(pair):
    noisy, _ = pair
    assert np.array_equal(as_measured(noisy), noisy)
    stored = as_measured(noisy, "8bit") * 255
    assert np.abs(stored - np.rint(stored)).max() < 1e-4
    assert as_measured(np.full((1, 1, 3), 7.0)).max() == 1
    with pytest.raises(ValueError, match="NaN"):
        as_measured(np.full((1, 1, 3), np.nan))
