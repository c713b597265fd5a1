"""Smooth random fields: the raw material of depth maps, clouds and object outlines."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from napari_anyir.degradations._base import fast_length, uniform

CELLS = 18
"""Side of the coarse random grid; a window of it is enlarged to the image."""


def smooth_field(like: Tensor, scale: Tensor, generator: torch.Generator) -> Tensor:
    """Draw smooth noise whose features are ``scale`` pixels wide, so that crops look like crops.

    A window of a coarse grid of normal numbers is enlarged bicubically; the window is as many cells
    wide as the image is ``scale``s wide (at most 15).

    Parameters
    ----------
    like : Tensor
        Images (B, C, H, W), for size and device.
    scale : Tensor
        Pixels per feature (B, 1, 1, 1).
    generator : torch.Generator
        Source of randomness.

    Returns
    -------
    Tensor
        Field (B, 1, H, W), of mean about 0 and deviation about 0.8.

    Examples
    --------
    >>> images = torch.zeros(2, 3, 5, 7)
    >>> smooth_field(images, torch.full((2, 1, 1, 1), 20.0), torch.Generator()).shape
    torch.Size([2, 1, 5, 7])
    """
    batch, _, height, width = like.shape
    device = like.device
    grid = torch.randn((batch, 1, CELLS, CELLS), generator=generator, device=device)
    span = (CELLS - 1.0) / 2.0
    largest = (CELLS - 3.0) / 2.0
    cells = torch.tensor([width, height], device=device).view(1, 2) / scale.view(-1, 1) / 2.0
    cells = cells.clamp(max=largest)
    offset = uniform(-1.0, 1.0, like, generator, 2).view(-1, 2) * (largest - cells)
    x = torch.linspace(-1.0, 1.0, width, device=device) if width > 1 else grid.new_zeros(1)
    y = torch.linspace(-1.0, 1.0, height, device=device) if height > 1 else grid.new_zeros(1)
    x = (x.view(1, 1, -1) * cells[:, :1, None] + offset[:, :1, None]) / span
    y = (y.view(1, -1, 1) * cells[:, 1:, None] + offset[:, 1:, None]) / span
    where = torch.stack((x.expand(-1, height, -1), y.expand(-1, -1, width)), dim=-1)
    return functional.grid_sample(grid, where, mode="bicubic", align_corners=True)


def blurred_noise(like: Tensor, sigma: Tensor, generator: torch.Generator) -> Tensor:
    """Normal noise of unit variance, correlated by a Gaussian blur.

    It is made by its spectrum and wraps around at the border, so it is as strong there as elsewhere
    and costs the same for any width of the blur.

    Parameters
    ----------
    like : Tensor
        Images (B, C, H, W), for size and device.
    sigma : Tensor
        Deviation of the blur in pixels (B, N, 1, 1); 0 gives white noise.
    generator : torch.Generator
        Source of randomness.

    Returns
    -------
    Tensor
        N noise fields for each image, (B, N, H, W).

    Examples
    --------
    >>> images, blur = torch.zeros(1, 3, 200, 200), torch.ones(1, 1, 1, 1)
    >>> noise = blurred_noise(images, blur, torch.Generator().manual_seed(0))
    >>> 0.7 < float((noise[..., 1:] * noise[..., :-1]).mean()) < 0.85  # exp(-1/4) = 0.78
    True
    """
    height, width = like.shape[-2:]
    canvas = (fast_length(height), fast_length(width))
    shape = (*sigma.shape[:2], *canvas)
    white = torch.randn(shape, generator=generator, device=like.device)
    return soften(white, sigma, keep_variance=True)[..., :height, :width]


def soften(images: Tensor, sigma: Tensor, *, keep_variance: bool = False) -> Tensor:
    """Blur by a Gaussian of any width, around the borders.

    Parameters
    ----------
    images : Tensor
        Images (B, C, H, W).
    sigma : Tensor
        Deviation in pixels, (B, C or 1, 1, 1).
    keep_variance : bool
        Whether white noise is to keep its variance, rather than an image its mean.

    Returns
    -------
    Tensor
        Blurred images (B, C, H, W).

    Examples
    --------
    >>> dot = torch.zeros(1, 1, 8, 8)
    >>> dot[..., 4, 4] = 1.0
    >>> bool(soften(dot, torch.ones(1, 1, 1, 1)).amax() < 0.2)
    True
    """
    height, width = images.shape[-2:]
    fy = torch.fft.fftfreq(height, device=images.device).view(1, 1, -1, 1)
    fx = torch.fft.fftfreq(width, device=images.device).view(1, 1, 1, -1)
    tall = torch.exp(-2.0 * math.pi**2 * (sigma * fy) ** 2)
    wide = torch.exp(-2.0 * math.pi**2 * (sigma * fx) ** 2)
    if keep_variance:
        tall = tall / tall.square().mean(dim=2, keepdim=True).sqrt()
        wide = wide / wide.square().mean(dim=3, keepdim=True).sqrt()
    spectrum = torch.fft.rfft2(images) * tall * wide[..., : width // 2 + 1]
    return torch.fft.irfft2(spectrum, s=(height, width))


def resample_noise(noise: Tensor, step: Tensor) -> Tensor:
    """Read noise at another spacing, as scaling an image by ``1 / step`` does to its noise.

    Bilinear, and wrapping around, as noise of any size looks alike. Where the image shrinks
    (``step`` above 1) the noise is averaged first.

    Parameters
    ----------
    noise : Tensor
        Noise (B, C, H, W).
    step : Tensor
        Old pixels per new pixel, (B, 1, 1, 1).

    Returns
    -------
    Tensor
        Noise (B, C, H, W).

    Examples
    --------
    >>> noise = torch.arange(4.0).view(1, 1, 1, 4)
    >>> resample_noise(noise, torch.full((1, 1, 1, 1), 0.5)).flatten().tolist()
    [0.0, 0.5, 1.0, 1.5]
    """
    # A box of `step` pixels has the variance step^2 / 12.
    noise = soften(noise, (step - 1.0).clamp_min(0.0) * 0.5)
    for axis in (2, 3):
        size = noise.shape[axis]
        shape = (1, 1, -1, 1) if axis == 2 else (1, 1, 1, -1)
        place = torch.arange(size, device=noise.device).view(shape) * step
        part = place - place.floor()
        low = place.floor().long().remainder(size)
        full = [-1, noise.shape[1], -1, -1]
        full[5 - axis] = noise.shape[5 - axis]
        first = noise.gather(axis, low.expand(full))
        second = noise.gather(axis, (low + 1).remainder(size).expand(full))
        noise = torch.lerp(first, second, part)
    return noise
