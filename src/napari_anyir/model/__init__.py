"""The AnyIR network and nothing else: pure torch, no numpy, no napari.

Source: Ren et al., "Any Image Restoration via Efficient Spatial-Frequency Degradation
Adaptation", TMLR 2025. Equations and algorithms cited in this room are that paper's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_anyir.lazy_names import names_from

if TYPE_CHECKING:
    from napari_anyir.model.config import VARIANTS, AnyIRConfig
    from napari_anyir.model.network import AnyIR, build_model, pad_to_multiple

__all__ = ["VARIANTS", "AnyIR", "AnyIRConfig", "build_model", "pad_to_multiple"]

# The network's shape is known without torch, so that a window can draw it at once.
__getattr__ = names_from(
    __name__,
    {
        "VARIANTS": "config",
        "AnyIR": "network",
        "AnyIRConfig": "config",
        "build_model": "network",
        "pad_to_multiple": "network",
    },
)
