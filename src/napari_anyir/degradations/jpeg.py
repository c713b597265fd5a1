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
        return compress(clean, self._draw("quality", clean, generator), self.subsampling)


def compress(images: Tensor, quality: Tensor, subsampling: str = "4:2:0") -> Tensor:
    """Code and decode images as baseline JPEG.

    Parameters
    ----------
    images : Tensor
        Images (B, 3, H, W), float32, in [0, 1].
    quality : Tensor
        Quality of 1 to 100, (B, 1, 1, 1).
    subsampling : {"4:2:0", "4:4:4"}
        Whether the colour planes are stored at half resolution.

    Returns
    -------
    Tensor
        Decoded images (B, 3, H, W); they may leave [0, 1] by a little.

    Examples
    --------
    >>> compress(torch.full((1, 3, 5, 7), 0.2), torch.full((1, 1, 1, 1), 90.0))[0, 0, 0, 0]
    tensor(0.2000)
    """
    height, width = images.shape[-2:]
    block = 16 if subsampling == "4:2:0" else 8
    # Encoders fill the last blocks by repeating the border.
    filled = functional.pad(
        255.0 * images, (0, -width % block, 0, -height % block), mode="replicate"
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


def compress_anywhere(images: Tensor, quality: Tensor, generator: torch.Generator) -> Tensor:
    """Code images whose 8 x 8 blocks begin anywhere, as those of a cropped photograph do.

    Colours are stored at half resolution below quality 90, as common encoders do.

    Parameters
    ----------
    images : Tensor
        Images (B, 3, H, W), float32, in [0, 1].
    quality : Tensor
        Quality of 1 to 100, (B, 1, 1, 1).
    generator : torch.Generator
        Source of randomness.

    Returns
    -------
    Tensor
        Decoded images (B, 3, H, W); they may leave [0, 1] by a little.

    Examples
    --------
    >>> photo = torch.rand(2, 3, 9, 9)
    >>> compress_anywhere(photo, torch.full((2, 1, 1, 1), 95.0), torch.Generator()).shape
    torch.Size([2, 3, 9, 9])
    """
    batch, _, height, width = images.shape
    shift = torch.randint(0, 16, (2, batch, 1), generator=generator, device=images.device)
    rows = torch.arange(height + 15, device=images.device) - shift[0]
    columns = torch.arange(width + 15, device=images.device) - shift[1]
    canvas = _gather(images, rows.clamp(0, height - 1), columns.clamp(0, width - 1))
    coded = torch.where(
        quality < 90, compress(canvas, quality, "4:2:0"), compress(canvas, quality, "4:4:4")
    )
    rows = torch.arange(height, device=images.device) + shift[0]
    columns = torch.arange(width, device=images.device) + shift[1]
    return _gather(coded, rows, columns)


def _gather(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Rows (B, R) and columns (B, S) of each image, as (B, C, R, S)."""
    batch, channels, _, width = images.shape
    index = rows.view(batch, 1, -1, 1).expand(-1, channels, -1, width)
    picked = images.gather(2, index)
    index = columns.view(batch, 1, 1, -1).expand(-1, channels, picked.shape[2], -1)
    return picked.gather(3, index)


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
    # One product of 64 x 64 for both directions is quicker than many of 8 x 8.
    basis = cosine_basis(plane.device)
    both = torch.kron(basis, basis)
    blocks = plane.reshape(batch, channels, height // 8, 8, width // 8, 8).transpose(3, 4)
    steps = table.view(batch, 1, 64)
    coefficients = (blocks.reshape(batch, -1, 64) @ both.T / steps).round_() * steps
    decoded = (coefficients @ both).view(batch, channels, height // 8, width // 8, 8, 8)
    return decoded.transpose(3, 4).reshape(batch, channels, height, width)


def _mix(images: Tensor, rows: tuple[tuple[float, ...], ...]) -> Tensor:
    """Multiply the channels by a 3 x 3 matrix."""
    # A product, as a convolution of three channels takes PyTorch's slow path on processors.
    matrix = torch.tensor(rows, device=images.device, dtype=images.dtype)
    return (matrix @ images.flatten(2)).view(images.shape)
