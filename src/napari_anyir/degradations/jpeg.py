"""JPEG compression: quantised 8 x 8 cosine transforms, with or without halved colour resolution."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from napari_anyir.degradations._base import Degradation, Range, choice, parameter

# Quantisation tables of ITU-T T.81 (1992), Annex K.1, which common encoders scale by quality.
_LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMINANCE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
)
# YCbCr of JFIF (ITU-T T.871): rows Y, Cb, Cr.
_TO_YCBCR = (
    (0.299, 0.587, 0.114),
    (-0.168735892, -0.331264108, 0.5),
    (0.5, -0.418687589, -0.081312411),
)
_TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136286, -0.714136286), (1.0, 1.772, 0.0))


@dataclass(frozen=True)
class Jpeg(Degradation):
    """Compress as a baseline JPEG encoder does, without the lossless part.

    RGB to YCbCr, 8 x 8 cosine transform, coefficients divided by a table and rounded, and back
    (ITU-T T.81). The result is within a grey level or so of what the common library decodes.

    Parameters
    ----------
    quality : float or (float, float)
        Quality of 1 to 100 on the scale of the common library.
    subsampling : {"4:2:0", "4:4:4"}
        Whether the colour planes are stored at half resolution.

    Examples
    --------
    >>> clean = torch.rand(1, 3, 20, 30, generator=torch.Generator().manual_seed(0))
    >>> low = Jpeg(quality=10.0)(clean, torch.Generator())
    >>> high = Jpeg(quality=95.0, subsampling="4:4:4")(clean, torch.Generator())
    >>> bool((low - clean).abs().mean() > 5 * (high - clean).abs().mean())
    True
    """

    kind: ClassVar[str] = "jpeg"

    quality: Range = parameter(
        (10.0, 80.0),
        lowest=1.0,
        highest=100.0,
        unit="quality",
        source="chosen: tests of compression artefacts use 10 to 40, the web 60 to 90",
    )
    subsampling: str = choice(
        "4:2:0", ("4:2:0", "4:4:4"), source="default of cameras and of the common library below 90"
    )

    def _apply(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        quality = self._draw("quality", clean, generator)
        height, width = clean.shape[-2:]
        block = 16 if self.subsampling == "4:2:0" else 8
        # Encoders fill the last blocks by repeating the border.
        filled = functional.pad(
            255.0 * clean, (0, -width % block, 0, -height % block), mode="replicate"
        )
        planes = _mix(filled.round(), _TO_YCBCR)
        luma, chroma = planes[:, :1] - 128.0, planes[:, 1:]
        luma = _code(luma.round(), quantisation_table(quality, _LUMINANCE))
        if block == 16:
            chroma = functional.avg_pool2d(chroma, 2)
        chroma = _code(chroma.round(), quantisation_table(quality, _CHROMINANCE))
        if block == 16:
            chroma = functional.interpolate(
                chroma, scale_factor=2.0, mode="bilinear", align_corners=False
            )
        decoded = torch.cat(((luma + 128.0).round(), chroma.round()), dim=1)
        return _mix(decoded, _TO_RGB)[..., :height, :width].round() / 255.0


def quantisation_table(quality: Tensor, base: tuple[tuple[int, ...], ...] = _LUMINANCE) -> Tensor:
    """Scale a quantisation table by quality, as the common library does.

    Parameters
    ----------
    quality : Tensor
        Quality of 1 to 100, (B, 1, 1, 1).
    base : tuple of tuple of int
        Table for quality 50, 8 x 8.

    Returns
    -------
    Tensor
        Steps of 1 to 255, (B, 1, 8, 8).

    Examples
    --------
    >>> quantisation_table(torch.full((1, 1, 1, 1), 25.0))[0, 0, 0, :3]
    tensor([32., 22., 20.])
    """
    percent = torch.where(quality < 50, 5000.0 / quality, 200.0 - 2.0 * quality)
    table = torch.tensor(base, dtype=torch.float32, device=quality.device)
    return ((table * percent + 50.0) / 100.0).floor().clamp(1.0, 255.0)


def cosine_basis(device: torch.device | None = None) -> Tensor:
    """Orthonormal basis of the 8-point cosine transform: rows are frequencies.

    Examples
    --------
    >>> basis = cosine_basis()
    >>> bool(torch.allclose(basis @ basis.T, torch.eye(8), atol=1e-6))
    True
    """
    index = torch.arange(8, device=device, dtype=torch.float32)
    basis = torch.cos(math.pi / 8.0 * (index.view(1, 8) + 0.5) * index.view(8, 1)) / 2.0
    basis[0] /= math.sqrt(2.0)
    return basis


def _code(plane: Tensor, table: Tensor) -> Tensor:
    """Quantise the transform of each 8 x 8 block of (B, C, H, W), centred about 0."""
    batch, channels, height, width = plane.shape
    basis = cosine_basis(plane.device)
    blocks = plane.view(batch, channels, height // 8, 8, width // 8, 8).transpose(3, 4)
    steps = table.view(batch, 1, 1, 1, 8, 8)
    coefficients = (basis @ blocks @ basis.T / steps).round() * steps
    decoded = basis.T @ coefficients @ basis
    return decoded.transpose(3, 4).reshape(batch, channels, height, width)


def _mix(images: Tensor, rows: tuple[tuple[float, ...], ...]) -> Tensor:
    """Multiply the channels by a 3 x 3 matrix."""
    matrix = torch.tensor(rows, device=images.device, dtype=images.dtype)
    return functional.conv2d(images, matrix.view(3, 3, 1, 1))
