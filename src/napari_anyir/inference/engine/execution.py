"""Planes in, planes out: the one place where the network is run on pixels.

Axes and intensity lie above it, devices, memory, strips and tiles below.
"""

from __future__ import annotations

import copy
import time
import weakref
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from napari_anyir.inference.engine.device import PRECISIONS
from napari_anyir.inference.engine.run_plan import plan_run
from napari_anyir.inference.engine.tiles import TiledRun
from napari_anyir.inference.exact.strips import StripNetwork
from napari_anyir.model import AnyIR
from napari_anyir.progress import Cancel, Progress, Watch
from napari_anyir.weights.foreign import ForeignNetwork
from napari_anyir.weights.opening import Network

__all__ = ["Cancel", "Progress", "RunRecord", "run"]


@dataclass(frozen=True)
class RunRecord:
    """How a result was computed, for its provenance.

    Parameters
    ----------
    mode : str
        ``"whole"``, ``"strips"`` (exact: equal to whole) or ``"tiles"``.
    tile : int or None
        Side length of the tiles in pixels; where memory ran short, that of the smallest.
    device : str
        For instance ``"cuda:0"``.
    precision : str
        Working precision; ``"float32"`` where float16 could not hold the numbers.
    seconds : float
        Wall-clock time.
    """

    mode: str
    tile: int | None
    device: str
    precision: str
    seconds: float


Prepared = TypeVar("Prepared", bound=torch.nn.Module | StripNetwork)

_placed: weakref.WeakKeyDictionary[
    torch.nn.Module, dict[Hashable, tuple[tuple[int, ...], torch.nn.Module | StripNetwork]]
] = weakref.WeakKeyDictionary()


def _weights_version(model: torch.nn.Module) -> tuple[int, ...]:
    """Numbers that change when a weight is written to or replaced."""
    return tuple(
        number
        for tensor in (*model.parameters(), *model.buffers())
        for number in (tensor.data_ptr(), 0 if tensor.is_inference() else tensor._version)
    )


def _prepared(model: torch.nn.Module, key: Hashable, prepare: Callable[[], Prepared]) -> Prepared:
    """Return what was prepared for a key before, unless the weights have changed since."""
    copies = _placed.setdefault(model, {})
    version = _weights_version(model)
    if key not in copies or copies[key][0] != version:
        copies[key] = (version, prepare())
    return copies[key][1]  # type: ignore[return-value]


Placed = TypeVar("Placed", bound=torch.nn.Module)


def _on_device(model: Placed, device: torch.device, precision: str) -> Placed:
    """Return a copy of the model on a device; the caller's stays where and as it is."""

    def prepare() -> Placed:
        placed = copy.deepcopy(model).eval().requires_grad_(False)
        placed = placed.to(device=device, dtype=PRECISIONS[precision])
        if isinstance(placed, ForeignNetwork):
            return placed  # not all of them take their numbers in another memory order
        # nn.Module.to takes a memory format by keyword, which its overloads do not say.
        placed.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return placed

    return _prepared(model, (device, precision), prepare)


def _for_strips(model: AnyIR, device: torch.device, precision: str) -> StripNetwork:
    """Return the model's weights arranged for strips."""

    def prepare() -> StripNetwork:
        return StripNetwork(model, device, PRECISIONS[precision])

    return _prepared(model, ("strips", device, precision), prepare)


def _run_whole(model: Network, images: Tensor, device: torch.device, precision: str) -> Tensor:
    placed = _on_device(model, device, precision)
    with torch.inference_mode():
        prepared = images.to(device=device, dtype=PRECISIONS[precision])
        if isinstance(placed, AnyIR):
            prepared = prepared.contiguous(memory_format=torch.channels_last)
        result: Tensor = placed(prepared)
        return result.to(device="cpu", dtype=torch.float32)


def run(
    model: Network,
    images: Tensor,
    *,
    device: torch.device,
    precision: str,
    tile: str | int | None = "auto",
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> tuple[Tensor, RunRecord]:
    """Restore planes.

    Parameters
    ----------
    model : AnyIR or ForeignNetwork
        Any device, any precision; it is not changed.
    images : Tensor
        (B, 3, H, W), float32, on the CPU, in the network's range [0, 1].
    device : torch.device
        Where to compute.
    precision : str
        One of `napari_anyir.inference.engine.device.PRECISIONS`. On the CPU the features are kept
        in it and the arithmetic is in float32. What overflows in float16 is computed again in
        float32, and so are the tiles after it.
    tile : str, int or None
        ``"auto"``: exact, in strips, where the memory suffices, in tiles otherwise. A side length
        in pixels: tiles. None: exact, whatever the memory.
    progress : callable, optional
        Called as ``progress(done, total)``, in windows of strips or in tiles.
    cancel : Cancel, optional
        Looked at before each window or tile.

    Returns
    -------
    restored : Tensor
        (B, 3, H, W), float32, on the CPU, not clipped.
    record : RunRecord
        How it was done.

    Raises
    ------
    Cancelled
        If ``cancel.is_set()`` became true.
    ValueError
        If ``tile`` is none of these.
    MemoryError
        If even the smallest tile does not fit.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.inference.engine.execution import run
    >>> from napari_anyir.model import build_model
    >>> restored, record = run(
    ...     build_model("nano"), torch.rand(1, 3, 16, 16),
    ...     device=torch.device("cpu"), precision="float32",
    ... )
    >>> restored.shape
    torch.Size([1, 3, 16, 16])
    """
    start = time.perf_counter()
    plan = plan_run(model.config, tuple(images.shape), device, precision, tile)
    watch = Watch(1, progress, cancel)
    watch.check()

    def attempt(part: Tensor, precision: str, progress: Progress | None) -> Tensor:
        if plan.inner == "whole" or isinstance(model, ForeignNetwork):
            return _run_whole(model, part, device, precision)
        network = _for_strips(model, device, precision)
        return network(part, progress=progress, cancel=cancel)

    used = precision

    def exact(part: Tensor, progress: Progress | None = None) -> Tensor:
        nonlocal used
        result = attempt(part, used, progress)
        if used == "float16" and not result.isfinite().all() and part.isfinite().all():
            used = "float32"
            result = attempt(part, used, progress)
        return result

    side = plan.tile
    if plan.mode == "tiles":
        tiled = TiledRun(exact, plan.tile or 0, watch)
        restored = tiled(images)
        side = tiled.tile
    else:
        restored = exact(images, progress)
        if plan.mode == "whole" and progress is not None:
            progress(1, 1)
    seconds = time.perf_counter() - start
    return restored, RunRecord(plan.mode, side, str(device), used, seconds)
