"""An exponential moving average of the weights: steadier than the last step's, and better."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


def start_average(network: nn.Module) -> nn.Module:
    """Copy a network to be its average; the copy learns nothing by itself.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.training.run.averaging import start_average
    >>> any(p.requires_grad for p in start_average(torch.nn.Linear(2, 2)).parameters())
    False
    """
    return copy.deepcopy(network).requires_grad_(False).eval()


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Move the average towards the weights; buffers are copied.

    Parameters
    ----------
    average, network : torch.nn.Module
        Of the same kind.
    decay : float
        Share of the average that stays. In the first steps ``(1 + step) / (10 + step)`` is taken
        where it is smaller, so that the random start is soon forgotten.
    step : int
        Steps taken so far.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.training.run.averaging import start_average, update_average
    >>> network = torch.nn.Linear(1, 1, bias=False)
    >>> average = start_average(network)
    >>> _ = torch.nn.init.constant_(network.weight, 1.0), torch.nn.init.zeros_(average.weight)
    >>> update_average(average, network, decay=0.9, step=1000)
    >>> round(float(average.weight.detach()), 3)
    0.1
    """
    decay = min(decay, (1 + step) / (10 + step))
    means: list[Tensor] = list(average.parameters())
    values: list[Tensor] = list(network.parameters())
    torch._foreach_lerp_(means, values, 1 - decay)
    for kept, current in zip(average.buffers(), network.buffers(), strict=True):
        kept.copy_(current)
