"""The parts of a degradation adaptation block (DAB, Sec. 3.3 to 3.5 of the paper).

All modules take and return (B, C, H, W) tensors of any floating type and hold no bias in their
convolutions. None pads its input; depthwise convolutions see zeros beyond the border.

A forward pass can be watched: an *observer* is called as ``observer(part, tensor)`` for each part
and its return value is used in place of the tensor. It serves feature maps and interventions
alike; with ``observer=None`` nothing is called.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_anyir.model.config import AnyIRConfig

Observer = Callable[[str, Tensor], Tensor]

NUMBERS = ("tau_adj", "lambda")
"""Small tensors that a DAB shows beside its maps: ``(B, |alpha|, 1, 1)`` and a scalar."""

STD_DELTA = 1e-6
"""delta inside the root of the standard deviation, Alg. 1, step 3."""


def _show(observer: Observer | None, part: str, tensor: Tensor) -> Tensor:
    return tensor if observer is None else observer(part, tensor)


def pointwise(channels_in: int, channels_out: int) -> nn.Conv2d:
    """Make a 1x1 convolution without bias.

    Examples
    --------
    >>> pointwise(3, 8)(torch.zeros(1, 3, 5, 7)).shape
    torch.Size([1, 8, 5, 7])
    """
    return nn.Conv2d(channels_in, channels_out, 1, bias=False)


def depthwise(channels: int, size: int) -> nn.Conv2d:
    """Make a depthwise convolution of odd ``size`` without bias, zeros beyond the border.

    Examples
    --------
    >>> depthwise(4, 7)(torch.zeros(1, 4, 5, 7)).shape
    torch.Size([1, 4, 5, 7])
    """
    return nn.Conv2d(channels, channels, size, padding=size // 2, groups=channels, bias=False)


class ChannelLayerNorm(nn.LayerNorm):
    """Layer normalisation over the channels of each pixel, eps 1e-5, with weight and bias.

    Examples
    --------
    >>> pixels = ChannelLayerNorm(8)(torch.rand(1, 8, 2, 2))
    >>> bool(pixels.mean(dim=1).abs().max() < 1e-5)
    True
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-5)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (B, C, H, W) over C; the shape and memory format are kept."""
        # On channels-last tensors both permutations are views.
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Attention(nn.Module):
    """Transposed attention over channels (MDTA; Eq. 7), without an output projection.

    ``A = softmax(temperature * q k^T) v`` per head, where q and k are L2-normalised over all
    pixels, so that the map is (c / heads, c / heads) and the cost linear in the pixels.

    Examples
    --------
    >>> Attention(8, heads=2)(torch.rand(1, 8, 6, 4)).shape
    torch.Size([1, 8, 6, 4])
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv = pointwise(channels, 3 * channels)
        self.qkv_depthwise = depthwise(3 * channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Attend over the channels of x (B, c, H, W)."""
        batch, channels, height, width = x.shape
        qkv = self.qkv_depthwise(self.qkv(x))
        # (B, heads, c / heads, H W) each
        q, k, v = qkv.reshape(batch, 3, self.heads, channels // self.heads, -1).unbind(1)
        scores = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1)
        attended = (scores * self.temperature).softmax(dim=-1) @ v
        return attended.reshape(batch, channels, height, width)


class GatedDA(nn.Module):
    """Gated degradation adaptation (Alg. 1): the local branch of a DAB.

    Examples
    --------
    >>> from napari_anyir.model import VARIANTS
    >>> gate = GatedDA(14, VARIANTS["tiny"])
    >>> gate.widths, gate(torch.rand(1, 14, 6, 4)).shape  # alpha, beta, gamma
    ((9, 14, 14), torch.Size([1, 14, 6, 4]))
    """

    def __init__(self, channels: int, config: AnyIRConfig) -> None:
        super().__init__()
        self.widths = config.gate_widths(channels)
        alpha, beta, gamma = self.widths
        self.norm: nn.Module = (
            ChannelLayerNorm(channels) if config.gate_norm == "layer" else nn.BatchNorm2d(channels)
        )
        self.activation: nn.Module = nn.GELU() if config.gate_activation == "gelu" else nn.Sigmoid()
        self.tau = nn.Parameter(torch.ones(1, channels, 1, 1))
        self.expand = pointwise(channels, alpha + beta + gamma)
        self.alpha_depthwise: nn.Module = depthwise(alpha, 7) if alpha else nn.Identity()
        self.gate = pointwise(alpha + beta, channels)
        self.project = pointwise(channels, channels)

    def forward(self, x: Tensor, observer: Observer | None = None) -> Tensor:
        """Gate x (B, c, H, W)."""
        alpha_width, beta_width, gamma_width = self.widths
        normalised = self.norm(x)
        # Steps 2 to 5. The statistics are taken over all pixels: a global context.
        variance, mean = torch.var_mean(normalised, dim=(2, 3), correction=0, keepdim=True)
        tau_adj = self.tau * torch.sigmoid(mean + torch.sqrt(variance + STD_DELTA))
        tau_adj = _show(observer, "tau_adj", tau_adj[:, :alpha_width])
        # Steps 6 to 8
        # One product each, for contiguous parts: see `FeedForward`.
        gamma, beta, alpha = (
            F.conv2d(normalised, weight) if len(weight) else normalised[:, :0]
            for weight in self.expand.weight.split((gamma_width, beta_width, alpha_width))
        )
        if alpha_width:
            alpha = _show(observer, "alpha", self.alpha_depthwise(alpha) * (1 + tau_adj))
        beta = _show(observer, "beta", beta)
        # Steps 9 and 10
        gated = self.gate(torch.cat((beta, alpha), dim=1))
        if gamma_width:
            gated = _show(observer, "gamma", self.activation(gamma)) * gated
        projected: Tensor = self.project(gated + x)
        return projected


class Fusion(nn.Module):
    """Spatial-frequency fusion of the attention and the gated branch (Alg. 2), with W_fuse.

    ``F = lambda * concat(A + sigmoid(G), G + sigmoid(A)) + (1 - lambda) * repeat(A + G)``,
    where A + G is the frequency branch: the transform of a sum is the sum of the transforms.
    ``repeat`` tiles the channels, or gives each twice in a row: a switch of the configuration.

    Examples
    --------
    >>> from napari_anyir.model import VARIANTS
    >>> fusion = Fusion(8, VARIANTS["tiny"])
    >>> fusion.weight.item(), fusion(torch.rand(1, 4, 6, 4), torch.rand(1, 4, 6, 4)).shape
    (0.5, torch.Size([1, 8, 6, 4]))
    """

    def __init__(self, channels: int, config: AnyIRConfig) -> None:
        super().__init__()
        self.kind = config.fusion
        self.literal_fft = config.frequency == "fft"
        self.interleaved = config.repeat == "interleave"
        self.weight: Tensor | None
        if self.kind == "spatial_frequency":
            self.weight = nn.Parameter(torch.tensor(0.5))
        else:
            fixed = {"spatial": 1.0, "frequency": 0.0, "fixed": 0.5}.get(self.kind)
            weight = None if fixed is None else torch.tensor(fixed)
            self.register_buffer("weight", weight, persistent=False)
        self.project = pointwise(channels, channels)

    def frequency_branch(self, attention: Tensor, gated: Tensor) -> Tensor:
        """Sum the two branches in the frequency domain (Alg. 2, steps 11 to 13)."""
        if not self.literal_fft:
            return attention + gated
        size = attention.shape[-2:]
        # FFTs of half-precision tensors exist for powers of two on CUDA only.
        dtype = torch.promote_types(attention.dtype, torch.float32)
        spectrum = torch.fft.rfft2(attention.to(dtype)) + torch.fft.rfft2(gated.to(dtype))
        return torch.fft.irfft2(spectrum, s=size).to(attention.dtype)

    def repeat(self, frequency: Tensor) -> Tensor:
        """Repeat the frequency branch (B, c, H, W) to (B, 2c, H, W) (Alg. 2, step 13)."""
        if self.interleaved:
            return frequency.repeat_interleave(2, dim=1)
        return frequency.repeat(1, 2, 1, 1)

    def forward(self, attention: Tensor, gated: Tensor, observer: Observer | None = None) -> Tensor:
        """Fuse two (B, c, H, W) branches to (B, 2c, H, W)."""
        spatial = (attention, gated)
        if self.weight is None:
            fused = torch.cat(spatial, dim=1)
        else:
            weight = _show(observer, "lambda", self.weight)
            spatial = (attention + torch.sigmoid(gated), gated + torch.sigmoid(attention))
            frequency = self.frequency_branch(attention, gated)
            if observer is None and not self.interleaved:
                # The same value for both halves, so it is scaled once and never repeated.
                scaled = (1 - weight) * frequency
                fused = torch.cat([weight * half + scaled for half in spatial], dim=1)
            else:
                both = _show(observer, "spatial", torch.cat(spatial, dim=1))
                repeated = _show(observer, "frequency", self.repeat(frequency))
                fused = weight * both + (1 - weight) * repeated
        projected: Tensor = self.project(_show(observer, "fused", fused))
        return projected


class FeedForward(nn.Module):
    """Gated depthwise feed-forward network (GDFN; Eq. 8).

    Examples
    --------
    >>> FeedForward(8, factor=2)(torch.rand(1, 8, 6, 4)).shape
    torch.Size([1, 8, 6, 4])
    """

    def __init__(self, channels: int, factor: int) -> None:
        super().__init__()
        self.expand = pointwise(channels, 2 * factor * channels)
        self.mix = depthwise(2 * factor * channels, 3)
        self.project = pointwise(factor * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, C, H, W) to the same shape."""
        # Two contiguous halves: on channels-last tensors the halves of one would be strided, which
        # costs a GELU in bfloat16 five times its time.
        gate, value = (
            F.conv2d(F.conv2d(x, expand), mix, padding=1, groups=len(mix))
            for expand, mix in zip(
                self.expand.weight.chunk(2), self.mix.weight.chunk(2), strict=True
            )
        )
        projected: Tensor = self.project(F.gelu(gate) * value)
        return projected


class DAB(nn.Module):
    """Degradation adaptation block (Sec. 3.3; Eq. 6 to 9).

    Parameters
    ----------
    channels : int
        Channels C, even.
    heads : int
        Attention heads; divides C / 2.
    config : AnyIRConfig
        The switches.

    Examples
    --------
    >>> from napari_anyir.model import VARIANTS
    >>> seen = []
    >>> def observer(part, tensor):
    ...     seen.append(part)
    ...     return tensor
    >>> DAB(8, 2, VARIANTS["tiny"])(torch.rand(1, 8, 6, 4), observer).shape
    torch.Size([1, 8, 6, 4])
    >>> seen[0], seen[-1]
    ('attention', 'output')
    """

    def __init__(self, channels: int, heads: int, config: AnyIRConfig) -> None:
        super().__init__()
        half = channels // 2
        self.skip_split = config.split == "skip"
        self.norm_mixer = ChannelLayerNorm(channels)
        self.attention = Attention(half, heads)
        self.gated: GatedDA | None = GatedDA(half, config) if config.gate == "gated_da" else None
        self.fusion = Fusion(channels, config)
        self.norm_feed_forward = ChannelLayerNorm(channels)
        self.feed_forward = FeedForward(channels, config.feed_forward_factor)

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Divide (B, C, H, W) into the attention and the gate channels (Eq. 6)."""
        halves = (x[:, 0::2], x[:, 1::2]) if self.skip_split else x.chunk(2, dim=1)
        first, second = (
            half.contiguous(memory_format=torch.channels_last)
            if x.is_contiguous(memory_format=torch.channels_last)
            else half.contiguous()
            for half in halves
        )
        return first, second

    def forward(self, x: Tensor, observer: Observer | None = None) -> Tensor:
        """Adapt x (B, C, H, W)."""
        for_attention, for_gate = self.split(self.norm_mixer(x))
        attention = _show(observer, "attention", self.attention(for_attention))
        gated = for_gate if self.gated is None else self.gated(for_gate, observer)
        gated = _show(observer, "gated", gated)
        x = x + self.fusion(attention, gated, observer)
        x = x + self.feed_forward(self.norm_feed_forward(x))
        return _show(observer, "output", x)
