"""Sensor noise: Gaussian in display values, Poisson and read noise in linear light."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from napari_anyir.degradations._base import (
    Degradation,
    Range,
    choice,
    normal,
    parameter,
    to_display,
    to_linear,
)


@dataclass(frozen=True)
class GaussianNoise(Degradation):
    """Add white Gaussian noise to the display values.

    ``y = Q(clip(x + N(0, sigma), 0, 255))`` in grey levels of 0 to 255. The protocol of the
    benchmark truncates to whole grey levels (a bias of -0.47 at sigma 25), ``storage`` switches.

    Parameters
    ----------
    sigma : float or (float, float)
        Standard deviation in grey levels of 0 to 255; 0 leaves the image as it is.
    storage : {"truncate", "round", "none"}
        How the noisy value becomes a whole grey level.

    Examples
    --------
    >>> clean = torch.full((1, 3, 64, 64), 0.5)
    >>> noisy = GaussianNoise(sigma=25.0, storage="none")(clean, torch.Generator().manual_seed(0))
    >>> 24 < 255 * float(noisy.std()) < 26
    True
    """

    kind: ClassVar[str] = "noise"

    sigma: Range = parameter(
        (0.0, 50.0),
        lowest=0.0,
        highest=255.0,
        unit="grey levels of 255",
        source="denoising tests at 15, 25 and 50 (paper Tab. 1); blind from 0 as zero-noise images",
    )
    storage: str = choice(
        "truncate",
        ("truncate", "round", "none"),
        source="evaluation protocol; rounding is unbiased",
    )

    def _apply(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        sigma = self._draw("sigma", clean, generator)
        noisy = (255.0 * clean + sigma * normal(clean, generator)).clamp(0.0, 255.0)
        if self.storage == "truncate":
            noisy = noisy.floor()
        elif self.storage == "round":
            noisy = noisy.round()
        # Without noise there is nothing to store anew: the image stays exactly as it is.
        return torch.where(sigma > 0, noisy / 255.0, clean)


@dataclass(frozen=True)
class PoissonGaussianNoise(Degradation):
    """Add shot noise and read noise in linear light, as a camera does.

    ``e = Poisson(photons * linear(x)) + N(0, read)`` in electrons, and back through the sRGB curve.

    Parameters
    ----------
    photons : float or (float, float)
        Electrons that a white pixel collects; fewer is noisier.
    read : float or (float, float)
        Standard deviation of the read noise in electrons.

    Examples
    --------
    >>> clean = torch.full((1, 3, 16, 16), 0.5)
    >>> noisy = PoissonGaussianNoise(photons=100.0)(clean, torch.Generator().manual_seed(0))
    >>> float(noisy.std()) > 0.01
    True
    """

    kind: ClassVar[str] = "poisson_gaussian"

    photons: Range = parameter(
        (60.0, 4000.0),
        lowest=1.0,
        highest=1e6,
        unit="electrons at white",
        source="signal-to-noise ratio at white of 8 to 63, as small sensors from ISO 6400 to 100",
        log=True,
    )
    read: Range = parameter(
        (0.0, 3.0),
        lowest=0.0,
        highest=1e4,
        unit="electrons",
        source="data sheets of CMOS and CCD sensors",
    )

    def _apply(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        photons = self._draw("photons", clean, generator)
        read = self._draw("read", clean, generator)
        return to_display(shot_and_read_noise(to_linear(clean), photons, read, generator))


def shot_and_read_noise(
    linear: Tensor, photons: Tensor, read: Tensor, generator: torch.Generator
) -> Tensor:
    """Poisson noise of the collected electrons, then Gaussian read noise.

    Parameters
    ----------
    linear : Tensor
        Linear light (B, C, H, W) in [0, 1].
    photons : Tensor
        Electrons at 1, (B, 1, 1, 1).
    read : Tensor
        Read noise in electrons, (B, 1, 1, 1).
    generator : torch.Generator
        Source of randomness.

    Returns
    -------
    Tensor
        Noisy linear light (B, C, H, W), not clipped: read noise may be negative.

    Examples
    --------
    >>> light = torch.full((1, 1, 64, 64), 0.5)
    >>> four = torch.full((1, 1, 1, 1), 400.0)
    >>> noisy = shot_and_read_noise(light, four, 0 * four, torch.Generator().manual_seed(0))
    >>> bool(abs(noisy.std() - (0.5 / 400) ** 0.5) < 0.002)
    True
    """
    electrons = torch.poisson((linear.clamp_min(0.0) * photons).contiguous(), generator=generator)
    return (electrons + read * normal(linear, generator)) / photons
