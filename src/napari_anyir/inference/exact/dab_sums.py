"""The first pass of a block: what it has to know of all pixels, as sums over windows."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_anyir.inference.exact.dab_weights import DABWeights
from napari_anyir.inference.exact.scratch import Scratch
from napari_anyir.inference.exact.windows import (
    Window,
    depthwise,
    fill_inside,
    fill_window,
    normalise,
)
from napari_anyir.model.blocks import STD_DELTA

_NORM_EPS = 1e-12  # torch.nn.functional.normalize


@dataclass
class Sums:
    """What the first pass gathers in each window, kept apart so that their order cannot matter.

    Parameters
    ----------
    gram : Tensor
        (windows, c, c): q^T k.
    squares : Tensor
        (windows, 2 c): squared norms of q and k.
    mean, deviation : Tensor
        (windows, c): of the normalised gate channels, the mean and the sum of squared deviations
        from it.
    pixels : Tensor
        (windows,), float64.
    norms : Tensor
        (4, image height, image width): of each pixel the inverse deviation over the channels, and
        minus the mean times it; of the features, and of what enters the gate.
    """

    gram: Tensor
    squares: Tensor
    mean: Tensor
    deviation: Tensor
    pixels: Tensor
    norms: Tensor


@dataclass(frozen=True)
class Settled:
    """What the whole image says to each of its windows.

    Parameters
    ----------
    attention : Tensor
        (c, c), block-diagonal over the heads.
    alpha : Tensor or None
        (c, padded |alpha|): W_gate on alpha with ``1 + tau_adj`` in it.
    norms : Tensor
        As in `Sums`.
    """

    attention: Tensor
    alpha: Tensor | None
    norms: Tensor


class SummingDAB(DABWeights):
    """A block that gathers its sums; see `napari_anyir.inference.exact.fast_dab.PreparedDAB`."""

    def new_sums(self, windows: int, norms: Tensor) -> Sums:
        """Return room for the sums of a number of windows of an image.

        ``norms`` is the room for `Sums.norms`.
        """

        def zeros(*shape: int) -> Tensor:
            return torch.zeros(windows, *shape, device=self.device, dtype=self.dtype)

        half = self.half
        return Sums(
            zeros(half, half),
            zeros(2 * half),
            zeros(half),
            zeros(half),
            torch.zeros(windows, dtype=torch.float64),
            norms,
        )

    def _for_attention(self, normalised: Tensor) -> Tensor:
        """Of (C + 1, P) with the row of ones, what enters the attention, with that row."""
        if self.skip:  # C is even, so the row of ones is the last of every second row
            return normalised[0::2]
        return torch.cat((normalised[: self.half], normalised[-1:]))

    def measure(
        self, source: Tensor, window: Window, index: int, sums: Sums, scratch: Scratch
    ) -> None:
        """Gather the sums of one window.

        Parameters
        ----------
        source : Tensor
            (C, image height, image width).
        window : Window
            Which pixels.
        index : int
            Number of the window.
        sums : Sums
            Where to write them.
        scratch : Scratch
            Memory of this worker.
        """
        channels, half = self.channels, self.half
        rows, columns = window.height + 2, window.width + 2
        area, inner = rows * columns, window.height * window.width
        x = scratch.take("x", channels, area)
        normalised = scratch.take("normalised", channels + 1, area)
        squares = scratch.take("squares", channels, area)
        norms = scratch.take("norms", 2, area)
        fill_window(x.view(channels, rows, columns), source, window, 1)
        normalise(x, normalised[:channels], squares, norms, self.average, self.eps)
        _keep(norms, sums.norms[:2], window)
        fill_inside(normalised[channels:].view(1, rows, columns), window.beyond(1))

        qk = scratch.take("hidden", area, 2 * half)
        torch.mm(self._for_attention(normalised).T, self.qk, out=qk)
        mixed = depthwise(qk, self.qk_kernels, rows, columns)
        torch.mm(mixed[:, :half].T, mixed[:, half:], out=sums.gram[index])
        torch.sum(mixed.mul_(mixed), 0, out=sums.squares[index])
        sums.pixels[index] = inner

        gate = self.gate
        if gate is None:
            return
        gated = scratch.take("entering", half, area)
        torch.mul(normalised[self.to_gate], self.gate_scale, out=gated).add_(self.gate_shift)
        if gate.layer_norm:
            entering, gated = gated, scratch.take("gated", half, area)
            normalise(entering, gated, squares[:half], norms, self.average_half, gate.eps)
        else:
            norms[0], norms[1] = 1, 0
        _keep(norms, sums.norms[2:], window)
        if not gate.alpha_width:
            return
        inside = scratch.take("inside", area, 1)
        plane = inside.view(1, rows, columns)
        plane.zero_()
        plane[:, 1:-1, 1:-1] = 1
        mean = sums.mean[index].unsqueeze(1)
        torch.mm(gated, inside, out=mean)
        mean.div_(inner)
        gated.sub_(mean).square_()
        torch.mm(gated, inside, out=sums.deviation[index].unsqueeze(1))

    def settle(self, sums: Sums) -> Settled:
        """Join the sums of all windows, in float64 and in a fixed order.

        Parameters
        ----------
        sums : Sums
            Of all windows.

        Returns
        -------
        Settled
            The attention map and the scaled W_gate.
        """
        half, heads = self.half, self.heads
        gram = sums.gram.sum(0, dtype=torch.float64)
        norms = sums.squares.sum(0, dtype=torch.float64).sqrt_().clamp_min_(_NORM_EPS)
        scores = gram / (norms[:half, None] * norms[half:])
        width = half // heads
        attention = torch.zeros_like(scores)
        for head in range(heads):
            part = slice(head * width, (head + 1) * width)
            attention[part, part] = (scores[part, part] * self.temperature[head]).softmax(-1)
        alpha = None
        gate = self.gate
        if gate is not None and gate.alpha_width:
            pixels = sums.pixels.to(self.device)[:, None]
            total = pixels.sum()
            mean = (sums.mean * pixels).sum(0) / total
            # Deviations from each window's own mean, and of those from the common one.
            variance = (sums.deviation + pixels * (sums.mean - mean) ** 2).sum(0) / total
            statistics = (
                gate.scale * mean + gate.shift + (gate.scale**2 * variance + STD_DELTA) ** 0.5
            )
            tau_adj = (gate.tau * torch.sigmoid(statistics))[: gate.alpha_width]
            scale = F.pad(1 + tau_adj, (0, gate.padded - gate.alpha_width))
            alpha = (gate.by_alpha * scale).to(self.dtype)
        return Settled(attention.to(self.dtype), alpha, sums.norms)


def _keep(norms: Tensor, kept: Tensor, window: Window) -> None:
    """Write the inverse deviations and means (2, area) of a window, 1 pixel wider, to the image.

    The mean is kept as minus the mean times the inverse deviation: what is added to the product.
    """
    norms[1].mul_(norms[0]).neg_()
    planes = norms.view(2, window.height + 2, window.width + 2)
    kept[window.inside(0)[1]] = planes[:, 1:-1, 1:-1]
