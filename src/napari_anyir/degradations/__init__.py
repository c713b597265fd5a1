"""Degradations: physical, seeded, on float tensors (B, 3, H, W) in [0, 1], on any device."""

from __future__ import annotations

from napari_anyir.degradations._base import Degradation
from napari_anyir.degradations.blur import Defocus, MotionBlur
from napari_anyir.degradations.darkness import Darkness
from napari_anyir.degradations.haze import Haze
from napari_anyir.degradations.mixtures import (
    KINDS,
    TRAINING_SHARES,
    Clean,
    Mixture,
    RandomDegradation,
)
from napari_anyir.degradations.noise import GaussianNoise, MicrographNoise, PoissonGaussianNoise
from napari_anyir.degradations.rain import HeavyRain, Rain

__all__ = [
    "KINDS",
    "TRAINING_SHARES",
    "Clean",
    "Darkness",
    "Defocus",
    "Degradation",
    "GaussianNoise",
    "Haze",
    "HeavyRain",
    "MicrographNoise",
    "Mixture",
    "MotionBlur",
    "PoissonGaussianNoise",
    "Rain",
    "RandomDegradation",
]
