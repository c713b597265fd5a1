"""Which degradations there are: names, and where each stands; known without torch.

One line adds a kind, for lists, forms, the shell and training alike.
"""

from __future__ import annotations

__all__ = ["CLASSES", "KIND_NAMES", "MODULES"]

_TABLE = (
    # kind, module, class
    ("noise", "noise", "GaussianNoise"),
    ("poisson_gaussian", "noise", "PoissonGaussianNoise"),
    ("camera_noise", "camera", "CameraNoise"),
    ("grain", "processed", "Grain"),
    ("processed_noise", "processed", "ProcessedNoise"),
    ("micrograph", "micrograph", "MicrographNoise"),
    ("stabilised_noise", "micrograph", "StabilisedNoise"),
    ("rain", "rain", "Rain"),
    ("heavy_rain", "rain", "HeavyRain"),
    ("haze", "haze", "Haze"),
    ("motion_blur", "blur", "MotionBlur"),
    ("defocus", "blur", "Defocus"),
    ("darkness", "darkness", "Darkness"),
    ("jpeg", "jpeg", "Jpeg"),
    ("snow", "snow", "Snow"),
    ("water", "water", "Water"),
    ("mixture", "mixtures", "Mixture"),
    ("clean", "mixtures", "Clean"),
)

KIND_NAMES = tuple(kind for kind, _, _ in _TABLE)
"""Names in the order of lists and help texts."""

CLASSES = {kind: (module, name) for kind, module, name in _TABLE}
"""Module and class of each kind."""

MODULES = {name: module for _, module, name in _TABLE}
"""Module of each class, as `napari_anyir.degradations` gives it."""
