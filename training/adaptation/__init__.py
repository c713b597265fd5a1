"""Adapt a model to noisy images that have no clean version: self-supervised, in minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_anyir.lazy_names import names_from

if TYPE_CHECKING:
    from napari_anyir.training.adaptation.adapted_model import check_target, save_adapted
    from napari_anyir.training.adaptation.method import adapt, adapt_with_record

__all__ = ["adapt", "adapt_with_record", "check_target", "save_adapted"]

__getattr__ = names_from(
    __name__,
    {
        "adapt": "method",
        "adapt_with_record": "method",
        "check_target": "adapted_model",
        "save_adapted": "adapted_model",
    },
)
