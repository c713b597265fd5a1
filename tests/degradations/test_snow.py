from __future__ import annotations

import pytest
import torch

from napari_anyir.degradations import Snow
from napari_anyir.degradations.snow import flakes

ONE = torch.ones(1, 1, 1, 1)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_flakes_hide_what_is_behind_them():
    """Black and white behind the same flakes reveal the mask: both end between scene and flake."""
    black = Snow(veil=0.0, brightness=0.9, coverage=0.3)(torch.zeros(1, 3, 64, 64), seeded())
    white = Snow(veil=0.0, brightness=0.9, coverage=0.3)(torch.ones(1, 3, 64, 64), seeded())
    visible = white - black
    torch.testing.assert_close(black, 0.9 * (1 - visible), atol=1e-5, rtol=0)
    assert visible.min() < 0.4
    assert visible.max() > 0.99


def test_flakes_have_no_colour():
    snowy = Snow()(torch.full((2, 3, 32, 32), 0.3), seeded())
    torch.testing.assert_close(snowy[:, 0], snowy[:, 2])


def test_more_coverage_is_more_snow():
    clean = torch.zeros(1, 3, 96, 96)
    means = [Snow(veil=0.0, coverage=share)(clean, seeded()).mean() for share in (0.02, 0.1, 0.4)]
    assert means[0] < means[1] < means[2]


def test_masks_lie_in_the_unit_range_and_cover_as_asked():
    mask = flakes(torch.zeros(1, 3, 400, 400), 4 * ONE, 0 * ONE, 0 * ONE, 0.05 * ONE, seeded())
    assert mask.min() >= 0
    assert mask.max() <= 1
    # Strengths are square roots of uniform numbers, two thirds in the mean.
    assert mask.mean() == pytest.approx(0.05 * 2 / 3, rel=0.2)


def test_a_fall_smears_flakes_along_its_direction():
    clean = torch.zeros(1, 3, 256, 256)
    settings = (clean, 2 * ONE, 14 * ONE, 0 * ONE, 0.05 * ONE, seeded())
    layer = flakes(*settings)[0, 0]
    down, across = layer.diff(dim=0).square().mean(), layer.diff(dim=1).square().mean()
    assert across > 3 * down


def test_a_full_veil_is_the_airlight():
    clean = torch.rand(1, 3, 16, 16, generator=seeded())
    veiled = Snow(veil=1.0, airlight=0.7)(clean, seeded())
    torch.testing.assert_close(veiled, torch.full_like(clean, 0.7))
