from __future__ import annotations

import pytest
import torch

from napari_anyir.degradations import Darkness
from napari_anyir.degradations._base import to_linear

PLAIN = {"red": 1.0, "green": 1.0, "blue": 1.0, "photons": 1e7, "read": 0.0, "storage": "none"}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def evenly_spread(batch: int = 1) -> torch.Tensor:
    return torch.linspace(0, 1, 64 * 64).view(1, 1, 64, 64).expand(batch, 3, 64, 64).contiguous()


@pytest.mark.parametrize("exposure", [1 / 220, 0.02, 1 / 3])
@pytest.mark.parametrize("tone", [1.0, 1.9, 3.0])
def test_exposure_is_the_ratio_of_the_means_in_linear_light(exposure, tone):
    clean = evenly_spread()
    dark = Darkness(exposure=exposure, tone=tone, **PLAIN)(clean, seeded())
    ratio = to_linear(dark).mean() / to_linear(clean).mean()
    # c(a) takes the sRGB curve for a plain power of 2.2.
    assert ratio == pytest.approx(exposure, rel=0.12)


def test_full_exposure_without_noise_changes_nothing():
    clean = evenly_spread()
    dark = Darkness(exposure=1.0, tone=1.0, **PLAIN)(clean, seeded())
    torch.testing.assert_close(dark, clean, atol=2e-3, rtol=0)


def test_tone_is_the_exponent_in_display_values():
    """As measured on LOL-v1: low = b high^a, away from the linear foot of the sRGB curve."""
    clean = evenly_spread()
    dark = Darkness(exposure=0.3, tone=2.0, **PLAIN)(clean, seeded())
    bright = clean > 0.5
    high, low = torch.log(clean[bright]), torch.log(dark[bright])
    slope = ((high - high.mean()) * (low - low.mean())).sum() / (high - high.mean()).square().sum()
    assert slope == pytest.approx(2.0, rel=0.1)


def test_gains_colour_the_light():
    clean = torch.full((1, 3, 8, 8), 0.5)
    settings = {**PLAIN, "red": 1.3, "blue": 0.7}
    light = to_linear(Darkness(exposure=0.1, tone=1.0, **settings)(clean, seeded()))
    red, green, blue = light.mean(dim=(0, 2, 3)).tolist()
    assert red / green == pytest.approx(1.3, rel=0.01)
    assert blue / green == pytest.approx(0.7, rel=0.01)


def test_the_means_are_those_of_lol():
    """LOL-v1 has 4, 13, 29 of 255 (5th, 50th, 95th percentile); exposures up to 1/3 widen it."""
    dark = Darkness()(evenly_spread(400), seeded())
    means = 255 * dark.mean(dim=(1, 2, 3))
    assert 8 < means.median() < 20
    assert means.quantile(0.05) < 6
    assert means.quantile(0.95) < 100
    measured = Darkness(exposure=(0.0045, 0.088))(evenly_spread(400), seeded())
    means = 255 * measured.mean(dim=(1, 2, 3))
    assert 2 < means.quantile(0.05) < 6
    assert 7 < means.median() < 17
    assert 20 < means.quantile(0.95) < 45


def test_the_noise_is_that_of_lol():
    """LOL-v1 has 1.0, 1.6, 2.7 grey levels after storage in 8 bits, at a mean of about 13."""
    clean = torch.full((200, 3, 24, 24), 0.45)
    dark = 255 * Darkness(exposure=0.02, tone=1.9)(clean, seeded())
    noise = dark.std(dim=(2, 3)).mean(dim=1)
    assert noise.quantile(0.05) > 0.8
    assert 1.0 < noise.median() < 2.3
    assert noise.quantile(0.95) < 4.0


def test_storage_leaves_few_levels():
    dark = Darkness(exposure=0.005)(evenly_spread(), seeded())
    levels = 255 * dark
    torch.testing.assert_close(levels, levels.round(), atol=1e-4, rtol=0)
    assert levels.unique().numel() < 80
    smooth = Darkness(exposure=0.005, storage="none")(evenly_spread(), seeded())
    assert smooth.unique().numel() > 5 * levels.unique().numel()
