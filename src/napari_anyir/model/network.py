"""The U-shaped AnyIR network (Fig. 2 a, Sec. 3.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_anyir.model.blocks import DAB, Observer, pointwise
from napari_anyir.model.config import SIZE_MULTIPLE, VARIANTS, AnyIRConfig

BlockObserver = Callable[[str, str, Tensor], Tensor]


def _convolution(channels_in: int, channels_out: int) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)


def _reflected(size: int, multiple: int, device: torch.device) -> Tensor:
    """Indices that extend ``size`` to a multiple by reflection, also when the pad is larger."""
    index = torch.arange(-(-size // multiple) * multiple, device=device)
    period = max(2 * (size - 1), 1)
    index = index % period
    return torch.minimum(index, period - index) if size > 1 else torch.zeros_like(index)


def pad_to_multiple(x: Tensor, multiple: int = SIZE_MULTIPLE) -> Tensor:
    """Extend an image at its right and lower border by reflection.

    Parameters
    ----------
    x : Tensor
        (B, C, H, W) with H and W of at least 1.
    multiple : int
        What the new height and width are a multiple of.

    Returns
    -------
    Tensor
        (B, C, H', W'); ``x`` itself when nothing is to be added.

    Raises
    ------
    ValueError
        If the image has no pixels.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.model import pad_to_multiple
    >>> pad_to_multiple(torch.arange(3.0).reshape(1, 1, 1, 3), 4)[0, 0, 0]
    tensor([0., 1., 2., 1.])
    """
    height, width = x.shape[-2:]
    if not height or not width:
        raise ValueError(
            f"The image has no pixels ({height} x {width}); give one of at least 1 x 1."
        )
    rows, columns = -height % multiple, -width % multiple
    if not rows and not columns:
        return x
    if rows < height and columns < width:
        return F.pad(x, (0, columns, 0, rows), mode="reflect")
    x = x.index_select(-2, _reflected(height, multiple, x.device))
    return x.index_select(-1, _reflected(width, multiple, x.device))


def _say_config(
    network: nn.Module, state: Mapping[str, Any], prefix: str, metadata: dict[str, Any]
) -> None:
    """Lay the configuration beside the tensors of a state dictionary, as ``torch.save`` keeps it.

    Not all switches can be seen from the tensors; so a plain checkpoint says them as well.
    """
    metadata["config"] = network.config.to_dict()  # type: ignore[operator,union-attr]


class AnyIR(nn.Module):
    """AnyIR: one blind network for noise, rain, haze, blur, darkness and their mixtures.

    Parameters
    ----------
    config : AnyIRConfig
        Sizes and switches.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.model import AnyIR, VARIANTS
    >>> network = AnyIR(VARIANTS["nano"]).eval()
    >>> with torch.inference_mode():
    ...     network(torch.rand(1, 3, 13, 21)).shape
    torch.Size([1, 3, 13, 21])
    """

    def __init__(self, config: AnyIRConfig) -> None:
        super().__init__()
        self.config = config
        dims = config.channels
        stages = {stage.name: stage for stage in config.stages()}

        def blocks(name: str) -> nn.ModuleList:
            stage = stages[name]
            return nn.ModuleList(
                DAB(stage.channels, stage.heads, config) for _ in range(stage.count)
            )

        self.embed = _convolution(3 * config.stem**2, dims[0])
        self.encoder1 = blocks("encoder1")
        self.down1 = _convolution(dims[0], dims[0] // 2)
        self.encoder2 = blocks("encoder2")
        self.down2 = _convolution(dims[1], dims[1] // 2)
        self.encoder3 = blocks("encoder3")
        self.down3 = _convolution(dims[2], dims[2] // 2)
        self.latent = blocks("latent")
        self.reduce_latent = pointwise(dims[3], dims[2])
        self.up3 = _convolution(dims[2], 2 * dims[2])
        self.reduce3 = pointwise(dims[1] + dims[2], dims[2])
        self.decoder3 = blocks("decoder3")
        self.up2 = _convolution(dims[2], 2 * dims[2])
        self.reduce2 = pointwise(2 * dims[1], dims[1])
        self.decoder2 = blocks("decoder2")
        self.up1 = _convolution(dims[1], 2 * dims[1])
        self.decoder1 = blocks("decoder1")
        self.refinement = blocks("refinement")
        self.output = _convolution(dims[1], 3 * config.stem**2)
        # The same under the name that it has before torch 2.5.
        public = getattr(self, "register_state_dict_post_hook", None)
        (public or self._register_state_dict_hook)(_say_config)

    def named_blocks(self) -> Iterator[tuple[str, int, DAB]]:
        """Iterate over the DABs in the order of computation.

        Yields
        ------
        name : str
            Address such as ``encoder1.0`` or ``refinement.3``.
        scale : int
            Pixels of the image per pixel of the block: 1, 2, 4 or 8, times the stem.
        block : DAB
            The block.

        Examples
        --------
        >>> from napari_anyir.model import build_model
        >>> [name for name, scale, block in build_model("nano").named_blocks()][:3]
        ['encoder1.0', 'encoder2.0', 'encoder2.1']
        """
        for stage in self.config.stages():
            for name, block in zip(stage.blocks, getattr(self, stage.name), strict=True):
                yield name, stage.scale, block

    def _run(self, stage: str, x: Tensor, observer: BlockObserver | None) -> Tensor:
        for index, block in enumerate(getattr(self, stage)):
            watch: Observer | None = None
            if observer is not None:
                name = f"{stage}.{index}"

                def watch(part: str, tensor: Tensor, name: str = name) -> Tensor:
                    return observer(name, part, tensor)

            x = block(x, watch)
        return x

    def forward(self, x: Tensor, observer: BlockObserver | None = None) -> Tensor:
        """Restore images.

        Parameters
        ----------
        x : Tensor
            (B, 3, H, W), any height and width from 1 pixel up, in [0, 1].
        observer : callable, optional
            ``observer(block, part, tensor)`` is called for each part of each DAB (see
            `napari_anyir.model.blocks`) and returns the tensor to go on with.

        Returns
        -------
        Tensor
            (B, 3, H, W), not clipped.

        Raises
        ------
        ValueError
            If ``x`` has no pixels.
        """
        height, width = x.shape[-2:]
        stem = self.config.stem
        x = pad_to_multiple(x, self.config.size_multiple)
        entering = F.pixel_unshuffle(x, stem) if stem > 1 else x
        level1 = self._run("encoder1", self.embed(entering), observer)
        level2 = self._run("encoder2", F.pixel_unshuffle(self.down1(level1), 2), observer)
        level3 = self._run("encoder3", F.pixel_unshuffle(self.down2(level2), 2), observer)
        latent = self._run("latent", F.pixel_unshuffle(self.down3(level3), 2), observer)

        up = F.pixel_shuffle(self.up3(self.reduce_latent(latent)), 2)
        up = self._run("decoder3", self.reduce3(torch.cat((up, level3), dim=1)), observer)
        up = F.pixel_shuffle(self.up2(up), 2)
        up = self._run("decoder2", self.reduce2(torch.cat((up, level2), dim=1)), observer)
        up = F.pixel_shuffle(self.up1(up), 2)
        up = self._run("decoder1", torch.cat((up, level1), dim=1), observer)
        up = self._run("refinement", up, observer)
        change = self.output(up)
        if stem > 1:
            change = F.pixel_shuffle(change, stem)
        return (change + x)[..., :height, :width]


def build_model(variant: str | AnyIRConfig) -> AnyIR:
    """Make a network with random weights.

    Parameters
    ----------
    variant : str or AnyIRConfig
        A name in `VARIANTS` or a configuration.

    Returns
    -------
    AnyIR
        In training mode, on the CPU, in float32.

    Raises
    ------
    ValueError
        If the name is unknown.

    Examples
    --------
    >>> from napari_anyir.model import build_model
    >>> sum(p.numel() for p in build_model("tiny").parameters())
    5736376
    """
    if isinstance(variant, str):
        if variant not in VARIANTS:
            raise ValueError(f"Unknown variant {variant!r}; choose one of {list(VARIANTS)}.")
        variant = VARIANTS[variant]
    return AnyIR(variant)
