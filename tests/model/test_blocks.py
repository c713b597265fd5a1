"""Each part of a DAB against the paper's formula, written out plainly in float64."""

import pytest
import torch

from napari_anyir.model import AnyIRConfig
from napari_anyir.model.blocks import DAB, NUMBERS, Attention, Fusion, GatedDA
from napari_anyir.model.config import PARTS


def config(**fields):
    return AnyIRConfig(**{"dim": 16, "blocks": (1, 1, 1, 1), "refinement": 1, **fields})


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def test_attention_is_equation_7_over_channels():
    attention = Attention(8, heads=2).double()
    with torch.no_grad():
        attention.temperature.copy_(torch.tensor([0.7, 1.9]).reshape(2, 1, 1))
    x = torch.rand(1, 8, 5, 6, dtype=torch.float64)
    qkv = attention.qkv_depthwise(attention.qkv(x))[0].reshape(24, -1)
    expected = []
    for head in range(2):
        q, k, v = (qkv[8 * part + 4 * head :][:4] for part in range(3))
        q, k = q / q.norm(dim=1, keepdim=True), k / k.norm(dim=1, keepdim=True)
        expected.append(torch.softmax(attention.temperature[head] * (q @ k.T), dim=1) @ v)
    torch.testing.assert_close(attention(x)[0], torch.cat(expected).reshape(8, 5, 6))


def test_gated_da_is_algorithm_1():
    gate = GatedDA(8, config()).double()
    with torch.no_grad():
        gate.tau.uniform_(0.5, 2)
    x = torch.rand(2, 8, 6, 5, dtype=torch.float64)
    f_hat = torch.nn.functional.layer_norm(
        x.movedim(1, -1), (8,), gate.norm.weight, gate.norm.bias
    ).movedim(-1, 1)
    mu = f_hat.mean((2, 3), keepdim=True)
    sigma = ((f_hat - mu).square().mean((2, 3), keepdim=True) + 1e-6).sqrt()
    tau_adj = gate.tau * torch.sigmoid(mu + sigma)
    hidden = gate.expand(f_hat)
    gamma, beta, alpha = hidden[:, :8], hidden[:, 8:16], hidden[:, 16:]
    assert alpha.shape[1] == round(8 * 8 / 3) - 16
    alpha = gate.alpha_depthwise(alpha) * (1 + tau_adj[:, : alpha.shape[1]])
    gated = torch.nn.functional.gelu(gamma) * gate.gate(torch.cat((beta, alpha), 1))
    torch.testing.assert_close(gate(x), gate.project(gated + x))


def test_gate_depends_on_the_mean_of_all_pixels():
    gate = GatedDA(8, config()).eval()
    with torch.no_grad():
        gate.norm.bias.uniform_(-2, 2)
    x = torch.rand(1, 8, 32, 32)
    changed = x.clone()
    changed[..., 16:] = changed[..., 16:] * torch.linspace(0, 3, 8).reshape(1, 8, 1, 1)
    # Far from the change and out of reach of the 7 x 7, only the statistics can tell.
    assert (gate(x) - gate(changed))[..., :8].abs().max() > 1e-6


@pytest.mark.parametrize(("kind", "weight"), [("spatial", 1.0), ("frequency", 0.0), ("fixed", 0.5)])
def test_fixed_fusions_of_table_10(kind, weight):
    fusion = Fusion(8, config(fusion=kind))
    assert "weight" not in dict(fusion.named_parameters())
    a, g = torch.rand(1, 4, 5, 7), torch.rand(1, 4, 5, 7)
    spatial = torch.cat((a + torch.sigmoid(g), g + torch.sigmoid(a)), 1)
    frequency = torch.cat((a + g, a + g), 1)
    expected = fusion.project(weight * spatial + (1 - weight) * frequency)
    torch.testing.assert_close(fusion(a, g), expected)


@pytest.mark.parametrize("watched", [False, True])
def test_interleaved_repeat_gives_each_channel_twice_in_a_row(watched):
    fusion = Fusion(8, config(repeat="interleave"))
    with torch.no_grad():
        fusion.weight.fill_(0.3)
    a, g = torch.randn(1, 4, 5, 7), torch.randn(1, 4, 5, 7)
    frequency = torch.stack([(a + g)[:, k // 2] for k in range(8)], 1)
    spatial = torch.cat((a + torch.sigmoid(g), g + torch.sigmoid(a)), 1)
    seen = {}

    def watch(part, tensor):
        return seen.setdefault(part, tensor)

    result = fusion(a, g, watch if watched else None)
    torch.testing.assert_close(result, fusion.project(0.3 * spatial + 0.7 * frequency))
    if watched:
        torch.testing.assert_close(seen["frequency"], frequency)


def test_plain_fusion_is_concatenation():
    fusion = Fusion(8, config(fusion="none"))
    a, g = torch.rand(1, 4, 5, 7), torch.rand(1, 4, 5, 7)
    torch.testing.assert_close(fusion(a, g), fusion.project(torch.cat((a, g), 1)))


def test_learnable_fusion_starts_at_one_half_and_learns():
    fusion = Fusion(8, config())
    assert fusion.weight.item() == 0.5
    fusion(torch.rand(1, 4, 5, 7), torch.rand(1, 4, 5, 7)).square().sum().backward()
    assert fusion.weight.grad.abs() > 0


@pytest.mark.parametrize("size", [(8, 8), (7, 5), (1, 9), (6, 1)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-6), (torch.float64, 1e-14)])
def test_literal_fft_equals_the_sum(size, dtype, tolerance):
    literal = Fusion(8, config(frequency="fft"))
    a, g = torch.randn(2, 4, *size, dtype=dtype), torch.randn(2, 4, *size, dtype=dtype)
    assert (literal.frequency_branch(a, g) - (a + g)).abs().max() < tolerance


@pytest.mark.parametrize(("split", "first"), [("skip", [0, 2, 4, 6]), ("half", [0, 1, 2, 3])])
def test_splits_of_equation_6(split, first):
    attention, gate = DAB(8, 1, config(split=split)).split(torch.arange(8).reshape(1, 8, 1, 1))
    assert attention.flatten().tolist() == first
    assert gate.flatten().tolist() == [c for c in range(8) if c not in first]


def test_observer_sees_every_part_and_can_replace_it():
    block = DAB(16, 1, config()).eval()
    x = torch.rand(1, 16, 8, 8)
    seen = {}

    def watch(part, tensor):
        seen[part] = tensor
        return tensor

    with torch.no_grad():
        torch.testing.assert_close(block(x, watch), block(x), rtol=0, atol=1e-6)
        assert set(seen) == {*PARTS, *NUMBERS}
        weight = seen["lambda"]
        mixed = weight * seen["spatial"] + (1 - weight) * seen["frequency"]
        torch.testing.assert_close(seen["fused"], mixed)
        torch.testing.assert_close(
            seen["frequency"], (seen["attention"] + seen["gated"]).repeat(1, 2, 1, 1)
        )
        silent = block(x, lambda part, t: torch.zeros_like(t) if part == "gamma" else t)
    assert (silent - seen["output"]).abs().max() > 1e-4


def test_without_gate_the_channels_pass_through():
    block = DAB(16, 1, config(gate="none")).eval()
    seen = {}
    x = torch.rand(1, 16, 8, 8)
    block(x, lambda part, t: seen.setdefault(part, t))
    torch.testing.assert_close(seen["gated"], block.norm_mixer(x)[:, 1::2])


def test_batch_norm_and_sigmoid_are_switches():
    gate = GatedDA(8, config(gate_norm="batch", gate_activation="sigmoid"))
    assert isinstance(gate.norm, torch.nn.BatchNorm2d)
    assert isinstance(gate.activation, torch.nn.Sigmoid)
    assert gate(torch.rand(2, 8, 9, 9)).shape == (2, 8, 9, 9)
