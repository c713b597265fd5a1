"""Scenes of microscopy made by rule, as no photograph shows them: clean images of one channel."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from napari_anyir.degradations._base import draw, uniform
from napari_anyir.degradations._fields import blurred_noise

SCENES = ("puncta", "filaments", "nuclei", "electron", "brightfield")
"""Point sources and beads; fibres; blobs with membranes; the even tones of electron microscopy;
what absorbs before a white ground, as in transmitted light or on a page."""

SCENE_OPTIONS = ("photograph", "random", *SCENES)
"""What a kind can show: the photograph, by chance a photograph or a scene, or one of the scenes."""

PHOTOGRAPHS = 0.3
"""Share of photographs among what ``random`` shows."""

MOST_POINTS = 16384
"""Points of light drawn in an image at most: each costs a product per row and column."""


def make_scene(like: Tensor, generator: torch.Generator, scene: str = "random") -> Tensor:
    """Draw a clean micrograph for each image of a batch.

    Fluorescence is light on an uneven dark background: point sources and beads seen through a
    point-spread function (a Gaussian core with a faint wide ring, heights spanning 1 to 20),
    filaments along smooth random curves, nuclei with texture, membranes. Sections for electron
    microscopy are grey with dark membranes and vesicles. In transmitted light the same structures
    absorb (Beer and Lambert) before a white ground. ``random`` draws what dominates and often adds
    a second structure.

    Parameters
    ----------
    like : Tensor
        Images (B, C, H, W), for size and device.
    generator : torch.Generator
        Source of randomness.
    scene : {"random", "puncta", "filaments", "nuclei", "electron", "brightfield"}
        What is seen.

    Returns
    -------
    Tensor
        Scenes (B, 1, H, W) in [0, 1].

    Raises
    ------
    ValueError
        If there is no such scene.

    Examples
    --------
    >>> scene = make_scene(torch.zeros(2, 3, 64, 64), torch.Generator().manual_seed(0), "puncta")
    >>> scene.shape, bool(scene.mean() < 0.4)
    (torch.Size([2, 1, 64, 64]), True)
    """
    if scene not in ("random", *SCENES):
        raise ValueError(f"unknown scene {scene!r}: use random, {', '.join(SCENES)}.")
    batch, device = like.shape[0], like.device
    if scene == "random":
        main = torch.randint(0, len(SCENES), (batch, 1), generator=generator, device=device)
        others = torch.rand((batch, 3, 1, 1), generator=generator, device=device)
        others = (others - 0.7).clamp_min(0.0) / 0.3
    else:
        main = torch.full((batch, 1), SCENES.index(scene), device=device)
        others = torch.zeros((batch, 3, 1, 1), device=device)
    shown = (main == torch.arange(len(SCENES), device=device)).float().view(batch, -1, 1, 1)
    amounts = torch.maximum(shown[:, :3], others)

    psf = draw((0.8, 3.0), like, generator, log=True)
    # Scales in pixels: the background, nuclei, membranes, texture.
    scales = torch.cat(
        [
            draw(ends, like, generator, log=True)
            for ends in ((20.0, 200.0), (5.0, 25.0), (5.0, 20.0), (1.8, 8.0))
        ],
        dim=1,
    )
    uneven, blobs, walls, texture = blurred_noise(like, scales, generator).unsqueeze(2).unbind(1)
    level = uniform(-0.5, 1.5, like, generator)
    nuclei = torch.sigmoid((blobs - level) * scales[:, 1:2] / psf)
    membranes = torch.exp(-0.5 * (walls * scales[:, 2:3] / psf.clamp(max=2.0)).square())

    points = puncta(like, psf, generator)
    beads = (uniform(0.0, 1.0, like, generator) < 0.3).float()
    points = torch.lerp(points, 1.0 - torch.exp(-6.0 * points), beads)
    fibres = filaments(like, psf, generator)
    inner = uniform(0.0, 0.35, like, generator)
    cells = nuclei * (1.0 + inner * texture).clamp_min(0.0)
    outline = uniform(0.0, 1.0, like, generator) * (uniform(0.0, 1.0, like, generator) < 0.6)
    cells = torch.maximum(
        cells * (0.2 + 0.8 * uniform(0.0, 1.0, like, generator)), outline * membranes
    )
    light = amounts[:, :1] * points + amounts[:, 1:2] * fibres + amounts[:, 2:] * cells
    dark = draw((0.002, 0.15), like, generator, log=True)
    fluorescent = dark * (1.0 + 0.6 * uneven).clamp_min(0.0) + light

    contrast = uniform(0.3, 1.0, like, generator)
    section = 0.25 * uneven + 0.35 * inner * texture - 0.8 * membranes - 0.4 * points
    section = uniform(0.4, 0.75, like, generator) + 0.4 * contrast * (section + 0.2 * nuclei)
    made = torch.where(shown[:, 3:4] > 0, section, fluorescent)
    ground = uniform(0.75, 1.0, like, generator) * (1.0 + 0.04 * uneven)
    absorbing = torch.maximum(light, uniform(0.2, 1.0, like, generator) * (points + fibres))
    transmitted = ground * torch.exp(-draw((0.3, 4.0), like, generator, log=True) * absorbing)
    return torch.where(shown[:, 4:] > 0, transmitted, made).clamp(0.0, 1.0)


def choose_scene(
    images: Tensor,
    scene: str,
    generator: torch.Generator,
    *,
    photographs: float | Tensor = PHOTOGRAPHS,
) -> Tensor:
    """Put made scenes in the place of images.

    Parameters
    ----------
    images : Tensor
        Images (B, C, H, W) in [0, 1].
    scene : str
        One of `SCENE_OPTIONS`: ``photograph`` keeps all images, ``random`` some of them.
    generator : torch.Generator
        Source of randomness.
    photographs : float or Tensor
        Share of images that ``random`` keeps, one for all or (B, 1, 1, 1).

    Returns
    -------
    Tensor
        Images and scenes (B, C, H, W) in [0, 1]; scenes are equal in all channels.

    Examples
    --------
    >>> photo = torch.rand(1, 3, 16, 16)
    >>> choose_scene(photo, "photograph", torch.Generator()) is photo
    True
    """
    if scene == "photograph":
        return images
    made = make_scene(images, generator, scene).to(images.dtype)
    kept = photographs if scene == "random" else 0.0
    return torch.where(uniform(0.0, 1.0, images, generator) < kept, images, made)


def puncta(like: Tensor, psf: Tensor, generator: torch.Generator) -> Tensor:
    """Draw point sources of sub-pixel places and of heights from 1 down to 1/20.

    Parameters
    ----------
    like : Tensor
        Images (B, C, H, W), for size and device.
    psf : Tensor
        Deviation of the point-spread function in pixels, (B, 1, 1, 1).
    generator : torch.Generator
        Source of randomness.

    Returns
    -------
    Tensor
        Light (B, 1, H, W), from 0; where points meet it may pass 1.

    Examples
    --------
    >>> one = torch.ones(1, 1, 1, 1)
    >>> puncta(torch.zeros(1, 3, 9, 9), one, torch.Generator()).shape
    torch.Size([1, 1, 9, 9])
    """
    batch, _, height, width = like.shape
    count = min(max(height * width // 170, 12), MOST_POINTS)
    place = torch.rand((4, batch, count), generator=generator, device=like.device)
    shown = draw((0.05, 1.0), like, generator, log=True).view(-1, 1)
    heights = torch.exp(-math.log(20.0) * place[2]) * (
        torch.rand((batch, count), generator=generator, device=like.device) < shown
    )
    rows = (place[0] * 1.1 - 0.05) * height
    columns = (place[1] * 1.1 - 0.05) * width
    # Some lie out of focus.
    sigma = psf.view(-1, 1) * (1.0 + 0.5 * place[3].pow(3))
    ring = uniform(0.0, 0.08, like, generator).view(-1, 1)
    light = _spots(like, rows, columns, sigma, heights)
    return light + _spots(like, rows, columns, 2.5 * sigma, ring * heights)


def filaments(like: Tensor, psf: Tensor, generator: torch.Generator) -> Tensor:
    """Draw smooth random curves through the point-spread function.

    Parameters
    ----------
    like : Tensor
        Images (B, C, H, W), for size and device.
    psf : Tensor
        Deviation of the point-spread function in pixels, (B, 1, 1, 1).
    generator : torch.Generator
        Source of randomness.

    Returns
    -------
    Tensor
        Light (B, 1, H, W), from 0; where curves cross it may pass 1.

    Examples
    --------
    >>> one = torch.ones(1, 1, 1, 1)
    >>> filaments(torch.zeros(1, 3, 9, 9), one, torch.Generator()).shape
    torch.Size([1, 1, 9, 9])
    """
    batch, _, height, width = like.shape
    device = like.device
    longest = max(height, width)
    steps = max(longest, 8)
    count = max(1, min(10, MOST_POINTS // steps))
    unit = torch.rand((7, batch, count, 1), generator=generator, device=device)
    along = torch.linspace(-0.75, 0.75, steps, device=device) * longest
    across = torch.zeros_like(unit[0])
    for amount, phase, length in ((unit[0], unit[1], 1.0), (unit[2], unit[3], 0.3)):
        wave = length * longest * (0.4 + unit[4])
        across = across + 0.15 * amount * wave * torch.sin(2.0 * math.pi * (along / wave + phase))
    angle = uniform(0.0, math.pi, like, generator).view(-1, 1, 1) + 1.5 * (unit[5] - 0.5)
    middle = torch.rand((2, batch, count, 1), generator=generator, device=device)
    rows = middle[0] * height + along * angle.sin() + across * angle.cos()
    columns = middle[1] * width + along * angle.cos() - across * angle.sin()
    shown = draw((0.1, 1.0), like, generator).view(-1, 1, 1)
    first = (torch.arange(count, device=device) == 0).view(1, -1, 1)
    strength = (0.15 + 0.85 * unit[6]) * ((middle.sum(0) * 7.0 % 1.0 < shown) | first)
    # A row of Gaussians, one per `spacing` pixels, has this height.
    spacing = 1.5 * longest / max(steps - 1, 1)
    sigma = psf.view(-1, 1, 1)
    strength = strength * spacing / (sigma * math.sqrt(2.0 * math.pi))
    flat = [
        item.expand(batch, count, steps).reshape(batch, -1) for item in (rows, columns, strength)
    ]
    return _spots(like, flat[0], flat[1], psf.view(-1, 1).expand_as(flat[0]), flat[2])


def _spots(like: Tensor, rows: Tensor, columns: Tensor, sigma: Tensor, heights: Tensor) -> Tensor:
    """Sum of Gaussian spots (B, N) at any place, as one product of rows and columns."""
    height, width = like.shape[-2:]
    y = torch.arange(height, device=like.device).view(1, -1, 1)
    x = torch.arange(width, device=like.device).view(1, -1, 1)
    scale = 0.5**0.5 / sigma.unsqueeze(1)
    # Far from a spot the exponent ends, as numbers too small for a float's range are slow.
    down, right = (y - rows.unsqueeze(1)) * scale, (x - columns.unsqueeze(1)) * scale
    tall = torch.exp(-(down * down).clamp_(max=30.0)) * heights.unsqueeze(1)
    wide = torch.exp(-(right * right).clamp_(max=30.0))
    return (tall @ wide.transpose(1, 2)).unsqueeze(1)
