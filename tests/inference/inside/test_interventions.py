"""Each intervention has the effect that its table states, computed here a second time."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from napari_anyir.inference.inside.interventions import (
    PARTS_TO_CHANGE,
    Intervention,
    make_observer,
    set_lambda,
    switch_off,
)
from napari_anyir.model import AnyIR, AnyIRConfig
from napari_anyir.model.blocks import DAB

SMALL = AnyIRConfig(dim=8, blocks=(1, 1, 1, 1), refinement=1, heads=(1, 1, 1, 1))
BLOCK = "refinement.0"


def network(config: AnyIRConfig = SMALL) -> AnyIR:
    torch.manual_seed(0)
    made = AnyIR(config).eval().requires_grad_(False)
    for _, _, block in made.named_blocks():
        assert block.fusion.weight is None or block.fusion.weight.numel() == 1
        if isinstance(block.fusion.weight, torch.nn.Parameter):
            block.fusion.weight.fill_(0.3)  # away from 1/2, so that a swap of the branches shows
    return made


@pytest.fixture(scope="module")
def net() -> AnyIR:
    return network()


@pytest.fixture(scope="module")
def image() -> Tensor:
    return torch.rand(1, 3, 19, 26, generator=torch.Generator().manual_seed(1))


def recorded(net: AnyIR, x: Tensor, *changes: Intervention) -> dict[str, Tensor]:
    """Run with interventions; return the parts of `BLOCK` as the block went on with them."""
    change = make_observer(net, changes)
    seen: dict[str, Tensor] = {}

    def observer(block: str, part: str, tensor: Tensor) -> Tensor:
        tensor = tensor if change is None else change(block, part, tensor)
        if block == BLOCK:
            seen[part] = tensor
        return tensor

    seen["restored"] = net(x, observer)
    return seen


def block_of(net: AnyIR) -> DAB:
    return {name: block for name, _, block in net.named_blocks()}[BLOCK]


def gate_input(net: AnyIR, x: Tensor) -> Tensor:
    """F_in of the gate of `BLOCK`: the odd channels of the normalised input."""
    outputs: list[Tensor] = []

    def observer(block: str, part: str, tensor: Tensor) -> Tensor:
        if part == "output":
            outputs.append(tensor)
        return tensor

    net(x, observer)
    return block_of(net).norm_mixer(outputs[-2])[:, 1::2]


def fuse(a: Tensor, g: Tensor, weight: float = 0.3) -> Tensor:
    """Alg. 2, written out."""
    spatial = torch.cat((a + g.sigmoid(), g + a.sigmoid()), 1)
    return weight * spatial + (1 - weight) * torch.cat((a + g, a + g), 1)


def test_alpha_off_leaves_beta_to_the_gate(net: AnyIR, image: Tensor) -> None:
    seen = recorded(net, image, switch_off("alpha", BLOCK))
    gate = block_of(net).gated
    beta = seen["beta"]
    gated = torch.nn.functional.conv2d(beta, gate.gate.weight[:, : beta.shape[1]])
    expected = gate.project(seen["gamma"] * gated + gate_input(net, image))
    torch.testing.assert_close(seen["gated"], expected)
    assert not seen["alpha"].any()


def test_beta_off_leaves_alpha_to_the_gate(net: AnyIR, image: Tensor) -> None:
    seen = recorded(net, image, switch_off("beta", BLOCK))
    gate = block_of(net).gated
    width = seen["beta"].shape[1]
    gated = torch.nn.functional.conv2d(seen["alpha"], gate.gate.weight[:, width:])
    expected = gate.project(seen["gamma"] * gated + gate_input(net, image))
    torch.testing.assert_close(seen["gated"], expected)


def test_gamma_off_shuts_the_gate(net: AnyIR, image: Tensor) -> None:
    seen = recorded(net, image, switch_off("gamma", BLOCK))
    torch.testing.assert_close(seen["gated"], block_of(net).gated.project(gate_input(net, image)))


def test_gamma_one_opens_the_gate(net: AnyIR, image: Tensor) -> None:
    seen = recorded(net, image, Intervention(BLOCK, "gamma", 1))
    gate = block_of(net).gated
    product = gate.gate(torch.cat((seen["beta"], seen["alpha"]), 1))
    torch.testing.assert_close(seen["gated"], gate.project(product + gate_input(net, image)))


def test_tau_off_is_the_plain_depthwise_convolution(net: AnyIR, image: Tensor) -> None:
    seen = recorded(net, image, switch_off("tau_adj", BLOCK))
    gate = block_of(net).gated
    alpha = gate.expand(gate.norm(gate_input(net, image)))[:, -gate.widths[0] :]
    torch.testing.assert_close(seen["alpha"], gate.alpha_depthwise(alpha))


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("attention", lambda s: fuse(torch.zeros_like(s["gated"]), s["gated"])),
        ("gated", lambda s: fuse(s["attention"], torch.zeros_like(s["attention"]))),
        ("spatial", lambda s: 0.7 * s["frequency"]),
        ("frequency", lambda s: 0.3 * s["spatial"]),
    ],
)
def test_branches_off(
    net: AnyIR, image: Tensor, part: str, expected: Callable[[dict[str, Tensor]], Tensor]
) -> None:
    seen = recorded(net, image, switch_off(part, BLOCK))
    torch.testing.assert_close(seen["fused"], expected(seen))


def test_attention_off_leaves_a_half_of_sigmoid_zero(net: AnyIR, image: Tensor) -> None:
    seen = recorded(net, image, switch_off("attention", BLOCK))
    second = seen["spatial"][:, seen["gated"].shape[1] :]
    torch.testing.assert_close(second, seen["gated"] + 0.5)


def test_fused_off_leaves_the_feed_forward(net: AnyIR, image: Tensor) -> None:
    block = block_of(net)
    outputs: list[Tensor] = []
    change = make_observer(net, [switch_off("fused", BLOCK)])

    def observer(name: str, part: str, tensor: Tensor) -> Tensor:
        if part == "output":
            outputs.append(tensor)
        return change(name, part, tensor)

    net(image, observer)
    before, after = outputs[-2:]
    expected = before + block.feed_forward(block.norm_feed_forward(before))
    torch.testing.assert_close(after, expected)


@pytest.mark.parametrize("value", [0.0, 0.25, 1.0])
def test_lambda_is_set(net: AnyIR, image: Tensor, value: float) -> None:
    seen = recorded(net, image, set_lambda(value, BLOCK))
    torch.testing.assert_close(seen["fused"], fuse(seen["attention"], seen["gated"], value))
    assert block_of(net).fusion.weight.item() == pytest.approx(0.3)  # the weights are untouched


def test_mean_keeps_the_level_and_drops_the_place(net: AnyIR, image: Tensor) -> None:
    plain = recorded(net, image)
    seen = recorded(net, image, Intervention(BLOCK, "gated", "mean"))
    torch.testing.assert_close(seen["gated"].mean((2, 3)), plain["gated"].mean((2, 3)))
    assert seen["gated"].std(dim=(2, 3)).max() < 1e-6 < plain["gated"].std(dim=(2, 3)).min()


@pytest.mark.parametrize("part", PARTS_TO_CHANGE)
def test_every_part_changes_the_image(net: AnyIR, image: Tensor, part: str) -> None:
    change = Intervention("*", part, 0.9)
    plain, changed = (net(image, make_observer(net, c)) for c in ([], [change]))
    assert (plain - changed).abs().max() > 1e-4


def test_only_the_chosen_block_changes(net: AnyIR, image: Tensor) -> None:
    first: dict[str, Tensor] = {}
    change = make_observer(net, [switch_off("gated", "decoder1.0")])

    def observer(block: str, part: str, tensor: Tensor) -> Tensor:
        tensor = change(block, part, tensor)
        if part == "gated":
            first[block] = tensor
        return tensor

    net(image, observer)
    assert [block for block, tensor in first.items() if not tensor.any()] == ["decoder1.0"]


def test_later_interventions_hold(net: AnyIR, image: Tensor) -> None:
    seen = recorded(net, image, set_lambda(0.1), set_lambda(0.8, BLOCK))
    torch.testing.assert_close(seen["fused"], fuse(seen["attention"], seen["gated"], 0.8))


def test_nothing_to_change_is_no_observer(net: AnyIR) -> None:
    assert make_observer(net, []) is None


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("*", "output"), "cannot be changed; choose from alpha, beta"),
        (("*", "delta"), "'delta' cannot be changed"),
        (("*", "lambda"), "'lambda' is no map"),
        (("*", "tau_adj", "mean"), "'tau_adj' is no map"),
        (("*", "alpha", "on"), "'on' is unknown"),
        (("*", "alpha", float("nan")), "finite number"),
        (("*", "alpha", True), "finite number"),
    ],
)
def test_nonsense_is_refused(arguments: tuple[object, ...], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Intervention(*arguments)  # type: ignore[arg-type]


def test_what_a_network_lacks_is_refused(net: AnyIR) -> None:
    with pytest.raises(ValueError, match=r"no block 'encoder4\.0'; choose from encoder1\.0"):
        make_observer(net, [switch_off("alpha", "encoder4.0")])
    bare = network(
        AnyIRConfig(
            dim=8, blocks=(1, 1, 1, 1), refinement=1, heads=(1, 1, 1, 1), gate="none", fusion="none"
        )
    )
    for change in (switch_off("gamma"), switch_off("frequency"), set_lambda(1)):
        with pytest.raises(ValueError, match="has attention, gated, fused"):
            make_observer(bare, [change])
    with pytest.raises(TypeError, match="not str"):
        make_observer(net, ["*:alpha=off"])  # type: ignore[list-item]


@pytest.mark.parametrize("text", ["*:alpha=off", "decoder*:gated=mean", "latent.0:lambda=0.3"])
def test_text_there_and_back(text: str) -> None:
    assert str(Intervention.parse(text)) == text


@pytest.mark.parametrize("text", ["alpha", "*:", ":alpha=off", "*:alpha=maybe", "*:lambda=inf"])
def test_wrong_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\."):
        Intervention.parse(text)
