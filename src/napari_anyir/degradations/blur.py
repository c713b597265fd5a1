"""Blur: camera shake and moving objects along random trajectories, and defocus.

Images are extended by reflection, so a blurred crop keeps its size; near the border (closer than
half the kernel) it is made of mirrored content.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from napari_anyir.degradations._base import (
    Degradation,
    Range,
    fast_length,
    parameter,
    reflect_pad,
    to_display,
    to_linear,
    uniform,
)
from napari_anyir.degradations._fields import smooth_field

STEPS = 64
"""Points of a trajectory; the camera's path between the first and the last frame."""


@dataclass(frozen=True)
class MotionBlur(Degradation):
    """Average the image along the path of a shaking camera, as GoPro averages frames.

    The path is a random walk of the velocity with memory; a slow roll about a random centre makes
    the blur vary over the image (kernels at the four corners, blended bilinearly: the efficient
    filter flow of Hirsch et al., CVPR 2010). With some chance an object with a path of its own
    moves in front.

    Parameters
    ----------
    length : float or (float, float)
        Length of the path, in pixels; 0 is no blur.
    curvature : float or (float, float)
        How much the velocity wanders: 0 is a straight, even path.
    roll : float or (float, float)
        Roll of the camera during the exposure, in degrees.
    objects : float or (float, float)
        Share of images with a moving object.
    linear : float or (float, float)
        Share of images averaged in linear light; the others are averaged in display values.

    Examples
    --------
    >>> clean = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    >>> blurred = MotionBlur(length=9.0)(clean, torch.Generator().manual_seed(0))
    >>> bool(blurred.std() < clean.std())
    True
    """

    kind: ClassVar[str] = "motion_blur"

    length: Range = parameter(
        (2.0, 28.0),
        lowest=0.0,
        highest=200.0,
        unit="pixels",
        source="GoPro: 7 to 13 frames at 240 frames/s of a hand-held camera",
    )
    curvature: Range = parameter(
        (0.0, 1.0), lowest=0.0, highest=4.0, unit="relative", source="chosen: lines to hooks"
    )
    roll: Range = parameter(
        (0.0, 1.0), lowest=0.0, highest=20.0, unit="degrees", source="chosen: hand-held camera"
    )
    objects: Range = parameter(
        0.3, lowest=0.0, highest=1.0, unit="share of images", source="chosen: GoPro street scenes"
    )
    linear: Range = parameter(
        0.25,
        lowest=0.0,
        highest=1.0,
        unit="share of images",
        source="GoPro's two versions differ; its benchmark averages display values",
    )

    def _apply(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        in_linear = _chance(self._draw("linear", clean, generator), clean, generator)
        length = self._draw("length", clean, generator)
        curvature = self._draw("curvature", clean, generator)
        roll = self._draw("roll", clean, generator) * (math.pi / 180.0)
        moving = _chance(self._draw("objects", clean, generator), clean, generator)

        path = trajectory(length, curvature, generator)
        light = torch.where(in_linear, to_linear(clean), clean)
        kernels = self._corner_kernels(path, roll, clean, generator)
        blurred = blend_corners(filter_images(light, kernels))

        scale = uniform(0.25, 0.6, clean, generator) * max(48.0, 0.5 * min(clean.shape[-2:]))
        outline = torch.sigmoid(4.0 * (smooth_field(clean, scale, generator) - 0.4) * scale / 8.0)
        own = trajectory(length * uniform(0.5, 1.5, clean, generator), curvature, generator)
        if bool(moving.any()):
            kernel = path_kernels(own.unsqueeze(1), _size(own))
            cut = torch.cat((light * outline, outline), dim=1)
            front = filter_images(cut, kernel)[:, 0].clamp_min(0.0)
            composed = front[:, :3] + (1.0 - front[:, 3:]).clamp_min(0.0) * blurred
            blurred = torch.where(moving, composed, blurred)
        blurred = torch.where(in_linear, to_display(blurred), blurred)
        return torch.where(length > 0, blurred, clean)

    @staticmethod
    def _corner_kernels(
        path: Tensor, roll: Tensor, clean: Tensor, generator: torch.Generator
    ) -> Tensor:
        """Kernels (B, 4, K, K) at the corners, from the path and the roll about a random centre."""
        height, width = clean.shape[-2:]
        # A small image is taken for a crop: the centre of the roll may lie far outside.
        reach = max(height, width, 500)
        centre = uniform(-0.5, 0.5, clean, generator, 2).view(-1, 1, 1, 2) * reach
        corners = torch.tensor(
            [[-1, -1], [1, -1], [-1, 1], [1, 1]], device=clean.device, dtype=torch.float32
        ) * torch.tensor([width / 2, height / 2], device=clean.device)
        arm = corners.view(1, 4, 1, 2) - centre
        progress = torch.linspace(-0.5, 0.5, STEPS, device=clean.device).view(1, 1, -1, 1)
        sense = torch.sign(uniform(-1.0, 1.0, clean, generator)).view(-1, 1, 1, 1)
        turn = progress * roll.view(-1, 1, 1, 1) * sense
        rolled = torch.stack((-arm[..., 1], arm[..., 0]), dim=-1) * turn
        # The roll grows with the path, so that a fixed length of 0 is no blur at all.
        rolled = torch.where(path.abs().amax(dim=(1, 2)).view(-1, 1, 1, 1) > 0, rolled, 0.0)
        paths = path.unsqueeze(1) + rolled
        return path_kernels(paths, _size(paths))


def trajectory(length: Tensor, curvature: Tensor, generator: torch.Generator) -> Tensor:
    """Draw a camera path: a velocity that wanders with memory, summed to positions.

    Parameters
    ----------
    length : Tensor
        Length of the path in pixels, (B, 1, 1, 1).
    curvature : Tensor
        Strength of the wandering against the first velocity, (B, 1, 1, 1).
    generator : torch.Generator
        Source of randomness.

    Returns
    -------
    Tensor
        Positions (x, y) in pixels about their mean, (B, STEPS, 2).

    Examples
    --------
    >>> nine = torch.full((1, 1, 1, 1), 9.0)
    >>> path = trajectory(nine, 0 * nine, torch.Generator().manual_seed(0))
    >>> round(float(path.diff(dim=1).norm(dim=2).sum()), 3)
    9.0
    """
    batch, device = length.shape[0], length.device
    angle = 2.0 * math.pi * torch.rand((batch, 1), generator=generator, device=device)
    first = torch.stack((torch.cos(angle), torch.sin(angle)), dim=-1)
    shocks = torch.randn((batch, STEPS - 1, 2), generator=generator, device=device)
    # Summed shocks are a Brownian motion of the velocity; by the end it has a deviation of 1.5.
    wander = shocks.cumsum(dim=1) * (1.5 / math.sqrt(STEPS))
    velocity = first + curvature.view(-1, 1, 1) * wander
    total = velocity.norm(dim=2).sum(dim=1).clamp_min(1e-6).view(-1, 1, 1)
    position = (velocity * (length.view(-1, 1, 1) / total)).cumsum(dim=1)
    position = torch.cat((torch.zeros_like(position[:, :1]), position), dim=1)
    return position - position.mean(dim=1, keepdim=True)


def path_kernels(paths: Tensor, size: int) -> Tensor:
    """Draw paths into kernels that sum to 1.

    Parameters
    ----------
    paths : Tensor
        Positions (x, y) in pixels from the centre, (B, N, T, 2).
    size : int
        Side of the kernels, odd.

    Returns
    -------
    Tensor
        Kernels (B, N, size, size).

    Examples
    --------
    >>> path_kernels(torch.zeros(1, 1, 4, 2), 3)[0, 0]
    tensor([[0., 0., 0.],
            [0., 1., 0.],
            [0., 0., 0.]])
    """
    batch, count, steps, _ = paths.shape
    place = (paths + (size - 1) / 2.0).clamp(0.0, size - 1.0)
    corner = place.floor().clamp(max=max(size - 2.0, 0.0))
    part = place - corner
    x, y = corner[..., 0].long(), corner[..., 1].long()
    u, v = part[..., 0], part[..., 1]
    kernels = torch.zeros((batch, count, size * size), device=paths.device)
    for dx, dy, weight in (
        (0, 0, (1 - u) * (1 - v)),
        (1, 0, u * (1 - v)),
        (0, 1, (1 - u) * v),
        (1, 1, u * v),
    ):
        index = ((y + dy).clamp(max=size - 1)) * size + (x + dx).clamp(max=size - 1)
        kernels.scatter_add_(2, index, weight / steps)
    return kernels.view(batch, count, size, size)


def filter_images(images: Tensor, kernels: Tensor) -> Tensor:
    """Filter each image by its own kernels, with reflection at the border.

    Parameters
    ----------
    images : Tensor
        Images (B, C, H, W).
    kernels : Tensor
        Kernels (B, N, K, K) with K odd.

    Returns
    -------
    Tensor
        Filtered images (B, N, C, H, W).

    Examples
    --------
    >>> images = torch.rand(1, 3, 5, 6)
    >>> filter_images(images, torch.ones(1, 1, 1, 1)).shape
    torch.Size([1, 1, 3, 5, 6])
    """
    height, width = images.shape[-2:]
    half = kernels.shape[-1] // 2
    if half == 0:
        return images.unsqueeze(1) * kernels.unsqueeze(2)
    padded = reflect_pad(images, half)
    shape = (fast_length(padded.shape[-2]), fast_length(padded.shape[-1]))
    spectrum = torch.fft.rfft2(padded, s=shape).unsqueeze(1)
    spectrum = spectrum * torch.fft.rfft2(kernels, s=shape).unsqueeze(2)
    filtered = torch.fft.irfft2(spectrum, s=shape)
    # The kernel's centre lies at (half, half), which moves the result by as much once more.
    return filtered[..., 2 * half : 2 * half + height, 2 * half : 2 * half + width]


def blend_corners(images: Tensor) -> Tensor:
    """Blend four versions of an image bilinearly, each whole at its corner.

    Parameters
    ----------
    images : Tensor
        Versions (B, 4, C, H, W) for top left, top right, bottom left, bottom right.

    Returns
    -------
    Tensor
        Blend (B, C, H, W).

    Examples
    --------
    >>> blend_corners(torch.ones(1, 4, 3, 5, 5)).unique()
    tensor([1.])
    """
    height, width = images.shape[-2:]
    x = torch.linspace(0.0, 1.0, width, device=images.device).view(1, 1, 1, -1)
    y = torch.linspace(0.0, 1.0, height, device=images.device).view(1, 1, -1, 1)
    top = torch.lerp(images[:, 0], images[:, 1], x)
    bottom = torch.lerp(images[:, 2], images[:, 3], x)
    return torch.lerp(top, bottom, y)


def _size(paths: Tensor) -> int:
    """Odd side of the kernel that holds the paths."""
    return 2 * math.ceil(float(paths.abs().max())) + 1


def _chance(share: Tensor, like: Tensor, generator: torch.Generator) -> Tensor:
    """Toss a coin per image, (B, 1, 1, 1) bool."""
    return uniform(0.0, 1.0, like, generator) < share


@dataclass(frozen=True)
class Defocus(Degradation):
    """Blur by a disc, the image of a point out of focus.

    Parameters
    ----------
    radius : float or (float, float)
        Radius of the disc in pixels; 0 is in focus.

    Examples
    --------
    >>> clean = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    >>> blurred = Defocus(radius=2.0)(clean, torch.Generator().manual_seed(0))
    >>> bool(blurred.std() < clean.std())
    True
    """

    kind: ClassVar[str] = "defocus"

    radius: Range = parameter(
        (0.5, 4.0),
        lowest=0.0,
        highest=100.0,
        unit="pixels",
        source="chosen: a lens just off focus to clearly blurred",
    )

    def _apply(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        radius = self._draw("radius", clean, generator)
        kernels = disc_kernels(radius, 2 * math.ceil(float(radius.max()) + 0.5) + 1)
        blurred = to_display(filter_images(to_linear(clean), kernels)[:, 0])
        return torch.where(radius > 0, blurred, clean)


def disc_kernels(radius: Tensor, size: int) -> Tensor:
    """Draw discs with soft edges that sum to 1.

    Parameters
    ----------
    radius : Tensor
        Radius in pixels, (B, 1, 1, 1).
    size : int
        Side of the kernels, odd.

    Returns
    -------
    Tensor
        Kernels (B, 1, size, size).

    Examples
    --------
    >>> float(disc_kernels(torch.ones(1, 1, 1, 1), 5).sum().round(decimals=4))
    1.0
    """
    offset = torch.arange(size, device=radius.device) - (size - 1) / 2.0
    distance = torch.sqrt(offset.view(1, 1, -1, 1).square() + offset.view(1, 1, 1, -1).square())
    # A pixel whose centre lies half a pixel inside the edge is whole, half outside is none.
    disc = (radius + 0.5 - distance).clamp(0.0, 1.0)
    return disc / disc.sum(dim=(2, 3), keepdim=True)
