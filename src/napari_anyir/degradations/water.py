"""Underwater: light that loses its red first, and a coloured veil that grows with distance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from napari_anyir.degradations._base import (
    Degradation,
    Range,
    parameter,
    to_display,
    to_linear,
    uniform,
)
from napari_anyir.degradations.haze import scatter, synthetic_depth

# Share of red, green and blue light left after one metre, from the clearest ocean to turbid coast:
# Jerlov's types I, II, III, 1, 3, 5, 7, 9 as tabulated by Li, Anwar and Porikli (Pattern
# Recognition 98, 2020, "Underwater scene prior inspired deep underwater image and video
# enhancement").
JERLOV = (
    (0.85, 0.961, 0.982),
    (0.80, 0.925, 0.94),
    (0.75, 0.885, 0.89),
    (0.75, 0.885, 0.875),
    (0.71, 0.82, 0.80),
    (0.67, 0.73, 0.67),
    (0.62, 0.61, 0.50),
    (0.55, 0.46, 0.29),
)


@dataclass(frozen=True)
class Water(Degradation):
    """Take the scene under water: ``I_c = J_c s_c t_c + B_c (1 - t_c)`` in linear light.

    The share left per metre N_c depends on the water. Daylight reaches the scene through its depth
    (``s_c = N_c^depth``), the scene is seen over a distance (``t_c = N_c^distance``, distances by
    a synthetic depth map), and the water itself shines with what daylight is left, least in the
    channel it absorbs most: ``B_c = light s_c min(K) / K_c`` with ``K_c = -ln N_c``, as scattering
    hardly depends on colour (Akkaynak and Treibitz, CVPR 2018: B = b E / beta). The camera then
    brightens the picture by up to ``exposure``.

    Parameters
    ----------
    turbidity : float or (float, float)
        0 is the clearest ocean (Jerlov I, blue), 1 turbid coast (Jerlov 9, green to yellow).
    distance : float or (float, float)
        Distance of the farthest point, in metres; 0 leaves no veil.
    depth : float or (float, float)
        Depth of the scene below the surface, in metres.
    light : float or (float, float)
        Brightness of the water against white daylight.
    exposure : float or (float, float)
        Largest factor by which the camera makes up for the lost light.

    Examples
    --------
    >>> clean = torch.full((1, 3, 16, 16), 0.5)
    >>> under = Water()(clean, torch.Generator().manual_seed(0))
    >>> red, green, _ = under.mean(dim=(0, 2, 3))
    >>> bool(red < green)
    True
    """

    kind: ClassVar[str] = "water"

    turbidity: Range = parameter(
        (0.0, 0.8),
        lowest=0.0,
        highest=1.0,
        unit="0 ocean, 1 coast",
        source="Jerlov's water types I to 9 (Li et al. 2020)",
    )
    distance: Range = parameter(
        (0.5, 8.0),
        lowest=0.0,
        highest=100.0,
        unit="metres",
        source="Li et al. 2020 use 0.5 to 15; nearer scenes dominate UIEB",
    )
    depth: Range = parameter(
        (0.5, 8.0),
        lowest=0.0,
        highest=100.0,
        unit="metres",
        source="chosen: depths of a diver with a camera and no lamp",
    )
    light: Range = parameter(
        (0.2, 0.7),
        lowest=0.0,
        highest=1.0,
        unit="share of daylight",
        source="chosen: open water scatters a part of the daylight towards the camera",
    )
    exposure: Range = parameter(
        (1.0, 3.0), lowest=1.0, highest=20.0, unit="factor", source="chosen: automatic exposure"
    )

    def _apply(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        left = share_left(self._draw("turbidity", clean, generator))
        scale = uniform(80.0, 500.0, clean, generator)
        relief = synthetic_depth(clean, scale, uniform(0.0, 0.3, clean, generator), generator)
        distance = self._draw("distance", clean, generator) * relief
        daylight = left.pow(self._draw("depth", clean, generator))
        attenuation = -torch.log(left)
        colour = attenuation.amin(dim=1, keepdim=True) / attenuation
        water = self._draw("light", clean, generator) * daylight * colour
        scene = scatter(to_linear(clean) * daylight, left.pow(distance), water)
        # The camera holds the brightest channel of daylight near white.
        gain = (1.0 / daylight.amax(dim=1, keepdim=True)).clamp(min=1.0)
        gain = torch.minimum(gain, self._draw("exposure", clean, generator))
        return to_display((scene * gain).clamp(0.0, 1.0))


def share_left(turbidity: Tensor) -> Tensor:
    """Share of red, green and blue light left after a metre of water.

    Parameters
    ----------
    turbidity : Tensor
        0 to 1 along Jerlov's water types, (B, 1, 1, 1).

    Returns
    -------
    Tensor
        Shares (B, 3, 1, 1), interpolated between the tabulated types.

    Examples
    --------
    >>> share_left(torch.zeros(1, 1, 1, 1)).flatten()
    tensor([0.8500, 0.9610, 0.9820])
    """
    table = torch.tensor(JERLOV, device=turbidity.device)
    place = turbidity.flatten() * (len(JERLOV) - 1)
    below = place.floor().clamp(max=len(JERLOV) - 2).long()
    part = (place - below).unsqueeze(1)
    return torch.lerp(table[below], table[below + 1], part).view(-1, 3, 1, 1)
