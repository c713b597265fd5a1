"""Rain streaks: the light additive kind of Rain100L, and heavy rain with depth and veil."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from napari_anyir.degradations._base import Degradation, Range, parameter, uniform
from napari_anyir.degradations._particles import (
    frequencies,
    line_spectrum,
    render,
    scatter_points,
)

REACH = 96
"""Margin of the canvas in pixels, about the length of the longest common streaks."""

# Length against the commonest streaks, and share of the coverage, of the three layers of light
# rain: one length alone has not the long tail measured on Rain100L.
_LIGHT = ((0.7, 0.40), (1.5, 0.35), (4.0, 0.25))

# Far, middle and near layer of heavy rain: length against the middle, width in pixels, share of
# the coverage, brightness.
_HEAVY = ((0.5, 0.5, 0.50, 0.45), (1.0, 0.8, 0.35, 0.8), (2.2, 1.6, 0.15, 1.0))


@dataclass(frozen=True)
class Rain(Degradation):
    """Add light, achromatic streaks of one direction: ``y = clip(x + S)`` with S >= 0.

    Three layers of streaks (short, medium, long) share the direction but for two degrees. No pixel
    becomes darker and the streaks have no colour, as measured on Rain100L.

    Parameters
    ----------
    angle : float or (float, float)
        Direction from the vertical, in degrees.
    length : float or (float, float)
        Length of the commonest streaks, in pixels.
    width : float or (float, float)
        Standard deviation of the profile across a streak, in pixels.
    coverage : float or (float, float)
        Expected number of streaks over a pixel; 0 is no rain.
    intensity : float or (float, float)
        Brightness of the strongest streaks, as a share of full scale.

    Examples
    --------
    >>> clean = torch.full((1, 3, 32, 32), 0.4)
    >>> rainy = Rain()(clean, torch.Generator().manual_seed(0))
    >>> bool((rainy >= clean).all())
    True
    """

    kind: ClassVar[str] = "rain"

    angle: Range = parameter(
        (-27.0, 27.0),
        lowest=-90.0,
        highest=90.0,
        unit="degrees from the vertical",
        source="measured on Rain100L: one direction per image within 27 degrees",
    )
    length: Range = parameter(
        (9.0, 42.0),
        lowest=1.0,
        highest=500.0,
        unit="pixels",
        source="measured on Rain100L: streaks 9 to 21 pixels high in the median, tails 45 to 115",
        log=True,
    )
    width: Range = parameter(
        (0.5, 1.2),
        lowest=0.3,
        highest=20.0,
        unit="pixels (standard deviation)",
        source="Rain100L streaks are one to three pixels wide",
    )
    coverage: Range = parameter(
        (0.06, 0.34),
        lowest=0.0,
        highest=5.0,
        unit="streaks per pixel",
        source="measured on Rain100L: 5 to 28 % of pixels above 0.04",
        log=True,
    )
    intensity: Range = parameter(
        (0.17, 0.65),
        lowest=0.0,
        highest=2.0,
        unit="share of full scale",
        source="measured on Rain100L: 99th percentile of the streaks 0.12 to 0.49",
        log=True,
    )

    def _apply(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        angle = self._draw("angle", clean, generator)
        length = self._draw("length", clean, generator)
        width = self._draw("width", clean, generator)
        coverage = self._draw("coverage", clean, generator)
        intensity = self._draw("intensity", clean, generator)
        layers = [
            (angle + uniform(-2.0, 2.0, clean, generator), length * stretch, width, coverage * part)
            for stretch, part in _LIGHT
        ]
        return clean + intensity * streaks(clean, layers, generator)


@dataclass(frozen=True)
class HeavyRain(Degradation):
    """Rain in depth: layers of several directions seen through the veil of far drops.

    ``y = t (x + sum S_i) + (1 - t) A``, the model of Li et al. (CVPR 2019, heavy rain). Far layers
    are dense, fine and faint; near ones sparse, broad, long and blurred by their motion.

    Parameters
    ----------
    angle : float or (float, float)
        Mean direction from the vertical, in degrees.
    spread : float or (float, float)
        How far the layers turn from the mean direction, in degrees.
    length : float or (float, float)
        Length of the streaks of the middle layer, in pixels.
    coverage : float or (float, float)
        Expected number of streaks over a pixel, all layers together.
    intensity : float or (float, float)
        Brightness of the strongest streaks, as a share of full scale.
    veil : float or (float, float)
        Opacity 1 - t of the veil, 0 is none.
    airlight : float or (float, float)
        Brightness A of the veil.

    Examples
    --------
    >>> clean = torch.full((1, 3, 32, 32), 0.2)
    >>> rainy = HeavyRain()(clean, torch.Generator().manual_seed(0))
    >>> bool(rainy.mean() > clean.mean())
    True
    """

    kind: ClassVar[str] = "heavy_rain"

    angle: Range = parameter(
        (-35.0, 35.0),
        lowest=-90.0,
        highest=90.0,
        unit="degrees from the vertical",
        source="chosen: a little beyond the 27 degrees measured on Rain100L",
    )
    spread: Range = parameter(
        (0.0, 12.0),
        lowest=0.0,
        highest=90.0,
        unit="degrees",
        source="chosen: gusts and perspective turn near and far drops differently",
    )
    length: Range = parameter(
        (10.0, 45.0),
        lowest=1.0,
        highest=500.0,
        unit="pixels",
        source="chosen: as Rain100L's medians and beyond",
        log=True,
    )
    coverage: Range = parameter(
        (0.4, 1.8),
        lowest=0.0,
        highest=10.0,
        unit="streaks per pixel",
        source="chosen: several times the coverage of Rain100L",
        log=True,
    )
    intensity: Range = parameter(
        (0.15, 0.6),
        lowest=0.0,
        highest=2.0,
        unit="share of full scale",
        source="as Rain100L",
        log=True,
    )
    veil: Range = parameter(
        (0.0, 0.45),
        lowest=0.0,
        highest=1.0,
        unit="opacity",
        source="chosen: from none to the haze of a downpour (Li et al., CVPR 2019)",
    )
    airlight: Range = parameter(
        (0.6, 0.95), lowest=0.0, highest=1.0, unit="share of full scale", source="overcast skies"
    )

    def _apply(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        angle = self._draw("angle", clean, generator)
        spread = self._draw("spread", clean, generator)
        length = self._draw("length", clean, generator)
        coverage = self._draw("coverage", clean, generator)
        intensity = self._draw("intensity", clean, generator)
        veil = self._draw("veil", clean, generator)
        airlight = self._draw("airlight", clean, generator)
        rain: Tensor | float = 0.0
        for stretch, width, part, strength in _HEAVY:
            turned = angle + spread * uniform(-1.0, 1.0, clean, generator)
            broad = width * uniform(0.8, 1.3, clean, generator)
            layer = [(turned, length * stretch, broad, coverage * part)]
            rain = rain + strength * streaks(clean, layer, generator)
        return (1.0 - veil) * (clean + intensity * rain) + veil * airlight


def streaks(
    like: Tensor, layers: list[tuple[Tensor, Tensor, Tensor, Tensor]], generator: torch.Generator
) -> Tensor:
    """Draw soft line segments at random places.

    Sparse random points are filtered by a line whose Fourier transform is known in closed form, so
    that angles, lengths and widths below a pixel need no raster, and each image has its own.

    Parameters
    ----------
    like : Tensor
        Images (B, C, H, W), for size and device.
    layers : list of tuple
        Angle from the vertical in degrees, length and width in pixels, coverage; (B, 1, 1, 1) each.
    generator : torch.Generator
        Source of randomness.

    Returns
    -------
    Tensor
        Streaks (B, 1, H, W), never negative; a single streak reaches at most about 1.

    Examples
    --------
    >>> one = torch.ones(1, 1, 1, 1)
    >>> layer = streaks(torch.zeros(1, 3, 9, 9), [(0 * one, 5 * one, one, one)], torch.Generator())
    >>> layer.shape
    torch.Size([1, 1, 9, 9])
    """
    fy, fx, canvas = frequencies(like, REACH)
    spectrum = torch.zeros((), device=like.device)
    for angle, length, width, coverage in layers:
        line = line_spectrum(fy, fx, angle, length, width)
        points = scatter_points(like, coverage / line[..., :1, :1], canvas, generator)
        spectrum = spectrum + torch.fft.rfft2(points) * line
    return render(spectrum, canvas, like)
