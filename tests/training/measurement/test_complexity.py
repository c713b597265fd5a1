import pytest
import torch
from torch import nn

from napari_anyir.model import AnyIR, AnyIRConfig
from napari_anyir.training.measurement.baselines import DEPTHS, PromptIR, count_parameters
from napari_anyir.training.measurement.complexity import (
    Complexity,
    count_multiply_adds,
    measure_complexity,
    networks,
    peak_cuda_bytes,
    peak_training_bytes,
    read_complexity,
    write_complexity,
)


def weightless(*arguments, **options):
    with torch.device("meta"):
        return PromptIR(*arguments, **options)


def total(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_promptir_has_the_published_size_to_the_last_weight():
    assert total(weightless()) == 35_592_263


@pytest.mark.parametrize(
    ("depth", "millions"), [*zip(DEPTHS, (32.18, 29.09, 25.99, 22.90), strict=True)]
)
def test_depths_of_table_9_have_the_printed_sizes(depth, millions):
    assert round(total(weightless(depth, prompts=False)) / 1e6, 2) == millions


@pytest.mark.parametrize(
    ("depth", "prompts", "printed"),
    [((4, 6, 6, 8), True, 132), ((4, 6, 6, 8), False, 117), ((1, 3, 3, 5), False, 68)],
)
def test_multiply_adds_of_table_9(depth, prompts, printed):
    count = count_multiply_adds(weightless(depth, prompts=prompts))
    assert round(count / 1e9) == printed


def test_restormer_is_what_remains_of_its_blocks():
    """The backbone without prompts, at Restormer's own widths, has Restormer's 26,126,644."""
    network = weightless(prompts=False)
    named = dict(network.named_parameters())
    away = ("interaction", "idle", "up3", "reduce3", "up2", "reduce2", "up1", "reduce_latent")
    shared = sum(p.numel() for n, p in named.items() if not n.startswith(away))
    joints = 384 * 768 * 9 + 192 * 384 * 9 + 96 * 192 * 9 + 384 * 192 + 192 * 96
    assert shared + joints == 26_126_644


def test_idle_weights_are_told_apart():
    held, used = count_parameters(weightless((1, 1, 1, 1)))
    assert held - used == 215_296  # six 1x1 convolutions
    held, used = count_parameters(weightless((1, 1, 1, 1), prompts=False))
    assert held - used > 7e6  # and the interaction blocks
    network = nn.Conv2d(3, 3, 1).requires_grad_(False)
    assert count_parameters(network) == (12, 12)
    assert not network.weight.requires_grad


def test_promptir_runs_on_any_size_and_its_prompts_take_part():
    torch.manual_seed(0)
    network = PromptIR((1, 1, 1, 1)).eval()
    image = torch.rand(1, 3, 17, 26)
    with torch.inference_mode():
        before = network(image)
        network.prompt3.components.zero_()
        assert before.shape == image.shape
        assert not torch.equal(network(image), before)


def test_peak_memory_of_known_layers():
    image = 3 * 8 * 8 * 4
    assert peak_training_bytes(nn.Identity(), 8) == image
    # the output of each ReLU is kept for the gradient of the next
    assert peak_training_bytes(nn.Sequential(nn.ReLU(), nn.ReLU()), 8) == 3 * image
    # in place: nothing new; and weights count
    assert peak_training_bytes(nn.Sequential(nn.Identity(), nn.Conv2d(3, 3, 1)), 8) == (
        2 * image + 4 * 12
    )


@pytest.mark.slow
def test_peak_memory_is_that_of_a_real_pass():
    network = AnyIR(AnyIRConfig(dim=8, blocks=(1, 1, 1, 1), refinement=1)).eval()
    peak = peak_training_bytes(network, 16)
    assert peak == peak_training_bytes(network, 16, "cpu")
    assert peak > peak_training_bytes(network, 8) > 4 * total(network)
    assert not network.training


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_peak_is_at_least_that_of_the_tensors():
    network = AnyIR(AnyIRConfig(dim=8, blocks=(1, 1, 1, 1), refinement=1))
    assert peak_cuda_bytes(network, 64) >= peak_training_bytes(network, 64)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_no_cuda_is_an_error_when_asked_for():
    with pytest.raises(ValueError, match="no CUDA device"):
        measure_complexity("x", nn.Conv2d(3, 3, 1), 8, cuda=True)


def test_measurements_are_kept(tmp_path):
    found = measure_complexity("one", nn.Conv2d(3, 3, 3, padding=1, bias=False), 16)
    assert (found.parameters, found.used, found.multiply_adds) == (81, 81, 81 * 256)
    write_complexity([found], tmp_path / "new")
    assert read_complexity(tmp_path / "new") == {"one": found}
    assert read_complexity(tmp_path) == {}
    (tmp_path / "complexity.json").write_text('[{"name": "x"}]')
    with pytest.raises(ValueError, match="measure again"):
        read_complexity(tmp_path)


def test_every_network_of_the_tables_is_measured():
    names = [name for name, _ in networks()]
    assert names[:4] == ["nano", "tiny", "small", "PromptIR [4,6,6,8]"]
    assert "PromptIR, no prompt [1,3,3,5]" in names
    assert isinstance(Complexity("x", 1, 1, 1, 1), Complexity)
