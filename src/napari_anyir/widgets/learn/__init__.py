"""*Learn my noise*: adapt a model to noisy layers or files, or train it on pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_anyir.lazy_names import names_from

if TYPE_CHECKING:
    from napari_anyir.widgets.learn.learn_widget import LearnWidget

__all__ = ["LearnWidget"]

__getattr__ = names_from(__name__, {"LearnWidget": "learn_widget"})
