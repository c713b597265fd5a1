"""The AnyIR network and nothing else: pure torch, no numpy, no napari.

Source: Ren et al., "Any Image Restoration via Efficient Spatial-Frequency Degradation
Adaptation", TMLR 2025. Equations and algorithms cited in this room are that paper's.
"""

from napari_anyir.model.config import VARIANTS, AnyIRConfig
from napari_anyir.model.network import AnyIR, build_model, pad_to_multiple

__all__ = ["VARIANTS", "AnyIR", "AnyIRConfig", "build_model", "pad_to_multiple"]
