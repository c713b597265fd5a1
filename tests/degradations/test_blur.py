from __future__ import annotations

import pytest
import torch

from napari_anyir.degradations import Defocus, MotionBlur
from napari_anyir.degradations.blur import (
    blend_corners,
    disc_kernels,
    filter_images,
    path_kernels,
    trajectory,
)

ONE = torch.ones(1, 1, 1, 1)
STILL = {"objects": 0.0, "roll": 0.0, "linear": 0.0}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_filtering_equals_a_convolution_with_reflection():
    images = torch.rand(2, 3, 12, 17, generator=seeded())
    kernels = torch.rand(2, 2, 5, 5, generator=seeded(1))
    filtered = filter_images(images, kernels)
    padded = torch.nn.functional.pad(images, (2, 2, 2, 2), mode="reflect")
    for image in range(2):
        for number in range(2):
            # conv2d correlates; a convolution turns the kernel round.
            kernel = kernels[image, number].flip(0, 1).expand(3, 1, 5, 5)
            expected = torch.nn.functional.conv2d(padded[image : image + 1], kernel, groups=3)
            torch.testing.assert_close(
                filtered[image : image + 1, number], expected, atol=1e-5, rtol=1e-5
            )


@pytest.mark.parametrize("curvature", [0.0, 1.0])
def test_path_kernels_sum_to_one_and_are_never_negative(curvature):
    length = torch.tensor([0.0, 3.0, 12.5, 30.0]).view(4, 1, 1, 1)
    path = trajectory(length, torch.full_like(length, curvature), seeded())
    kernels = path_kernels(path.unsqueeze(1), 33)
    torch.testing.assert_close(kernels.sum(dim=(2, 3)), torch.ones(4, 1))
    assert kernels.min() >= 0
    assert kernels[0, 0, 16, 16] == 1


def test_a_path_has_the_asked_length_and_its_mean_at_the_centre():
    length = torch.tensor([4.0, 20.0]).view(2, 1, 1, 1)
    path = trajectory(length, torch.ones_like(length), seeded())
    walked = path.diff(dim=1).norm(dim=2).sum(dim=1)
    torch.testing.assert_close(walked, torch.tensor([4.0, 20.0]), atol=1e-3, rtol=1e-4)
    assert path.mean(dim=1).abs().max() < 1e-4


def test_curvature_bends_the_path():
    length = torch.full((200, 1, 1, 1), 20.0)
    straight, bent = (
        trajectory(length, torch.full_like(length, curvature), seeded()) for curvature in (0.0, 2.0)
    )
    ends = [(path[:, -1] - path[:, 0]).norm(dim=1) for path in (straight, bent)]
    torch.testing.assert_close(ends[0], torch.full((200,), 20.0), atol=1e-3, rtol=1e-4)
    assert ends[1].mean() < 17


@pytest.mark.parametrize("radius", [0.2, 0.5, 1.0, 3.7])
def test_discs_sum_to_one_and_have_their_radius(radius):
    kernel = disc_kernels(radius * ONE, 11)
    assert kernel.sum() == pytest.approx(1.0, abs=1e-6)
    offset = torch.arange(11) - 5.0
    second_moment = (kernel * offset.view(1, 1, 1, -1) ** 2).sum()
    if radius >= 2:
        # A uniform disc has a second moment of r^2 / 4 along either axis.
        assert second_moment == pytest.approx(radius**2 / 4, rel=0.15)


def test_blur_preserves_the_mean():
    # Reflection weighs the border a little otherwise, so an even border makes the mean exact.
    clean = torch.full((4, 3, 128, 128), 0.4)
    clean[..., 48:80, 48:80] = torch.rand(4, 3, 32, 32, generator=seeded())
    blurred = MotionBlur(length=15.0, **STILL)(clean, seeded())
    torch.testing.assert_close(
        blurred.mean(dim=(2, 3)), clean.mean(dim=(2, 3)), atol=1e-5, rtol=1e-5
    )
    assert (blurred - clean).abs().max() > 0.05


@pytest.mark.parametrize("kind", [MotionBlur(), MotionBlur(linear=1.0, objects=1.0), Defocus()])
def test_an_even_image_stays_even(kind):
    clean = torch.full((6, 3, 40, 40), 0.3)
    torch.testing.assert_close(kind(clean, seeded()), clean, atol=2e-4, rtol=0)


def test_linear_averaging_spreads_lights_more():
    clean = torch.full((1, 3, 64, 64), 0.05)
    clean[..., 31:33, 31:33] = 1.0
    still = {"objects": 0.0, "roll": 0.0, "length": 12.0}
    display = MotionBlur(linear=0.0, **still)(clean, seeded())
    linear = MotionBlur(linear=1.0, **still)(clean, seeded())
    assert linear.mean() > display.mean() + 1e-4
    assert linear.max() > display.max()


def test_a_roll_makes_the_blur_vary_over_the_image():
    points = torch.zeros(1, 3, 96, 96)
    points[..., 16::32, 16::32] = 1.0
    rolled = MotionBlur(length=4.0, curvature=0.0, roll=6.0, objects=0.0, linear=0.0)
    even = MotionBlur(length=4.0, curvature=0.0, **STILL)
    peaks = [
        blur(points, seeded(1))[0, 0].unfold(0, 32, 32).unfold(1, 32, 32).amax(dim=(2, 3))
        for blur in (rolled, even)
    ]
    assert peaks[0].std() > 10 * peaks[1].std()


def test_a_moving_object_leaves_the_rest_alone():
    clean = torch.rand(1, 3, 96, 96, generator=seeded())
    without = MotionBlur(length=10.0, **STILL)(clean, seeded(2))
    moving = MotionBlur(length=10.0, objects=1.0, roll=0.0, linear=0.0)(clean, seeded(2))
    changed = (without - moving).abs().amax(dim=1) > 1e-3
    assert 0.02 < changed.float().mean() < 0.98


def test_corners_keep_their_own_image():
    versions = torch.arange(4.0).view(1, 4, 1, 1, 1).expand(1, 4, 3, 5, 7)
    blend = blend_corners(versions)
    assert blend[0, 0, 0, 0] == 0
    assert blend[0, 0, 0, -1] == 1
    assert blend[0, 0, -1, 0] == 2
    assert blend[0, 0, -1, -1] == 3
    assert blend[0, 0, 2, 3] == pytest.approx(1.5)


def test_a_longer_path_or_a_wider_disc_blurs_more():
    clean = torch.rand(1, 3, 64, 64, generator=seeded())
    deviation = [
        float(MotionBlur(length=length, **STILL)(clean, seeded()).std()) for length in (2.0, 8.0)
    ]
    assert deviation[0] > 1.5 * deviation[1]
    deviation = [float(Defocus(radius=radius)(clean, seeded()).std()) for radius in (1.0, 4.0)]
    assert deviation[0] > 1.5 * deviation[1]
