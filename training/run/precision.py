"""The working precision of a run, where its configuration leaves it open."""

from __future__ import annotations

from typing import Literal

import torch

from napari_anyir.training.config import TrainingConfig


def resolve_precision(
    config: TrainingConfig, device: torch.device
) -> Literal["32-true", "bf16-mixed"]:
    """Choose the precision where the configuration leaves it open.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.training.config import TrainingConfig
    >>> from napari_anyir.training.run.precision import resolve_precision
    >>> resolve_precision(TrainingConfig(steps=1, precision="bf16-mixed"), torch.device("cpu"))
    'bf16-mixed'
    """
    if config.precision != "auto":
        return config.precision
    return "bf16-mixed" if _quick_bfloat16(device) else "32-true"


def _quick_bfloat16(device: torch.device) -> bool:
    """Tell whether a device multiplies bfloat16 faster than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    if device.type == "cpu":
        # PyTorch's own questions; versions before 2.6 lack them, and a wrong no costs only time.
        asked = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        return any(getattr(torch.cpu, name, bool)() for name in asked)
    return False
