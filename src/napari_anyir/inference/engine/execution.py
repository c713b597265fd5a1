"""Planes in, planes out: the one place where the network is run on pixels.

Axes and intensity lie above it, devices, memory, strips and tiles below. Feature maps and
interventions are observers of a run.
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
from napari_anyir.inference.engine.memory_estimate import check_memory, pass_bytes
from napari_anyir.inference.engine.run_plan import RunPlan, plan_run
from napari_anyir.inference.engine.tiles import TiledRun
from napari_anyir.inference.exact.strips import StripNetwork
from napari_anyir.model import AnyIR
from napari_anyir.model.network import BlockObserver
from napari_anyir.progress import Cancel, Progress, Watch
from napari_anyir.weights.foreign import ForeignNetwork
from napari_anyir.weights.networks import Network

__all__ = ["Cancel", "Placement", "Progress", "RunRecord", "run"]


@dataclass(frozen=True)
class Placement:
    """Where and in what a network computes.

    Parameters
    ----------
    device : torch.device
        Where.
    precision : str
        One of `napari_anyir.inference.engine.device.PRECISIONS`. On the CPU the features are kept
        in it and the arithmetic is in float32. What overflows in float16 is computed again in
        float32, and so are the tiles after it.
    tile : str, int or None
        ``"auto"``: exact, in strips, where the memory suffices, in tiles otherwise. A side length
        in pixels: tiles. None: exact, whatever the memory.

    Examples
    --------
    >>> Placement(torch.device("cpu")).tile
    'auto'
    """

    device: torch.device
    precision: str = "float32"
    tile: str | int | None = "auto"


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

    Examples
    --------
    >>> RunRecord("strips", None, "cpu", "float32", 1.5).mode
    'strips'
    """

    mode: str
    tile: int | None
    device: str
    precision: str
    seconds: float


Arranged = TypeVar("Arranged", bound=torch.nn.Module | StripNetwork)

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


def _arranged(model: torch.nn.Module, key: Hashable, arrange: Callable[[], Arranged]) -> Arranged:
    """Return what was arranged for a key before, unless the weights have changed since."""
    copies = _placed.setdefault(model, {})
    version = _weights_version(model)
    if key not in copies or copies[key][0] != version:
        copies[key] = (version, arrange())
    return copies[key][1]  # type: ignore[return-value]


Placed = TypeVar("Placed", bound=torch.nn.Module)


def _on_device(model: Placed, device: torch.device, precision: str) -> Placed:
    """Return a copy of the model on a device; the caller's stays where and as it is."""

    def arrange() -> Placed:
        placed = copy.deepcopy(model).eval().requires_grad_(False)
        placed = placed.to(device=device, dtype=PRECISIONS[precision])
        if isinstance(placed, ForeignNetwork):
            return placed  # not all of them take their numbers in another memory order
        # nn.Module.to takes a memory format by keyword, which its overloads do not say.
        placed.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return placed

    return _arranged(model, (device, precision), arrange)


def _for_strips(model: AnyIR, device: torch.device, precision: str) -> StripNetwork:
    """Return the model's weights arranged for strips."""

    def arrange() -> StripNetwork:
        return StripNetwork(model, device, PRECISIONS[precision])

    return _arranged(model, ("strips", device, precision), arrange)


def _run_whole(
    model: Network,
    images: Tensor,
    device: torch.device,
    precision: str,
    observer: BlockObserver | None = None,
) -> Tensor:
    placed = _on_device(model, device, precision)
    with torch.inference_mode():
        moved = images.to(device=device, dtype=PRECISIONS[precision])
        result: Tensor
        if isinstance(placed, AnyIR):
            result = placed(moved.contiguous(memory_format=torch.channels_last), observer)
        else:
            result = placed(moved)
        return result.to(device="cpu", dtype=torch.float32)


def run(
    model: Network,
    images: Tensor,
    placement: Placement,
    *,
    observer: BlockObserver | None = None,
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
    placement : Placement
        Where and in what to compute.
    observer : callable, optional
        ``observer(block, part, tensor)`` is called for each part of each block and returns the
        tensor to go on with; see `napari_anyir.model.blocks`. Strips fold parts together that it
        would have to see, so the images are run whole, once. What it raises ends the run.
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
        If ``tile`` is none of these, or images that are observed would not fit into memory.
    MemoryError
        If even the smallest tile does not fit.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.inference.engine.execution import Placement, run
    >>> from napari_anyir.model import build_model
    >>> network, images = build_model("nano"), torch.rand(1, 3, 16, 16)
    >>> here = Placement(torch.device("cpu"))
    >>> restored, record = run(network, images, here)
    >>> restored.shape
    torch.Size([1, 3, 16, 16])
    >>> seen = []
    >>> def observer(block, part, tensor):
    ...     seen.append(f"{block} {part}")
    ...     return tensor
    >>> _ = run(network, images, here, observer=observer)
    >>> seen[0], seen[-1]
    ('encoder1.0 attention', 'refinement.1 output')
    """
    start = time.perf_counter()
    device, precision = placement.device, placement.precision
    if observer is None:
        plan = plan_run(model.config, tuple(images.shape), device, precision, placement.tile)
    else:
        plan = RunPlan("whole", None, "whole")
        batch, _, height, width = images.shape
        needed = batch * pass_bytes(model.config, height, width, PRECISIONS[precision].itemsize)
        check_memory(device, needed, 0, "give a smaller part of the image")
    watch = Watch(1, progress, cancel)
    watch.check()

    def attempt(part: Tensor, precision: str, progress: Progress | None) -> Tensor:
        if plan.inner == "whole" or isinstance(model, ForeignNetwork):
            return _run_whole(model, part, device, precision, observer)
        network = _for_strips(model, device, precision)
        return network(part, progress=progress, cancel=cancel)

    used = precision

    def exact(part: Tensor, progress: Progress | None = None) -> Tensor:
        nonlocal used
        result = attempt(part, used, progress)
        again = used == "float16" and observer is None  # which has to see one run
        if again and not result.isfinite().all() and part.isfinite().all():
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
