"""Planes in, planes out: the one place where the network is run on pixels.

Axes and intensity lie above it, devices, memory, strips and tiles below.
"""

from __future__ import annotations

import copy
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from napari_anyir.errors import Cancelled
from napari_anyir.inference.device import PRECISIONS
from napari_anyir.model import AnyIR

Progress = Callable[[int, int], None]


class Cancel(Protocol):
    """Anything that can say that the work is to stop, such as a ``threading.Event``."""

    def is_set(self) -> bool:
        """Whether to stop."""
        ...


@dataclass(frozen=True)
class RunRecord:
    """How a result was computed, for its provenance.

    Parameters
    ----------
    mode : str
        ``"whole"``, ``"strips"`` (exact: equal to whole) or ``"tiles"``.
    tile : int or None
        Side length of the tiles in pixels.
    device : str
        For instance ``"cuda:0"``.
    precision : str
        Working precision.
    seconds : float
        Wall-clock time.
    """

    mode: str
    tile: int | None
    device: str
    precision: str
    seconds: float


_placed: weakref.WeakKeyDictionary[
    AnyIR, dict[tuple[torch.device, str], tuple[tuple[int, ...], AnyIR]]
] = weakref.WeakKeyDictionary()


def _weights_version(model: AnyIR) -> tuple[int, ...]:
    """Numbers that change when a weight is written to or replaced."""
    return tuple(
        number
        for tensor in (*model.parameters(), *model.buffers())
        for number in (tensor.data_ptr(), 0 if tensor.is_inference() else tensor._version)
    )


def _on_device(model: AnyIR, device: torch.device, precision: str) -> AnyIR:
    """Return a copy of the model on a device; the caller's stays where and as it is."""
    copies = _placed.setdefault(model, {})
    key, version = (device, precision), _weights_version(model)
    if key not in copies or copies[key][0] != version:
        placed = copy.deepcopy(model).eval().requires_grad_(False)
        placed = placed.to(device=device, dtype=PRECISIONS[precision])
        # nn.Module.to takes a memory format by keyword, which its overloads do not say.
        placed.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        copies[key] = (version, placed)
    return copies[key][1]


def run(
    model: AnyIR,
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
    model : AnyIR
        Any device, any precision; it is not changed.
    images : Tensor
        (B, 3, H, W), float32, on the CPU, in the network's range [0, 1].
    device : torch.device
        Where to compute.
    precision : str
        One of `napari_anyir.inference.device.PRECISIONS`.
    tile : str, int or None
        ``"auto"``, a side length in pixels, or None for the whole image.
    progress : callable, optional
        Called as ``progress(done, total)``.
    cancel : Cancel, optional
        Looked at between steps.

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

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.inference.engine import run
    >>> from napari_anyir.model import build_model
    >>> restored, record = run(
    ...     build_model("nano"), torch.rand(1, 3, 16, 16),
    ...     device=torch.device("cpu"), precision="float32",
    ... )
    >>> restored.shape
    torch.Size([1, 3, 16, 16])
    """
    start = time.perf_counter()
    if cancel is not None and cancel.is_set():
        raise Cancelled("The restoration was cancelled.")
    placed = _on_device(model, device, precision)
    with torch.inference_mode():
        prepared = images.to(device=device, dtype=PRECISIONS[precision])
        result = placed(prepared.contiguous(memory_format=torch.channels_last))
        restored = result.to(device="cpu", dtype=torch.float32)
    if progress is not None:
        progress(1, 1)
    seconds = time.perf_counter() - start
    return restored, RunRecord("whole", None, str(device), precision, seconds)
