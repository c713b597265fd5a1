import copy

import pytest
import torch

from napari_anyir.model import AnyIRConfig, build_model
from napari_anyir.training.run.muon import MOMENTUM, Muon, is_matrix, orthogonalise


@pytest.mark.parametrize("shape", [(5, 12), (12, 5), (7, 7)])
def test_orthogonalised_matrices_have_singular_values_of_about_one(shape):
    matrices = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalise(matrices))
    assert values.min() > 0.5
    assert values.max() < 1.3


def test_orthogonalising_keeps_the_singular_directions():
    matrices = torch.randn(2, 6, 9, generator=torch.Generator().manual_seed(0))
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    inner = left.mT @ orthogonalise(matrices) @ right.mT
    beside = inner - torch.diag_embed(torch.diagonal(inner, dim1=1, dim2=2))
    assert beside.abs().max() < 1e-3


def test_a_gradient_of_zero_moves_nothing_but_by_decay():
    layer = torch.nn.Conv2d(4, 6, 1)
    before = copy.deepcopy(layer.weight.detach())
    layer.weight.grad = torch.zeros_like(layer.weight)
    Muon(layer.parameters(), 0.1, weight_decay=0.5).step()
    assert torch.allclose(layer.weight.detach(), before * 0.95)


def test_weights_of_channels_images_and_norms_are_for_adamw():
    network = build_model("nano")
    others = {name for name, weights in network.named_parameters() if not is_matrix(weights)}
    assert "encoder1.0.norm_mixer.weight" in others
    assert "embed.weight" not in others  # squares of pixels are twelve channels
    full = build_model(AnyIRConfig(dim=4, blocks=(1, 0, 0, 0), refinement=0))
    assert not is_matrix(full.embed.weight)
    assert not is_matrix(full.output.weight)
    assert "encoder1.0.feed_forward.mix.weight" in others
    assert "encoder1.0.feed_forward.expand.weight" not in others
    assert "down1.weight" not in others


def test_each_matrix_moves_as_if_it_were_alone():
    """Matrices of a shape are stacked; that must not mix them."""
    torch.manual_seed(0)
    pair = [torch.nn.Parameter(torch.randn(6, 5, 1, 1)) for _ in range(2)]
    alone = copy.deepcopy(pair)
    gradients = [torch.randn(2, 6, 5, 1, 1) for _ in range(3)]
    together, apart = Muon(pair, 0.01), [Muon([weights], 0.01) for weights in alone]
    for both in gradients:
        for weights, single, gradient in zip(pair, alone, both, strict=True):
            weights.grad, single.grad = gradient.clone(), gradient.clone()
        together.step()
        for optimiser in apart:
            optimiser.step()
    for weights, single in zip(pair, alone, strict=True):
        assert torch.allclose(weights, single, atol=1e-6)


def test_the_first_step_follows_the_formula():
    weights = torch.nn.Parameter(torch.zeros(4, 8, 1, 1))
    gradient = torch.randn(4, 8, 1, 1, generator=torch.Generator().manual_seed(0))
    weights.grad = gradient.clone()
    Muon([weights], 0.5, weight_decay=0.0).step()
    # The momentum begins at zero; its look ahead is parallel to the gradient, whose length drops
    # out.
    assert 0 < MOMENTUM < 1
    expected = -0.5 * 0.2 * 8**0.5 * orthogonalise(gradient.flatten(1)[None])[0]
    assert torch.allclose(weights.detach().flatten(1), expected, atol=1e-6)


def test_a_saved_state_continues_exactly():
    torch.manual_seed(0)
    first = torch.nn.Sequential(torch.nn.Conv2d(4, 4, 1), torch.nn.Conv2d(4, 4, 3))
    image = torch.rand(1, 4, 8, 8)

    def steps(network, optimiser, count):
        for _ in range(count):
            optimiser.zero_grad()
            network(image).square().sum().backward()
            optimiser.step()

    unbroken = Muon(first.parameters(), 1e-2)
    steps(first, unbroken, 2)
    second = copy.deepcopy(first)
    continued = Muon(second.parameters(), 5e-1)
    continued.load_state_dict(copy.deepcopy(unbroken.state_dict()))
    steps(first, unbroken, 2)
    steps(second, continued, 2)
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)


def test_muon_lowers_a_loss_faster_than_its_start():
    torch.manual_seed(0)
    layer = torch.nn.Conv2d(8, 8, 1, bias=False)
    image, wanted = torch.rand(4, 8, 6, 6), torch.rand(4, 8, 6, 6)
    optimiser = Muon(layer.parameters(), 0.05)
    losses = []
    for _ in range(60):
        optimiser.zero_grad()
        loss = (layer(image) - wanted).square().mean()
        losses.append(float(loss.detach()))
        loss.backward()
        optimiser.step()
    assert losses[-1] < 0.5 * losses[0]
