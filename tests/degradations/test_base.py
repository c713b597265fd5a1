from __future__ import annotations

import ast
from pathlib import Path

import pytest
import torch

import napari_anyir.degradations as room
from napari_anyir.degradations import Darkness, GaussianNoise, Haze
from napari_anyir.degradations._base import (
    check_images,
    draw,
    fast_length,
    reflect_pad,
    to_display,
    to_linear,
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_room_imports_torch_and_the_standard_library_only():
    allowed = {"torch", "napari_anyir", "__future__", "abc", "collections", "dataclasses", "math"}
    allowed |= {"typing", "importlib"}
    for path in Path(room.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                assert name.split(".")[0] in allowed, f"{path.name} imports {name}"
                inner = "degradations" in name or name == "napari_anyir.lazy_names"
                assert inner or not name.startswith("napari_anyir"), path.name


def test_the_srgb_curve_and_its_inverse_cancel():
    values = torch.linspace(0, 1, 256)
    torch.testing.assert_close(to_display(to_linear(values)), values, atol=2e-6, rtol=0)


def test_the_srgb_curve_is_linear_near_black():
    assert to_linear(torch.tensor(0.02)) == pytest.approx(0.02 / 12.92)


def test_a_fixed_number_is_drawn_without_touching_the_generator():
    generator = seeded()
    before = generator.get_state()
    assert draw(3.0, torch.zeros(4, 3, 1, 1), generator).unique().tolist() == [3.0]
    assert draw((2.0, 2.0), torch.zeros(4, 3, 1, 1), generator).unique().tolist() == [2.0]
    assert torch.equal(generator.get_state(), before)


def test_a_range_is_drawn_per_image_and_fills_the_range():
    values = draw((2.0, 6.0), torch.zeros(2000, 3, 1, 1), seeded()).flatten()
    assert 2.0 <= values.min() < 2.05
    assert 5.95 < values.max() <= 6.0
    assert values.mean() == pytest.approx(4.0, abs=0.1)


def test_a_logarithmic_range_has_its_geometric_mean_in_the_middle():
    values = draw((0.01, 1.0), torch.zeros(4000, 3, 1, 1), seeded(), log=True)
    assert values.median() == pytest.approx(0.1, rel=0.1)


def test_reflection_agrees_with_torch_where_torch_can():
    images = torch.rand(2, 3, 7, 9, generator=seeded())
    expected = torch.nn.functional.pad(images, (5, 5, 5, 5), mode="reflect")
    assert torch.equal(reflect_pad(images, 5), expected)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 4), (2, 3)])
def test_reflection_reaches_farther_than_the_image(height, width):
    images = torch.rand(1, 3, height, width, generator=seeded())
    padded = reflect_pad(images, 10)
    assert padded.shape == (1, 3, height + 20, width + 20)
    assert torch.equal(padded[..., 10 : 10 + height, 10 : 10 + width], images)
    assert set(padded.unique().tolist()) == set(images.unique().tolist())


def test_fast_lengths_have_small_factors_only():
    for size in range(1, 400):
        rest = fast_length(size)
        assert rest >= size
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        assert rest == 1


@pytest.mark.parametrize("value", [-1, 300, (5, 400), (20, 10), "much", (1, 2, 3), True, None])
def test_values_outside_the_limits_are_refused(value):
    with pytest.raises(ValueError, match="GaussianNoise: sigma must"):
        GaussianNoise(sigma=value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), (0.0, float("nan"))])
def test_values_that_are_no_numbers_are_refused(value):
    with pytest.raises(ValueError, match="must be a number"):
        Haze(beta=value)


def test_an_unknown_option_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="storage must be one of truncate, round, none"):
        GaussianNoise(storage="floor")


def test_lists_are_taken_as_ranges_and_integers_as_numbers():
    assert GaussianNoise(sigma=[3, 9]).sigma == (3.0, 9.0)
    assert GaussianNoise(sigma=25).sigma == 25.0


def test_degradations_are_frozen_and_compare_by_value():
    assert Darkness(exposure=0.1) == Darkness(exposure=0.1)
    with pytest.raises(AttributeError):
        Darkness().exposure = 0.5  # type: ignore[misc]


@pytest.mark.parametrize(
    ("images", "error", "words"),
    [
        (torch.zeros(3, 8, 8), ValueError, r"shape \(B, 3, H, W\), not \(3, 8, 8\)"),
        (torch.zeros(1, 1, 8, 8), ValueError, "repeat a grey channel"),
        (torch.zeros(0, 3, 8, 8), ValueError, "hold no pixels"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), TypeError, "floating-point tensor"),
        ([[1.0]], TypeError, "not list"),
    ],
)
def test_what_is_no_batch_of_images_is_refused(images, error, words):
    with pytest.raises(error, match=words):
        check_images(images)
    with pytest.raises(error, match=words):
        GaussianNoise()(images, seeded())


def test_a_generator_of_another_device_is_refused():
    with pytest.raises(ValueError, match="the generator is on cpu but the images are on meta"):
        check_images(torch.zeros(1, 3, 4, 4, device="meta"), seeded())
