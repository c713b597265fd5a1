"""Degradations: physical, seeded, on float tensors (B, 3, H, W) in [0, 1], on any device.

Each kind is a frozen dataclass whose parameters are fixed numbers or ranges; called with clean
images and a ``torch.Generator`` it draws every random parameter anew for each image. `degrade`
applies one by name, `RandomDegradation` mixes them for training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_anyir.degradations.kinds import MODULES
from napari_anyir.lazy_names import names_from

if TYPE_CHECKING:
    from napari_anyir.degradations._base import Degradation
    from napari_anyir.degradations.blur import Defocus, MotionBlur
    from napari_anyir.degradations.camera import CameraNoise
    from napari_anyir.degradations.darkness import Darkness
    from napari_anyir.degradations.haze import Haze
    from napari_anyir.degradations.jpeg import Jpeg
    from napari_anyir.degradations.micrograph import MicrographNoise, StabilisedNoise
    from napari_anyir.degradations.mixtures import Clean, Mixture
    from napari_anyir.degradations.noise import GaussianNoise, PoissonGaussianNoise
    from napari_anyir.degradations.processed import Grain, ProcessedNoise
    from napari_anyir.degradations.rain import HeavyRain, Rain
    from napari_anyir.degradations.registry import KINDS, degrade, describe, make
    from napari_anyir.degradations.snow import Snow
    from napari_anyir.degradations.training_mix import (
        DENOISE_SHARES,
        TRAINING_SHARES,
        RandomDegradation,
    )
    from napari_anyir.degradations.water import Water

__all__ = [
    "DENOISE_SHARES",
    "KINDS",
    "TRAINING_SHARES",
    "CameraNoise",
    "Clean",
    "Darkness",
    "Defocus",
    "Degradation",
    "GaussianNoise",
    "Grain",
    "Haze",
    "HeavyRain",
    "Jpeg",
    "MicrographNoise",
    "Mixture",
    "MotionBlur",
    "PoissonGaussianNoise",
    "ProcessedNoise",
    "Rain",
    "RandomDegradation",
    "Snow",
    "StabilisedNoise",
    "Water",
    "degrade",
    "describe",
    "make",
]

# Names and help texts are known without torch, so that the shell answers at once.
__getattr__ = names_from(
    __name__,
    {
        **MODULES,
        "DENOISE_SHARES": "training_mix",
        "Degradation": "_base",
        "KINDS": "registry",
        "RandomDegradation": "training_mix",
        "TRAINING_SHARES": "training_mix",
        "degrade": "registry",
        "describe": "registry",
        "make": "registry",
    },
)
