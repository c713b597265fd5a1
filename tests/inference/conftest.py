"""A network that takes milliseconds, as a module and as a file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from napari_anyir.model import AnyIR, AnyIRConfig
from napari_anyir.weights.loading import save_network


@pytest.fixture(scope="session")
def micro() -> AnyIR:
    """Return the smallest useful network, with fixed random weights, in evaluation mode."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        network = AnyIR(AnyIRConfig(dim=8, blocks=(1, 1, 1, 1), refinement=0))
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="session")
def micro_file(micro: AnyIR, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a checkpoint of that network."""
    path = tmp_path_factory.mktemp("models") / "micro.safetensors"
    save_network(micro, path)
    return path
