from __future__ import annotations

import pytest
import torch

from napari_anyir.degradations import (
    DENOISE_SHARES,
    TRAINING_SHARES,
    Clean,
    GaussianNoise,
    RandomDegradation,
    make,
)
from napari_anyir.degradations._base import to_linear
from napari_anyir.degradations._looks import as_faded, as_pastel, as_stored
from napari_anyir.degradations.training_mix import LOOKS


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def only(**looks: float) -> dict[str, float]:
    """Shares of these looks, and none of the others."""
    return {**dict.fromkeys(LOOKS, 0.0), **looks}


def part(shares: dict[str, float], *kinds: str) -> float:
    return sum(shares[kind] for kind in kinds)


def test_the_default_shares_are_those_of_the_training_plan():
    noise = ("noise", "poisson_gaussian", "camera_noise", "grain", "processed_noise", "micrograph")
    noise = (*noise, "stabilised_noise")
    assert sum(TRAINING_SHARES.values()) == pytest.approx(1.0)
    assert part(TRAINING_SHARES, *noise) == pytest.approx(0.33)
    assert part(TRAINING_SHARES, "rain", "heavy_rain") == pytest.approx(0.12)
    assert part(TRAINING_SHARES, "haze") == pytest.approx(0.11)
    assert part(TRAINING_SHARES, "motion_blur", "defocus") == pytest.approx(0.11)
    assert part(TRAINING_SHARES, "darkness") == pytest.approx(0.11)
    assert part(TRAINING_SHARES, "mixture", "jpeg") == pytest.approx(0.05)
    assert part(TRAINING_SHARES, "clean") >= 1 / 6


def test_the_shares_for_noise_alone_hold_nothing_else():
    assert sum(DENOISE_SHARES.values()) == pytest.approx(1.0)
    assert part(DENOISE_SHARES, "noise", "poisson_gaussian") == pytest.approx(0.30)
    assert part(DENOISE_SHARES, "camera_noise", "grain", "processed_noise") == pytest.approx(0.30)
    assert part(DENOISE_SHARES, "micrograph", "stabilised_noise") == pytest.approx(0.22)
    assert part(DENOISE_SHARES, "clean") >= 1 / 6
    assert len(DENOISE_SHARES) == 8


def test_a_batch_is_degraded_and_its_kinds_are_told():
    clean = torch.rand(24, 3, 32, 32, generator=seeded())
    choose = RandomDegradation(looks=only())
    degraded, target, kind = choose(clean, seeded(1))
    assert degraded.shape == target.shape == clean.shape
    assert kind.dtype == torch.int64
    assert kind.shape == (24,)
    assert degraded.min() >= 0
    assert degraded.max() <= 1
    for row, name in enumerate(choose.kinds[index] for index in kind.tolist()):
        if name == "clean":
            assert (degraded[row] - target[row]).abs().max() < 5 / 255
        else:
            assert not torch.equal(degraded[row], target[row]), name
        if name in ("micrograph", "stabilised_noise"):
            assert torch.equal(target[row, 0], target[row, 1])
            assert torch.equal(degraded[row, 0], degraded[row, 1])
        elif name != "clean":
            assert torch.equal(target[row], clean[row])


def test_some_clean_images_are_dark_and_stay_so():
    clean = torch.rand(200, 3, 8, 8, generator=seeded())
    dusk = Clean(exposure=(0.25, 1.0))
    choose = RandomDegradation({"clean": 1.0}, parameters={"clean": dusk}, looks=only())
    degraded, target, _ = choose(clean, seeded(1))
    assert torch.equal(degraded, target)
    light = to_linear(target).mean((1, 2, 3)) / to_linear(clean).mean((1, 2, 3))
    assert 0.24 < light.min() < 0.3
    assert 0.95 < light.max() < 1.01
    plain = RandomDegradation({"clean": 1.0}, parameters={"clean": Clean()}, looks=only())
    assert torch.equal(plain(clean, seeded(1))[1], clean)


def test_some_clean_images_are_pale_and_stay_so():
    """Snow, paper and petals are no haze: light parts end in white, dark ones stay dark."""
    clean = torch.linspace(0, 1, 256).view(1, 1, 16, 16).repeat(200, 3, 1, 1)
    light = {"clean": Clean(exposure=(1.0, 4.0))}
    choose = RandomDegradation({"clean": 1.0}, parameters=light, looks=only())
    degraded, target, _ = choose(clean, seeded(1))
    assert torch.equal(degraded, target)
    white = (target == 1).float().mean((1, 2, 3))
    assert white.min() < 0.03
    assert 0.4 < white.max() < 0.5  # display values above 0.537, where linear light passes 1/4
    assert target.amin((1, 2, 3)).max() == 0
    assert (target >= clean - 0.5 / 255 - 1e-6).all()


@pytest.mark.parametrize("shares", [DENOISE_SHARES, TRAINING_SHARES])
def test_grey_images_are_degraded_to_grey_images(shares):
    clean = torch.rand(60, 3, 24, 24, generator=seeded())
    choose = RandomDegradation(shares, looks={"grey": 1.0})
    degraded, target, kind = choose(clean, seeded(1))
    # Whoever learns to brighten grey images brightens the micrographs among them.
    bright = torch.tensor([name in ("darkness", "mixture") for name in choose.kinds])[kind]
    for images in (degraded, target):
        assert torch.equal(images[~bright, 0], images[~bright, 1])
        assert torch.equal(images[~bright, 0], images[~bright, 2])
        assert not torch.isclose(images[bright, 0], images[bright, 2]).flatten(1).all(1).any()
    target = RandomDegradation({"noise": 1.0})(clean.repeat(10, 1, 1, 1), seeded(1))[1]
    grey = (target[:, 0] == target[:, 2]).all(dim=(1, 2)).float().mean()
    assert grey == pytest.approx(0.12, abs=0.04)


def test_a_share_of_grey_images_that_is_none_is_refused():
    with pytest.raises(ValueError, match="unknown look 'blue': use one of grey, pale, dim"):
        RandomDegradation(looks={"blue": 0.5})
    with pytest.raises(ValueError, match="grey must be a share of 0 to 1, not 2"):
        RandomDegradation(looks={"grey": 2})


def test_a_network_for_noise_alone_sees_clean_images_of_any_exposure():
    bright = torch.full((200, 3, 8, 8), 0.8)
    choose = RandomDegradation({"clean": 1.0}, looks={"grey": 0.0})
    darkest = choose(bright, seeded())[1].mean((1, 2, 3)).min()
    assert darkest < 0.1
    shares = {"clean": 1.0, "darkness": 1e-9}
    veiled = RandomDegradation(shares, parameters={"clean": Clean(exposure=0.25)}, looks=only())
    assert veiled(bright, seeded())[1].mean() == pytest.approx(0.43, abs=0.02)


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


def test_some_images_are_pale_whatever_is_done_to_them():
    clean = torch.full((400, 3, 4, 4), 0.6)
    choose = RandomDegradation({"noise": 1.0}, looks=only(pale=0.2))
    target = choose(clean, seeded(1))[1]
    assert (target > 0.61).all(dim=3).all(dim=2).all(dim=1).float().mean() == pytest.approx(
        0.2, abs=0.06
    )
    plain = RandomDegradation({"noise": 1.0}, looks=only())
    assert torch.equal(plain(clean, seeded(1))[1], clean)
    with pytest.raises(ValueError, match="pale must be a share of 0 to 1, not 2"):
        RandomDegradation(looks={"pale": 2})


def test_haze_lies_over_dim_scenes_too_and_over_all_of_them():
    clean = torch.rand(200, 3, 16, 16, generator=seeded())
    clean[:, :, :4] = 0.0
    choose = RandomDegradation({"haze": 1.0}, looks=only(dim=0.4))
    degraded, target, _ = choose(clean, seeded(1))
    dimmed = (target - clean).abs().amax((1, 2, 3)) > 0.5 / 255
    assert dimmed.float().mean() == pytest.approx(0.4, abs=0.1)
    assert (target <= clean + 0.5 / 255 + 1e-6).all()
    # Black is nowhere left: that is how haze is known from a clean photograph.
    assert degraded.amin((1, 2, 3)).min() > 0.01
    undimmed = RandomDegradation({"haze": 1.0}, looks=only())
    assert torch.equal(undimmed(clean, seeded(1))[1], clean)
    with pytest.raises(ValueError, match="dim must be a share of 0 to 1, not 2"):
        RandomDegradation(looks={"dim": 2})


def test_what_is_nearest_in_haze_lets_as_much_through_as_in_measured_rooms():
    # RESIDE's indoor test pairs, fitted on textured near parts: 0.57 to 0.90 gets through.
    choose = RandomDegradation({"haze": 1.0}, looks=only())
    degraded, _, _ = choose(torch.ones(120, 3, 192, 192), seeded(3))
    black, _, _ = choose(torch.zeros(120, 3, 192, 192), seeded(3))
    through = (degraded - black).mean(1).flatten(1).quantile(0.95, dim=1)
    assert 0.57 < through.median() < 0.90
    assert through.quantile(0.9) > 0.8
    assert through.quantile(0.1) < 0.57


def test_a_clean_image_with_a_veil_is_clear_somewhere():
    black = torch.zeros(50, 3, 64, 64)
    veiled = Clean(veil=0.3).target(black, seeded(2))
    assert veiled.amin((1, 2, 3)).max() < 0.005
    assert veiled.amax((1, 2, 3)).min() > 0.14  # airlight of at least 0.5 behind 0.3


def test_what_is_behind_haze_rain_and_darkness_is_not_always_sharp():
    clean = torch.rand(120, 3, 32, 32, generator=seeded())
    for kind in ("haze", "rain", "darkness", "clean"):
        looks = only(stored=LOOKS["stored"])
        choose = RandomDegradation({kind: 1.0}, parameters={kind: make(kind)}, looks=looks)
        degraded, target, _ = choose(clean, seeded(1))
        fine = target.diff().abs().mean((1, 2, 3)) / clean.diff().abs().mean((1, 2, 3))
        assert (fine < 0.9).float().mean() == pytest.approx(0.4, abs=0.12), kind
        if kind == "clean":
            assert torch.equal(degraded, target)
    for kind in ("noise", "motion_blur", "defocus"):  # whose softness or grain is to go
        choose = RandomDegradation({kind: 1.0}, looks=only(stored=1.0))
        assert torch.equal(choose(clean[:8], seeded(1))[1], clean[:8]), kind
    with pytest.raises(ValueError, match="stored must be a share of 0 to 1, not 2"):
        RandomDegradation(looks={"stored": 2})


def test_a_photograph_as_people_store_it_shows_the_same_with_less_detail_and_a_little_grain():
    y = torch.linspace(-1.0, 1.0, 96)
    disc = (y.view(1, 1, -1, 1).hypot(y.view(1, 1, 1, -1)) < 0.35).float()
    clean = (0.2 + 0.6 * disc).expand(40, 3, 96, 96)
    stored = as_stored(clean, seeded())
    assert stored.min() >= 0
    assert stored.max() <= 1
    # About its centre, enlarged by 1 to 2.5 in each direction: the disc grows up to 6.25 times.
    grown = (stored[:, 1] > 0.5).float().mean((1, 2)) / disc.mean()
    assert 0.97 < grown.min() < 1.3
    assert 4.5 < grown.max() < 6.4
    assert (stored[:, :, 44:52, 44:52].mean((1, 2, 3)) - 0.8).abs().max() < 0.01
    grain = 255 * stored[:, :, :12, :12].std(dim=(2, 3)).mean(1)
    assert grain.min() < 0.5
    assert 1.0 < grain.max() < 4.0


def test_some_coloured_scenes_are_pale_prints_but_none_behind_haze():
    clean = torch.rand(300, 3, 16, 16, generator=seeded())
    clean[:, :, :4] = 0.0
    for kind, share in (("noise", 0.1), ("clean", 0.1), ("haze", 0.0), ("darkness", 0.0)):
        looks = only(pastel=LOOKS["pastel"])
        choose = RandomDegradation({kind: 1.0}, parameters={kind: make(kind)}, looks=looks)
        print_ = choose(clean, seeded(1))[1].amin((1, 2, 3)) > 0.05
        assert print_.float().mean() == pytest.approx(share, abs=0.05), kind
    # What is grey passes for haze as soon as it is pale.
    choose = RandomDegradation({"noise": 1.0}, looks=only(grey=1.0, pastel=1.0, faded=1.0))
    assert choose(clean, seeded(1))[1].amin((1, 2, 3)).max() == 0
    with pytest.raises(ValueError, match="pastel must be a share of 0 to 1, not 2"):
        RandomDegradation(looks={"pastel": 2})


def test_a_pale_print_has_a_colour_that_no_air_has():
    prints = as_pastel(
        torch.rand(200, 1, 24, 24, generator=seeded()).expand(-1, 3, -1, -1), seeded()
    )
    low, high = prints.mean((2, 3)).aminmax(dim=1)
    # Haze deviates by 0.03 from grey either way.
    assert ((high - low) / high).min() > 0.11
    assert prints.min() > 0.1
    assert prints.max() <= 1
    assert prints.amax((1, 2, 3)).min() > 0.6
    warm = (prints[:, 0] >= prints[:, 1]) & (prints[:, 1] >= prints[:, 2])
    assert warm.flatten(1).all(1).float().mean() == pytest.approx(0.83, abs=0.08)
    # A dark photograph is printed with less ink, not as a dark page.
    assert as_pastel(torch.zeros(50, 3, 8, 8), seeded()).amax((1, 2, 3)).min() > 0.5


def test_shadows_of_some_scenes_have_a_colour_but_none_behind_haze():
    black = torch.zeros(400, 3, 8, 8)
    for kind, share in (("noise", 0.1), ("clean", 0.1), ("haze", 0.0), ("darkness", 0.0)):
        looks = only(faded=LOOKS["faded"])
        choose = RandomDegradation({kind: 1.0}, parameters={kind: make(kind)}, looks=looks)
        lifted = choose(black, seeded(1))[1].amax((1, 2, 3)) > 0
        assert lifted.float().mean() == pytest.approx(share, abs=0.05), kind
    floor = as_faded(black, seeded())[:, :, 0, 0]
    low, high = floor.aminmax(dim=1)
    assert (low <= 0.5 * high + 1e-6).all()  # haze lifts to a grey
    assert 0.05 <= high.min() < 0.07
    assert 0.33 < high.max() <= 0.35
    assert torch.equal(as_faded(torch.ones_like(black), seeded()), torch.ones_like(black))
    with pytest.raises(ValueError, match="faded must be a share of 0 to 1, not 2"):
        RandomDegradation(looks={"faded": 2})
