"""Low light: short exposure, tone curve, colour cast, sensor noise, 8-bit storage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from napari_anyir.degradations._base import (
    Degradation,
    Range,
    choice,
    parameter,
    to_display,
    to_linear,
)
from napari_anyir.degradations.noise import shot_and_read_noise


@dataclass(frozen=True)
class Darkness(Degradation):
    """Expose the scene far too short, as the low halves of LOL-v1 were.

    In linear light ``l = e c(a) g x^a``: the exposure ratio e, the tone exponent a (a camera's
    darker rendering has more contrast), the gain g of each channel, and
    ``c(a) = (2.2 a + 1) / 3.2``, which keeps the mean of an image with evenly spread grey levels
    at e times its former mean whatever the exponent. Then shot and read noise, the sRGB curve and
    8-bit storage.

    Parameters
    ----------
    exposure : float or (float, float)
        Ratio of the mean in linear light; 1 keeps the brightness.
    tone : float or (float, float)
        Exponent a; 1 keeps the contrast.
    red, green, blue : float or (float, float)
        Relative gains of the channels in linear light.
    photons : float or (float, float)
        Electrons that a white pixel would collect at this (short) exposure's gain; more is cleaner.
    read : float or (float, float)
        Read noise in electrons.
    storage : {"round", "none"}
        Whether the dark image is stored in 8 bits, which loses most of its levels.

    Examples
    --------
    >>> clean = torch.full((1, 3, 16, 16), 0.5)
    >>> dark = Darkness(exposure=0.02)(clean, torch.Generator().manual_seed(0))
    >>> bool(dark.mean() < 0.15)
    True
    """

    kind: ClassVar[str] = "darkness"

    exposure: Range = parameter(
        (1 / 220, 1 / 3),
        lowest=1e-4,
        highest=1.0,
        unit="ratio of linear light",
        source="measured on LOL-v1: 0.0045, 0.020, 0.088 (5th, 50th, 95th percentile), widened",
        log=True,
    )
    tone: Range = parameter(
        (1.1, 3.1),
        lowest=0.5,
        highest=6.0,
        unit="exponent",
        source="measured on LOL-v1: 1.3, 1.9, 3.1",
        log=True,
    )
    red: Range = parameter(
        (0.75, 1.35), lowest=0.0, highest=4.0, unit="gain", source="measured on LOL-v1"
    )
    green: Range = parameter(
        (0.94, 1.15), lowest=0.0, highest=4.0, unit="gain", source="measured on LOL-v1"
    )
    blue: Range = parameter(
        (0.65, 1.04), lowest=0.0, highest=4.0, unit="gain", source="measured on LOL-v1"
    )
    photons: Range = parameter(
        (3e3, 2.5e4),
        lowest=10.0,
        highest=1e7,
        unit="electrons at white",
        source="gives the 1.0 to 2.7 grey levels of noise measured on LOL-v1",
        log=True,
    )
    read: Range = parameter(
        (0.0, 4.0), lowest=0.0, highest=1e4, unit="electrons", source="data sheets of CMOS sensors"
    )
    storage: str = choice("round", ("round", "none"), source="LOL-v1 is stored in 8 bits")

    def _apply(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        exposure = self._draw("exposure", clean, generator)
        tone = self._draw("tone", clean, generator)
        gains = torch.cat(
            [self._draw(name, clean, generator) for name in ("red", "green", "blue")], dim=1
        )
        photons = self._draw("photons", clean, generator)
        read = self._draw("read", clean, generator)
        scale = exposure * (2.2 * tone + 1.0) / 3.2
        light = (scale * gains * to_linear(clean).pow(tone)).clamp(0.0, 1.0)
        dark = to_display(shot_and_read_noise(light, photons, read, generator))
        return (255.0 * dark).round() / 255.0 if self.storage == "round" else dark
