"""Micrographs: photons counted by a camera behind a microscope, of photographs or made scenes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from napari_anyir.degradations._base import Degradation, Range, choice, parameter, uniform
from napari_anyir.degradations._fields import soften
from napari_anyir.degradations.noise import shot_and_read_noise
from napari_anyir.degradations.scenes import SCENE_OPTIONS, choose_scene


@dataclass(frozen=True)
class MicrographNoise(Degradation):
    """Make a grey micrograph and add shot and read noise to its linear values.

    The clean counterpart (`target`) is one random mixture of the photograph's channels, bent by
    ``power`` (most of a fluorescence image is dark), or a scene made by rule, since no photograph
    shows beads or filaments; it is scaled to ``peak``, raised by ``offset`` and repeated on three
    channels. The noise is equal on the three. Values are linear in light; what falls below 0 is cut
    there, as cameras do whose offset is too small. The model is that of Foi et al. (IEEE TIP 2008)
    and of the fluorescence set FMD (Zhang et al., CVPR 2019). ``power=1, peak=0`` leaves a grey
    image as it is but for the noise.

    Parameters
    ----------
    photons : float or (float, float)
        Electrons collected where the image is 1.
    read : float or (float, float)
        Standard deviation of the read noise in electrons.
    power : float or (float, float)
        Exponent of the contrast curve of the content; above 1 darkens the background.
    peak : float or (float, float)
        Value of the brightest pixel of the content (gain at most 4); 0 leaves the brightness.
    offset : float or (float, float)
        Level that the camera adds everywhere, as a share of full scale.
    correlation : float or (float, float)
        Gaussian blur of the noise in pixels, as interpolation in the microscope's software leaves.
    scene : {"photograph", "random", "puncta", "filaments", "nuclei", "electron", "brightfield"}
        What is seen: the photograph, a made scene, or by chance either of them.
    storage : {"none", "mixed", "round"}
        Whether the noisy image is stored in 8 bits; ``mixed`` tosses for each image.

    Examples
    --------
    >>> photo = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    >>> noisy = MicrographNoise()(photo, torch.Generator().manual_seed(0))
    >>> bool((noisy[:, 0] == noisy[:, 2]).all())
    True
    """

    kind: ClassVar[str] = "micrograph"

    photons: Range = parameter(
        (3.0, 1000.0),
        lowest=1.0,
        highest=1e6,
        unit="electrons at full scale",
        source="measured on FMD: 10 to 300 photons at white, widened",
        log=True,
    )
    read: Range = parameter(
        (0.0, 3.0),
        lowest=0.0,
        highest=1e4,
        unit="electrons",
        source="data sheets of sCMOS (about 1) and CCD (about 6) cameras",
    )
    power: Range = parameter(
        (0.8, 3.0),
        lowest=0.1,
        highest=10.0,
        unit="exponent",
        source="chosen: dark backgrounds of fluorescence to the even tones of electron microscopy",
        log=True,
    )
    peak: Range = parameter(
        (0.7, 1.0),
        lowest=0.0,
        highest=1.0,
        unit="share of full scale",
        source="chosen: a micrograph is shown stretched to its range",
    )

    offset: Range = parameter(
        0.0,
        lowest=0.0,
        highest=0.9,
        unit="share of full scale",
        source="none: cameras add 100 counts or so, which a stretched range removes",
    )
    correlation: Range = parameter(
        (0.1, 0.7),
        lowest=0.0,
        highest=10.0,
        unit="pixels",
        source="neighbours of FMD correlate by 0.03 to 0.06, in wide field by up to 0.62",
        log=True,
    )
    scene: str = choice(
        "photograph", SCENE_OPTIONS, source="none: a photograph is what a user has at hand"
    )
    storage: str = choice(
        "none", ("none", "mixed", "round"), source="cameras of microscopes store 12 to 16 bits"
    )

    def target(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        """Grey image of the photograph or a scene: (B, 3, H, W), three equal channels in [0, 1]."""
        weights = uniform(0.0, 1.0, clean, generator, 3)
        grey = (clean * (weights / weights.sum(dim=1, keepdim=True))).sum(dim=1, keepdim=True)
        grey = grey.clamp_min(0.0).pow(self._draw("power", clean, generator))
        grey = choose_scene(grey, self.scene, generator)
        peak = self._draw("peak", clean, generator)
        gain = (peak / grey.amax(dim=(2, 3), keepdim=True).clamp_min(1e-3)).clamp(max=4.0)
        grey = torch.where(peak > 0, grey * gain, grey)
        offset = self._draw("offset", clean, generator)
        grey = offset + (1.0 - offset) * grey
        return grey.clamp(0.0, 1.0).expand_as(clean).to(clean.dtype)

    def _apply(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        photons = self._draw("photons", clean, generator)
        read = self._draw("read", clean, generator)
        correlation = self._draw("correlation", clean, generator)
        grey = clean.mean(dim=1, keepdim=True)
        noise = shot_and_read_noise(grey, photons, read, generator) - grey
        noisy = grey + soften(noise, correlation, keep_variance=True)
        return self._store(noisy, generator).expand_as(clean)

    def _store(self, noisy: Tensor, generator: torch.Generator) -> Tensor:
        """Round to 8 bits, where the camera stores them."""
        if self.storage == "none":
            return noisy
        often = 0.5 if self.storage == "mixed" else 1.0
        rounded = uniform(0.0, 1.0, noisy, generator) < often
        return torch.where(rounded, (255.0 * noisy).round() / 255.0, noisy)


@dataclass(frozen=True)
class StabilisedNoise(MicrographNoise):
    """Make a micrograph as a variance-stabilising transform shows it: its noise is white.

    The generalised Anscombe transform ``T(z) = 2 sqrt(max(z + 3/8 + r^2, 0))`` of counted photons z
    with read noise r has noise of deviation 1 (Anscombe, Biometrika 1948; Makitalo and Foi, IEEE
    TIP 2013). The clean counterpart is what T is in the mean, so what a network makes of it can be
    undone by the exact unbiased inverse. 0 is T's smallest value and 1 its value at ``photons``, or
    at as many more as keep the darkest pixel attainable.

    Parameters
    ----------
    photons, read, power, peak, offset, correlation, scene, storage
        As for `MicrographNoise`; ``power``, ``peak`` and ``offset`` hold in the transformed values.

    Examples
    --------
    >>> photo = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    >>> noisy = StabilisedNoise()(photo, torch.Generator().manual_seed(0))
    >>> bool((noisy[:, 0] == noisy[:, 2]).all())
    True
    """

    kind: ClassVar[str] = "stabilised_noise"

    def _apply(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        photons = self._draw("photons", clean, generator)
        read = self._draw("read", clean, generator)
        correlation = self._draw("correlation", clean, generator)
        grey = clean.mean(dim=1, keepdim=True)
        dark = 2.0 * (0.375 + read.square()).sqrt()
        white = 2.0 * (photons + 0.375 + read.square()).sqrt()
        darkest = grey.amin(dim=(2, 3), keepdim=True).clamp_min(0.02)
        white = torch.maximum(white, dark / darkest)
        counts = unbiased_inverse((grey * white).clamp_min(2.0 * 0.375**0.5), read).clamp_min(0.0)
        one = torch.ones_like(photons)
        counted = shot_and_read_noise(counts, one, read, generator)
        noisy = 2.0 * (counted + 0.375 + read.square()).clamp_min(0.0).sqrt() / white
        noisy = grey + soften(noisy - grey, correlation, keep_variance=True)
        return self._store(noisy, generator).expand_as(clean)


def unbiased_inverse(stabilised: Tensor, read: Tensor) -> Tensor:
    """Photons that are transformed to these values in the mean.

    The closed form of Makitalo and Foi (IEEE TIP 2011 and 2013) for the exact unbiased inverse of
    the generalised Anscombe transform.

    Parameters
    ----------
    stabilised : Tensor
        Means of transformed values, at least 2 sqrt(3 / 8), (B, C, H, W).
    read : Tensor
        Read noise in electrons, (B, 1, 1, 1).

    Returns
    -------
    Tensor
        Photons (B, C, H, W).

    Examples
    --------
    >>> photons = unbiased_inverse(torch.tensor(20.0), torch.tensor(0.0))
    >>> round(float(photons), 1)  # (20 / 2)^2 - 1/8, and a little
    99.9
    """
    inverse = 1.0 / stabilised
    root = 1.5**0.5
    series = 0.25 * root + inverse * (-1.375 + inverse * 0.625 * root)
    return 0.25 * stabilised.square() - 0.125 + inverse * series - read.square()
