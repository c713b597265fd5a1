from __future__ import annotations

import math

import torch

from napari_anyir.degradations import Haze
from napari_anyir.degradations.haze import scatter, synthetic_depth

ONE = torch.ones(1, 1, 1, 1)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_scattering_model_is_exact():
    clean = torch.rand(2, 3, 9, 9, generator=seeded())
    transmission = torch.rand(2, 1, 9, 9, generator=seeded(1))
    airlight = torch.rand(2, 3, 1, 1, generator=seeded(2))
    hazy = scatter(clean, transmission, airlight)
    expected = airlight + (clean - airlight) * transmission
    torch.testing.assert_close(hazy, expected)
    assert torch.equal(scatter(clean, torch.ones(()), airlight), clean)
    torch.testing.assert_close(scatter(clean, 0 * ONE, 0.8 * ONE), torch.full_like(clean, 0.8))


def test_the_same_seed_gives_one_depth_whatever_the_photograph():
    """Black and white under the same haze reveal t: white - black = t, black = A (1 - t)."""
    haze = Haze(beta=1.2, airlight=0.9, tint=0.0, structure=0.0)
    black = haze(torch.zeros(1, 3, 48, 64), seeded())
    white = haze(torch.ones(1, 3, 48, 64), seeded())
    transmission = white - black
    torch.testing.assert_close(black, 0.9 * (1 - transmission), atol=1e-6, rtol=0)
    assert transmission.min() >= math.exp(-1.2) - 1e-5
    assert transmission.max() <= 1.0
    assert torch.equal(transmission[:, 0], transmission[:, 2])


def test_beta_is_the_optical_thickness():
    clean = torch.zeros(1, 3, 32, 32)
    thin, thick = (
        1 - Haze(beta=beta, airlight=1.0, tint=0.0)(clean, seeded()) for beta in (0.5, 1.5)
    )
    torch.testing.assert_close(torch.log(thick), 3 * torch.log(thin), atol=1e-4, rtol=1e-4)


def test_a_tint_colours_the_air():
    clean = torch.zeros(1, 3, 16, 16)
    hazy = Haze(beta=20.0, airlight=0.6, tint=0.1, structure=0.0)(clean, seeded(3))
    air = hazy.amax(dim=(2, 3)).flatten()
    assert air.max() - air.min() > 0.01
    assert (air - 0.6).abs().max() <= 0.1 + 1e-6


def test_depth_stays_in_its_range_and_varies():
    clean = torch.rand(16, 3, 64, 64, generator=seeded())
    scale = torch.full((16, 1, 1, 1), 60.0)
    depth = synthetic_depth(clean, scale, torch.full_like(scale, 0.5), seeded())
    assert depth.min() >= 0.02
    assert depth.max() <= 1.0
    assert (depth.std(dim=(1, 2, 3)) > 0.005).float().mean() > 0.8
    assert depth.mean(dim=(1, 2, 3)).std() > 0.1


def test_structure_puts_steps_at_the_edges_of_the_photograph():
    clean = torch.full((1, 3, 64, 64), 0.05)
    clean[..., 32:] = 0.95
    scale = torch.full((1, 1, 1, 1), 400.0)
    smooth = synthetic_depth(clean, scale, 0 * ONE, seeded(1))
    stepped = synthetic_depth(clean, scale, ONE, seeded(1))
    jump = (stepped[..., 36] - stepped[..., 27]).abs().mean()
    assert jump > 4 * (smooth[..., 36] - smooth[..., 27]).abs().mean()


def test_a_large_scale_makes_a_crop_nearly_even():
    clean = torch.zeros(1, 3, 32, 32)
    coarse = synthetic_depth(clean, torch.full((1, 1, 1, 1), 5000.0), 0 * ONE, seeded(4))
    fine = synthetic_depth(clean, torch.full((1, 1, 1, 1), 8.0), 0 * ONE, seeded(4))
    assert coarse.std() < 0.02
    assert fine.std() > 3 * coarse.std()


def test_what_is_nearest_has_a_veil_of_its_own():
    black = torch.zeros(1, 3, 64, 64)
    veil = Haze(beta=1.0, airlight=1.0, tint=0.0, nearest=0.5)(black, seeded())
    assert veil.min() >= 1 - math.exp(-0.5) - 1e-5
    even = Haze(beta=1.0, airlight=1.0, tint=0.0, nearest=1.0)(black, seeded())
    torch.testing.assert_close(even, torch.full_like(even, 1 - math.exp(-1.0)))
