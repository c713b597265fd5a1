from __future__ import annotations

import pytest
import torch

from napari_anyir.degradations import Clean, Darkness, GaussianNoise, Haze, Mixture, Rain, Snow
from napari_anyir.degradations.mixtures import COMBINATIONS, COMPOSITES


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_names_are_the_eleven_folders_of_cdd11():
    assert len(COMBINATIONS) == 11
    assert len(COMPOSITES) == 7
    assert all("_" in name for name in COMPOSITES)


@pytest.mark.parametrize(
    ("name", "part"), [("low", "low"), ("haze", "haze"), ("rain", "rain"), ("snow", "snow")]
)
def test_a_single_part_is_that_part(name, part):
    clean = torch.rand(2, 3, 24, 24, generator=seeded())
    mixture = Mixture(combination=name)
    assert torch.equal(mixture(clean, seeded(1)), getattr(mixture, part)(clean, seeded(1)))


@pytest.mark.parametrize(
    ("order", "steps"),
    [("low_rain_haze", ("low", "rain", "haze")), ("low_haze_rain", ("low", "haze", "rain"))],
)
def test_the_parts_follow_each_other_in_the_order(order, steps):
    clean = torch.rand(2, 3, 24, 24, generator=seeded())
    mixture = Mixture(combination="low_haze_rain", order=order)
    generator, image = seeded(1), clean
    for step in steps:
        image = getattr(mixture, step)(image, generator)
    assert torch.equal(mixture(clean, seeded(1)), image)


def test_haze_veils_the_rain_in_the_order_of_cdd11():
    """Under thick haze of airlight 0.5 nothing is brighter than rain through what haze leaves."""
    parts = {"rain": Rain(intensity=1.0, coverage=1.0), "haze": Haze(beta=20.0, airlight=0.5)}
    clean = torch.zeros(1, 3, 48, 48)
    last, first = (
        Mixture(combination="haze_rain", order=order, **parts)(clean, seeded())
        for order in ("low_rain_haze", "low_haze_rain")
    )
    assert first.max() > last.max()


def test_random_mixtures_use_all_composites():
    marks = {
        "low": Darkness(exposure=0.01, photons=1e7, read=0.0),
        "haze": Haze(beta=1.0),
        "rain": Rain(),
        "snow": Snow(),
    }
    clean = torch.full((64, 3, 16, 16), 0.9)
    mixed = Mixture(**marks)(clean, seeded())
    differs = (mixed - clean).abs().flatten(1).amax(dim=1)
    assert (differs > 0).all()
    assert mixed.mean(dim=(1, 2, 3)).std() > 0.1


def test_what_is_no_degradation_is_refused():
    with pytest.raises(TypeError, match=r"Mixture: rain must be a degradation, .* not float"):
        Mixture(rain=0.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="combination must be one of random, low, haze"):
        Mixture(combination="rain_snow")


def test_a_part_may_be_any_degradation():
    clean = torch.full((1, 3, 16, 16), 0.5)
    mixture = Mixture(combination="snow", snow=GaussianNoise(sigma=10.0))
    assert torch.equal(mixture(clean, seeded()), GaussianNoise(sigma=10.0)(clean, seeded()))


def test_clean_leaves_everything_as_it_is():
    clean = torch.rand(2, 3, 8, 8, generator=seeded())
    assert torch.equal(Clean()(clean, seeded()), clean)
