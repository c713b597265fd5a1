from __future__ import annotations

import pytest
import torch

from napari_anyir.degradations import (
    TRAINING_SHARES,
    Clean,
    GaussianNoise,
    RandomDegradation,
)
from napari_anyir.degradations._base import to_linear


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_default_shares_are_those_of_the_training_plan():
    def part(*kinds: str) -> float:
        return sum(TRAINING_SHARES[kind] for kind in kinds)

    assert sum(TRAINING_SHARES.values()) == pytest.approx(1.0)
    assert part("noise", "poisson_gaussian", "micrograph") == pytest.approx(0.30)
    assert part("micrograph") == pytest.approx(0.10)
    assert part("rain", "heavy_rain") == pytest.approx(0.15)
    assert part("haze") == pytest.approx(0.15)
    assert part("motion_blur", "defocus") == pytest.approx(0.15)
    assert part("darkness") == pytest.approx(0.15)
    assert part("mixture") == pytest.approx(0.05)
    assert part("clean") == pytest.approx(0.05)


def test_a_batch_is_degraded_and_its_kinds_are_told():
    clean = torch.rand(24, 3, 32, 32, generator=seeded())
    choose = RandomDegradation()
    degraded, target, kind = choose(clean, seeded(1))
    assert degraded.shape == target.shape == clean.shape
    assert kind.dtype == torch.int64
    assert kind.shape == (24,)
    assert degraded.min() >= 0
    assert degraded.max() <= 1
    for row, name in enumerate(choose.kinds[index] for index in kind.tolist()):
        if name == "clean":
            assert torch.equal(degraded[row], target[row])
        else:
            assert not torch.equal(degraded[row], target[row]), name
        if name == "micrograph":
            assert torch.equal(target[row, 0], target[row, 1])
            assert torch.equal(degraded[row, 0], degraded[row, 1])
        elif name != "clean":
            assert torch.equal(target[row], clean[row])


def test_some_clean_images_are_dark_and_stay_so():
    clean = torch.rand(200, 3, 8, 8, generator=seeded())
    degraded, target, _ = RandomDegradation({"clean": 1.0})(clean, seeded(1))
    assert torch.equal(degraded, target)
    light = to_linear(target).mean((1, 2, 3)) / to_linear(clean).mean((1, 2, 3))
    assert 0.24 < light.min() < 0.3
    assert 0.95 < light.max() < 1.01
    plain = RandomDegradation({"clean": 1.0}, parameters={"clean": Clean()})
    assert torch.equal(plain(clean, seeded(1))[1], clean)


def test_the_same_seed_gives_the_same_batch():
    clean = torch.rand(12, 3, 24, 24, generator=seeded())
    choose = RandomDegradation()
    for one, two in zip(choose(clean, seeded(4)), choose(clean, seeded(4)), strict=True):
        assert torch.equal(one, two)
    again = choose(clean, seeded(5))[0]
    assert not torch.equal(again, choose(clean, seeded(4))[0])


def test_kinds_come_in_their_shares():
    choose = RandomDegradation({"noise": 6.0, "clean": 2.0, "haze": 0.0})
    clean = torch.full((4000, 3, 1, 1), 0.5)
    count = torch.bincount(choose(clean, seeded())[2], minlength=3) / 4000
    assert choose.kinds == ("noise", "clean", "haze")
    assert count[0] == pytest.approx(0.75, abs=0.03)
    assert count[1] == pytest.approx(0.25, abs=0.03)
    assert count[2] == 0


def test_parameters_replace_a_kinds_default():
    clean = torch.full((8, 3, 48, 48), 0.5)
    choose = RandomDegradation({"noise": 1}, parameters={"noise": GaussianNoise(sigma=40.0)})
    assert 255 * (choose(clean, seeded())[0] - clean).std() == pytest.approx(40.0, rel=0.05)


def test_targets_may_be_changed_without_touching_the_clean_images():
    clean = torch.rand(8, 3, 8, 8, generator=seeded())
    copy = clean.clone()
    degraded, target, _ = RandomDegradation()(clean, seeded())
    target.zero_()
    degraded.zero_()
    assert torch.equal(clean, copy)


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ({"fog": 1.0}, "unknown degradation 'fog': use one of noise"),
        ({}, "shares must be weights"),
        ({"noise": -1.0, "rain": 2.0}, "at least 0"),
        ({"noise": 0.0}, "one of them positive"),
    ],
)
def test_wrong_shares_are_refused(shares, words):
    with pytest.raises(ValueError, match=words):
        RandomDegradation(shares)


def test_parameters_of_a_kind_without_a_share_are_refused():
    with pytest.raises(ValueError, match="'rain' has parameters but no share"):
        RandomDegradation({"noise": 1.0}, parameters={"rain": GaussianNoise()})
