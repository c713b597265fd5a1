"""Snow: flakes of several sizes that hide what is behind them, and a veil of the finest ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from napari_anyir.degradations._base import Degradation, Range, parameter, uniform
from napari_anyir.degradations._particles import (
    disc_spectrum,
    frequencies,
    line_spectrum,
    render,
    scatter_points,
)

REACH = 64
"""Margin of the canvas in pixels: a fast flake's trace."""

# Far, middle and near flakes: radius and fall against the middle, share of the coverage.
_LAYERS = ((0.5, 0.6, 0.4), (1.0, 1.0, 0.35), (2.4, 2.0, 0.25))


@dataclass(frozen=True)
class Snow(Degradation):
    """Cover the image with flakes: ``y = (1 - v) (x (1 - m) + c m) + v A``.

    The mask m is the union of three layers (small far flakes, larger near ones), smeared by their
    fall during the exposure; c is the flakes' brightness. The composition is that of CSD (Chen et
    al., ICCV 2021) and CDD-11 (Guo et al., ECCV 2024).

    Parameters
    ----------
    radius : float or (float, float)
        Radius of the middle flakes, in pixels.
    coverage : float or (float, float)
        Expected number of flakes over a pixel; 0 is no snow.
    opacity : float or (float, float)
        Opacity of the densest flakes.
    fall : float or (float, float)
        Way that the middle flakes fall during the exposure, in pixels.
    angle : float or (float, float)
        Direction of the fall from the vertical, in degrees.
    brightness : float or (float, float)
        Grey value c of the flakes.
    veil : float or (float, float)
        Opacity of the veil; 0 is none.
    airlight : float or (float, float)
        Brightness A of the veil.

    Examples
    --------
    >>> clean = torch.full((1, 3, 32, 32), 0.2)
    >>> snowy = Snow()(clean, torch.Generator().manual_seed(0))
    >>> bool(snowy.mean() > clean.mean())
    True
    """

    kind: ClassVar[str] = "snow"

    radius: Range = parameter(
        (0.9, 2.6),
        lowest=0.2,
        highest=100.0,
        unit="pixels",
        source="chosen by the look of CSD's and CDD-11's published masks",
        log=True,
    )
    coverage: Range = parameter(
        (0.02, 0.25),
        lowest=0.0,
        highest=5.0,
        unit="flakes per pixel",
        source="chosen: light to dense snowfall",
        log=True,
    )
    opacity: Range = parameter(
        (0.6, 1.0), lowest=0.0, highest=1.0, unit="share", source="chosen: thin and solid flakes"
    )
    fall: Range = parameter(
        (0.0, 8.0),
        lowest=0.0,
        highest=500.0,
        unit="pixels",
        source="chosen: flakes fall slowly; CSD blurs by motion",
    )
    angle: Range = parameter(
        (-40.0, 40.0),
        lowest=-90.0,
        highest=90.0,
        unit="degrees from the vertical",
        source="chosen: wind moves flakes more than drops",
    )
    brightness: Range = parameter(
        (0.85, 1.0),
        lowest=0.0,
        highest=1.0,
        unit="share of full scale",
        source="CDD-11 uses 1; real flakes are a little darker than white",
    )
    veil: Range = parameter(
        (0.0, 0.25),
        lowest=0.0,
        highest=1.0,
        unit="opacity",
        source="chosen: CSD adds a veil to its flakes",
    )
    airlight: Range = parameter(
        (0.7, 1.0), lowest=0.0, highest=1.0, unit="share of full scale", source="overcast skies"
    )

    def _apply(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        radius = self._draw("radius", clean, generator)
        coverage = self._draw("coverage", clean, generator)
        opacity = self._draw("opacity", clean, generator)
        fall = self._draw("fall", clean, generator)
        angle = self._draw("angle", clean, generator)
        brightness = self._draw("brightness", clean, generator)
        veil = self._draw("veil", clean, generator)
        airlight = self._draw("airlight", clean, generator)
        visible = torch.ones((), device=clean.device)
        for size, speed, part in _LAYERS:
            turned = angle + uniform(-8.0, 8.0, clean, generator)
            mask = flakes(clean, radius * size, fall * speed, turned, coverage * part, generator)
            visible = visible * (1.0 - opacity * mask)
        snowy = clean * visible + brightness * (1.0 - visible)
        return (1.0 - veil) * snowy + veil * airlight


def flakes(
    like: Tensor,
    radius: Tensor,
    fall: Tensor,
    angle: Tensor,
    coverage: Tensor,
    generator: torch.Generator,
) -> Tensor:
    """Draw soft discs smeared along their fall.

    Parameters
    ----------
    like : Tensor
        Images (B, C, H, W), for size and device.
    radius : Tensor
        Radius in pixels, (B, 1, 1, 1).
    fall : Tensor
        Length of the smear in pixels, (B, 1, 1, 1).
    angle : Tensor
        Direction of the fall from the vertical in degrees, (B, 1, 1, 1).
    coverage : Tensor
        Expected number of flakes over a pixel, (B, 1, 1, 1).
    generator : torch.Generator
        Source of randomness.

    Returns
    -------
    Tensor
        Mask (B, 1, H, W) in [0, 1].

    Examples
    --------
    >>> one = torch.ones(1, 1, 1, 1)
    >>> g = torch.Generator().manual_seed(0)
    >>> flakes(torch.zeros(1, 3, 9, 9), 2 * one, one, 0 * one, one, g).shape
    torch.Size([1, 1, 9, 9])
    """
    fy, fx, canvas = frequencies(like, REACH)
    disc = disc_spectrum(fy, fx, radius)
    # A line of any length and no width, of area 1: the smear spreads a flake without adding to it.
    smear = line_spectrum(fy, fx, angle, fall, torch.zeros_like(fall) + 1e-6)
    smear = torch.where(fall > 0, smear / smear[..., :1, :1].clamp_min(1e-12), 1.0)
    points = scatter_points(like, coverage / disc[..., :1, :1], canvas, generator)
    # Most flakes are near their full density: the square root of a uniform strength.
    return render(torch.fft.rfft2(points.sqrt()) * disc * smear, canvas, like).clamp(max=1.0)
