"""A degradation adaptation block (DAB) on a window of the image: exact, in two passes.

The network looks at all pixels, but only through sums over pixels: the Gram matrix and the squared
norms of q and k in the attention, the mean and the variance of each channel in the gate. So a
first pass over windows gathers these sums (`SummingDAB.measure`), `SummingDAB.settle` turns them
into one matrix for v and one scale for alpha, and a second pass applies the block window by window
(`PreparedDAB.apply`) with a halo for the depthwise kernels: 3 pixels for the 7x7 and 1 for the
feed-forward part, or 4 in all.

Two layouts meet here. What is normalised over channels is *planar*, (C, pixels): a sum over
channels then runs along long rows of pixels. What a depthwise convolution reads is *interleaved*,
(pixels, channels). Each 1x1 convolution is a matrix product that changes between the two for free.

The same arithmetic stands in three places; where each step of the paper is:

======================  ============  ======================  ==================
of the paper            model.blocks  this folder             training.run.cuda
======================  ============  ======================  ==================
Eq. 6, split            DAB.split     to_attention, to_gate   PlanarDAB.forward
Eq. 7, q k^T and norms  Attention     SummingDAB.measure      PlanarDAB._attend
Eq. 7, softmax          Attention     SummingDAB.settle       PlanarDAB._attend
Eq. 7, times v          Attention     PreparedDAB._mix        PlanarDAB._attend
Alg. 1, 2-5: tau_adj    GatedDA       SummingDAB.settle       PlanarDAB._gate
Alg. 1, 6-8: alpha      GatedDA       PreparedDAB._gate_input PlanarDAB._gate
Alg. 1, 9-10            GatedDA       PreparedDAB._gate       PlanarDAB._gate
Alg. 2, fusion          Fusion        PreparedDAB._fused      PlanarDAB.forward
Eq. 8, feed-forward     FeedForward   _feed_forward           PlanarDAB.forward
Eq. 9, residuals        DAB.forward   PreparedDAB.apply       PlanarDAB.forward
======================  ============  ======================  ==================

What is linear is folded into the weights, once (`DABWeights`): the affine part of each layer
normalisation goes into the 1x1 convolution behind it, as one more row of the matrix that meets a
row of ones. That row is zero beyond the border of the image, and so are the normalised features,
so the depthwise convolutions find there the zeros that they expect. beta is never formed: W_gate
acts on it linearly, so its part of the product is a matrix on the normalised features.

Two workers share the way to memory, and what they do with each number there is little; so numbers
are touched as seldom as possible. The first pass keeps what a layer normalisation says of each
pixel, and the second normalises with one multiply-add, straight from the features.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from napari_anyir.inference.exact.dab_sums import Settled, SummingDAB
from napari_anyir.inference.exact.scratch import Scratch
from napari_anyir.inference.exact.windows import (
    Window,
    clear_beyond,
    depthwise,
    fill_inside,
    fill_window,
    normalise,
    normalise_window,
)

HALO = 4
"""Pixels around a window that `PreparedDAB.apply` looks at: 3 of the 7x7, 1 of the 3x3."""

CHUNK = 384 * 1024
"""Numbers of a feature map to work on at a time where a window is larger: 1.5 MB in float32."""


class _GateInput(NamedTuple):
    """What the gate of a window acts on, in planes that are 3 pixels wider on each side.

    ``planes`` (C / 2, rows, columns): the normalised features. ``gated`` (C / 2 + 3, rows,
    columns): what its matrices act on, see `GateWeights`; None without a gate. ``alpha`` (pixels
    of the window and 1 around it, padded width); None where the gate has no alpha.
    """

    planes: Tensor
    gated: Tensor | None = None
    alpha: Tensor | None = None


class PreparedDAB(SummingDAB):
    """A DAB with weights arranged for windows.

    Parameters
    ----------
    block : DAB
        Only read.
    device : torch.device
        Where to compute.
    dtype : torch.dtype
        Type to compute in.
    """

    def apply(
        self, source: Tensor, target: Tensor, window: Window, settled: Settled, scratch: Scratch
    ) -> None:
        """Run the block on one window.

        Parameters
        ----------
        source, target : Tensor
            (C, image height, image width); ``target`` must not hold what another window still
            reads.
        window : Window
            Which pixels.
        settled : Settled
            From the first pass.
        scratch : Scratch
            Memory of this worker.
        """
        channels = self.channels
        rows, columns = window.height + 2, window.width + 2
        mixed = scratch.take("mixed", channels, rows * columns)
        self._mix(source, window, settled, scratch, mixed)
        clear_beyond(mixed.view(channels, rows, columns), window.beyond(1))
        self._feed_forward(mixed, target, window, scratch)

    def _mix(
        self, source: Tensor, window: Window, settled: Settled, scratch: Scratch, out: Tensor
    ) -> None:
        """Write x + W_fuse(F) on the window and 1 pixel around it."""
        channels, half = self.channels, self.half
        rows, columns = window.height + 2, window.width + 2
        # v needs 1 pixel around, the gate 3.
        norms = settled.norms[:2]
        v_rows, v_columns = rows + 2, columns + 2
        cropped = scratch.take("cropped", half + 1, v_rows * v_columns)
        entering = cropped.view(half + 1, v_rows, v_columns)
        normalise_window(source[self.to_attention], norms, window, 2, entering[:half])
        fill_inside(entering[half:], window.beyond(2))
        planes = scratch.take("normalised", half, rows + 6, columns + 6)
        normalise_window(source[self.to_gate], norms, window, HALO, planes)

        v = scratch.take("hidden", v_rows * v_columns, half)
        torch.mm(cropped.T, self.v, out=v)
        v = depthwise(v, self.v_kernels, v_rows, v_columns)
        entering_gate = self._gate_input(planes, settled, window, scratch)

        # From here on a pixel needs itself only: a few rows at a time, which stay in the cache.
        step = _rows_at_a_time(rows, channels * columns)
        result = out.view(channels, rows, columns)
        there, here = window.inside(1)
        for first in range(0, rows, step):
            part = slice(first, min(first + step, rows))
            pixels = slice(part.start * columns, part.stop * columns)
            area = pixels.stop - pixels.start
            branches = scratch.take("branches", channels, area)
            torch.mm(settled.attention, v[pixels].T, out=branches[:half])
            self._gate(entering_gate, settled, part, scratch, branches[half:])
            torch.mm(self.fuse, self._fused(branches, scratch), out=out[:, pixels])
        result[there].add_(source[here])

    def _fused(self, branches: Tensor, scratch: Scratch) -> Tensor:
        """Return F (C, P) of the attention's and the gated branch, (C / 2, P) each."""
        if self.mix is None:
            return branches
        half = self.half
        attention, gated = branches[:half], branches[half:]
        fused = scratch.take("fused", *branches.shape)
        weight = self.mix
        if weight:
            torch.sigmoid(gated, out=fused[:half])
            torch.sigmoid(attention, out=fused[half:])
        if self.interleaved:
            # lambda F_s, and channel k of A + G to channels 2k and 2k + 1.
            if weight:
                fused.add_(branches).mul_(weight)
            else:
                fused.zero_()
            frequency = scratch.take("cropped", half, branches.shape[1])
            torch.add(attention, gated, out=frequency)
            fused.view(half, 2, -1).add_(frequency[:, None], alpha=1 - weight)
            return fused
        # Both halves meet the same channel of A + G, so one of its terms is there already.
        if weight:
            torch.add(branches, fused, alpha=weight, out=fused)
        else:
            fused.copy_(branches)
        if weight != 1:
            fused[:half].add_(gated, alpha=1 - weight)
            fused[half:].add_(attention, alpha=1 - weight)
        return fused

    def _gate_input(
        self, planes: Tensor, settled: Settled, window: Window, scratch: Scratch
    ) -> _GateInput:
        """Return what the gate acts on, from the normalised features, 3 pixels wider."""
        gate, half = self.gate, self.half
        if gate is None:
            return _GateInput(planes)
        rows, columns = planes.shape[1:]
        gated = scratch.take("gated", half + 3, rows * columns)
        gated_planes = gated.view(half + 3, rows, columns)
        # Inverse deviation, minus mean times it, ones: zero beyond the border.
        norms = gated_planes[half:]
        fill_window(norms[:2], settled.norms[2:], window, HALO)
        fill_inside(norms[2:], window.beyond(HALO))
        torch.mul(planes, norms[:1], out=gated_planes[:half])
        if not gate.alpha_width:
            return _GateInput(planes, gated_planes)
        alpha = scratch.take("hidden", rows * columns, gate.padded)
        torch.mm(gated.T, gate.for_alpha, out=alpha)
        return _GateInput(planes, gated_planes, depthwise(alpha, gate.kernels, rows, columns))

    def _gate(
        self,
        entering: _GateInput,
        settled: Settled,
        part: slice,
        scratch: Scratch,
        out: Tensor,
    ) -> None:
        """Write the gated branch G (C / 2, P) of some rows."""
        half, gate = self.half, self.gate
        planes, gated, alpha = entering
        columns = planes.shape[2]
        inner = (slice(None), slice(part.start + 3, part.stop + 3), slice(3, -3))
        narrow = (part.stop - part.start, columns - 6)
        normalised = planes[inner]
        scale, shift = self.gate_scale[..., None], self.gate_shift[..., None]
        if gate is None or gated is None:
            torch.mul(normalised, scale, out=out.view(half, *narrow)).add_(shift)
            return
        area = out.shape[1]
        cropped = scratch.take("cropped", half + 3, area)
        cropped.view(half + 3, *narrow).copy_(gated[inner])
        both = scratch.take("both", gate.gamma_beta.shape[0], area)
        torch.mm(gate.gamma_beta, cropped, out=both)
        gamma, opened = (both[:half], both[half:]) if gate.has_gamma else (None, both)
        if alpha is not None:
            assert settled.alpha is not None  # noqa: S101 - for the type checker
            start = part.start * narrow[1]
            opened.addmm_(settled.alpha, alpha[start : start + area].T)
        result = cropped[:half]
        torch.mul(normalised, scale, out=result.view(half, *narrow))
        result.add_(self.gate_shift)
        if gamma is None:
            result.add_(opened)
        else:
            if gate.gelu:
                torch.ops.aten.gelu.out(gamma, out=gamma)
            else:
                gamma.sigmoid_()
            result.addcmul_(gamma, opened)
        torch.mm(gate.project, result, out=out)

    def _feed_forward(
        self, mixed: Tensor, target: Tensor, window: Window, scratch: Scratch
    ) -> None:
        """Write mixed + GDFN(LayerNorm(mixed)) on the window; ``mixed`` has 1 pixel around it.

        A few rows at a time, so that the hidden features stay in the cache of a core. The last two
        rows of hidden features are kept for the next, which needs them for its depthwise kernels.
        """
        channels, width = self.channels, self.feed_width
        rows, columns = window.height + 2, window.width + 2
        planes = mixed.view(channels, rows, columns)
        step = _rows_at_a_time(window.height, width * columns)
        hidden = [
            scratch.take(name, (step + 2) * columns, width) for name in ("hidden", "hidden_value")
        ]
        above, below, left, right = window.beyond(1)
        for first in range(0, window.height, step):
            height = min(step, window.height - first)
            kept = 2 if first else 0
            area = (height + 2 - kept) * columns
            start = (first + kept) * columns
            normalised = scratch.take("normalised", channels + 1, area)
            normalise(
                mixed[:, start : start + area],
                normalised[:channels],
                scratch.take("squares", channels, area),
                scratch.take("norms", 2, area),
                self.average,
                self.feed_eps,
            )
            last = first + height == window.height
            beyond = (0 if first else above, below if last else 0, left, right)
            fill_inside(normalised[channels:].view(1, -1, columns), beyond)
            there = [part[: (height + 2) * columns] for part in hidden]
            for part, of, into in zip(there, hidden, self.feed_in, strict=True):
                if kept:
                    part[: 2 * columns] = of[step * columns :]
                torch.mm(normalised.T, into, out=part[kept * columns :])
            gate, value = (
                depthwise(part, kernels, height + 2, columns)
                for part, kernels in zip(there, self.feed_kernels, strict=True)
            )
            torch.ops.aten.gelu.out(gate, out=gate)
            gate.mul_(value)
            projected = scratch.take("projected", channels, height * window.width)
            torch.mm(self.feed_out, gate.T, out=projected)
            top = window.top + first
            torch.add(
                projected.view(channels, height, window.width),
                planes[:, 1 + first : 1 + first + height, 1:-1],
                out=target[:, top : top + height, window.left : window.left + window.width],
            )


def _rows_at_a_time(rows: int, numbers: int) -> int:
    """Divide rows of so many numbers each into equal parts of `CHUNK` numbers or fewer."""
    most = max(2, CHUNK // numbers)
    return max(2, -(-rows // -(-rows // most)))
