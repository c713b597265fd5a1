"""*Degrade image*: seeded noise, rain, haze and the rest, for test cases with a known truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_anyir.lazy_names import names_from

if TYPE_CHECKING:
    from napari_anyir.widgets.degrade.degrade_widget import DegradeWidget

__all__ = ["DegradeWidget"]

__getattr__ = names_from(__name__, {"DegradeWidget": "degrade_widget"})
