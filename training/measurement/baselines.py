"""PromptIR, built to be counted (Tab. 6 and 9): written from its published description.

Potlapalli et al., "PromptIR: Prompting for All-in-One Blind Image Restoration", NeurIPS 2023, on
the blocks of Zamir et al., "Restormer", CVPR 2022. Nothing here is trained or shipped with weights.

The published count of 35.59 M includes six 1x1 convolutions that no forward pass uses, and the
counts that the paper prints for "no prompt" include the interaction blocks, which then stand idle
as well. `count_parameters` tells both numbers apart.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_anyir.model import pad_to_multiple
from napari_anyir.model.blocks import ChannelLayerNorm, depthwise, pointwise

DIM = 48
HEADS = (1, 2, 4, 8)
EXPANSION = 2.66
PROMPTS = 5
"""Components of each prompt."""

PROMPT_SIZES: tuple[tuple[int, int], ...] = ((64, 64), (128, 32), (320, 16))
"""(channels, side) of the prompts that meet decoder levels 1, 2 and 3."""

DEPTHS: tuple[tuple[int, int, int, int], ...] = (
    (4, 6, 6, 8),
    (3, 5, 5, 7),
    (2, 4, 4, 6),
    (1, 3, 3, 5),
)
"""Blocks per level in the rows of Tab. 9."""


class TransformerBlock(nn.Module):
    """Transposed attention (MDTA) and gated feed-forward network (GDFN) of Restormer.

    Parameters
    ----------
    channels : int
        Channels C of (B, C, H, W).
    heads : int
        Attention heads; divides C.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.training.measurement.baselines import TransformerBlock
    >>> TransformerBlock(8, 2)(torch.rand(1, 8, 4, 4)).shape
    torch.Size([1, 8, 4, 4])
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        hidden = int(channels * EXPANSION)
        self.heads = heads
        self.norm_attention = ChannelLayerNorm(channels)
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv = pointwise(channels, 3 * channels)
        self.qkv_depthwise = depthwise(3 * channels, 3)
        self.project = pointwise(channels, channels)
        self.norm_feed_forward = ChannelLayerNorm(channels)
        self.expand = pointwise(channels, 2 * hidden)
        self.mix = depthwise(2 * hidden, 3)
        self.contract = pointwise(hidden, channels)

    def _attend(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        qkv = self.qkv_depthwise(self.qkv(x))
        q, k, v = qkv.reshape(batch, 3, self.heads, channels // self.heads, -1).unbind(1)
        scores = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1)
        attended = (scores * self.temperature).softmax(dim=-1) @ v
        projected: Tensor = self.project(attended.reshape(batch, channels, height, width))
        return projected

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, C, H, W) to the same shape."""
        x = x + self._attend(self.norm_attention(x))
        gate, value = self.mix(self.expand(self.norm_feed_forward(x))).chunk(2, dim=1)
        return x + self.contract(F.gelu(gate) * value)


class Prompt(nn.Module):
    """A prompt mixed from learned components, weighed by what the features are like.

    Parameters
    ----------
    features : int
        Channels of the features that it looks at.
    channels, side : int
        Channels and side of its components.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.training.measurement.baselines import Prompt
    >>> Prompt(features=6, channels=4, side=8)(torch.rand(2, 6, 5, 7)).shape
    torch.Size([2, 4, 5, 7])
    """

    def __init__(self, features: int, channels: int, side: int) -> None:
        super().__init__()
        self.components = nn.Parameter(torch.rand(1, PROMPTS, channels, side, side))
        self.weigh = nn.Linear(features, PROMPTS)
        self.smooth = nn.Conv2d(channels, channels, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Make a prompt (B, channels, H, W) for features (B, features, H, W)."""
        weights = self.weigh(x.mean(dim=(2, 3))).softmax(dim=1)
        mixed = (weights[:, :, None, None, None] * self.components).sum(dim=1)
        resized = F.interpolate(mixed, x.shape[-2:], mode="bilinear")
        smoothed: Tensor = self.smooth(resized)
        return smoothed


class Interaction(nn.Module):
    """Features meet their prompt: concatenation, a transformer block, a 1x1 convolution.

    Examples
    --------
    >>> Interaction(8, 4, 8)(torch.rand(1, 8, 6, 5), torch.rand(1, 4, 6, 5)).shape
    torch.Size([1, 8, 6, 5])
    """

    def __init__(self, features: int, prompt: int, channels_out: int) -> None:
        super().__init__()
        self.block = TransformerBlock(features + prompt, 4)
        self.reduce = pointwise(features + prompt, channels_out)

    def forward(self, x: Tensor, prompt: Tensor) -> Tensor:
        """Map (B, features, H, W) and (B, prompt, H, W) to (B, channels_out, H, W)."""
        reduced: Tensor = self.reduce(self.block(torch.cat((x, prompt), dim=1)))
        return reduced


def _stage(count: int, channels: int, heads: int) -> nn.Sequential:
    return nn.Sequential(*(TransformerBlock(channels, heads) for _ in range(count)))


def _convolution(channels_in: int, channels_out: int) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)


class PromptIR(nn.Module):
    """PromptIR, or its backbone without prompts (Tab. 9).

    Parameters
    ----------
    blocks : tuple of 4 int
        Transformer blocks per level.
    prompts : bool
        False is Tab. 9's "no prompt": a 1x1 convolution takes the place of the first interaction,
        the other two fall away, and all three stay in the count, idle.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.training.measurement.baselines import PromptIR
    >>> with torch.device("meta"):
    ...     network = PromptIR()
    >>> sum(p.numel() for p in network.parameters())
    35592263
    """

    def __init__(
        self, blocks: tuple[int, int, int, int] = DEPTHS[0], *, prompts: bool = True
    ) -> None:
        super().__init__()
        c1, c2, c3, c4 = (DIM * 2**level for level in range(4))
        (p1, s1), (p2, s2), (p3, s3) = PROMPT_SIZES
        self.prompts = prompts
        self.embed = _convolution(3, c1)
        self.encoder1 = _stage(blocks[0], c1, HEADS[0])
        self.down1 = _convolution(c1, c1 // 2)
        self.encoder2 = _stage(blocks[1], c2, HEADS[1])
        self.down2 = _convolution(c2, c2 // 2)
        self.encoder3 = _stage(blocks[2], c3, HEADS[2])
        self.down3 = _convolution(c3, c3 // 2)
        self.latent = _stage(blocks[3], c4, HEADS[3])
        if prompts:
            self.prompt3 = Prompt(c4, p3, s3)
            self.prompt2 = Prompt(c3, p2, s2)
            self.prompt1 = Prompt(c2, p1, s1)
        else:
            self.reduce_latent = pointwise(c4, c3)
        self.interaction3 = Interaction(c4, p3, c3)
        self.interaction2 = Interaction(c3, p2, c3)
        self.interaction1 = Interaction(c2, p1, c2)
        self.up3 = _convolution(c3, 2 * c3)
        self.reduce3 = pointwise(c2 + c3, c3)
        self.decoder3 = _stage(blocks[2], c3, HEADS[2])
        self.up2 = _convolution(c3, 2 * c3)
        self.reduce2 = pointwise(2 * c2, c2)
        self.decoder2 = _stage(blocks[1], c2, HEADS[1])
        self.up1 = _convolution(c2, 2 * c2)
        self.decoder1 = _stage(blocks[0], c2, HEADS[0])
        self.refinement = _stage(4, c2, HEADS[0])
        self.output = _convolution(c2, 3)
        # Counted in the published 35.59 M, used by nothing.
        self.idle = nn.ModuleList(
            pointwise(n_in, n_out)
            for n_in, n_out in (
                (p1, p1),
                (p2, p2),
                (p3, 256),
                (c1 + p1, c1),
                (c2 + p2, c2),
                (c3 + 256, c3),
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """Restore (B, 3, H, W) in [0, 1]; the output is not clipped."""
        height, width = x.shape[-2:]
        x = pad_to_multiple(x)
        level1 = self.encoder1(self.embed(x))
        level2 = self.encoder2(F.pixel_unshuffle(self.down1(level1), 2))
        level3 = self.encoder3(F.pixel_unshuffle(self.down2(level2), 2))
        up = self.latent(F.pixel_unshuffle(self.down3(level3), 2))

        up = self.interaction3(up, self.prompt3(up)) if self.prompts else self.reduce_latent(up)
        up = torch.cat((F.pixel_shuffle(self.up3(up), 2), level3), dim=1)
        up = self.decoder3(self.reduce3(up))
        if self.prompts:
            up = self.interaction2(up, self.prompt2(up))
        up = torch.cat((F.pixel_shuffle(self.up2(up), 2), level2), dim=1)
        up = self.decoder2(self.reduce2(up))
        if self.prompts:
            up = self.interaction1(up, self.prompt1(up))
        up = torch.cat((F.pixel_shuffle(self.up1(up), 2), level1), dim=1)
        up = self.refinement(self.decoder1(up))
        return (self.output(up) + x)[..., :height, :width]


def count_parameters(network: nn.Module) -> tuple[int, int]:
    """Count the weights of a network, and those that a forward pass touches.

    Parameters
    ----------
    network : nn.Module
        Maps (1, 3, 64, 64) to an image; on the CPU or on the meta device.

    Returns
    -------
    held, used : int
        All weights, and those with a part in the output.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.training.measurement.baselines import DEPTHS, PromptIR, count_parameters
    >>> with torch.device("meta"):
    ...     network = PromptIR(DEPTHS[3], prompts=False)
    >>> held, used = count_parameters(network)
    >>> used < held
    True
    """
    parameters = list(network.parameters())
    device = parameters[0].device
    wanted = [parameter.requires_grad for parameter in parameters]
    for parameter in parameters:
        parameter.requires_grad_(True)
    with torch.enable_grad():
        output = network(torch.zeros(1, 3, 64, 64, device=device))
    gradients = torch.autograd.grad(output.sum(), parameters, allow_unused=True)
    for parameter, before in zip(parameters, wanted, strict=True):
        parameter.requires_grad_(before)
    # The annotation of grad does not know that allow_unused gives None.
    found: list[torch.Tensor | None] = list(gradients)
    used = sum(p.numel() for p, g in zip(parameters, found, strict=True) if g is not None)
    return sum(p.numel() for p in parameters), used
