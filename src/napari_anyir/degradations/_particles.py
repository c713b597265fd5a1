"""Layers of drops and flakes: sparse random points filtered by a shape known in closed form."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from napari_anyir.degradations._base import fast_length


def frequencies(like: Tensor, reach: int) -> tuple[Tensor, Tensor, tuple[int, int]]:
    """Frequency grid of a canvas larger than the image, on which particles are drawn.

    The filter wraps around: the margin keeps one particle from entering the image from opposite
    sides. It is ``reach`` below the image (at most its height) and a third of that beside it, as
    drops and flakes mostly fall, and at least 32 pixels.

    Parameters
    ----------
    like : Tensor
        Images (B, C, H, W), for size and device.
    reach : int
        Length of the particles, in pixels.

    Returns
    -------
    fy, fx : Tensor
        Vertical (1, 1, R, 1) and horizontal (1, 1, 1, S // 2 + 1) frequencies, cycles per pixel.
    canvas : (int, int)
        Rows R and columns S of the canvas.

    Examples
    --------
    >>> frequencies(torch.zeros(1, 3, 64, 50), 64)[2]
    (128, 90)
    """
    height, width = like.shape[-2:]
    canvas = (
        fast_length(height + max(32, min(reach, height))),
        fast_length(width + max(32, reach // 3)),
    )
    fy = torch.fft.fftfreq(canvas[0], device=like.device).view(1, 1, -1, 1)
    fx = torch.fft.rfftfreq(canvas[1], device=like.device).view(1, 1, 1, -1)
    return fy, fx, canvas


def line_spectrum(fy: Tensor, fx: Tensor, angle: Tensor, length: Tensor, width: Tensor) -> Tensor:
    """Fourier transform of a soft line segment of peak about 1.

    A sinc along the line and Gaussians across it and at its ends.

    Parameters
    ----------
    fy, fx : Tensor
        Frequencies from `frequencies`.
    angle : Tensor
        Angle from the vertical in degrees, (B, 1, 1, 1).
    length : Tensor
        Length in pixels, (B, 1, 1, 1).
    width : Tensor
        Standard deviation across, in pixels, (B, 1, 1, 1).

    Returns
    -------
    Tensor
        Spectrum (B, 1, R, S // 2 + 1); its value at frequency 0 is the area of the line.

    Examples
    --------
    >>> fy, fx, _ = frequencies(torch.zeros(1, 3, 8, 8), 0)
    >>> one = torch.ones(1, 1, 1, 1)
    >>> round(float(line_spectrum(fy, fx, 0 * one, 10 * one, one)[0, 0, 0, 0]), 2)
    25.07
    """
    turn = angle * (math.pi / 180.0)
    along = fx * torch.sin(turn) + fy * torch.cos(turn)
    across = fx * torch.cos(turn) - fy * torch.sin(turn)
    # Ends as sharp as a step would ring; 0.15 of the length looks like a drop's fading trace.
    soft = (0.15 * length * along).square() + (width * across).square()
    area = length * width * math.sqrt(2.0 * math.pi)
    return area * torch.sinc(length * along) * torch.exp(-2.0 * math.pi**2 * soft)


def disc_spectrum(fy: Tensor, fx: Tensor, radius: Tensor) -> Tensor:
    """Fourier transform of a soft disc of peak at most 1: a Bessel function times a Gaussian.

    Parameters
    ----------
    fy, fx : Tensor
        Frequencies from `frequencies`.
    radius : Tensor
        Radius in pixels, (B, 1, 1, 1).

    Returns
    -------
    Tensor
        Spectrum (B, 1, R, S // 2 + 1); its value at frequency 0 is the area of the disc.

    Examples
    --------
    >>> fy, fx, _ = frequencies(torch.zeros(1, 3, 8, 8), 0)
    >>> round(float(disc_spectrum(fy, fx, torch.full((1, 1, 1, 1), 2.0))[0, 0, 0, 0]), 2)
    12.57
    """
    ring = torch.sqrt(fx.square() + fy.square()) * radius
    argument = (2.0 * math.pi * ring).clamp_min(1e-3)
    disc = math.pi * radius.square() * 2.0 * torch.special.bessel_j1(argument) / argument
    edge = 0.2 * ring + 0.35 * torch.sqrt(fx.square() + fy.square())
    return disc * torch.exp(-2.0 * math.pi**2 * edge.square())


def scatter_points(
    like: Tensor, chance: Tensor, canvas: tuple[int, int], generator: torch.Generator
) -> Tensor:
    """Strew points over a canvas, each with a strength uniform in (0, 1).

    Parameters
    ----------
    like : Tensor
        Images (B, ...), for batch size and device.
    chance : Tensor
        Probability of a point at a pixel, (B, 1, 1, 1).
    canvas : (int, int)
        Rows and columns.
    generator : torch.Generator
        Source of randomness.

    Returns
    -------
    Tensor
        Strengths (B, 1, rows, columns), 0 where there is no point.

    Examples
    --------
    >>> tenth = torch.full((1, 1, 1, 1), 0.1)
    >>> points = scatter_points(tenth, tenth, (99, 99), torch.Generator().manual_seed(0))
    >>> round(float((points > 0).float().mean()), 1)
    0.1
    """
    shape = (like.shape[0], 1, *canvas)
    unit = torch.rand(shape, generator=generator, device=like.device)
    chance = chance.clamp(max=1.0)
    # Given that it fell below the chance, unit / chance is itself uniform: no second draw.
    return torch.where(unit < chance, unit / chance.clamp_min(1e-12), 0.0)


def render(spectrum: Tensor, canvas: tuple[int, int], like: Tensor) -> Tensor:
    """Turn the spectrum of a layer into the layer, cut to the image and never negative.

    Parameters
    ----------
    spectrum : Tensor
        Spectrum (B, 1, R, S // 2 + 1).
    canvas : (int, int)
        Rows R and columns S.
    like : Tensor
        Images (B, C, H, W), for the size.

    Returns
    -------
    Tensor
        Layer (B, 1, H, W), at least 0.

    Examples
    --------
    >>> render(torch.zeros(1, 1, 8, 5), (8, 8), torch.zeros(1, 3, 4, 4)).shape
    torch.Size([1, 1, 4, 4])
    """
    height, width = like.shape[-2:]
    return torch.fft.irfft2(spectrum, s=canvas)[..., :height, :width].clamp_min(0.0)
