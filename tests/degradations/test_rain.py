from __future__ import annotations

import pytest
import torch

from napari_anyir.degradations import HeavyRain, Rain
from napari_anyir.degradations.rain import streaks


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def orientation(layer: torch.Tensor) -> tuple[float, float]:
    """Angle from the vertical in degrees and coherence, by the structure tensor."""
    gy, gx = torch.gradient(layer.double(), dim=(-2, -1))
    xx, yy, xy = (gx * gx).sum(), (gy * gy).sum(), (gx * gy).sum()
    across = 0.5 * torch.atan2(2 * xy, xx - yy)
    coherence = torch.sqrt((xx - yy) ** 2 + 4 * xy**2) / (xx + yy)
    return float(torch.rad2deg(across)), float(coherence)


def test_light_rain_is_never_darker_than_the_truth():
    clean = torch.rand(8, 3, 64, 64, generator=seeded())
    assert (Rain()(clean, seeded(1)) >= clean).all()


def test_light_rain_has_no_colour():
    clean = torch.full((4, 3, 64, 64), 0.1)
    added = Rain(intensity=0.3)(clean, seeded()) - clean
    assert (added.amax(dim=1) - added.amin(dim=1)).max() < 1e-6


@pytest.mark.parametrize("angle", [-25.0, 0.0, 20.0])
def test_streaks_run_along_the_given_direction(angle):
    clean = torch.zeros(1, 3, 192, 192)
    rainy = Rain(angle=angle, length=30.0, width=2.0)(clean, seeded())
    measured, coherence = orientation(rainy[0, 0])
    # A streak leaning right at its lower end has its gradient across it, turned the other way.
    assert abs(measured) == pytest.approx(abs(angle), abs=3.0)
    assert measured * angle <= 0
    assert coherence > 0.8


def test_the_layer_looks_as_measured_on_rain100l():
    """Medians over images: 5 to 28 % of pixels above 0.04, 99th percentile 0.12 to 0.49."""
    layers = Rain()(torch.zeros(40, 3, 160, 160), seeded())[:, 0].flatten(1)
    covered = (layers > 0.04).float().mean(dim=1)
    strongest = layers.quantile(0.99, dim=1)
    assert 0.08 < covered.median() < 0.25
    assert covered.quantile(0.05) > 0.03
    assert covered.quantile(0.95) < 0.40
    assert 0.18 < strongest.median() < 0.38
    assert strongest.quantile(0.05) > 0.08
    assert strongest.quantile(0.95) < 0.7


def test_each_image_has_its_own_rain():
    rainy = Rain()(torch.zeros(6, 3, 96, 96), seeded())
    angles = [orientation(image[0])[0] for image in rainy]
    assert max(angles) - min(angles) > 10


def test_streaks_cover_as_much_as_asked():
    one = torch.ones(1, 1, 1, 1)
    layer = streaks(torch.zeros(1, 3, 400, 400), [(0 * one, 12 * one, one, 0.3 * one)], seeded())
    # Strengths are uniform, one half in the mean.
    assert layer.mean() == pytest.approx(0.15, rel=0.1)


def test_a_single_streak_has_the_asked_height_and_width():
    one = torch.ones(1, 1, 1, 1)
    clean = torch.zeros(1, 3, 300, 300)
    layer = streaks(clean, [(0 * one, 40 * one, 1.5 * one, 0.003 * one)], seeded(3))[0, 0]
    peak = layer.max()
    row, column = divmod(int(layer.argmax()), 300)
    if 40 < row < 260:
        height = int((layer[:, column] > peak / 2).sum())
        assert 30 <= height <= 60
    width = int((layer[row] > peak / 2).sum())
    assert 3 <= width <= 6
    assert peak <= 1.05


def test_a_heavy_veil_hides_the_scene():
    clean = torch.rand(1, 3, 64, 64, generator=seeded())
    veiled = HeavyRain(veil=1.0, airlight=0.8)(clean, seeded())
    torch.testing.assert_close(veiled, torch.full_like(clean, 0.8))


def test_heavy_rain_covers_more_than_light_rain():
    clean = torch.zeros(8, 3, 96, 96)
    light = (Rain()(clean, seeded()) > 0.04).float().mean()
    heavy = (HeavyRain(veil=0.0)(clean, seeded()) > 0.04).float().mean()
    assert heavy > 2 * light


def test_heavy_rain_has_several_directions():
    clean = torch.zeros(1, 3, 192, 192)
    parallel = orientation(HeavyRain(angle=0.0, spread=0.0, veil=0.0)(clean, seeded())[0, 0])[1]
    spread = orientation(HeavyRain(angle=0.0, spread=60.0, veil=0.0)(clean, seeded(2))[0, 0])[1]
    assert parallel > spread
