"""Haze by the atmospheric scattering model, over smooth and structured synthetic depth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from napari_anyir.degradations._base import (
    Degradation,
    Range,
    luminance,
    parameter,
    reflect_pad,
    uniform,
)
from napari_anyir.degradations._fields import smooth_field


@dataclass(frozen=True)
class Haze(Degradation):
    """Veil the image by ``I = J t + A (1 - t)`` with ``t = exp(-beta d)``.

    The relative depth d in [0, 1] is synthetic (`synthetic_depth`). On metric depth, beta times the
    distance of the farthest point plays the part of this beta.

    Parameters
    ----------
    beta : float or (float, float)
        Optical thickness at the farthest depth; 0 is clear air.
    airlight : float or (float, float)
        Brightness A of the air.
    tint : float or (float, float)
        Largest deviation of A between channels.
    structure : float or (float, float)
        Strength of the depth steps at outlines, 0 is smooth depth only.
    scale : float or (float, float)
        Width of the depth's features, in pixels.
    nearest : float or (float, float)
        Least depth: with 0 what is near may be clear, with more the veil lies over everything.

    Examples
    --------
    >>> clean = torch.zeros(1, 3, 16, 16)
    >>> hazy = Haze(beta=1.0, airlight=0.9, tint=0.0)(clean, torch.Generator().manual_seed(0))
    >>> bool(((hazy > 0) & (hazy < 0.9)).all())
    True
    """

    kind: ClassVar[str] = "haze"

    beta: Range = parameter(
        (0.3, 2.8),
        lowest=0.0,
        highest=20.0,
        unit="optical thickness at the farthest point",
        source="RESIDE: indoor 0.6 to 1.8 on unit depth; outdoor 0.04 to 0.2 per metre",
    )
    airlight: Range = parameter(
        (0.7, 1.0),
        lowest=0.0,
        highest=1.0,
        unit="share of full scale",
        source="RESIDE: indoor 0.7 to 1.0, outdoor 0.8 to 1.0",
    )
    tint: Range = parameter(
        (0.0, 0.03),
        lowest=0.0,
        highest=0.5,
        unit="share of full scale",
        source="chosen: RESIDE's air is grey, real air slightly blue or yellow",
    )
    structure: Range = parameter(
        (0.0, 0.4),
        lowest=0.0,
        highest=1.0,
        unit="share of the depth range",
        source="chosen: depth steps at the outlines of objects",
    )
    scale: Range = parameter(
        (80.0, 500.0),
        lowest=4.0,
        highest=1e4,
        unit="pixels",
        source="chosen: objects and slopes of a photograph of 400 to 700 pixels",
        log=True,
    )
    nearest: Range = parameter(
        (0.0, 0.4),
        lowest=0.0,
        highest=1.0,
        unit="share of the farthest depth",
        source="RESIDE: near parts of rooms let 0.57 to 0.90 through; outdoors they may be clear",
    )

    def _apply(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        scale = self._draw("scale", clean, generator)
        structure = self._draw("structure", clean, generator)
        depth = synthetic_depth(clean, scale, structure, generator)
        nearest = self._draw("nearest", clean, generator)
        depth = nearest + (1.0 - nearest) * depth
        transmission = torch.exp(-self._draw("beta", clean, generator) * depth)
        colour = self._draw("tint", clean, generator) * uniform(-1.0, 1.0, clean, generator, 3)
        airlight = (self._draw("airlight", clean, generator) + colour).clamp(0.0, 1.0)
        return scatter(clean, transmission, airlight)


def scatter(clean: Tensor, transmission: Tensor, airlight: Tensor) -> Tensor:
    """Apply the scattering model ``I = J t + A (1 - t)`` (Koschmieder).

    Parameters
    ----------
    clean : Tensor
        Images J (B, 3, H, W) in [0, 1].
    transmission : Tensor
        Transmission t in [0, 1], broadcast to the images.
    airlight : Tensor
        Airlight A in [0, 1], broadcast to the images.

    Returns
    -------
    Tensor
        Hazy images (B, 3, H, W).

    Examples
    --------
    >>> scatter(torch.tensor(0.2), torch.tensor(0.5), torch.tensor(1.0))
    tensor(0.6000)
    """
    return clean * transmission + airlight * (1.0 - transmission)


def synthetic_depth(
    clean: Tensor, scale: Tensor, structure: Tensor, generator: torch.Generator
) -> Tensor:
    """Invent a depth map for a photograph.

    A base distance, a slope that mostly recedes upwards, smooth relief, steps along random outlines
    and a step between the photograph's own bright and dark regions (so that depth edges meet image
    edges, as in a real scene). Features are measured in pixels: a crop sees a part of a scene.

    Parameters
    ----------
    clean : Tensor
        Images (B, 3, H, W).
    scale : Tensor
        Pixels per feature, (B, 1, 1, 1).
    structure : Tensor
        Height of the steps, (B, 1, 1, 1).
    generator : torch.Generator
        Source of randomness.

    Returns
    -------
    Tensor
        Depth (B, 1, H, W) in [0.02, 1].

    Examples
    --------
    >>> one = torch.ones(1, 1, 1, 1)
    >>> depth = synthetic_depth(torch.zeros(1, 3, 8, 8), 99 * one, 0 * one, torch.Generator())
    >>> depth.shape
    torch.Size([1, 1, 8, 8])
    """
    height, width = clean.shape[-2:]
    device = clean.device
    y = torch.arange(height, device=device).view(1, 1, -1, 1) - (height - 1) / 2
    x = torch.arange(width, device=device).view(1, 1, 1, -1) - (width - 1) / 2
    slope = uniform(-0.1, 0.6, clean, generator) * -y + uniform(-0.2, 0.2, clean, generator) * x
    relief = 0.2 * smooth_field(clean, scale, generator)
    outlines = torch.sigmoid(smooth_field(clean, scale * 0.5, generator) * scale * 0.5)
    grey = functional.avg_pool2d(reflect_pad(luminance(clean), 2), 5, stride=1)
    level = uniform(0.2, 0.8, clean, generator)
    regions = torch.sigmoid((grey - level) * 25.0)
    jumps = structure * uniform(-1.0, 1.0, clean, generator, 2)
    depth = uniform(0.1, 0.9, clean, generator) + slope / scale + relief
    depth = depth + jumps[:, :1] * (outlines - 0.5) + jumps[:, 1:] * (regions - 0.5)
    return depth.clamp(0.02, 1.0)
