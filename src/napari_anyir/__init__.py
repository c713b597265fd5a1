"""Restore degraded images with AnyIR, one small network for many degradations.

The public names are loaded when they are first used, so that ``import napari_anyir`` (which napari
does at every start, to read the manifest) loads neither torch nor Qt nor napari.

Examples
--------
>>> import napari_anyir
>>> napari_anyir.__all__
['Cancelled', 'ImageFileError', 'ModelError', '__version__', 'feature_maps', 'list_models',
 'load_model', 'restore']
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from napari_anyir.errors import Cancelled, ImageFileError, ModelError

if TYPE_CHECKING:
    from napari_anyir.inference import feature_maps, restore
    from napari_anyir.weights import list_models, load_model

__all__ = [
    "Cancelled",
    "ImageFileError",
    "ModelError",
    "__version__",
    "feature_maps",
    "list_models",
    "load_model",
    "restore",
]

try:
    __version__ = version("napari-anyir")
except PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "0.0.0+uninstalled"

_ROOMS = {
    "feature_maps": "napari_anyir.inference",
    "list_models": "napari_anyir.weights",
    "load_model": "napari_anyir.weights",
    "restore": "napari_anyir.inference",
}


def __getattr__(name: str) -> object:
    """Import a public name from its room when it is first asked for (PEP 562)."""
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_ROOMS[name]), name)
    globals()[name] = value  # the next look-up no longer comes here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
