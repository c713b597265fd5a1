"""A degradation adaptation block (DAB) on a window of the image: exact, in two passes.

The network looks at all pixels, but only through sums over pixels: the Gram matrix and the squared
norms of q and k in the attention, the mean and the variance of each channel in the gate. So a
first pass over windows gathers these sums (`PreparedDAB.measure`), `PreparedDAB.settle` turns them
into one matrix for v and one scale for alpha, and a second pass applies the block window by window
(`PreparedDAB.apply`) with a halo for the depthwise kernels: 3 pixels for the 7x7 and 1 for the
feed-forward part, or 4 in all.

Two layouts meet here. What is normalised over channels is *planar*, (C, pixels): a sum over
channels then runs along long rows of pixels. What a depthwise convolution reads is *interleaved*,
(pixels, channels). Each 1x1 convolution is a matrix product that changes between the two for free.

What is linear is folded into the weights, once: the affine part of each layer normalisation goes
into the 1x1 convolution behind it, as one more row of the matrix that meets a row of ones. That row
is zero beyond the border of the image, and so are the normalised features, so the depthwise
convolutions find there the zeros that they expect. beta is never formed: W_gate acts on it
linearly, so its part of the product is a matrix on the normalised features.

Two workers share the way to memory, and what they do with each number there is little; so numbers
are touched as seldom as possible. The first pass keeps what a layer normalisation says of each
pixel, and the second normalises with one multiply-add, straight from the features.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_anyir.inference.exact.scratch import Scratch
from napari_anyir.model.blocks import DAB, STD_DELTA, GatedDA

Place = tuple[slice, slice, slice]

HALO = 4
"""Pixels around a window that `PreparedDAB.apply` looks at: 3 of the 7x7, 1 of the 3x3."""

CHUNK = 384 * 1024
"""Numbers of a feature map to work on at a time where a window is larger: 1.5 MB in float32."""

_NORM_EPS = 1e-12  # torch.nn.functional.normalize
_VECTOR = 8  # channels of a depthwise convolution are padded to whole vectors


@dataclass(frozen=True)
class Window:
    """A rectangle of an image, and how large the image is.

    Parameters
    ----------
    top, left, height, width : int
        In pixels of the level.
    image_height, image_width : int
        Of the level.
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


def _fill_inside(row: Tensor, beyond: tuple[int, int, int, int]) -> None:
    """Write ones inside the image and zeros beyond to (1, rows, columns)."""
    row.fill_(1)
    clear_beyond(row, beyond)


def _normalise(
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


def _normalise_window(
    source: Tensor, norms: Tensor, window: Window, halo: int, out: Tensor
) -> None:
    """Write what the first pass normalised, on a window and its halo; zeros beyond the image.

    ``source`` (C, image height, image width), ``norms`` (2, image height, image width) as in
    `Sums.norms`, ``out`` (C, height + 2 halo, width + 2 halo).
    """
    there, here = window.inside(halo)
    inside = norms[here]
    torch.addcmul(inside[1:], source[here], inside[:1], out=out[there])
    clear_beyond(out, window.beyond(halo))


def _with_bias(weight: Tensor, bias: Tensor) -> Tensor:
    return torch.cat((weight, bias[:, None]), dim=1)


def _folded(weight: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Join a 1x1 convolution and the affine map in front of it: (out, in) to (out, in + 1)."""
    return _with_bias(weight * scale, weight @ shift)


def _matrix(convolution: torch.nn.Module) -> Tensor:
    weight = convolution.weight
    assert isinstance(weight, Tensor)  # noqa: S101 - for the type checker
    return weight.detach().double().flatten(1)


class _PreparedGate:
    """GatedDA (Alg. 1) with its linear parts joined.

    Its matrices act on c + 3 rows: on n / d, where n are the normalised features of the block and d
    is the deviation of F_in; on 1 / d; on minus mean / d; and on ones. For F_in = ``before`` n +
    ``offset``, so these are what its normalisation consists of.
    """

    def __init__(
        self,
        gate: GatedDA,
        before: Tensor,
        offset: Tensor,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        def final(tensor: Tensor) -> Tensor:
            return tensor.to(device, dtype).contiguous()

        alpha, beta, gamma = gate.widths
        norm = gate.norm
        assert isinstance(norm, torch.nn.LayerNorm | torch.nn.BatchNorm2d)  # noqa: S101
        self.layer_norm = isinstance(norm, torch.nn.LayerNorm)
        scale, shift = (value.detach().double() for value in (norm.weight, norm.bias))
        if isinstance(norm, torch.nn.BatchNorm2d):
            assert norm.running_mean is not None  # noqa: S101 - for the type checker
            assert norm.running_var is not None  # noqa: S101
            scale = scale * (norm.running_var.double() + norm.eps).rsqrt()
            shift = shift - norm.running_mean.double() * scale
        self.eps = norm.eps
        self.scale, self.shift = scale.to(device), shift.to(device)
        self.tau = gate.tau.detach().double().flatten().to(device)
        self.gelu = isinstance(gate.activation, torch.nn.GELU)
        self.has_gamma = bool(gamma)

        weight = _matrix(gate.expand)
        normalise = weight * scale
        more_rows = (normalise @ offset, normalise.sum(1), weight @ shift)
        expand = torch.cat((normalise * before, torch.stack(more_rows, 1)), dim=1)
        for_gamma, for_beta, for_alpha = expand.split((gamma, beta, alpha))
        mix = _matrix(gate.gate)
        by_beta = mix[:, :beta] @ for_beta
        self.gamma_beta = final(torch.cat((for_gamma, by_beta)))
        self.project = final(_matrix(gate.project))
        self.alpha_width = alpha
        self.padded = -(-alpha // _VECTOR) * _VECTOR
        if alpha:
            more = self.padded - alpha
            self.for_alpha = final(F.pad(for_alpha, (0, 0, 0, more)).T)
            kernels = gate.alpha_depthwise.weight
            assert isinstance(kernels, Tensor)  # noqa: S101 - for the type checker
            self.kernels = final(F.pad(kernels.detach(), (0, 0, 0, 0, 0, 0, 0, more)))
            self.by_alpha = F.pad(mix[:, beta:], (0, more)).to(device)


class PreparedDAB:
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

    def __init__(
        self, block: DAB, device: torch.device, dtype: torch.dtype = torch.float32
    ) -> None:
        def final(tensor: Tensor) -> Tensor:
            return tensor.to(device, dtype).contiguous()

        self.device, self.dtype = device, dtype
        norm = block.norm_mixer
        self.channels = channels = norm.normalized_shape[0]
        self.half = half = channels // 2
        self.heads = block.attention.heads
        self.skip = block.skip_split
        self.to_attention = slice(0, channels, 2) if self.skip else slice(0, half)
        self.to_gate = slice(1, channels, 2) if self.skip else slice(half, channels)
        self.average = torch.full((1, channels), 1 / channels, device=device, dtype=dtype)
        self.average_half = torch.full((1, half), 1 / half, device=device, dtype=dtype)
        self.eps = norm.eps

        def split(tensor: Tensor) -> tuple[Tensor, Tensor]:
            return tensor[self.to_attention], tensor[self.to_gate]

        scale, gate_scale = split(norm.weight.detach().double())
        shift, gate_shift = split(norm.bias.detach().double())
        qkv = _folded(_matrix(block.attention.qkv), scale, shift)
        self.qk, self.v = final(qkv[: 2 * half].T), final(qkv[2 * half :].T)
        kernels = block.attention.qkv_depthwise.weight.detach()
        self.qk_kernels, self.v_kernels = final(kernels[: 2 * half]), final(kernels[2 * half :])
        self.temperature = block.attention.temperature.detach().double().to(device)

        self.gate_scale, self.gate_shift = final(gate_scale[:, None]), final(gate_shift[:, None])
        self.gate = None
        if block.gated is not None:
            self.gate = _PreparedGate(block.gated, gate_scale, gate_shift, device, dtype)
        weight = block.fusion.weight
        self.mix = None if weight is None else weight.item()
        self.interleaved = block.fusion.interleaved
        self.fuse = final(_matrix(block.fusion.project))

        feed = block.feed_forward
        norm = block.norm_feed_forward
        self.feed_eps = norm.eps
        expand = _folded(
            _matrix(feed.expand), norm.weight.detach().double(), norm.bias.detach().double()
        )
        # Gate and value apart: activations on a part of the rows of a matrix are slow.
        self.feed_in = [final(part.T) for part in expand.chunk(2)]
        self.feed_kernels = [final(part) for part in feed.mix.weight.detach().chunk(2)]
        self.feed_out = final(_matrix(feed.project))
        self.feed_width = self.feed_out.shape[1]

    # ------------------------------------------------------------------ the first pass

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
        _normalise(x, normalised[:channels], squares, norms, self.average, self.eps)
        _keep(norms, sums.norms[:2], window)
        _fill_inside(normalised[channels:].view(1, rows, columns), window.beyond(1))

        qk = scratch.take("hidden", area, 2 * half)
        torch.mm(self._for_attention(normalised).T, self.qk, out=qk)
        mixed = _depthwise(qk, self.qk_kernels, rows, columns)
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
            _normalise(entering, gated, squares[:half], norms, self.average_half, gate.eps)
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

    # ------------------------------------------------------------------ the second pass

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
        _normalise_window(source[self.to_attention], norms, window, 2, entering[:half])
        _fill_inside(entering[half:], window.beyond(2))
        planes = scratch.take("normalised", half, rows + 6, columns + 6)
        _normalise_window(source[self.to_gate], norms, window, HALO, planes)

        v = scratch.take("hidden", v_rows * v_columns, half)
        torch.mm(cropped.T, self.v, out=v)
        v = _depthwise(v, self.v_kernels, v_rows, v_columns)
        alpha = self._alpha(planes, settled, window, scratch)

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
            self._gate(planes, alpha, settled, part, scratch, branches[half:])
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

    def _alpha(
        self, planes: Tensor, settled: Settled, window: Window, scratch: Scratch
    ) -> Tensor | None:
        """Return alpha (pixels, padded width) from the normalised features, 3 pixels wider.

        What the matrices of the gate act on is left in ``"gated"``.
        """
        gate, half = self.gate, self.half
        if gate is None:
            return None
        rows, columns = planes.shape[1:]
        gated = scratch.take("gated", half + 3, rows * columns)
        gated_planes = gated.view(half + 3, rows, columns)
        # Inverse deviation, minus mean times it, ones: zero beyond the border.
        norms = gated_planes[half:]
        fill_window(norms[:2], settled.norms[2:], window, HALO)
        _fill_inside(norms[2:], window.beyond(HALO))
        torch.mul(planes, norms[:1], out=gated_planes[:half])
        if not gate.alpha_width:
            return None
        alpha = scratch.take("hidden", rows * columns, gate.padded)
        torch.mm(gated.T, gate.for_alpha, out=alpha)
        return _depthwise(alpha, gate.kernels, rows, columns)

    def _gate(
        self,
        planes: Tensor,
        alpha: Tensor | None,
        settled: Settled,
        part: slice,
        scratch: Scratch,
        out: Tensor,
    ) -> None:
        """Write the gated branch G (C / 2, P) of some rows; ``planes`` are 3 pixels wider."""
        half, gate = self.half, self.gate
        rows, columns = planes.shape[1:]
        inner = (slice(None), slice(part.start + 3, part.stop + 3), slice(3, -3))
        narrow = (part.stop - part.start, columns - 6)
        normalised = planes[inner]
        scale, shift = self.gate_scale[..., None], self.gate_shift[..., None]
        if gate is None:
            torch.mul(normalised, scale, out=out.view(half, *narrow)).add_(shift)
            return
        area = out.shape[1]
        cropped = scratch.take("cropped", half + 3, area)
        gated = scratch.take("gated", half + 3, rows * columns).view(half + 3, rows, columns)
        cropped.view(half + 3, *narrow).copy_(gated[inner])
        both = scratch.take("both", gate.gamma_beta.shape[0], area)
        torch.mm(gate.gamma_beta, cropped, out=both)
        gamma, opened = (both[:half], both[half:]) if gate.has_gamma else (None, both)
        if alpha is not None:
            assert settled.alpha is not None  # noqa: S101 - for the type checker
            start = part.start * narrow[1]
            opened.addmm_(settled.alpha, alpha[start : start + area].T)
        entering = cropped[:half]
        torch.mul(normalised, scale, out=entering.view(half, *narrow))
        entering.add_(self.gate_shift)
        if gamma is None:
            entering.add_(opened)
        else:
            if gate.gelu:
                torch.ops.aten.gelu.out(gamma, out=gamma)
            else:
                gamma.sigmoid_()
            entering.addcmul_(gamma, opened)
        torch.mm(gate.project, entering, out=out)

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
            _normalise(
                mixed[:, start : start + area],
                normalised[:channels],
                scratch.take("squares", channels, area),
                scratch.take("norms", 2, area),
                self.average,
                self.feed_eps,
            )
            last = first + height == window.height
            beyond = (0 if first else above, below if last else 0, left, right)
            _fill_inside(normalised[channels:].view(1, -1, columns), beyond)
            there = [part[: (height + 2) * columns] for part in hidden]
            for part, of, into in zip(there, hidden, self.feed_in, strict=True):
                if kept:
                    part[: 2 * columns] = of[step * columns :]
                torch.mm(normalised.T, into, out=part[kept * columns :])
            gate, value = (
                _depthwise(part, kernels, height + 2, columns)
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


def _keep(norms: Tensor, kept: Tensor, window: Window) -> None:
    """Write the inverse deviations and means (2, area) of a window, 1 pixel wider, to the image.

    The mean is kept as minus the mean times the inverse deviation: what is added to the product.
    """
    norms[1].mul_(norms[0]).neg_()
    planes = norms.view(2, window.height + 2, window.width + 2)
    kept[window.inside(0)[1]] = planes[:, 1:-1, 1:-1]


def _depthwise(pixels: Tensor, kernels: Tensor, rows: int, columns: int) -> Tensor:
    """Convolve (rows x columns, C) with (C, 1, k, k) without padding, to (fewer pixels, C)."""
    channels = pixels.shape[1]
    image = pixels.view(1, rows, columns, channels).permute(0, 3, 1, 2)
    return F.conv2d(image, kernels, groups=channels).permute(0, 2, 3, 1).reshape(-1, channels)
