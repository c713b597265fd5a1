"""*Analyses*: the paper's figures for the plane in view."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_anyir.lazy_names import names_from

if TYPE_CHECKING:
    from napari_anyir.widgets.analyses.analyses_widget import AnalysesWidget

__all__ = ["AnalysesWidget"]

__getattr__ = names_from(__name__, {"AnalysesWidget": "analyses_widget"})
