"""*Look inside*: feature maps of chosen blocks as layers over the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_anyir.lazy_names import names_from

if TYPE_CHECKING:
    from napari_anyir.widgets.feature_maps.feature_maps_widget import FeatureMapsWidget

__all__ = ["FeatureMapsWidget"]

__getattr__ = names_from(__name__, {"FeatureMapsWidget": "feature_maps_widget"})
