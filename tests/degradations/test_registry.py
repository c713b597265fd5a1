from __future__ import annotations

from dataclasses import fields

import pytest
import torch

from napari_anyir.degradations import KINDS, Degradation, degrade, describe, make

# The parameters that switch each kind off; jpeg and water have no such setting.
OFF = {
    "noise": {"sigma": 0.0},
    "rain": {"intensity": 0.0},
    "heavy_rain": {"intensity": 0.0, "veil": 0.0},
    "haze": {"beta": 0.0},
    "motion_blur": {"length": 0.0, "linear": 0.0},
    "defocus": {"radius": 0.0},
    "snow": {"coverage": 0.0, "veil": 0.0},
    "clean": {},
}


def photo(batch: int = 2, height: int = 40, width: int = 52, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(batch, 3, 6, 6, generator=generator)
    size = (height, width)
    return torch.nn.functional.interpolate(coarse, size=size, mode="bilinear").clamp(0, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_gives_the_same_image_again(kind):
    images = photo()
    assert torch.equal(degrade(images, kind, seed=7), degrade(images, kind, seed=7))


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"clean"}))
def test_another_seed_gives_another_image(kind):
    images = photo()
    assert not torch.equal(degrade(images, kind, seed=7), degrade(images, kind, seed=8))


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_does_not_depend_on_the_batch_it_is_in(kind):
    images = photo(batch=3)
    together = degrade(images, kind, seed=5)
    for index in range(3):
        alone = degrade(images[index : index + 1], kind, seed=5 + index)
        assert torch.equal(together[index : index + 1], alone)


@pytest.mark.parametrize("kind", KINDS)
def test_the_global_generator_is_neither_used_nor_moved(kind):
    images = photo()
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = degrade(images, kind, seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(degrade(images, kind, seed=3), first)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_results_lie_in_the_unit_range(kind, value):
    flat = torch.full((3, 3, 24, 30), value)
    for images in (flat, torch.rand(3, 3, 24, 30, generator=torch.Generator().manual_seed(0))):
        degraded = KINDS[kind]()(images, torch.Generator().manual_seed(1))
        assert degraded.isfinite().all()
        assert degraded.min() >= 0.0
        assert degraded.max() <= 1.0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 1), (2, 3), (33, 47)])
def test_any_size_is_taken(kind, size):
    images = photo(2, *size)
    degraded = degrade(images, kind, seed=1)
    assert degraded.shape == images.shape
    assert degraded.isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_the_type_of_the_images_is_kept(kind, dtype):
    images = photo().to(dtype)
    degraded = degrade(images, kind, seed=1)
    assert degraded.dtype == dtype
    expected = degrade(images.float(), kind, seed=1)
    torch.testing.assert_close(degraded.float(), expected, atol=0.01, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_the_clean_images_are_left_alone(kind):
    images = photo()
    copy = images.clone()
    degraded = degrade(images, kind, seed=1)
    degraded.zero_()
    assert torch.equal(images, copy)


@pytest.mark.parametrize("kind", OFF)
def test_without_strength_nothing_changes(kind):
    images = photo()
    degraded = degrade(images, kind, seed=2, **OFF[kind])
    torch.testing.assert_close(degraded, images, atol=1e-6, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_names_itself_and_documents_its_parameters(kind):
    cls = KINDS[kind]
    assert cls.kind == kind
    described = describe(kind)
    assert list(described) == [item.name for item in fields(cls)]
    for name, entry in described.items():
        assert name in (cls.__doc__ or "")
        if isinstance(entry["default"], Degradation):
            continue
        assert entry["source"]
        if "options" in entry:
            assert entry["default"] in entry["options"]
        else:
            assert entry["unit"]
            assert entry["lowest"] < entry["highest"]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (kind, name)
        for kind in KINDS
        for name, entry in describe(kind).items()
        if "lowest" in entry or "options" in entry
    ],
)
def test_every_parameter_takes_hold(kind, name):
    """Two settings of a parameter, all else equal, give two images: none is silently ignored."""
    entry = describe(kind)[name]
    images = photo(2, 48, 64)
    if "options" in entry:
        settings = entry["options"][-2:]
    else:
        low, high = entry["lowest"], entry["highest"]
        default = entry["default"]
        ends = default if isinstance(default, tuple) else (low, high)
        # Fixed values draw nothing, so both images spend the generator alike.
        settings = (ends[0], min(high, ends[1] if ends[1] > ends[0] else ends[0] + 1))
    needs = {"spread": {"coverage": 1.0}, "linear": {"length": 20.0}, "objects": {"length": 20.0}}
    needs |= {"read": {"photons": 200.0}, "airlight": {"veil": 0.4}}
    needs |= {"photographs": {"scene": "random"}}
    others = {k: v for k, v in needs.get(name, {}).items() if k in describe(kind)}
    one, two = (degrade(images, kind, seed=4, **{**others, name: value}) for value in settings)
    assert not torch.equal(one, two), f"{kind}: {name} of {settings} changes nothing"


def test_an_unknown_kind_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"unknown degradation 'fog': use one of noise, .*clean\."):
        degrade(photo(), "fog")


def test_an_unknown_parameter_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"noise has no parameter 'amount': .* sigma, storage"):
        degrade(photo(), "noise", amount=3)
    with pytest.raises(ValueError, match=r"clean has no parameter 'amount': .* exposure, veil, "):
        make("clean", amount=3)


@pytest.mark.parametrize("bad", [-0.1, 1.1, float("nan")])
def test_images_outside_the_unit_range_are_refused(bad):
    images = photo()
    images[0, 0, 0, 0] = bad
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\]"):
        degrade(images, "noise")


def test_a_negative_seed_is_refused():
    with pytest.raises(ValueError, match="seed must be at least 0, not -1"):
        degrade(photo(), "noise", seed=-1)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("kind", KINDS)
def test_batches_on_a_gpu_are_degraded_there(kind):
    images = photo().cuda()
    degraded = degrade(images, kind, seed=1)
    assert degraded.device == images.device
    assert torch.equal(degraded, degrade(images, kind, seed=1))
    assert degraded.min() >= 0
    assert degraded.max() <= 1


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"motion_blur", "defocus", "mixture"}))
def test_everything_is_made_on_the_device_of_the_images(kind):
    """The meta device holds no values, and refuses to meet a tensor that was left on the CPU.

    Blur (whose kernel's size depends on values) and mixtures (whose rows do) cannot run on it.
    """
    degraded = KINDS[kind]()._apply(torch.zeros(2, 3, 24, 30, device="meta"), None)
    assert degraded.device.type == "meta"
    assert degraded.shape == (2, 3, 24, 30)
