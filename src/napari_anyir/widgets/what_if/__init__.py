"""*What if*: switch parts of the network off, and see what becomes of the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_anyir.lazy_names import names_from

if TYPE_CHECKING:
    from napari_anyir.widgets.what_if.what_if_widget import WhatIfWidget

__all__ = ["WhatIfWidget"]

__getattr__ = names_from(__name__, {"WhatIfWidget": "what_if_widget"})
