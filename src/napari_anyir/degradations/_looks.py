"""Photographs as people have them, rather than as sharp, clean and rich as those that train."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from napari_anyir.degradations._base import uniform
from napari_anyir.degradations._fields import blurred_noise
from napari_anyir.degradations.jpeg import compress_anywhere

LARGEST_ZOOM = 2.5
"""How far a photograph is enlarged at most: video, phones, sensors of depth cameras."""

STRONGEST_GRAIN = 2.5 / 255.0
"""Deviation of the grain that is left in a photograph that people call clean."""

LOWEST_QUALITY = 75.0
"""JPEG quality that is hardly seen."""


def as_stored(images: Tensor, generator: torch.Generator) -> Tensor:
    """Enlarge photographs about their centre, leave a little grain, and store them as JPEG.

    What a network learns on crops that are sharp to the pixel it does not do to those that are
    not: it tells haze by fine texture, so that it leaves the haze of a soft picture alone.

    Parameters
    ----------
    images : Tensor
        Photographs (B, 3, H, W) in [0, 1].
    generator : torch.Generator
        Source of randomness.

    Returns
    -------
    Tensor
        Photographs (B, 3, H, W) in [0, 1], in steps of 1/255.

    Examples
    --------
    >>> photo = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    >>> stored = as_stored(photo, torch.Generator().manual_seed(0))
    >>> bool(stored.diff().abs().mean() < photo.diff().abs().mean())
    True
    """
    seen = enlarge(images, generator)
    width = uniform(0.3, 1.0, images, generator)
    shared = blurred_noise(images, width, generator)
    colours = blurred_noise(images, width.expand(-1, 3, -1, -1), generator)
    strength = uniform(0.0, STRONGEST_GRAIN, images, generator)
    grain = strength * (0.8 * shared + 0.6 * colours)
    quality = uniform(LOWEST_QUALITY, 98.0, images, generator)
    return compress_anywhere((seen + grain).clamp(0.0, 1.0), quality, generator).clamp(0.0, 1.0)


def as_pastel(images: Tensor, generator: torch.Generator) -> Tensor:
    """Show images as prints on tinted paper: soft, pale, nothing dark, and yet no haze.

    Air is grey, so a veil that has a colour is a wall, sand, cloth or paper, and is to stay.

    Parameters
    ----------
    images : Tensor
        Photographs (B, 3, H, W) in [0, 1].
    generator : torch.Generator
        Source of randomness.

    Returns
    -------
    Tensor
        Photographs (B, 3, H, W) between the paper's colour and 0.3 to 0.75 of it.

    Examples
    --------
    >>> print_ = as_pastel(torch.zeros(1, 3, 8, 8), torch.Generator().manual_seed(0))
    >>> bool(print_.min() > 0.1)
    True
    """
    batch = images.shape[0]
    seen = enlarge(images, generator)
    missing = 1.0 - seen
    # Most of a print is paper: a dark photograph is printed with less ink.
    missing = missing * (0.35 / missing.mean((1, 2, 3), keepdim=True).clamp_min(0.35))
    tint = uniform(0.12, 0.45, images, generator)
    steps = torch.tensor([0.0, 0.4, 1.0], device=images.device).view(1, 3, 1, 1)
    # Four in five are warm, as light indoors, sand and paper are; the others of any colour.
    order = torch.rand((batch, 3), generator=generator, device=images.device).argsort(dim=1)
    warm = torch.rand((batch, 1), generator=generator, device=images.device) < 0.8
    order = torch.where(warm, torch.arange(3, device=images.device), order)
    steps = steps.expand(batch, 3, 1, 1).gather(1, order.view(batch, 3, 1, 1))
    paper = uniform(0.75, 1.0, images, generator) * (1.0 - tint * steps)
    ink = uniform(0.25, 0.75, images, generator)
    return paper * (1.0 - ink * missing)


def as_faded(images: Tensor, generator: torch.Generator) -> Tensor:
    """Lift the shadows of photographs to a colour, as film, old prints and water do.

    Haze lifts shadows to a grey; shadows that have a colour are to stay.

    Parameters
    ----------
    images : Tensor
        Photographs (B, 3, H, W) in [0, 1].
    generator : torch.Generator
        Source of randomness.

    Returns
    -------
    Tensor
        Photographs (B, 3, H, W) in [0, 1] whose blackest is a colour of up to 0.35.

    Examples
    --------
    >>> faded = as_faded(torch.zeros(1, 3, 8, 8), torch.Generator().manual_seed(0))
    >>> bool(faded.amax() > 2 * faded.amin())
    True
    """
    batch = images.shape[0]
    lowest = uniform(0.0, 0.5, images, generator)
    middle = lowest + (1.0 - lowest) * uniform(0.0, 1.0, images, generator)
    steps = torch.cat((torch.ones_like(lowest), middle, lowest), dim=1)
    order = torch.rand((batch, 3), generator=generator, device=images.device).argsort(dim=1)
    floor = uniform(0.05, 0.35, images, generator) * steps.gather(1, order.view(batch, 3, 1, 1))
    return floor + (1.0 - floor) * images


def enlarge(images: Tensor, generator: torch.Generator) -> Tensor:
    """Enlarge photographs about their centre, each by a ratio of its own, bilinearly.

    Parameters
    ----------
    images : Tensor
        Photographs (B, C, H, W).
    generator : torch.Generator
        Source of randomness.

    Returns
    -------
    Tensor
        Photographs (B, C, H, W) whose details are 1 to `LARGEST_ZOOM` times as large.

    Examples
    --------
    >>> enlarge(torch.ones(1, 3, 4, 4), torch.Generator()).unique()
    tensor([1.])
    """
    zoom = torch.exp(uniform(0.0, math.log(LARGEST_ZOOM), images, generator))
    turn = torch.zeros(images.shape[0], 2, 3, device=images.device)
    turn[:, 0, 0] = turn[:, 1, 1] = 1.0 / zoom.flatten()
    where = functional.affine_grid(turn, list(images.shape), align_corners=False)
    return functional.grid_sample(
        images, where, mode="bilinear", padding_mode="border", align_corners=False
    ).clamp(0.0, 1.0)
