"""*Look inside*: feature maps of chosen blocks as layers over the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_anyir.lazy_names import names_from

if TYPE_CHECKING:
    from napari_anyir.widgets.look_inside.look_inside_widget import LookInsideWidget

__all__ = ["LookInsideWidget"]

__getattr__ = names_from(__name__, {"LookInsideWidget": "look_inside_widget"})
