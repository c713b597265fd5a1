"""What a step of training takes in memory, known before the first one, and what to do about it.

A machine that runs out of memory kills the process without a word; a card raises an error after
minutes. So the activations that one crop keeps for the backward pass are measured on a small crop,
whose bytes grow with its pixels. Where a step would not fit, its crops pass through the network in
parts; where one crop does not fit, activations are computed again instead of kept (gradient
checkpointing, Chen et al., "Training Deep Nets with Sublinear Memory Cost", arXiv 1604.06174);
where that does not fit either, the run is refused, with numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from napari_anyir.inference.engine.memory_estimate import free_bytes
from napari_anyir.model import AnyIR, AnyIRConfig
from napari_anyir.training.config import Phase
from napari_anyir.training.run.losses import restoration_loss

SHARE = 0.8
"""Of the free memory that a step may plan with; the rest is for what an estimate does not see."""

TRANSIENT = 1.3
"""Peak of a forward and backward pass over what it keeps; measured 1.12 to 1.26."""

TRANSIENT_AGAIN = 4.0
"""The same over the largest block and all inputs of blocks, computed again; measured 2.4 to 3.6."""

WORKING = 150 * 10**6
"""Bytes that libraries take for themselves once a network runs."""

MEASURED = 64
"""Side of the crop that is measured, at most."""


@dataclass(frozen=True)
class CropMemory:
    """What a crop keeps in memory from its forward to its backward pass.

    Parameters
    ----------
    side : int
        Of the crop, in pixels.
    kept : int
        Bytes, all activations kept.
    again : int
        Bytes, where blocks keep their input only and one block at a time is computed again.

    Examples
    --------
    >>> from napari_anyir.model import VARIANTS
    >>> crop = measure_crop(VARIANTS["nano"], 128)
    >>> 0.1e9 < crop.kept < 0.3e9, crop.again < crop.kept
    (True, True)
    """

    side: int
    kept: int
    again: int

    def of(self, side: int) -> CropMemory:
        """Scale to another side: activations grow with the pixels."""
        scale = (side / self.side) ** 2
        return CropMemory(side, int(self.kept * scale), int(self.again * scale))


@dataclass(frozen=True)
class Parts:
    """How the crops of a step pass through the network on one device.

    Parameters
    ----------
    count : int
        Equal parts, one after the other.
    again : bool
        Whether activations are computed again in the backward pass instead of kept.

    Examples
    --------
    >>> Parts(4, again=False).count
    4
    """

    count: int = 1
    again: bool = False


class _Saved:
    """Adds up the storages that autograd keeps, each once, weights left out."""

    def __init__(self, weights: Iterable[Tensor]) -> None:
        self._weights = {weight.untyped_storage().data_ptr() for weight in weights}
        # Tensors are held as well: the address of one that is gone would be another's soon.
        self._kept: dict[int, tuple[int, Tensor]] = {}

    def pack(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self._weights:
            self._kept[storage.data_ptr()] = storage.nbytes(), tensor
        return tensor

    @property
    def bytes(self) -> int:
        return sum(size for size, _ in self._kept.values())


def measure_crop(
    config: AnyIRConfig,
    side: int,
    *,
    precision: str = "32-true",
    device: torch.device | None = None,
) -> CropMemory:
    """Run one small crop forward and count what is kept of it.

    Parameters
    ----------
    config : AnyIRConfig
        The network; one with random weights is made and thrown away.
    side : int
        Of the crops that are asked about, in pixels.
    precision : str
        ``"32-true"`` or ``"bf16-mixed"``.
    device : torch.device, optional
        Where to run; by default the CPU.

    Returns
    -------
    CropMemory
        Scaled to ``side``.
    """
    where = device or torch.device("cpu")
    measured = min(side, MEASURED)
    with torch.random.fork_rng():
        network = AnyIR(config).to(where).train()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    saved = _Saved(network.parameters())
    largest, before = 0, 0
    inputs = 0

    def entering(_: nn.Module, values: tuple[Tensor, ...]) -> None:
        nonlocal before, inputs
        before = saved.bytes
        inputs += values[0].nbytes

    def leaving(*_: object) -> None:
        nonlocal largest
        largest = max(largest, saved.bytes - before)

    for _, _, block in network.named_blocks():
        block.register_forward_pre_hook(entering)
        block.register_forward_hook(leaving)
    crop = torch.rand(1, 3, measured, measured, device=where)
    crop = crop.contiguous(memory_format=torch.channels_last)
    mixed = torch.autocast(where.type, torch.bfloat16, enabled=precision == "bf16-mixed")
    with mixed, torch.autograd.graph.saved_tensors_hooks(saved.pack, lambda tensor: tensor):
        restoration_loss(network(crop), torch.rand_like(crop))
    kept = int(TRANSIENT * saved.bytes)
    # What is between the blocks stays; of the blocks only inputs, and one of them as a whole.
    again = int(TRANSIENT_AGAIN * (largest + inputs))
    return CropMemory(measured, kept, min(again, kept)).of(side)


def constant_bytes(config: AnyIRConfig, *, averaged: bool) -> int:
    """Bytes that stay: weights, gradients, two moments of the optimiser, and the average.

    Examples
    --------
    >>> from napari_anyir.model import VARIANTS
    >>> constant_bytes(VARIANTS["nano"], averaged=True) // 1_541_427
    24
    """
    with torch.device("meta"):
        weights = sum(weight.nbytes for weight in AnyIR(config).parameters())
    # Gradients of parts are added up beside those of the last one.
    return weights * (5 + averaged)


def free_for_training(device: torch.device, processes: int = 1) -> int | None:
    """Bytes that each of the processes on this machine may plan with; None where nobody knows.

    Examples
    --------
    >>> import torch
    >>> alone, shared = (free_for_training(torch.device("cpu"), count) for count in (1, 4))
    >>> alone is None or shared < alone
    True
    """
    free = free_bytes(device)
    if free is None:
        return None
    return int(SHARE * free / (processes if device.type == "cpu" else 1))


def plan_parts(
    phase: Phase, crop: CropMemory, constant: int, room: int | None, *, devices: int, least: int = 1
) -> Parts:
    """Choose in how many parts a step of a phase is taken.

    Parameters
    ----------
    phase : Phase
        Its batch is divided among the devices first.
    crop : CropMemory
        Of any side.
    constant : int
        Bytes that stay.
    room : int or None
        Bytes that there are; None: no limit is known.
    devices : int
        Over all machines.
    least : int
        Parts that the configuration asks for.

    Returns
    -------
    Parts
        The fewest parts that fit, all activations kept if possible.

    Raises
    ------
    ValueError
        If not even one crop fits; the sentence has both numbers.

    Examples
    --------
    >>> crop = CropMemory(128, kept=10**9, again=3 * 10**8)
    >>> plan_parts(Phase(batch=16), crop, 10**8, 5 * 10**9, devices=1)
    Parts(count=4, again=False)
    >>> plan_parts(Phase(batch=16), crop, 10**8, 7 * 10**8, devices=1)
    Parts(count=16, again=True)
    >>> plan_parts(Phase(batch=16), crop, 10**8, 5 * 10**8, devices=1)
    Traceback (most recent call last):
    ValueError: One crop of 128 pixels takes 0.6 GB to train on, and 0.5 GB of memory are free ...
    """
    each = phase.batch // devices
    counts = [n for n in range(least, each + 1) if each % n == 0 and n % least == 0]
    needed = crop.of(phase.crop)
    for again in (False, True):
        for count in counts:
            if (
                room is None
                or step_bytes(phase, needed, constant, Parts(count, again), devices) <= room
            ):
                return Parts(count, again)
    least_bytes = step_bytes(phase, needed, constant, Parts(each, True), devices)
    raise ValueError(
        f"One crop of {phase.crop} pixels takes {gigabytes(least_bytes)} to train on, and "
        f"{gigabytes(room or 0)} of memory are free for it; take smaller crops "
        "(phases.0.crop=64) or a smaller network (network=nano), or end other programs."
    )


def step_bytes(phase: Phase, crop: CropMemory, constant: int, parts: Parts, devices: int) -> int:
    """Bytes that a step takes on one device, its data included."""
    each = phase.batch // devices
    crop = crop.of(phase.crop)
    crops = -(-each // parts.count)
    # Degraded and clean crops of the whole step in float32, and copies while they are made.
    data = each * 6 * 3 * phase.crop**2 * 4
    return WORKING + constant + data + crops * (crop.again if parts.again else crop.kept)


def gigabytes(size: int) -> str:
    """Write bytes as gigabytes.

    Examples
    --------
    >>> gigabytes(23_700_000_000), gigabytes(60_000_000)
    ('23.7 GB', '0.06 GB')
    """
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e9:.2f} GB"


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory is short: the host's, a worker's, or a card's.

    PyTorch's allocator for processors raises a plain RuntimeError.

    Examples
    --------
    >>> out_of_memory(MemoryError()), out_of_memory(RuntimeError("a shape does not fit"))
    (True, False)
    """
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    told = str(error)
    return isinstance(error, RuntimeError) and (
        "DefaultCPUAllocator" in told
        or "not enough memory" in told
        or "Caught MemoryError" in told
        or "MPS backend out of memory" in told
    )
