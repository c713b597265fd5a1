"""What noise leaves to learn from: pairs of neighbours to train on, blind pixels to judge by.

Two published ideas, both for noise that is independent from pixel to pixel and zero on average:

- Neighbor2Neighbor (Huang, Li, Jia, Lu and Liu, CVPR 2021): two neighbours show nearly the same
  scene under different noise, so that one half-size image can be predicted from the other.
- Noise2Self (Batson and Royer, ICML 2019): the error of a pixel that was predicted without being
  seen is, up to the noise's own variance, the error against the clean image.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Network = Callable[[Tensor], Tensor]

Loss = Literal["l2", "l1"]
"""How errors count: squared, or by their size. What is least is at the mean of the noisy values in
the first case and at their median in the second, which is the clean value also where a part of the
pixels is black or white."""

SHARE = 17
"""One pixel in so many is held out, on a slanted lattice: each four rows below and one column
beside another. No two are neighbours, and a pattern of 2, 4 or 8 pixels, as colour filters and
JPEG leave it, meets them in all its phases."""

# Ordered pairs of pixels that share an edge, of a cell of 2 x 2 numbered 0 1 / 2 3.
_PAIRS = ((0, 1), (1, 0), (0, 2), (2, 0), (1, 3), (3, 1), (2, 3), (3, 2))


def draw_pairs(
    images: int, height: int, width: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Draw two neighbours in every cell of 2 x 2 pixels (Neighbor2Neighbor, Sec. 4.1).

    Parameters
    ----------
    images, height, width : int
        Of a batch (B, C, H, W); an odd last row or column is left out.
    generator : torch.Generator
        Source of randomness, on the CPU.

    Returns
    -------
    first, second : Tensor
        (B, H // 2, W // 2) int64: places in the flattened image of H x W.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.training.adaptation.neighbours import draw_pairs
    >>> first, second = draw_pairs(1, 4, 6, torch.Generator().manual_seed(0))
    >>> sorted(set((first - second).abs().flatten().tolist()))  # a column or a row apart
    [1, 6]
    """
    rows, columns = height // 2, width // 2
    choice = torch.randint(len(_PAIRS), (images, rows, columns), generator=generator)
    corner = 2 * torch.arange(rows).unsqueeze(1) * width + 2 * torch.arange(columns)
    offsets = torch.tensor([[(k // 2) * width + k % 2 for k in pair] for pair in _PAIRS])
    chosen = offsets[choice]
    return corner + chosen[..., 0], corner + chosen[..., 1]


def take(images: Tensor, places: Tensor) -> Tensor:
    """Take one pixel per place, with all its channels.

    Parameters
    ----------
    images : Tensor
        (B, C, H, W).
    places : Tensor
        (B, h, w) int64, as from `draw_pairs`.

    Returns
    -------
    Tensor
        (B, C, h, w).

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.training.adaptation.neighbours import take
    >>> take(torch.arange(4.0).reshape(1, 1, 2, 2), torch.tensor([[[3]]]))
    tensor([[[[3.]]]])
    """
    flat = places.flatten(1).unsqueeze(1).expand(-1, images.shape[1], -1)
    return images.flatten(2).gather(2, flat).unflatten(2, places.shape[1:])


def penalty(difference: Tensor, loss: Loss) -> Tensor:
    """Square differences, or take their size.

    Parameters
    ----------
    difference : Tensor
        Of any shape.
    loss : {"l2", "l1"}
        Which of the two.

    Returns
    -------
    Tensor
        The same shape, not negative.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.training.adaptation.neighbours import penalty
    >>> penalty(torch.tensor([-3.0]), "l2"), penalty(torch.tensor([-3.0]), "l1")
    (tensor([9.]), tensor([3.]))
    """
    return difference.square() if loss == "l2" else difference.abs()


def neighbour_loss(
    network: Network,
    noisy: Tensor,
    targets: Tensor,
    gamma: float,
    generator: torch.Generator,
    loss: Loss = "l2",
) -> Tensor:
    """Loss of Neighbor2Neighbor (Eq. 7 of the paper), over the pixels that may be targets.

    ``|f(g1) - g2|^2 + gamma |f(g1) - g2 - (g1(f(y)) - g2(f(y)))|^2``, the second term without a
    gradient through f(y): it takes off what neighbours differ by without noise, which would
    otherwise teach the network to blur. With ``loss="l1"`` sizes take the place of squares, as
    Noise2Noise (Lehtinen et al., ICML 2018, Sec. 3.3) does against outliers.

    Parameters
    ----------
    network : callable
        f, from (B, C, H, W) to the same.
    noisy : Tensor
        y, (B, C, H, W) with 0 to 1 as the network's range; H and W are multiples of 2.
    targets : Tensor
        (B, 1, H, W), 1 where a pixel may be a target and 0 where it is held out.
    gamma : float
        Weight of the second term.
    generator : torch.Generator
        Source of the pairs, on the CPU.
    loss : {"l2", "l1"}
        How errors count, as for `penalty`.

    Returns
    -------
    Tensor
        Scalar.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.training.adaptation.neighbours import neighbour_loss
    >>> flat = torch.full((1, 3, 8, 8), 0.5)
    >>> draw = torch.Generator().manual_seed(0)
    >>> float(neighbour_loss(lambda y: y, flat, torch.ones(1, 1, 8, 8), 2.0, draw))
    0.0
    """
    first, second = (
        places.to(noisy.device)
        for places in draw_pairs(noisy.shape[0], noisy.shape[2], noisy.shape[3], generator)
    )
    with torch.no_grad():
        restored = network(noisy)
        expected = take(restored, first) - take(restored, second)
        weight = take(targets, second)
        weight = weight / weight.mean().clamp_min(1e-6)
    difference = network(take(noisy, first)) - take(noisy, second)
    plain = (weight * penalty(difference, loss)).mean()
    return plain + gamma * (weight * penalty(difference - expected, loss)).mean()


def noise_correlation(noisy: Tensor, restored: Tensor, loss: Loss = "l2") -> float:
    """Estimate how much noise a pixel shares with its neighbours, from what a network took off.

    What was taken off is looked at without its local mean, for a network may change brightness,
    too; and only its signs are compared, so that a few edges do not count much: those of normal
    noise of correlation r have ``2 / pi * asin(r)`` as the mean of their products. A network that
    lets shared noise through makes the estimate smaller than it is.

    Outliers are the other way round: they are a few pixels, of which signs say nothing. For
    ``loss="l1"`` the values themselves are compared.

    Parameters
    ----------
    noisy, restored : Tensor
        (B, C, H, W), H and W at least 2.
    loss : {"l2", "l1"}
        Which noise is looked for.

    Returns
    -------
    float
        The larger of the vertical and the horizontal correlation, in [-1, 1]. Near 0 for
        independent noise; larger for blurred noise, and where there is detail but no noise.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.training.adaptation.neighbours import noise_correlation
    >>> noise = torch.randn((1, 3, 64, 64), generator=torch.Generator().manual_seed(0))
    >>> abs(noise_correlation(noise, 0 * noise)) < 0.05
    True
    >>> noise_correlation(noise.repeat_interleave(2, dim=2), torch.zeros(1, 3, 128, 64)) > 0.4
    True
    """
    taken = noisy - restored
    local = functional.avg_pool2d(taken, 5, stride=1, padding=2, count_include_pad=False)
    left = taken - local
    if loss == "l2":
        left = left.sign()
    down = (left[..., 1:, :] * left[..., :-1, :]).mean()
    right = (left[..., 1:] * left[..., :-1]).mean()
    shared = torch.maximum(down, right)
    if loss == "l1":
        return float(shared / left.square().mean().clamp_min(1e-12))
    return float(torch.sin(shared * torch.pi / 2))


def held_out(height: int, width: int, phase: int, top: int = 0, left: int = 0) -> Tensor:
    """Mark the held-out pixels of a window: one in `SHARE`.

    Parameters
    ----------
    height, width : int
        Of the window.
    phase : int
        Which of the lattices, from 0 to ``SHARE - 1``.
    top, left : int
        Where the window lies in the plane.

    Returns
    -------
    Tensor
        (1, 1, H, W) bool.

    Examples
    --------
    >>> from napari_anyir.training.adaptation.neighbours import held_out
    >>> held_out(5, 6, 1)[0, 0].nonzero().tolist()
    [[0, 1], [4, 2]]
    """
    rows = torch.arange(top, top + height).unsqueeze(1)
    columns = torch.arange(left, left + width)
    return ((4 * rows + columns) % SHARE == phase)[None, None]


def hide(images: Tensor, hidden: Tensor) -> Tensor:
    """Replace pixels by the mean of the four that share an edge with them (Noise2Self, Sec. 3).

    Parameters
    ----------
    images : Tensor
        (B, C, H, W), H and W at least 2.
    hidden : Tensor
        (B or 1, 1, H, W) bool; of two pixels that share an edge, one at most.

    Returns
    -------
    Tensor
        (B, C, H, W), free of the values of the hidden pixels.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.training.adaptation.neighbours import held_out, hide
    >>> ramp = torch.arange(5.0).expand(1, 1, 5, 5).clone()
    >>> ramp[0, 0, 2, 2] = 99
    >>> float(hide(ramp, held_out(5, 5, 10))[0, 0, 2, 2])
    2.0
    """
    padded = functional.pad(images, (1, 1, 1, 1), mode="reflect")
    cross = padded[..., :-2, 1:-1] + padded[..., 2:, 1:-1]
    cross = cross + padded[..., 1:-1, :-2] + padded[..., 1:-1, 2:]
    return torch.where(hidden, cross / 4, images)


def blind_errors(network: Network, noisy: Tensor, hidden: Tensor, loss: Loss = "l2") -> Tensor:
    """Errors of the hidden pixels, each predicted without being seen.

    The mean of the squared ones is the error against the clean image plus the variance of the
    noise, whatever the noise is, as long as it is independent from pixel to pixel (Noise2Self,
    Prop. 1); the variance is the same for all networks, so that the smaller mean tells the better
    one. The mean of the sizes is least at the median of what a pixel may be.

    Parameters
    ----------
    network : callable
        From (B, C, H, W) to the same.
    noisy : Tensor
        (B, C, H, W) with 0 to 1 as the network's range.
    hidden : Tensor
        (B or 1, 1, H, W) bool.
    loss : {"l2", "l1"}
        How errors count, as for `penalty`.

    Returns
    -------
    Tensor
        (pixels,): the mean over the channels of each.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.training.adaptation.neighbours import blind_errors, held_out
    >>> flat = torch.full((1, 3, 8, 8), 0.5)
    >>> blind_errors(lambda y: y + 0.5, flat, held_out(8, 8, 0))
    tensor([0.2500, 0.2500, 0.2500, 0.2500])
    """
    with torch.no_grad():
        errors = penalty(network(hide(noisy, hidden)) - noisy, loss).mean(dim=1)
    return errors[hidden.expand(noisy.shape[0], -1, -1, -1)[:, 0]]


def neighbour_errors(
    network: Network,
    noisy: Tensor,
    hidden: Tensor,
    generator: torch.Generator,
    loss: Loss = "l2",
) -> Tensor:
    """Errors of the held-out pixels, each predicted from a neighbour at half size.

    `blind_errors` cannot see whether a network lets the noise of a pixel through to that pixel;
    this can, because the two neighbours have noise of their own.

    Parameters
    ----------
    network : callable
        From (B, C, H, W) to the same.
    noisy : Tensor
        (B, C, H, W) with 0 to 1 as the network's range; H and W are multiples of 2.
    hidden : Tensor
        (1, 1, H, W) bool; of a cell of 2 x 2 pixels, one at most.
    generator : torch.Generator
        Source of the pairs, on the CPU.
    loss : {"l2", "l1"}
        How errors count, as for `penalty`.

    Returns
    -------
    Tensor
        (pixels,): the mean over the channels of each.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.training.adaptation.neighbours import held_out, neighbour_errors
    >>> flat = torch.full((1, 3, 8, 8), 0.5)
    >>> draw = torch.Generator().manual_seed(0)
    >>> neighbour_errors(lambda y: y + 0.5, flat, held_out(8, 8, 0), draw)
    tensor([0.2500, 0.2500, 0.2500, 0.2500])
    """
    images, _, height, width = noisy.shape
    first, second = draw_pairs(images, height, width, generator)
    cells = hidden[0, 0].cpu().unflatten(1, (-1, 2)).unflatten(0, (-1, 2))
    cells = cells.permute(0, 2, 1, 3).flatten(2)
    marked, place = cells.any(dim=2), cells.int().argmax(dim=2)
    # In a cell numbered 0 1 / 2 3 the neighbours of a pixel differ from it by one bit.
    beside = place ^ (1 << torch.randint(2, place.shape, generator=generator))
    corner = 2 * torch.arange(height // 2).unsqueeze(1) * width + 2 * torch.arange(width // 2)
    first = torch.where(marked, corner + beside // 2 * width + beside % 2, first)
    second = torch.where(marked, corner + place // 2 * width + place % 2, second)
    first, second = first.to(noisy.device), second.to(noisy.device)
    with torch.no_grad():
        errors = penalty(network(take(noisy, first)) - take(noisy, second), loss).mean(dim=1)
    return errors[:, marked.to(noisy.device)].flatten()
