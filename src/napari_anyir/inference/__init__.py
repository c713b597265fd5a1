"""Arrays in, arrays out: axes, intensity, device, tiles and strips; no Qt.

The names are loaded when they are first used: axes and intensities need no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_anyir.inference.arrays.axes import check_axes, guess_axes
    from napari_anyir.inference.engine.device import available_devices
    from napari_anyir.inference.features import feature_maps, gate_numbers
    from napari_anyir.inference.inside.channels import reduce_channels
    from napari_anyir.inference.inside.collecting import FeatureMap, GateNumbers
    from napari_anyir.inference.inside.interventions import Intervention, set_lambda, switch_off
    from napari_anyir.inference.models import release_models
    from napari_anyir.inference.provenance import Provenance
    from napari_anyir.inference.restoration import restore, restore_into, restore_with_record

__all__ = [
    "FeatureMap",
    "GateNumbers",
    "Intervention",
    "Provenance",
    "available_devices",
    "check_axes",
    "feature_maps",
    "gate_numbers",
    "guess_axes",
    "reduce_channels",
    "release_models",
    "restore",
    "restore_into",
    "restore_with_record",
    "set_lambda",
    "switch_off",
]

_MODULES = {
    "FeatureMap": "inside.collecting",
    "GateNumbers": "inside.collecting",
    "Intervention": "inside.interventions",
    "Provenance": "provenance",
    "available_devices": "engine.device",
    "check_axes": "arrays.axes",
    "feature_maps": "features",
    "gate_numbers": "features",
    "guess_axes": "arrays.axes",
    "reduce_channels": "inside.channels",
    "release_models": "models",
    "restore": "restoration",
    "restore_into": "restoration",
    "restore_with_record": "restoration",
    "set_lambda": "inside.interventions",
    "switch_off": "inside.interventions",
}


def __getattr__(name: str) -> object:
    """Import a name from its module when it is first asked for (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value
