"""Rectangles of an image in which its blocks are worked on, with halos, and steps on them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

Place = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Window:
    """A rectangle of an image, and how large the image is.

    Parameters
    ----------
    top, left, height, width : int
        In pixels of the level.
    image_height, image_width : int
        Of the level.

    Examples
    --------
    >>> corner = Window(0, 0, 8, 8, image_height=16, image_width=16)
    >>> corner.beyond(3)  # above, below, left, right
    (3, 0, 3, 0)
    """

    top: int
    left: int
    height: int
    width: int
    image_height: int
    image_width: int

    def beyond(self, halo: int) -> tuple[int, int, int, int]:
        """Rows above, rows below, columns left and right of a halo that lie beyond the image."""
        return (
            max(halo - self.top, 0),
            max(self.top + self.height + halo - self.image_height, 0),
            max(halo - self.left, 0),
            max(self.left + self.width + halo - self.image_width, 0),
        )

    def inside(self, halo: int) -> tuple[Place, Place]:
        """Where the part of a window and its halo that the image has lies: there, in the image."""
        above, below, left, right = self.beyond(halo)
        top, first = self.top - halo + above, self.left - halo + left
        rows = self.height + 2 * halo - above - below
        columns = self.width + 2 * halo - left - right
        return (
            (slice(None), slice(above, above + rows), slice(left, left + columns)),
            (slice(None), slice(top, top + rows), slice(first, first + columns)),
        )


def fill_window(target: Tensor, source: Tensor, window: Window, halo: int) -> None:
    """Copy a window and its halo, with zeros beyond the image.

    Parameters
    ----------
    target : Tensor
        (C, height + 2 halo, width + 2 halo).
    source : Tensor
        (C, image height, image width).
    window : Window
        The window.
    halo : int
        Pixels on each side.

    Examples
    --------
    >>> image = torch.arange(4.0).reshape(1, 2, 2)
    >>> target = torch.full((1, 3, 3), 9.0)
    >>> fill_window(target, image, Window(0, 0, 1, 1, 2, 2), halo=1)
    >>> target[0].tolist()
    [[0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 2.0, 3.0]]
    """
    there, here = window.inside(halo)
    target[there].copy_(source[here], non_blocking=True)
    clear_beyond(target, window.beyond(halo))


def clear_beyond(target: Tensor, beyond: tuple[int, int, int, int]) -> None:
    """Set the border of (C, rows, columns) to zero, as wide as `Window.beyond` says."""
    above, below, left, right = beyond
    rows, columns = target.shape[1:]
    if above:
        target[:, :above].zero_()
    if below:
        target[:, rows - below :].zero_()
    if left:
        target[:, :, :left].zero_()
    if right:
        target[:, :, columns - right :].zero_()


def fill_inside(row: Tensor, beyond: tuple[int, int, int, int]) -> None:
    """Write ones inside the image and zeros beyond to (1, rows, columns)."""
    row.fill_(1)
    clear_beyond(row, beyond)


def normalise(
    x: Tensor, out: Tensor, squares: Tensor, rows: Tensor, average: Tensor, eps: float
) -> None:
    """Write ``(x - mean) / sqrt(variance + eps)`` over the channels of x (C, P) to ``out``.

    ``rows`` (2, P) holds the inverse deviation and the mean afterwards.
    """
    inverse, mean = rows[:1], rows[1:]
    # A product with a row of 1 / C is twice as fast as a mean over the rows.
    torch.mm(average, x, out=mean)
    torch.sub(x, mean, out=out)
    torch.mul(out, out, out=squares)
    torch.mm(average, squares, out=inverse)
    inverse.add_(eps).rsqrt_()
    out.mul_(inverse)


def normalise_window(source: Tensor, norms: Tensor, window: Window, halo: int, out: Tensor) -> None:
    """Write what the first pass normalised, on a window and its halo; zeros beyond the image.

    ``source`` (C, image height, image width), ``norms`` (2, image height, image width) as in
    `napari_anyir.inference.exact.dab_sums.Sums`, ``out`` (C, height + 2 halo, width + 2 halo).
    """
    there, here = window.inside(halo)
    inside = norms[here]
    torch.addcmul(inside[1:], source[here], inside[:1], out=out[there])
    clear_beyond(out, window.beyond(halo))


def depthwise(pixels: Tensor, kernels: Tensor, rows: int, columns: int) -> Tensor:
    """Convolve (rows x columns, C) with (C, 1, k, k) without padding, to (fewer pixels, C)."""
    channels = pixels.shape[1]
    image = pixels.view(1, rows, columns, channels).permute(0, 3, 1, 2)
    return F.conv2d(image, kernels, groups=channels).permute(0, 2, 3, 1).reshape(-1, channels)
