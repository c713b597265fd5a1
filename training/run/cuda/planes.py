"""The network's blocks as a CUDA card trains them fastest: the same weights, the same arithmetic.

Widths such as 14, 37 or 75 channels fit no tensor core when channels lie innermost; the pixels of a
plane, thousands in a row, always do. So channel planes stay contiguous: pointwise convolutions are
matrix products over planes, depthwise ones are the kernels of
`napari_anyir.training.run.cuda.kernels`, and what lies between is left to ``torch.compile``, block
by block, which fuses it. Blocks of one size share what was compiled.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import cast

import torch
from torch import Tensor

from napari_anyir.model import AnyIR, AnyIRConfig
from napari_anyir.model.blocks import DAB, STD_DELTA, ChannelLayerNorm, GatedDA, Observer


def planes_possible(network: AnyIR, device: torch.device) -> bool:
    """Tell whether a network can train with `use_planes` on a device.

    Parameters
    ----------
    network : AnyIR
        Its switches must be the published ones, or those of the authors' checkpoints: the gate may
        normalise by a batch norm and open by a sigmoid, and the repeat may be interleaved.
    device : torch.device
        Must be a CUDA device, with Triton installed.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.model import build_model
    >>> from napari_anyir.training.run.cuda.planes import planes_possible
    >>> planes_possible(build_model("nano"), torch.device("cpu"))
    False
    """
    config = network.config
    # The defaults of all switches are the published ones; these are sizes, and what is followed.
    published = AnyIRConfig(
        dim=config.dim,
        blocks=config.blocks,
        refinement=config.refinement,
        heads=config.heads,
        feed_forward_factor=config.feed_forward_factor,
        stem=config.stem,
        gate_activation=config.gate_activation,
        gate_norm=config.gate_norm,
        repeat=config.repeat,
    )
    return config == published and device.type == "cuda" and find_spec("triton") is not None


def use_planes(network: AnyIR) -> None:
    """Let a network's blocks run as `PlanarDAB`; names and values of the weights stay.

    Parameters
    ----------
    network : AnyIR
        Changed in place.
    """
    import napari_anyir.training.run.cuda.kernels  # noqa: F401 - registers the operators; needs Triton

    network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    for _, _, block in network.named_blocks():
        block.__class__ = PlanarDAB


def _norm(x: Tensor, norm: ChannelLayerNorm) -> Tensor:
    """Normalise over channels in float32, plane by plane."""
    x = x.float()
    variance, mean = torch.var_mean(x, dim=1, correction=0, keepdim=True)
    scaled = (x - mean) * torch.rsqrt(variance + norm.eps)
    return scaled * norm.weight[:, None, None] + norm.bias[:, None, None]


def _multiply(weights: Tensor, x: Tensor) -> Tensor:
    """Mix channels: (C', C, 1, 1) weights, (B, C, H, W) images."""
    mixed: Tensor = torch.ops.anyir.pointwise(x, weights)
    return mixed


class PlanarDAB(DAB):
    """A `DAB` over contiguous planes, in the type of its input; see `planes_possible`."""

    def forward(self, x: Tensor, observer: Observer | None = None) -> Tensor:
        """Adapt x (B, C, H, W), half precision on a CUDA device; there is nothing to observe."""
        normalised = _norm(x, self.norm_mixer).to(x.dtype)
        attention = self._attend(normalised[:, 0::2])
        gated = self._gate(normalised[:, 1::2])
        weight = cast(Tensor, self.fusion.weight)
        # Eq. of Alg. 2 with both branches scaled once: see `napari_anyir.model.blocks.Fusion`.
        a, g = attention.float(), gated.float()
        shared = a + g
        if self.fusion.interleaved:
            spatial = torch.cat((a + torch.sigmoid(g), g + torch.sigmoid(a)), dim=1)
            repeated = shared.repeat_interleave(2, dim=1)
            fused = (weight * spatial + (1 - weight) * repeated).to(x.dtype)
        else:
            halves = (
                shared + weight * (torch.sigmoid(g) - g),
                shared + weight * (torch.sigmoid(a) - a),
            )
            fused = torch.cat([half.to(x.dtype) for half in halves], dim=1)
        x = x + _multiply(self.fusion.project.weight, fused)
        wide = _multiply(
            self.feed_forward.expand.weight, _norm(x, self.norm_feed_forward).to(x.dtype)
        )
        mixed = torch.ops.anyir.gated_depthwise(wide, self.feed_forward.mix.weight)
        return x + _multiply(self.feed_forward.project.weight, mixed)

    def _attend(self, x: Tensor) -> Tensor:
        """Transposed attention (Eq. 7); q and k are normalised after their product."""
        module = self.attention
        batch, channels, height, width = x.shape
        heads = module.heads
        qkv = _multiply(module.qkv.weight, x)
        qkv = torch.ops.anyir.depthwise(qkv, module.qkv_depthwise.weight)
        q, k, v = (
            part.reshape(batch * heads, channels // heads, height * width)
            for part in qkv.chunk(3, dim=1)
        )
        length_q, length_k = (
            part.float().square().sum(dim=2, keepdim=True).clamp_min(1e-24).sqrt()
            for part in (q, k)
        )
        scores = torch.bmm(q, k.transpose(1, 2)).float() / length_q / length_k.transpose(1, 2)
        temperature = module.temperature.expand(batch, -1, -1, -1).reshape(-1, 1, 1)
        weights = (scores * temperature).softmax(dim=-1).to(x.dtype)
        return torch.bmm(weights, v).reshape(batch, channels, height, width)

    def _gate(self, x: Tensor) -> Tensor:
        """Gated degradation adaptation (Alg. 1)."""
        module = cast(GatedDA, self.gated)
        alpha_width, beta_width, gamma_width = module.widths
        if isinstance(module.norm, ChannelLayerNorm):
            normalised = _norm(x, module.norm)
        else:
            normalised = module.norm(x.float())  # a batch norm, with its averages
        variance, mean = torch.var_mean(normalised, dim=(2, 3), correction=0, keepdim=True)
        tau = module.tau * torch.sigmoid(mean + torch.sqrt(variance + STD_DELTA))
        gamma, beta, alpha = _multiply(module.expand.weight, normalised.to(x.dtype)).split(
            (gamma_width, beta_width, alpha_width), dim=1
        )
        alpha = torch.ops.anyir.depthwise(alpha, module.alpha_depthwise.weight)
        alpha = (alpha * (1 + tau[:, :alpha_width])).to(x.dtype)
        opened: Tensor = module.activation(gamma.float())
        gated = opened * _multiply(module.gate.weight, torch.cat((beta, alpha), 1))
        return _multiply(module.project.weight, (gated + x).to(x.dtype))
