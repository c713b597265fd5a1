"""Restore with interventions: the whole plane in one observed pass."""

from __future__ import annotations

import time
from collections.abc import Iterable

import torch
from torch import Tensor

from napari_anyir.errors import Cancelled
from napari_anyir.inference.engine import execution
from napari_anyir.inference.engine.device import PRECISIONS
from napari_anyir.inference.engine.memory_estimate import check_room, pass_bytes
from napari_anyir.inference.inside.interventions import Intervention, make_observer
from napari_anyir.inference.inside.network_parts import block_scales
from napari_anyir.model import AnyIR
from napari_anyir.progress import Cancel, Progress


def run_changed(
    model: AnyIR,
    images: Tensor,
    interventions: Iterable[Intervention],
    *,
    device: torch.device,
    precision: str,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> tuple[Tensor, execution.RunRecord]:
    """Restore planes with changes to the network's parts.

    Strips fold parts together that an intervention would have to see, so planes are run whole.

    Parameters
    ----------
    model : AnyIR
        Any device, any precision; it is not changed.
    images : Tensor
        (B, 3, H, W), float32, on the CPU, in the network's range [0, 1].
    interventions : iterable of Intervention
        What to change.
    device : torch.device
        Where to compute.
    precision : str
        One of `napari_anyir.inference.engine.device.PRECISIONS`.
    progress : callable, optional
        Called as ``progress(done, total)`` after each block.
    cancel : Cancel, optional
        Looked at before each part of each block.

    Returns
    -------
    restored : Tensor
        (B, 3, H, W), float32, on the CPU, not clipped.
    record : RunRecord
        How it was done.

    Raises
    ------
    ValueError
        If a block or part is not in the network, or the plane would not fit into memory.
    Cancelled
        If ``cancel.is_set()`` became true.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.inference.inside.changed_run import run_changed
    >>> from napari_anyir.inference.inside.interventions import switch_off
    >>> from napari_anyir.model import build_model
    >>> restored, record = run_changed(
    ...     build_model("nano"), torch.rand(1, 3, 16, 16), [switch_off("gated")],
    ...     device=torch.device("cpu"), precision="float32",
    ... )
    >>> record.mode
    'whole'
    """
    start = time.perf_counter()
    change = make_observer(model, interventions)
    dtype = PRECISIONS[precision]
    height, width = images.shape[-2:]
    needed = images.shape[0] * pass_bytes(model.config, height, width, dtype.itemsize)
    check_room(device, needed, 0, "give a smaller part of the image")
    total, done = len(block_scales(model)), 0

    def observer(block: str, part: str, tensor: Tensor) -> Tensor:
        nonlocal done
        if cancel is not None and cancel.is_set():
            raise Cancelled("The restoration was cancelled.")
        if part == "output":  # each block shows it last
            done += 1
            if progress is not None:
                progress(done, total)
        return tensor if change is None else change(block, part, tensor)

    placed = execution._on_device(model, device, precision)
    with torch.inference_mode():
        prepared = images.to(device=device, dtype=dtype)
        result = placed(prepared.contiguous(memory_format=torch.channels_last), observer)
        restored = result.to(device="cpu", dtype=torch.float32)
    seconds = time.perf_counter() - start
    return restored, execution.RunRecord("whole", None, str(device), precision, seconds)
