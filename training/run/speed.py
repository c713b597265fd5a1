"""How fast a run is, against what its device can multiply."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

from napari_anyir.model import AnyIR, AnyIRConfig

BACKWARD = 3
"""A training step costs about three forward passes: the gradient of a product is two products."""


def step_operations(config: AnyIRConfig, crop: int) -> float:
    """Count the floating-point operations of one crop in one training step.

    Parameters
    ----------
    config : AnyIRConfig
        The network.
    crop : int
        Side in pixels.

    Returns
    -------
    float
        Two for each multiply-add; nothing is computed.

    Examples
    --------
    >>> from napari_anyir.model import VARIANTS
    >>> from napari_anyir.training.run.speed import step_operations
    >>> round(step_operations(VARIANTS["tiny"], 128) / 1e9)
    51
    """
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"):
        network, image = AnyIR(config), torch.empty(1, 3, crop, crop)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(image)
    return BACKWARD * float(counter.get_total_flops())


def synchronise(device: torch.device) -> None:
    """Wait until a device has done what it was told.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.training.run.speed import synchronise
    >>> synchronise(torch.device("cpu"))
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def multiply_rate(
    device: torch.device, dtype: torch.dtype, size: int | None = None, repeats: int = 5
) -> float:
    """Measure a device's matrix product.

    Parameters
    ----------
    device : torch.device
        The device.
    dtype : torch.dtype
        Type of the factors.
    size : int, optional
        Rows and columns; by default 8192 on a card and 512 on a processor.
    repeats : int
        Products that are timed, after two that are not.

    Returns
    -------
    float
        Floating-point operations per second, by the median.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.training.run.speed import multiply_rate
    >>> multiply_rate(torch.device("cpu"), torch.float32, size=64) > 1e6
    True
    """
    size = size or (8192 if device.type == "cuda" else 512)
    left = torch.rand(size, size, device=device).to(dtype)
    out = torch.empty_like(left)
    seconds = timed(lambda: torch.mm(left, left, out=out), device, repeats, 2)
    return 2 * size**3 / statistics.median(seconds)


def timed(
    work: Callable[[], object], device: torch.device, repeats: int, warm_up: int
) -> list[float]:
    """Time something, synchronised, after a warm-up.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.training.run.speed import timed
    >>> len(timed(lambda: None, torch.device("cpu"), 3, 1))
    3
    """
    seconds = []
    for _ in range(warm_up + repeats):
        synchronise(device)
        start = time.perf_counter()
        work()
        synchronise(device)
        seconds.append(time.perf_counter() - start)
    return seconds[warm_up:]
