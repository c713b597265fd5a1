"""Photographs as they lie on disks, rather than as sharp and clean as those that train."""

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
    batch = images.shape[0]
    zoom = torch.exp(uniform(0.0, math.log(LARGEST_ZOOM), images, generator))
    turn = torch.zeros(batch, 2, 3, device=images.device)
    turn[:, 0, 0] = turn[:, 1, 1] = 1.0 / zoom.flatten()
    where = functional.affine_grid(turn, list(images.shape), align_corners=False)
    seen = functional.grid_sample(
        images, where, mode="bilinear", padding_mode="border", align_corners=False
    )
    width = uniform(0.3, 1.0, images, generator)
    shared = blurred_noise(images, width, generator)
    colours = blurred_noise(images, width.expand(-1, 3, -1, -1), generator)
    strength = uniform(0.0, STRONGEST_GRAIN, images, generator)
    grain = strength * (0.8 * shared + 0.6 * colours)
    quality = uniform(LOWEST_QUALITY, 98.0, images, generator)
    return compress_anywhere((seen + grain).clamp(0.0, 1.0), quality, generator).clamp(0.0, 1.0)
