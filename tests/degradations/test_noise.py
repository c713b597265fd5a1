from __future__ import annotations

import pytest
import torch

from napari_anyir.degradations import GaussianNoise, MicrographNoise, PoissonGaussianNoise
from napari_anyir.degradations._base import to_display, to_linear


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("sigma", [5.0, 15.0, 25.0, 50.0])
def test_the_standard_deviation_is_sigma_grey_levels(sigma):
    # Mid grey, five sigmas from either end where that is possible, so that clipping hardly counts.
    clean = torch.full((1, 3, 256, 256), 0.5)
    noise = 255 * (GaussianNoise(sigma=sigma, storage="none")(clean, seeded()) - clean)
    assert noise.std() == pytest.approx(sigma, rel=0.02)
    assert noise.mean() == pytest.approx(0.0, abs=3 * sigma / 443)


def test_truncation_has_the_bias_of_the_protocol_and_rounding_has_none():
    """The protocol measures -0.47 grey levels at sigma 25, on photographs that reach 0 and 255."""
    clean = torch.randint(0, 256, (4, 3, 256, 256), generator=seeded(1)) / 255.0
    exact = GaussianNoise(sigma=25.0, storage="none")(clean, seeded())
    truncated = GaussianNoise(sigma=25.0)(clean, seeded())
    rounded = GaussianNoise(sigma=25.0, storage="round")(clean, seeded())
    assert 255 * (truncated - exact).mean() == pytest.approx(-0.47, abs=0.02)
    assert 255 * (rounded - exact).mean() == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize("storage", ["truncate", "round"])
def test_stored_values_are_whole_grey_levels(storage):
    clean = torch.rand(2, 3, 32, 32, generator=seeded())
    levels = 255 * GaussianNoise(sigma=20.0, storage=storage)(clean, seeded())
    torch.testing.assert_close(levels, levels.round(), atol=1e-4, rtol=0)


def test_blind_noise_draws_a_sigma_per_image():
    clean = torch.full((64, 3, 48, 48), 0.5)
    noise = GaussianNoise(storage="none")(clean, seeded()) - clean
    sigmas = 255 * noise.std(dim=(1, 2, 3))
    assert sigmas.min() < 5
    assert sigmas.max() > 45
    assert sigmas.max() < 51


def test_channels_are_independent():
    clean = torch.full((1, 3, 128, 128), 0.5)
    noise = (GaussianNoise(sigma=25.0)(clean, seeded()) - clean)[0].flatten(1)
    correlation = torch.corrcoef(noise)
    assert (correlation - torch.eye(3)).abs().max() < 0.05


@pytest.mark.parametrize(("photons", "read"), [(1000.0, 0.0), (400.0, 10.0)])
@pytest.mark.parametrize("level", [0.2, 0.5])
def test_shot_and_read_noise_have_the_variance_of_the_model(photons, read, level):
    clean = to_display(torch.full((1, 3, 256, 256), level))
    noisy = to_linear(PoissonGaussianNoise(photons=photons, read=read)(clean, seeded()))
    assert noisy.mean() == pytest.approx(level, rel=0.01)
    assert noisy.var() == pytest.approx(level / photons + (read / photons) ** 2, rel=0.05)


def test_a_micrograph_is_grey_in_and_out_and_uses_its_range():
    clean = torch.rand(4, 3, 32, 32, generator=seeded())
    kind = MicrographNoise()
    target = kind.target(clean, seeded())
    noisy = kind(target, seeded(1))
    for images in (target, noisy):
        assert torch.equal(images[:, 0], images[:, 1])
        assert torch.equal(images[:, 0], images[:, 2])
    assert (target.amax(dim=(1, 2, 3)) > 0.6).all()
    assert target.min() >= 0
    assert target.max() <= 1


def test_a_grey_image_can_be_taken_as_it_is():
    grey = torch.rand(2, 1, 16, 16, generator=seeded()).expand(2, 3, 16, 16)
    target = MicrographNoise(power=1.0, peak=0.0).target(grey, seeded())
    torch.testing.assert_close(target, grey)


def test_peak_is_the_brightest_value_and_the_gain_is_bounded():
    clean = torch.rand(2, 3, 16, 16, generator=seeded())
    clean[1] *= 0.01
    target = MicrographNoise(power=1.0, peak=0.9).target(clean, seeded())
    assert target[0].max() == pytest.approx(0.9)
    assert target[1].max() <= 0.04


def test_micrograph_noise_is_linear_in_light_and_not_stored_in_8_bits():
    target = torch.full((1, 3, 256, 256), 0.4)
    noisy = MicrographNoise(photons=200.0, read=2.0)(target, seeded())
    grey = noisy[:, 0]
    assert grey.mean() == pytest.approx(0.4, rel=0.01)
    assert grey.var() == pytest.approx(0.4 / 200 + (2 / 200) ** 2, rel=0.05)
    assert grey.unique().numel() > 256


def test_a_brighter_pixel_is_noisier_but_relatively_cleaner():
    ramp = torch.tensor([0.1, 0.4]).view(2, 1, 1, 1).expand(2, 3, 128, 128)
    deviation = MicrographNoise(photons=300.0, read=0.0)(ramp, seeded()).std(dim=(1, 2, 3))
    assert deviation[1] / deviation[0] == pytest.approx(2.0, rel=0.05)
