"""Noise of a camera: taken on the raw mosaic, demosaiced, developed and compressed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from napari_anyir.degradations._base import (
    Degradation,
    Range,
    parameter,
    to_display,
    to_linear,
    uniform,
)
from napari_anyir.degradations._fields import resample_noise, soften
from napari_anyir.degradations.jpeg import compress_anywhere

# Camera space from XYZ at D65, times 10,000, as the makers' raw files state it (DNG tag
# ColorMatrix2; Adobe DNG specification 1.6): Canon 5D Mark II, Nikon D700, Sony A7, Olympus E-M5.
_FROM_XYZ = (
    (4716, 603, -830, -7798, 15474, 2480, -1496, 1937, 6651),
    (8139, -2171, -663, -8747, 16541, 2295, -1925, 2008, 8093),
    (5271, -712, -347, -6153, 13653, 2763, -1601, 2366, 7242),
    (8380, -2630, -639, -2887, 10725, 2496, -627, 1427, 5438),
)
# sRGB to XYZ (IEC 61966-2-1).
_SRGB_TO_XYZ = (
    (0.4124, 0.3576, 0.1805),
    (0.2126, 0.7152, 0.0722),
    (0.0193, 0.1192, 0.9505),
)
# Kernels of 5 x 5 by which a mosaic is interpolated: of Malvar, He and Cutler (ICASSP 2004) in
# eighths, and bilinear. For green at red or blue; for red or blue at green whose neighbours lie in
# the row; for red at blue and back. The one for neighbours in the column is turned.
_MALVAR = (
    ((0, 0, -1, 0, 0), (0, 0, 2, 0, 0), (-1, 2, 4, 2, -1), (0, 0, 2, 0, 0), (0, 0, -1, 0, 0)),
    (
        (0, 0, 0.5, 0, 0),
        (0, -1, 0, -1, 0),
        (-1, 4, 5, 4, -1),
        (0, -1, 0, -1, 0),
        (0, 0, 0.5, 0, 0),
    ),
    (
        (0, 0, -1.5, 0, 0),
        (0, 2, 0, 2, 0),
        (-1.5, 0, 6, 0, -1.5),
        (0, 2, 0, 2, 0),
        (0, 0, -1.5, 0, 0),
    ),
)  # fmt: skip
_BILINEAR = (
    ((0, 0, 0, 0, 0), (0, 0, 2, 0, 0), (0, 2, 0, 2, 0), (0, 0, 2, 0, 0), (0, 0, 0, 0, 0)),
    ((0, 0, 0, 0, 0), (0, 0, 0, 0, 0), (0, 4, 0, 4, 0), (0, 0, 0, 0, 0), (0, 0, 0, 0, 0)),
    ((0, 0, 0, 0, 0), (0, 2, 0, 2, 0), (0, 0, 0, 0, 0), (0, 2, 0, 2, 0), (0, 0, 0, 0, 0)),
)


@dataclass(frozen=True)
class CameraNoise(Degradation):
    """Add the noise of a camera as its developed JPEG shows it; nothing but the noise changes.

    The photograph is unprocessed (Brooks et al., CVPR 2019, "Unprocessing images for learned raw
    denoising"): inverse tone curve, inverse colour matrix, inverse white balance. Shot and read
    noise are taken on a Bayer mosaic of it and demosaiced, bilinearly or with gradients (Malvar, He
    and Cutler, ICASSP 2004), sometimes scaled with the image, white-balanced, brought to sRGB,
    smoothed more in colour than in brightness as cameras do, sent through the tone curve, and
    compressed. All steps up to the curve are linear, so the noise goes through them alone:
    demosaicing and smoothing take nothing from the photograph's detail, and its mean stays.

    Parameters
    ----------
    sigma : float or (float, float)
        Standard deviation over the developed image, in grey levels of 0 to 255; 0 adds none.
    read : float or (float, float)
        Read noise against the shot noise of a pixel at a tenth of white, as a ratio.
    gradient : float or (float, float)
        0 demosaics bilinearly, 1 with gradients; between, a mixture of both.
    red, blue : float or (float, float)
        Gains of the white balance.
    scale : float or (float, float)
        Factor by which the developed image was scaled; 1 leaves the pixels as they were taken.
    blur : float or (float, float)
        The camera's own smoothing of the noise's brightness, in pixels.
    colour_blur : float or (float, float)
        The camera's own smoothing of the noise's colour, in pixels.
    colour : float or (float, float)
        Strength of the noise's colour that the camera leaves, as a share.
    quality : float or (float, float)
        Quality of the JPEG compression; 100 leaves the image uncompressed.

    Examples
    --------
    >>> clean = torch.full((1, 3, 64, 64), 0.5)
    >>> noisy = CameraNoise(sigma=5.0, quality=100.0)(clean, torch.Generator().manual_seed(0))
    >>> 4.5 < 255 * float(noisy.std()) < 5.5
    True
    """

    kind: ClassVar[str] = "camera_noise"

    sigma: Range = parameter(
        (1.0, 14.0),
        lowest=0.0,
        highest=100.0,
        unit="grey levels of 255",
        source="measured on PolyU: 2.4, 3.6, 4.9 (5th, 50th, 95th percentile), widened",
        log=True,
    )
    read: Range = parameter(
        (0.1, 2.0),
        lowest=0.0,
        highest=100.0,
        unit="ratio",
        source="Brooks et al. 2019: shot and read noise of a camera over its ISO settings",
        log=True,
    )
    gradient: Range = parameter(
        (0.0, 1.0),
        lowest=0.0,
        highest=1.0,
        unit="0 bilinear, 1 gradient-corrected",
        source="the two common linear ways",
    )
    red: Range = parameter(
        (1.2, 2.4), lowest=0.1, highest=10.0, unit="gain", source="Brooks et al. 2019, widened"
    )
    blue: Range = parameter(
        (1.2, 2.4), lowest=0.1, highest=10.0, unit="gain", source="Brooks et al. 2019, widened"
    )
    scale: Range = parameter(
        (0.6, 1.3),
        lowest=0.1,
        highest=4.0,
        unit="factor",
        source="chosen: developed images are shown smaller, or digitally zoomed",
    )
    blur: Range = parameter(
        (0.0, 0.7),
        lowest=0.0,
        highest=10.0,
        unit="pixels",
        source="gives the correlation of neighbours measured on PolyU: 0.43, 0.64, 0.71",
    )
    colour_blur: Range = parameter(
        (0.3, 3.0),
        lowest=0.0,
        highest=30.0,
        unit="pixels",
        source="gives the correlation of colours measured on PolyU: 0.49, 0.68, 0.87",
        log=True,
    )
    colour: Range = parameter(
        (0.15, 0.8),
        lowest=0.0,
        highest=2.0,
        unit="share",
        source="gives the correlation of colours measured on PolyU: 0.49, 0.68, 0.87",
    )
    quality: Range = parameter(
        (85.0, 99.0), lowest=1.0, highest=100.0, unit="quality", source="settings of cameras"
    )

    def _apply(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        sigma = self._draw("sigma", clean, generator) / 255.0
        read = self._draw("read", clean, generator)
        gradient = self._draw("gradient", clean, generator)
        gains = torch.cat(
            (
                self._draw("red", clean, generator),
                torch.ones_like(sigma),
                self._draw("blue", clean, generator),
            ),
            dim=1,
        )
        step = 1.0 / self._draw("scale", clean, generator)
        blur = self._draw("blur", clean, generator)
        colour_blur = self._draw("colour_blur", clean, generator)
        colour = self._draw("colour", clean, generator)
        quality = self._draw("quality", clean, generator)
        matrix = camera_matrix(clean, generator)
        # Most cameras add an S-shaped curve to sRGB's, which keeps the noise of shadows low.
        curved = uniform(0.0, 1.0, clean, generator) < 0.8
        light = to_linear(torch.where(curved, _undo_s_curve(clean), clean))
        raw = torch.einsum("bij,bjhw->bihw", torch.linalg.inv(matrix), light) / gains
        # Noise of unit strength is scaled, and gets the strength of its place afterwards.
        noise = resample_noise(_demosaiced_noise(clean, gradient, generator), step)
        noise = noise * (raw.clamp_min(0.0) + 0.1 * read.square()).sqrt()
        noise = torch.einsum("bij,bjhw->bihw", matrix, noise * gains)
        grey = noise.mean(dim=1, keepdim=True)
        colours = soften(noise - grey, torch.hypot(blur, colour_blur))
        noise = soften(grey, blur) + colour * colours
        noise = noise * (sigma / _developed_deviation(light, noise, curved))
        # The curves bend, which would move the mean: of the two ways only the odd part is taken.
        up, down = (to_display((light + part).clamp(0.0, 1.0)) for part in (noise, -noise))
        up, down = (torch.where(curved, _s_curve(part), part) for part in (up, down))
        noisy = (clean + 0.5 * (up - down)).clamp(0.0, 1.0)
        return torch.where(quality < 100, compress_anywhere(noisy, quality, generator), noisy)


def camera_matrix(like: Tensor, generator: torch.Generator) -> Tensor:
    """Draw a matrix from a camera's white-balanced colours to linear sRGB.

    A random mixture of real cameras' matrices; white stays white.

    Parameters
    ----------
    like : Tensor
        Images (B, C, H, W), for batch size and device.
    generator : torch.Generator
        Source of randomness.

    Returns
    -------
    Tensor
        Matrices (B, 3, 3), whose rows sum to 1.

    Examples
    --------
    >>> matrix = camera_matrix(torch.zeros(2, 3, 1, 1), torch.Generator().manual_seed(0))
    >>> torch.allclose(matrix.sum(dim=2), torch.ones(2, 3), atol=1e-5)
    True
    """
    known = torch.tensor(_FROM_XYZ, device=like.device).view(1, -1, 3, 3) / 1e4
    weights = uniform(0.0, 1.0, like, generator, known.shape[1]) + 1e-3
    mixed = (known * weights / weights.sum(dim=1, keepdim=True)).sum(dim=1)
    to_camera = mixed @ torch.tensor(_SRGB_TO_XYZ, device=like.device)
    return torch.linalg.inv(to_camera / to_camera.sum(dim=2, keepdim=True))


def _demosaiced_noise(like: Tensor, gradient: Tensor, generator: torch.Generator) -> Tensor:
    """White noise of a Bayer mosaic, interpolated to three colours (B, 3, H, W)."""
    batch, _, height, width = like.shape
    device = like.device
    shape = (batch, 1, height + 4, width + 4)
    mosaic = torch.randn(shape, generator=generator, device=device)
    kernels = torch.tensor((*_MALVAR, *_BILINEAR), device=device).view(6, 1, 5, 5) / 8.0
    kernels = torch.cat((kernels, kernels[1::3].transpose(2, 3)))
    found = functional.conv2d(mosaic, kernels)
    malvar = found[:, [0, 1, 6, 2]]
    green, in_row, in_column, across = (
        torch.lerp(found[:, [3, 4, 7, 5]], malvar, gradient).unsqueeze(1).unbind(dim=2)
    )
    own = mosaic[..., 2:-2, 2:-2]
    # Red stands where row and column are even, blue where both are odd, from a corner of chance.
    corner = torch.randint(0, 2, (2, batch, 1, 1, 1), generator=generator, device=device)
    odd_row = ((torch.arange(height, device=device).view(-1, 1) + corner[0]) % 2).bool()
    odd_column = ((torch.arange(width, device=device) + corner[1]) % 2).bool()
    at_red, at_blue = ~odd_row & ~odd_column, odd_row & odd_column
    red = torch.where(odd_row, in_column, in_row)
    blue = torch.where(odd_row, in_row, in_column)
    return torch.cat(
        (
            torch.where(at_red, own, torch.where(at_blue, across, red)),
            torch.where(at_red | at_blue, green, own),
            torch.where(at_blue, own, torch.where(at_red, across, blue)),
        ),
        dim=1,
    )


def _s_curve(display: Tensor) -> Tensor:
    """Contrast curve of Brooks et al. 2019: 3 x^2 - 2 x^3."""
    return display * display * (3.0 - 2.0 * display)


def _undo_s_curve(display: Tensor) -> Tensor:
    """Inverse of the contrast curve: 0.5 - sin(asin(1 - 2 x) / 3)."""
    return 0.5 - torch.sin(torch.asin((1.0 - 2.0 * display).clamp(-1.0, 1.0)) / 3.0)


def _developed_deviation(light: Tensor, noise: Tensor, curved: Tensor) -> Tensor:
    """Standard deviation that small linear noise has after the curves, (B, 1, 1, 1)."""
    display = to_display(light)
    slope = torch.where(
        light <= 0.0031308, 12.92, 1.055 / 2.4 * light.clamp_min(0.003).pow(1 / 2.4 - 1.0)
    )
    slope = slope * torch.where(curved, 6.0 * display * (1.0 - display), 1.0)
    return (noise * slope).square().mean(dim=(1, 2, 3), keepdim=True).sqrt().clamp_min(1e-6)
