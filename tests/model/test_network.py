import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from napari_anyir.model import VARIANTS, AnyIR, AnyIRConfig, build_model, pad_to_multiple
from napari_anyir.weights.loading import PUBLISHED, infer_config


def multiply_adds(network):
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, 224, 224))
    return counter.get_total_flops() / 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "parameters", "giga"), [("tiny", 5_736_376, 26.25), ("small", 8_513_436, 39.19)]
)
def test_published_sizes(name, parameters, giga):
    network = build_model(name).eval()
    assert sum(p.numel() for p in network.parameters()) == parameters
    assert round(multiply_adds(network) / 1e9, 2) == giga


def test_nano_costs_at_most_an_eighth_of_tiny():
    assert multiply_adds(build_model("nano").eval()) <= 26.25e9 / 8


def test_no_convolution_has_a_bias():
    convolutions = [m for m in build_model("nano").modules() if isinstance(m, torch.nn.Conv2d)]
    assert convolutions
    assert all(m.bias is None for m in convolutions)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (3, 2), (7, 8), (8, 8), (13, 21)])
def test_any_size(nano, size):
    with torch.inference_mode():
        restored = nano(torch.rand(2, 3, *size))
    assert restored.shape == (2, 3, *size)
    assert bool(restored.isfinite().all())


def test_batches_are_independent(nano):
    images = torch.rand(3, 3, 24, 16)
    with torch.inference_mode():
        torch.testing.assert_close(nano(images)[1:2], nano(images[1:2]), rtol=0, atol=1e-5)


def test_literal_fft_network_equals_the_default(nano):
    fields = {**nano.config.to_dict(), "frequency": "fft"}
    literal = AnyIR(AnyIRConfig.from_dict(fields)).eval()
    literal.load_state_dict(nano.state_dict())
    image = torch.rand(1, 3, 40, 24)
    with torch.inference_mode():
        torch.testing.assert_close(literal(image), nano(image), rtol=0, atol=1e-5)


ABLATIONS = [
    {"split": "half"},
    {"gate": "none"},
    {"gate_norm": "batch"},
    {"gate_activation": "sigmoid"},
    *({"fusion": kind} for kind in ("spatial", "frequency", "fixed", "none")),
    *(
        {"gate_fractions": f}
        for f in ((0.25, 0.25, 0.5), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0))
    ),
]


@pytest.mark.parametrize("switch", ABLATIONS, ids=str)
def test_every_ablation_runs_and_differs(switch):
    plain = {"dim": 8, "blocks": (1, 1, 1, 1), "refinement": 1, "heads": (1, 1, 2, 4)}
    image = torch.rand(1, 3, 16, 16)
    outputs = []
    for fields in (plain, {**plain, **switch}):
        torch.manual_seed(0)
        network = AnyIR(AnyIRConfig(**fields)).eval()
        for name, parameter in network.named_parameters():
            if name.endswith("fusion.weight"):
                parameter.data.fill_(0.3)  # as if learnt: it starts at the fixed value, 0.5
        with torch.no_grad():
            outputs.append(network(image))
    assert outputs[1].shape == image.shape
    assert (outputs[0] - outputs[1]).abs().max() > 0


def test_table_8_size_differs_from_the_published_one():
    fields = {**VARIANTS["tiny"].to_dict(), "gate_fractions": (0.25, 0.25, 0.5)}
    parameters = sum(p.numel() for p in AnyIR(AnyIRConfig.from_dict(fields)).parameters())
    assert round(parameters / 1e6, 1) == 5.5


def test_block_addresses(nano):
    names = [name for name, _, _ in nano.named_blocks()]
    assert names[0] == "encoder1.0"
    assert names[-1] == "refinement.1"
    assert len(names) == 2 * (1 + 2 + 2) + 3 + 2
    assert {scale for name, scale, _ in nano.named_blocks() if name.startswith("latent")} == {16}
    seen = []
    with torch.inference_mode():
        nano(torch.rand(1, 3, 8, 8), lambda block, part, t: seen.append(block) or t)
    assert list(dict.fromkeys(seen)) == names


def test_global_residual():
    network = build_model("nano")
    torch.nn.init.zeros_(network.output.weight)
    image = torch.rand(1, 3, 11, 9)
    torch.testing.assert_close(network.eval()(image), image)


def test_stem_of_two_works_at_half_size():
    """Parameters and cost as published for the trial of small networks; blocks at 1/2 to 1/16."""
    config = AnyIRConfig(dim=24, blocks=(1, 2, 2, 3), refinement=2, feed_forward_factor=1, stem=2)
    network = AnyIR(config).eval()
    assert sum(p.numel() for p in network.parameters()) == 1_541_427
    assert config.size_multiple == 16
    scales = {name.partition(".")[0]: scale for name, scale, _ in network.named_blocks()}
    assert [scales[f"encoder{level}"] for level in (1, 2, 3)] == [2, 4, 8]
    assert scales["latent"] == 16
    image = torch.rand(1, 3, 37, 21)
    with torch.no_grad():
        assert network(image).shape == image.shape
        assert (network(image) - image).abs().max() > 0
        torch.nn.init.zeros_(network.output.weight)
        torch.testing.assert_close(network(image), image)
    assert infer_config(network.state_dict(), PUBLISHED) == config
    with pytest.raises(ValueError, match="stem must be 1 or 2, not 3"):
        AnyIRConfig(dim=8, blocks=(1, 1, 1, 1), refinement=0, stem=3)


def test_padding_reflects_also_beyond_the_image():
    padded = pad_to_multiple(torch.tensor([[0.0, 1, 2]]).reshape(1, 1, 1, 3))
    assert padded[0, 0, 0].tolist() == [0, 1, 2, 1, 0, 1, 2, 1]
    whole = torch.rand(1, 1, 8, 16)
    assert pad_to_multiple(whole) is whole
    with pytest.raises(ValueError, match="no pixels"):
        pad_to_multiple(torch.zeros(1, 3, 0, 4))


def test_unknown_variant_is_named():
    with pytest.raises(ValueError, match=r"'huge'.*nano"):
        build_model("huge")
