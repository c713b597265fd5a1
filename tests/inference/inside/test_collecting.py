"""Maps collected in one pass equal each part computed on its own, and lie where they should."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from napari_anyir import Cancelled
from napari_anyir.inference.inside.channels import REDUCTIONS, reduce_channels
from napari_anyir.inference.inside.collecting import MapRequest, collect, map_shapes
from napari_anyir.inference.inside.interventions import switch_off
from napari_anyir.inference.inside.network_parts import (
    block_scales,
    choose_blocks,
    choose_parts,
    shown_parts,
)
from napari_anyir.model import AnyIR, AnyIRConfig, pad_to_multiple
from napari_anyir.model.blocks import DAB

SMALL = AnyIRConfig(dim=8, blocks=(1, 1, 2, 1), refinement=1, heads=(1, 1, 1, 1))


@pytest.fixture(scope="module")
def net() -> AnyIR:
    torch.manual_seed(0)
    return AnyIR(SMALL).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def image() -> Tensor:
    return torch.rand(1, 3, 19, 26, generator=torch.Generator().manual_seed(1))


def direct_parts(block: DAB, x: Tensor) -> dict[str, Tensor]:
    """Every part of a block from its weights (Alg. 1 and 2), without its forward method."""
    gate, fusion = block.gated, block.fusion
    normalised = block.norm_mixer(x)
    attention = block.attention(normalised[:, 0::2])
    f_in = normalised[:, 1::2]
    f_hat = gate.norm(f_in)
    mean = f_hat.mean((2, 3), keepdim=True)
    deviation = (f_hat.var((2, 3), correction=0, keepdim=True) + 1e-6).sqrt()
    hidden = gate.expand(f_hat)
    a, b, c = gate.widths
    tau = (gate.tau * (mean + deviation).sigmoid())[:, :a]
    gamma = nn.functional.gelu(hidden[:, :c])
    beta = hidden[:, c : c + b]
    alpha = gate.alpha_depthwise(hidden[:, c + b :]) * (1 + tau)
    gated = gate.project(gamma * gate.gate(torch.cat((beta, alpha), 1)) + f_in)
    spatial = torch.cat((attention + gated.sigmoid(), gated + attention.sigmoid()), 1)
    spectrum = torch.fft.rfft2(attention) + torch.fft.rfft2(gated)
    frequency = torch.fft.irfft2(spectrum, s=x.shape[-2:]).repeat(1, 2, 1, 1)
    fused = fusion.weight * spatial + (1 - fusion.weight) * frequency
    output = x + fusion.project(fused)
    output = output + block.feed_forward(block.norm_feed_forward(output))
    return {
        "alpha": alpha, "beta": beta, "gamma": gamma, "attention": attention, "gated": gated,
        "spatial": spatial, "frequency": frequency, "fused": fused, "output": output,
        "tau_adj": tau,
    }  # fmt: skip


def test_maps_equal_a_direct_computation(net: AnyIR, image: Tensor) -> None:
    maps, numbers = collect(net, image, MapRequest(block_scales(net), shown_parts(net.config)))
    x = net.embed(pad_to_multiple(image))
    levels = []
    for stage, down in (("encoder1", net.down1), ("encoder2", net.down2), ("encoder3", net.down3)):
        for index, block in enumerate(getattr(net, stage)):
            parts = direct_parts(block, x)
            name = f"{stage}.{index}"
            scale = block_scales(net)[name]
            for part in shown_parts(net.config):
                expected = parts[part][0, :, : -(-19 // scale), : -(-26 // scale)]
                found = maps[name, part].array
                np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-5, err_msg=part)
            number = next(n for n in numbers if n.block == name)
            np.testing.assert_allclose(number.tau_adj, parts["tau_adj"].flatten(), rtol=1e-4)
            assert number.lam == pytest.approx(0.5)
            x = parts["output"]
        levels.append(x)
        x = nn.functional.pixel_unshuffle(down(x), 2)
    # The rest of the U-shape is held to the network itself: the last map leads to its output.
    request = MapRequest(["refinement.0"], ["output"])
    found, _ = collect(net, pad_to_multiple(image), request)
    last = torch.from_numpy(found["refinement.0", "output"].array)[None]
    restored = net.output(last) + pad_to_multiple(image)
    torch.testing.assert_close(restored[..., :19, :26], net(image))


def test_maps_of_every_block_equal_a_direct_computation(net: AnyIR, image: Tensor) -> None:
    """Latent, decoder and refinement as well: each block's parts from what enters the block."""
    maps, numbers = collect(net, image, MapRequest(block_scales(net), shown_parts(net.config)))
    entering: dict[str, Tensor] = {}
    hooks = [
        block.register_forward_pre_hook(
            lambda module, given, name=name: entering.__setitem__(name, given[0])
        )
        for name, _, block in net.named_blocks()
    ]
    try:
        net(image)
    finally:
        for hook in hooks:
            hook.remove()
    for number, (name, scale, block) in zip(numbers, net.named_blocks(), strict=True):
        parts = direct_parts(block, entering[name])
        for part in shown_parts(net.config):
            expected = parts[part][0, :, : -(-19 // scale), : -(-26 // scale)]
            found = maps[name, part].array
            np.testing.assert_allclose(
                found, expected, rtol=1e-4, atol=5e-5, err_msg=f"{name} {part}"
            )
        np.testing.assert_allclose(number.tau_adj, parts["tau_adj"].flatten(), rtol=1e-4)


@pytest.mark.parametrize("size", [(1, 1), (8, 16), (19, 26), (9, 7)])
def test_shapes_scales_and_offsets(net: AnyIR, size: tuple[int, int]) -> None:
    maps, _ = collect(
        net, torch.rand(1, 3, *size), MapRequest(block_scales(net), shown_parts(net.config))
    )
    shapes = map_shapes(net, *size, block_scales(net), shown_parts(net.config))
    assert {key: found.array.shape for key, found in maps.items()} == shapes
    assert list(maps) == list(shapes)
    for (name, part), found in maps.items():
        assert (found.block, found.part) == (name, part)
        assert found.scale == block_scales(net)[name]
        assert found.offset == (found.scale - 1) / 2
        assert found.array.shape[1:] == tuple(-(-n // found.scale) for n in size)
        assert found.array.dtype == np.float32
        assert found.array.flags.c_contiguous
        assert found.array.base is None or found.array.base.nbytes == found.array.nbytes


@pytest.mark.parametrize("stem", [1, 2])
@pytest.mark.parametrize("block", ["encoder1.0", "encoder2.0", "encoder3.1", "latent.0"])
def test_a_map_pixel_is_centred_on_what_it_saw(block: str, stem: int) -> None:
    """With symmetric kernels and idle blocks, the pixels that reach a map pixel show its place."""
    net = AnyIR(replace(SMALL, stem=stem)).eval()
    with torch.no_grad():
        for conv in (net.embed, net.down1, net.down2, net.down3):
            conv.weight.fill_(1.0)
        for _, _, dab in net.named_blocks():
            dab.fusion.project.weight.zero_()
            dab.feed_forward.project.weight.zero_()
    x = torch.rand(1, 3, 64, 96, requires_grad=True)
    kept: list[Tensor] = []

    def observer(name: str, part: str, tensor: Tensor) -> Tensor:
        if (name, part) == (block, "output"):
            kept.append(tensor)
        return tensor

    net(x, observer)
    found = collect(net, x.detach(), MapRequest([block], ["output"]))[0][block, "output"]
    row, column = (n // (2 * found.scale) for n in x.shape[-2:])
    kept[0][0, :, row, column].sum().backward()
    seen = x.grad[0].sum(0)
    centre = [
        float((seen.sum(1 - axis) * torch.arange(seen.shape[axis])).sum() / seen.sum())
        for axis in (0, 1)
    ]
    expected = [found.scale * index + found.offset for index in (row, column)]
    np.testing.assert_allclose(centre, expected, atol=1e-3)


@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_reduced_on_the_fly_equals_reduced_after(net: AnyIR, image: Tensor, reduce: str) -> None:
    blocks, parts = ["encoder3.1", "decoder1.0"], ["gated", "fused"]
    whole = collect(net, image, MapRequest(blocks, parts))[0]
    reduced = collect(net, image, MapRequest(blocks, parts, reduce=reduce))[0]
    assert list(whole) == list(reduced)
    for key, found in reduced.items():
        assert found.reduce == reduce
        assert found.channels == whole[key].channels == whole[key].array.shape[0]
        np.testing.assert_allclose(
            found.array, reduce_channels(whole[key].array, reduce), atol=1e-6
        )
    assert map_shapes(net, 19, 26, blocks, parts, reduce) == {
        key: found.array.shape for key, found in reduced.items()
    }


def test_interventions_show_in_the_maps(net: AnyIR, image: Tensor) -> None:
    changes = [switch_off("gated", "encoder1.0")]
    maps, _ = collect(
        net, image, MapRequest(["encoder1.0"], ["attention", "gated"], interventions=changes)
    )
    assert not maps["encoder1.0", "gated"].array.any()
    assert maps["encoder1.0", "attention"].array.any()


def test_no_hooks_are_left_and_the_network_is_as_before(net: AnyIR, image: Tensor) -> None:
    before = {name: value.clone() for name, value in net.state_dict().items()}
    expected = net(image)
    collect(net, image, MapRequest(block_scales(net), shown_parts(net.config)))
    for module in net.modules():
        for hooks in (
            module._forward_hooks,
            module._forward_pre_hooks,
            module._backward_hooks,
            module._backward_pre_hooks,
        ):
            assert not hooks
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert torch.equal(net(image), expected)


def test_without_an_observer_nothing_is_called(
    net: AnyIR, image: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []
    forward = DAB.forward
    monkeypatch.setattr(
        DAB,
        "forward",
        lambda self, x, observer=None: (seen.append(observer), forward(self, x, observer))[1],
    )
    net(image)
    assert seen
    assert set(seen) == {None}


def test_the_pass_ends_with_the_last_block_asked_for(
    net: AnyIR, image: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[DAB] = []
    forward = DAB.forward
    monkeypatch.setattr(
        DAB,
        "forward",
        lambda self, x, observer=None: (ran.append(self), forward(self, x, observer))[1],
    )
    steps: list[tuple[int, int]] = []
    collect(net, image, MapRequest(["encoder2.0"], ["fused"]), progress=lambda *s: steps.append(s))
    assert len(ran) == 2
    assert steps == [(1, 2), (2, 2)]


def test_cancel_stops_between_parts(net: AnyIR, image: Tensor) -> None:
    cancel = threading.Event()
    steps: list[int] = []

    def progress(done: int, total: int) -> None:
        steps.append(done)
        cancel.set()

    with pytest.raises(Cancelled, match="Stopped"):
        collect(
            net, image, MapRequest(block_scales(net), ["fused"]), progress=progress, cancel=cancel
        )
    assert steps == [1]


def test_numbers_alone(net: AnyIR, image: Tensor) -> None:
    maps, numbers = collect(net, image, MapRequest(block_scales(net)))
    assert not maps
    assert [number.block for number in numbers] == list(block_scales(net))
    assert all(number.tau_adj.size and number.lam is not None for number in numbers)


def test_what_an_ablation_removes_is_not_shown(image: Tensor) -> None:
    config = AnyIRConfig(
        dim=8, blocks=(1, 0, 0, 0), refinement=1, heads=(1, 1, 1, 1), gate="none", fusion="none"
    )
    bare = AnyIR(config).eval()
    assert shown_parts(config) == ("attention", "gated", "fused", "output")
    maps, numbers = collect(bare, image, MapRequest(block_scales(bare), shown_parts(config)))
    assert len(maps) == 3 * 4
    assert all(number.lam is None and not number.tau_adj.size for number in numbers)
    halves = AnyIRConfig(
        dim=8, blocks=(1, 0, 0, 0), refinement=0, heads=(1, 1, 1, 1), gate_fractions=(0.5, 0.5, 0.0)
    )
    parts = shown_parts(halves)
    assert "gamma" not in parts
    assert {
        p for _, p in collect(AnyIR(halves).eval(), image, MapRequest(["encoder1.0"], parts))[0]
    } == {*parts}


def test_names_and_wildcards(net: AnyIR) -> None:
    assert choose_blocks(net, "encoder3.*") == ("encoder3.0", "encoder3.1")
    assert choose_blocks(net, None) == tuple(block_scales(net))
    assert choose_blocks(net, ["latent.0", "encoder1.0"]) == ("encoder1.0", "latent.0")
    assert choose_parts(net, "*a") == ("alpha", "beta", "gamma")
    with pytest.raises(ValueError, match=r"no block 'decoder4\.0'; choose from encoder1\.0, "):
        choose_blocks(net, ["latent.0", "decoder4.0"])
    with pytest.raises(ValueError, match="no part 'delta'; choose from alpha, beta, gamma, "):
        choose_parts(net, "delta")
    with pytest.raises(ValueError, match="No block is named"):
        choose_blocks(net, [])
