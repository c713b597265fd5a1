"""Blocks that compute their activations again instead of keeping them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from napari_anyir.model import AnyIR


def recompute_blocks(network: AnyIR) -> None:
    """Let blocks compute their activations again in the backward pass instead of keeping them.

    Parameters
    ----------
    network : AnyIR
        Changed in place; its weights and their names stay as they are.

    Examples
    --------
    >>> from napari_anyir.model import build_model
    >>> from napari_anyir.training.run.recomputation import recompute_blocks
    >>> network = build_model("nano")
    >>> recompute_blocks(network)
    >>> network(torch.rand(1, 3, 16, 16)).sum().backward()
    """
    for _, _, block in network.named_blocks():
        forward = block.forward

        def again(*inputs: Any, forward: Callable[..., Tensor] = forward) -> Tensor:
            if not torch.is_grad_enabled():
                return forward(*inputs)
            # Nothing in a block is random, so no state of a generator need be kept.
            result: Tensor = checkpoint(
                forward, *inputs, use_reentrant=False, preserve_rng_state=False
            )
            return result

        block.forward = again  # type: ignore[method-assign, assignment]
