"""What tests of runs share."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from napari_anyir.training.run.module import RestorationModule


@pytest.fixture
def assert_same_steps() -> Callable[[RestorationModule, RestorationModule], None]:
    """Return a check that two runs took the same steps, summed in another order.

    Where a gradient is next to nothing, its normalised step follows the last bits of sums; that may
    be one weight in a thousand, by a part of one step.
    """

    def check(one: RestorationModule, other: RestorationModule) -> None:
        pairs = zip(one.network.parameters(), other.network.parameters(), strict=True)
        apart = torch.cat([(a - b).detach().abs().flatten() for a, b in pairs])
        assert (apart > 1e-5).float().mean() < 1e-3
        assert apart.max() < 0.2 * one.config.optimiser.learning_rate

    return check
