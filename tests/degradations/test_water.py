from __future__ import annotations

import pytest
import torch

from napari_anyir.degradations import Water
from napari_anyir.degradations._base import to_linear
from napari_anyir.degradations.water import JERLOV, share_left

ONE = torch.ones(1, 1, 1, 1)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("number", range(len(JERLOV)))
def test_the_tabulated_waters_are_met(number):
    left = share_left(number / (len(JERLOV) - 1) * ONE).flatten().tolist()
    assert left == pytest.approx(list(JERLOV[number]), abs=1e-5)


def test_waters_between_are_interpolated():
    left = share_left(torch.linspace(0, 1, 50).view(-1, 1, 1, 1))
    assert (left.diff(dim=0) <= 1e-6).all()


def test_without_distance_only_daylight_is_lost():
    clean = torch.full((1, 3, 8, 8), 0.5)
    under = Water(turbidity=0.0, distance=0.0, depth=3.0, exposure=1.0)(clean, seeded())
    expected = to_linear(clean) * torch.tensor(JERLOV[0]).pow(3).view(1, 3, 1, 1)
    torch.testing.assert_close(to_linear(under), expected, atol=1e-4, rtol=1e-3)


def test_far_away_only_the_water_is_seen():
    clean = torch.rand(1, 3, 8, 8, generator=seeded())
    under = Water(turbidity=1.0, distance=100.0, depth=0.5, exposure=1.0)
    assert under(clean, seeded(1)).std(dim=(2, 3)).max() < 0.02


@pytest.mark.parametrize(("turbidity", "channel"), [(0.0, 2), (0.8, 1)])
def test_the_ocean_is_blue_and_the_coast_green(turbidity, channel):
    clean = torch.full((1, 3, 16, 16), 0.6)
    under = Water(turbidity=turbidity, depth=4.0, distance=6.0)(clean, seeded())
    means = under.mean(dim=(0, 2, 3))
    assert int(means.argmax()) == channel
    assert means[0] < means[1]


def test_the_camera_makes_up_for_lost_light_at_most_as_told():
    clean = torch.full((1, 3, 8, 8), 0.3)
    dim, lit = (
        to_linear(Water(turbidity=0.9, depth=3.0, exposure=factor)(clean, seeded()))
        for factor in (1.0, 2.0)
    )
    torch.testing.assert_close(lit, 2 * dim, atol=1e-4, rtol=1e-3)
