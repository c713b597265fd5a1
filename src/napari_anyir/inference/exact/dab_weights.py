"""Weights of a block as windows take them: what is linear is joined, once."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_anyir.model.blocks import DAB, GatedDA

_VECTOR = 8  # channels of a depthwise convolution are padded to whole vectors


def _with_bias(weight: Tensor, bias: Tensor) -> Tensor:
    return torch.cat((weight, bias[:, None]), dim=1)


def _folded(weight: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Join a 1x1 convolution and the affine map in front of it: (out, in) to (out, in + 1)."""
    return _with_bias(weight * scale, weight @ shift)


def _matrix(convolution: torch.nn.Module) -> Tensor:
    weight = convolution.weight
    assert isinstance(weight, Tensor)  # noqa: S101 - for the type checker
    return weight.detach().double().flatten(1)


class GateWeights:
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


class DABWeights:
    """The weights of a DAB, arranged for windows.

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
            self.gate = GateWeights(block.gated, gate_scale, gate_shift, device, dtype)
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
