from __future__ import annotations

import pytest
import torch

from napari_anyir.degradations import MicrographNoise, StabilisedNoise
from napari_anyir.degradations.scenes import SCENES, choose_scene, make_scene


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("scene", ["random", *SCENES])
@pytest.mark.parametrize("size", [(1, 1), (3, 40), (64, 64), (97, 130)])
def test_scenes_of_any_size_lie_in_the_unit_range(scene, size):
    images = torch.zeros(3, 3, *size)
    made = make_scene(images, seeded(), scene)
    assert made.shape == (3, 1, *size)
    assert made.isfinite().all()
    assert made.min() >= 0
    assert made.max() <= 1
    assert torch.equal(made, make_scene(images, seeded(), scene))


def test_fluorescence_is_dark_and_electron_micrographs_are_grey():
    images = torch.zeros(40, 3, 96, 96)
    means = {scene: make_scene(images, seeded(), scene).mean((1, 2, 3)) for scene in SCENES}
    assert 0.01 < means["puncta"].median() < 0.15
    assert means["filaments"].median() < 0.4
    assert 0.3 < means["electron"].median() < 0.7
    assert 0.7 < means["brightfield"].median() < 0.95
    ground = make_scene(images, seeded(), "brightfield").flatten(1).quantile(0.9, dim=1)
    assert ground.min() > 0.6


def test_made_scenes_are_smooth_to_the_pixel():
    """Texture as fine as noise would teach a network to keep noise."""
    made = make_scene(torch.zeros(64, 3, 96, 96), seeded())
    fine = made[..., 1:-1] - (made[..., 2:] + made[..., :-2]) / 2
    assert fine.std() < 0.15 * made.std()


def test_an_unknown_scene_is_refused():
    with pytest.raises(ValueError, match=r"unknown scene 'moon': use random, puncta, "):
        make_scene(torch.zeros(1, 3, 8, 8), seeded(), "moon")


def test_random_keeps_three_photographs_in_ten():
    photo = torch.rand(400, 1, 8, 8, generator=seeded())
    kept = (choose_scene(photo, "random", seeded()) == photo).all(dim=(1, 2, 3)).float().mean()
    assert kept == pytest.approx(0.3, abs=0.07)
    more = choose_scene(photo, "random", seeded(), photographs=0.9)
    assert (more == photo).all(dim=(1, 2, 3)).float().mean() == pytest.approx(0.9, abs=0.05)


def test_a_micrograph_of_a_scene_keeps_its_mean_and_variance():
    kind = MicrographNoise(photons=50.0, read=1.0, offset=0.1, scene="nuclei", correlation=0.0)
    target = kind.target(torch.rand(4, 3, 128, 128, generator=seeded()), seeded())
    assert target.min() >= 0.1
    noise = kind._apply(target, seeded(1))[:, 0] - target[:, 0]
    assert abs(noise.mean()) < 0.002
    expected = (target[:, 0] / 50 + (1 / 50) ** 2).mean()
    assert noise.var() == pytest.approx(float(expected), rel=0.05)


def test_eight_bits_hold_whole_grey_levels():
    target = torch.full((16, 3, 16, 16), 0.3)
    levels = 255 * MicrographNoise(storage="round")(target, seeded())
    torch.testing.assert_close(levels, levels.round(), atol=1e-4, rtol=0)
    levels = 255 * MicrographNoise(storage="mixed")(target, seeded())
    whole = ((levels - levels.round()).abs() < 1e-4).all(dim=3).all(dim=2).all(dim=1)
    assert 0 < whole.sum() < 16


def test_correlated_noise_keeps_its_variance():
    target = torch.full((1, 3, 256, 256), 0.4)
    noise = MicrographNoise(photons=200.0, read=0.0, correlation=0.7)(target, seeded())[0, 0] - 0.4
    assert noise.var() == pytest.approx(0.4 / 200, rel=0.05)
    near = (noise[1:] * noise[:-1]).mean() / noise.var()
    assert near == pytest.approx(0.60, abs=0.03)


@pytest.mark.parametrize("photons", [5.0, 50.0, 500.0])
@pytest.mark.parametrize("read", [0.0, 2.0])
def test_stabilised_noise_is_unbiased_and_of_one_strength(photons, read):
    """The generalised Anscombe transform: deviation 1 of a range of 2 sqrt(photons + ...)."""
    kind = StabilisedNoise(photons=photons, read=read, correlation=0.0)
    steps = torch.linspace(0.6, 0.9, 4).view(1, 1, 4, 1).expand(1, 3, 4, 40_000)
    noise = kind._apply(steps, seeded())[0, 0] - steps[0, 0]
    white = max(2 * (photons + 0.375 + read**2) ** 0.5, 2 * (0.375 + read**2) ** 0.5 / 0.6)
    assert (noise.mean(dim=1).abs() * white).max() < 0.05
    torch.testing.assert_close(noise.std(dim=1) * white, torch.ones(4), atol=0.1, rtol=0)
