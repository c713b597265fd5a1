"""Noise that an image went on with: grain of developed photographs, noise scaled and compressed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from napari_anyir.degradations._base import Degradation, Range, normal, parameter, uniform
from napari_anyir.degradations._fields import blurred_noise, resample_noise
from napari_anyir.degradations.jpeg import compress_anywhere


@dataclass(frozen=True)
class Grain(Degradation):
    """Add noise that is correlated over pixels and colours, and compress.

    Developed photographs have such grain, whatever made it: on 20 of them (PolyU, Xu et al. 2018,
    "Real-world noisy image denoising: a new benchmark") neighbours correlate by 0.43 to 0.71 and
    colours by 0.49 to 0.87, and networks that were trained on white noise take it for texture.

    Parameters
    ----------
    sigma : float or (float, float)
        Standard deviation in grey levels of 0 to 255; 0 adds none.
    blur : float or (float, float)
        Gaussian blur of the noise, in pixels.
    shared : float or (float, float)
        Share of the variance that the three colours have in common.
    quality : float or (float, float)
        Quality of the JPEG compression; 100 leaves the image uncompressed.

    Examples
    --------
    >>> clean = torch.full((1, 3, 64, 64), 0.5)
    >>> grainy = Grain(sigma=8.0, quality=100.0)(clean, torch.Generator().manual_seed(0))
    >>> 7 < 255 * float(grainy.std()) < 9
    True
    """

    kind: ClassVar[str] = "grain"

    sigma: Range = parameter(
        (1.2, 14.0),
        lowest=0.0,
        highest=128.0,
        unit="grey levels of 255",
        source="measured on PolyU: 2.4, 3.6, 4.9 (5th, 50th, 95th percentile), widened",
        log=True,
    )
    blur: Range = parameter(
        (0.45, 1.1),
        lowest=0.0,
        highest=10.0,
        unit="pixels",
        source="neighbours of PolyU correlate by 0.43, 0.64, 0.71",
    )
    shared: Range = parameter(
        (0.3, 0.95),
        lowest=0.0,
        highest=1.0,
        unit="share of the variance",
        source="colours of PolyU correlate by 0.49, 0.68, 0.87, widened",
    )
    quality: Range = parameter(
        (75.0, 98.0), lowest=1.0, highest=100.0, unit="quality", source="settings of cameras"
    )

    def _apply(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        sigma = self._draw("sigma", clean, generator)
        blur = self._draw("blur", clean, generator)
        shared = self._draw("shared", clean, generator)
        quality = self._draw("quality", clean, generator)
        noise = blurred_noise(clean, blur.expand(-1, 4, 1, 1), generator)
        noise = shared.sqrt() * noise[:, :1] + (1.0 - shared).sqrt() * noise[:, 1:]
        noisy = (clean + sigma / 255.0 * noise).clamp(0.0, 1.0)
        return torch.where(quality < 100, compress_anywhere(noisy, quality, generator), noisy)


@dataclass(frozen=True)
class ProcessedNoise(Degradation):
    """Add noise that was scaled and compressed after it was taken, as images from the web have it.

    White noise whose variance may rise with brightness, rows with noise of their own and a few hot
    pixels; then the change of scale, which widens or averages the noise, and up to two JPEG
    compressions on different grids. Only the noise is scaled: the image keeps its sharpness. The
    order follows the second-order degradation of Real-ESRGAN (Wang et al., ICCVW 2021).

    Parameters
    ----------
    sigma : float or (float, float)
        Standard deviation at mid grey, in grey levels of 0 to 255, after scaling.
    shot : float or (float, float)
        Share of the variance at mid grey that is proportional to brightness.
    rows : float or (float, float)
        Standard deviation of the rows' own noise as a share of sigma.
    hot : float or (float, float)
        Share of pixels that are hot.
    scale : float or (float, float)
        Factor by which the image was scaled after its noise was taken.
    quality : float or (float, float)
        Quality of the first compression; 100 is none.
    second_quality : float or (float, float)
        Quality of the last compression; 100 is none.

    Examples
    --------
    >>> clean = torch.full((1, 3, 64, 64), 0.5)
    >>> noisy = ProcessedNoise(sigma=10.0)(clean, torch.Generator().manual_seed(0))
    >>> float(noisy.std()) > 0.01
    True
    """

    kind: ClassVar[str] = "processed_noise"

    sigma: Range = parameter(
        (1.0, 30.0),
        lowest=0.0,
        highest=255.0,
        unit="grey levels of 255",
        source="chosen: barely seen to night photographs",
        log=True,
    )
    shot: Range = parameter(
        (0.0, 1.0),
        lowest=0.0,
        highest=1.0,
        unit="share of the variance",
        source="chosen: read noise alone to shot noise alone",
    )
    rows: Range = parameter(
        (0.0, 0.3),
        lowest=0.0,
        highest=10.0,
        unit="share of sigma",
        source="row noise of CMOS sensors (Wei et al., CVPR 2020: ELD)",
    )
    hot: Range = parameter(
        (1e-6, 3e-4),
        lowest=0.0,
        highest=0.1,
        unit="share of pixels",
        source="chosen: a few in a megapixel to a warm sensor's",
        log=True,
    )
    scale: Range = parameter(
        (0.4, 1.5),
        lowest=0.1,
        highest=4.0,
        unit="factor",
        source="Real-ESRGAN's range, narrowed",
        log=True,
    )
    quality: Range = parameter(
        (50.0, 100.0), lowest=1.0, highest=100.0, unit="quality", source="cameras and the web"
    )
    second_quality: Range = parameter(
        (30.0, 95.0),
        lowest=1.0,
        highest=100.0,
        unit="quality",
        source="Real-ESRGAN draws 30 to 95",
    )

    def _apply(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        sigma = self._draw("sigma", clean, generator) / 255.0
        shot = self._draw("shot", clean, generator)
        rows = self._draw("rows", clean, generator)
        hot = self._draw("hot", clean, generator)
        step = 1.0 / self._draw("scale", clean, generator)
        qualities = [self._draw(name, clean, generator) for name in ("quality", "second_quality")]
        batch, _, height, _ = clean.shape
        noise = normal(clean, generator)
        line = torch.randn((batch, 1, height, 1), generator=generator, device=clean.device)
        noise = (noise + rows * line) / (1.0 + rows.square()).sqrt()
        noise = resample_noise(noise, step)
        noise = noise / noise.square().mean(dim=(1, 2, 3), keepdim=True).sqrt().clamp_min(1e-6)
        noise = noise * (1.0 - shot + shot * 2.0 * clean).clamp_min(0.0).sqrt()
        sparks = torch.rand(clean.shape, generator=generator, device=clean.device)
        sparks = resample_noise((sparks < hot).float(), step)
        image = clean + sigma * noise
        image = torch.maximum(image, sparks * uniform(0.3, 1.0, clean, generator))
        for quality in qualities:
            image = image.clamp(0.0, 1.0)
            coded = compress_anywhere(image, quality, generator)
            image = torch.where(quality < 100, coded, image)
        return image
