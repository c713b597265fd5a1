"""Arrays in, arrays out: axes, intensity, device, tiles and strips; no Qt.

The names are loaded when they are first used: axes and intensities need no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_anyir.inference.axes import check_axes, guess_axes
    from napari_anyir.inference.device import available_devices
    from napari_anyir.inference.models import release_models
    from napari_anyir.inference.provenance import Provenance
    from napari_anyir.inference.restoration import restore, restore_with_record

__all__ = [
    "Provenance",
    "available_devices",
    "check_axes",
    "guess_axes",
    "release_models",
    "restore",
    "restore_with_record",
]

_MODULES = {
    "Provenance": "provenance",
    "available_devices": "device",
    "check_axes": "axes",
    "guess_axes": "axes",
    "release_models": "models",
    "restore": "restoration",
    "restore_with_record": "restoration",
}


def __getattr__(name: str) -> object:
    """Import a name from its module when it is first asked for (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value
