"""Settings of the host program that must not change a result: autocast, numpy's errors, devices."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import torch

__all__ = ["own_state"]


@contextmanager
def own_state() -> Iterator[None]:
    """Compute as in a fresh program, and give the host's settings back at the end.

    Only what belongs to the running thread is set; what belongs to the whole process, such as the
    default type of new tensors, is never relied on instead.

    Examples
    --------
    >>> with np.errstate(all="raise"), own_state():
    ...     print(np.float64(1e-300).astype(np.float32))
    0.0
    """
    with ExitStack() as stack:
        stack.enter_context(np.errstate(divide="warn", over="warn", under="ignore", invalid="warn"))
        for kind in ("cpu", "cuda", "mps"):
            if _is_autocast(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        yield


def _is_autocast(kind: str) -> bool:
    """Whether autocast is on for a kind of device."""
    try:
        return torch.is_autocast_enabled(kind)
    except RuntimeError:  # torch 2.4 has none on MPS
        return False
