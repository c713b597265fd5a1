"""Bundled checkpoints, their cards, and the registry that finds, checks and loads them.

Nothing here imports torch before a model is loaded, so that lists and cards are at hand at once.
"""

from napari_anyir.weights.adding import add_model, check_new_name
from napari_anyir.weights.card import ModelCard
from napari_anyir.weights.registry import (
    DEFAULT,
    find_model,
    list_models,
    load_model,
    user_folder,
    verify_model,
)

__all__ = [
    "DEFAULT",
    "ModelCard",
    "add_model",
    "check_new_name",
    "find_model",
    "list_models",
    "load_model",
    "user_folder",
    "verify_model",
]
