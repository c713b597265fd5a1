"""Which device and which floating type to compute with."""

from __future__ import annotations

import torch

PRECISIONS: dict[str, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
"""Names of the working precisions."""


def available_devices() -> list[str]:
    """Name the devices of this machine, the best one first.

    Returns
    -------
    list of str
        Names that `resolve_device` takes; ``"cpu"`` is always the last.

    Examples
    --------
    >>> from napari_anyir.inference.engine.device import available_devices
    >>> available_devices()[-1]
    'cpu'
    """
    names: list[str] = []
    if torch.cuda.is_available():
        count = torch.cuda.device_count()
        names += ["cuda"] if count == 1 else [f"cuda:{index}" for index in range(count)]
    if torch.backends.mps.is_available():
        names.append("mps")
    return [*names, "cpu"]


def resolve_device(name: str | torch.device = "auto") -> torch.device:
    """Turn a name into a device that is there.

    Parameters
    ----------
    name : str or torch.device
        ``"auto"`` (the first of `available_devices`), ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or
        ``"mps"``.

    Returns
    -------
    torch.device
        The device.

    Raises
    ------
    ValueError
        If there is no such device; another one is never taken silently.

    Examples
    --------
    >>> from napari_anyir.inference.engine.device import resolve_device
    >>> resolve_device("cpu")
    device(type='cpu')
    """
    present = available_devices()
    if name == "auto":
        return torch.device(present[0])
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    there = device is not None and (
        device.type == "cpu"
        or (device.type == "cuda" and (device.index or 0) < _cuda_count())
        or (device.type == "mps" and "mps" in present)
    )
    if device is None or not there:
        raise ValueError(
            f"There is no device {str(name)!r} here; choose 'auto' or one of {', '.join(present)}."
        )
    return device


def _cuda_count() -> int:
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def resolve_precision(name: str, device: torch.device) -> str:
    """Choose the working precision.

    Parameters
    ----------
    name : str
        ``"auto"``, ``"float32"``, ``"bfloat16"`` or ``"float16"``. Auto is float16 on CUDA cards,
        which is nine times nearer to float32 than bfloat16 and, by their makers' data, of the same
        rate; and float32 elsewhere, as bfloat16 costs more than the 0.02 dB that our choices may.
    device : torch.device
        Where the network will run.

    Returns
    -------
    str
        One of `PRECISIONS`.

    Raises
    ------
    ValueError
        If the name is unknown.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.inference.engine.device import resolve_precision
    >>> resolve_precision("auto", torch.device("cpu"))
    'float32'
    """
    if name == "auto":
        return "float16" if device.type == "cuda" else "float32"
    if name not in PRECISIONS:
        raise ValueError(
            f"The precision {name!r} is unknown; choose 'auto' or one of {', '.join(PRECISIONS)}."
        )
    return name
