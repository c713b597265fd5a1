"""*Compare*: wipe, blink, side by side, difference, and PSNR and SSIM against a reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_anyir.lazy_names import names_from

if TYPE_CHECKING:
    from napari_anyir.widgets.compare.compare_widget import CompareWidget

__all__ = ["CompareWidget"]

__getattr__ = names_from(__name__, {"CompareWidget": "compare_widget"})
