"""Smooth random fields: the raw material of depth maps, clouds and object outlines."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from napari_anyir.degradations._base import uniform

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
