from __future__ import annotations

import pytest
import torch

from napari_anyir.degradations import CameraNoise, Grain, ProcessedNoise


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def correlation(one: torch.Tensor, two: torch.Tensor) -> float:
    return float((one * two).mean() / (one.square().mean() * two.square().mean()).sqrt())


def grey(batch: int = 1, side: int = 256) -> torch.Tensor:
    return torch.full((batch, 3, side, side), 0.5)


@pytest.mark.parametrize("sigma", [2.0, 5.0, 12.0])
@pytest.mark.parametrize("kind", [CameraNoise, Grain])
def test_the_standard_deviation_is_sigma_grey_levels(kind, sigma):
    noise = 255 * (kind(sigma=sigma, quality=100.0)(grey(4), seeded()) - 0.5)
    assert noise.std() == pytest.approx(sigma, rel=0.05)
    assert noise.mean() == pytest.approx(0.0, abs=0.15)


def test_camera_noise_is_correlated_over_pixels_and_colours_as_on_developed_photographs():
    """PolyU: neighbours 0.43 to 0.71, next but one 0.05 to 0.42, colours 0.49 to 0.87."""
    noise = CameraNoise(sigma=5.0, quality=100.0)(grey(40, 96), seeded()) - 0.5
    near = [correlation(n[..., 1:], n[..., :-1]) for n in noise]
    next_but_one = [correlation(n[..., 2:], n[..., :-2]) for n in noise]
    colours = [correlation(n[0], n[1]) for n in noise]
    assert 0.43 < sorted(near)[20] < 0.75
    assert 0.05 < sorted(next_but_one)[20] < 0.42
    assert 0.49 < sorted(colours)[20] < 0.87


def test_camera_noise_leaves_the_detail_of_the_photograph():
    """Averaged over many exposures the photograph comes back: nothing was demosaiced or blurred."""
    photo = torch.rand(1, 3, 32, 32, generator=seeded()) * 0.6 + 0.2
    noisy = CameraNoise(sigma=4.0, quality=100.0)(photo.expand(400, -1, -1, -1), seeded(1))
    assert 255 * (noisy.mean(0) - photo[0]).abs().mean() < 0.4


def test_grain_shares_its_variance_among_the_colours():
    noise = Grain(sigma=6.0, blur=0.7, shared=0.8, quality=100.0)(grey(), seeded())[0] - 0.5
    assert correlation(noise[0], noise[2]) == pytest.approx(0.8, abs=0.03)
    # A Gaussian of deviation s correlates pixels at a distance d by exp(-d^2 / (4 s^2)).
    assert correlation(noise[..., 1:], noise[..., :-1]) == pytest.approx(0.60, abs=0.03)


def test_compression_leaves_the_mean():
    noise = Grain(sigma=8.0, quality=80.0)(grey(), seeded()) - 0.5
    assert 255 * noise.mean() == pytest.approx(0.0, abs=0.3)


def test_enlarged_noise_is_correlated_and_shrunk_noise_is_not():
    clean = {
        "sigma": 10.0,
        "shot": 0.0,
        "rows": 0.0,
        "hot": 0.0,
        "quality": 100.0,
        "second_quality": 100.0,
    }
    for scale, low, high in ((1.5, 0.3, 0.6), (1.0, -0.02, 0.02), (0.4, -0.05, 0.15)):
        noise = ProcessedNoise(scale=scale, **clean)(grey(), seeded()) - 0.5
        assert 255 * noise.std() == pytest.approx(10.0, rel=0.03)
        assert low < correlation(noise[..., 1:], noise[..., :-1]) < high


def test_shot_noise_grows_with_brightness_and_rows_share_theirs():
    steps = torch.tensor([0.2, 0.6]).view(2, 1, 1, 1).expand(2, 3, 128, 128)
    plain = {"sigma": 6.0, "hot": 0.0, "scale": 1.0, "quality": 100.0, "second_quality": 100.0}
    shot = ProcessedNoise(shot=1.0, rows=0.0, **plain)(steps, seeded())
    assert shot[1].var() / shot[0].var() == pytest.approx(3.0, rel=0.1)
    rows = ProcessedNoise(shot=0.0, rows=1.0, **plain)(grey(), seeded())
    assert 255 * rows.mean(dim=(1, 3)).std() == pytest.approx(6.0 / 2**0.5, rel=0.15)
