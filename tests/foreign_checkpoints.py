"""Random weights of other people's networks, made by the packages that know them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch


def make(name: str) -> torch.nn.Module:
    """Make a small network with random weights that change an image a little."""
    from napari_anyir.weights.torchvision_operators import declare_operators

    declare_operators()
    pytest.importorskip("spandrel", reason="the extra 'spandrel' is not installed")
    torch.manual_seed(0)
    network: Any
    if name == "Restormer":
        extra = pytest.importorskip(
            "spandrel_extra_arches.architectures.Restormer",
            reason="spandrel_extra_arches is not installed",
        )
        network = extra.Restormer(dim=16, num_blocks=[1, 1, 1, 1], num_refinement_blocks=1)
    elif name == "SCUNet":
        from spandrel.architectures.SCUNet import SCUNet

        network = SCUNet(config=[1, 1, 1, 1, 1, 1, 1], dim=64)
    elif name == "NAFNet":
        from spandrel.architectures.NAFNet import NAFNet

        network = NAFNet(width=8, middle_blk_num=1, enc_blk_nums=[1, 1], dec_blk_nums=[1, 1])
        for parameter in network.parameters():  # some begin as zero, and would hide the blocks
            if parameter.std() == 0:
                torch.nn.init.normal_(parameter, 0.5, 0.3)
    elif name.startswith("DRUNet"):
        from spandrel.architectures.DRUNet import DRUNet

        colours = 1 if name.endswith("grey") else 3
        network = DRUNet(in_nc=colours + 1, out_nc=colours, nc=[8, 16, 32, 64], nb=2)
    else:
        from spandrel.architectures.SwinIR import SwinIR

        network = SwinIR(
            img_size=64,
            window_size=8,
            embed_dim=24,
            depths=[2, 2],
            num_heads=[2, 2],
            upscale=1,
            upsampler="",
        )
    return network.eval()


def direct(network: torch.nn.Module, name: str, image: torch.Tensor) -> torch.Tensor:
    """Run a network as its authors do, on an image (1, C, H, W) of a size that it takes."""
    with torch.inference_mode():
        if name.startswith("DRUNet"):
            level = torch.full_like(image[:, :1], 15 / 255)
            image = torch.cat((image, level), dim=1)
        result: torch.Tensor = network(image)
    return result


def save(name: str, path: Path, prefix: str = "", container: str = "params") -> torch.nn.Module:
    """Write a checkpoint as trainers write them, and return its network."""
    network = make(name)
    state = {prefix + key: value for key, value in network.state_dict().items()}
    torch.save({container: state}, path)
    return network
