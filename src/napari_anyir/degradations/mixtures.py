"""Degradations that follow one another, in the order of CDD-11, and none at all."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar

import torch
from torch import Tensor

from napari_anyir.degradations._base import (
    Degradation,
    Range,
    choice,
    normal,
    parameter,
    to_display,
    to_linear,
    uniform,
)
from napari_anyir.degradations._fields import smooth_field
from napari_anyir.degradations.darkness import Darkness
from napari_anyir.degradations.haze import Haze
from napari_anyir.degradations.rain import Rain
from napari_anyir.degradations.scenes import PHOTOGRAPHS, SCENE_OPTIONS, choose_scene
from napari_anyir.degradations.snow import Snow

COMPOSITES = (
    "low_haze",
    "low_rain",
    "low_snow",
    "haze_rain",
    "haze_snow",
    "low_haze_rain",
    "low_haze_snow",
)
"""The composite folders of CDD-11; its other four hold one degradation each."""

COMBINATIONS = ("low", "haze", "rain", "snow", *COMPOSITES)
"""The eleven folders of CDD-11 (Guo et al., ECCV 2024), which gave the set its name."""


@dataclass(frozen=True)
class Clean(Degradation):
    """Leave the image as it is, so that a network learns to do the same.

    What is to stay as it is can be made first (`target`): a scene of microscopy; a photograph that
    is exposed shorter, in linear light and stored in 8 bits (dusk or a black stage, meant to be
    dark, which a network must tell from what `Darkness` makes), or longer, so that light parts end
    in white (snow, paper, petals in the sun, meant to be pale, which a network must tell from
    `Haze`); distance that fades into a veil, as it does on any clear day. A trace of noise makes it
    nearly clean.

    Parameters
    ----------
    exposure : float or (float, float)
        Ratio of linear light in the image that is to stay as it is, drawn uniformly in its
        logarithm; 1 keeps the photograph, more whitens it.
    veil : float or (float, float)
        Opacity of the veil over the farthest part; 0 is a clear day.
    noise : float or (float, float)
        Standard deviation of the white noise that is left, in grey levels of 0 to 255.
    scene : {"photograph", "random", "puncta", "filaments", "nuclei", "electron", "brightfield"}
        What is seen: the photograph, a made scene, or by chance either of them.
    photographs : float
        Share of photographs where the scene is ``random``.

    Examples
    --------
    >>> clean = torch.rand(1, 3, 4, 4)
    >>> bool((Clean()(clean, torch.Generator()) == clean).all())
    True
    """

    kind: ClassVar[str] = "clean"

    exposure: Range = parameter(
        1.0,
        lowest=0.01,
        highest=16.0,
        unit="ratio of linear light",
        source="none: a choice of the training",
        log=True,
    )

    veil: Range = parameter(
        0.0, lowest=0.0, highest=1.0, unit="opacity", source="none: a choice of the training"
    )
    noise: Range = parameter(
        0.0,
        lowest=0.0,
        highest=10.0,
        unit="grey levels of 255",
        source="none: a choice of the training",
    )
    scene: str = choice("photograph", SCENE_OPTIONS, source="none: a choice of the training")
    photographs: Range = parameter(
        PHOTOGRAPHS, lowest=0.0, highest=1.0, unit="share", source="none: a choice of the training"
    )

    def target(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        """Return what is to stay: the photograph or a scene, exposed otherwise, veiled."""
        photographs = self._draw("photographs", clean, generator)
        seen = choose_scene(clean, self.scene, generator, photographs=photographs)
        exposure = self._draw("exposure", clean, generator).to(clean.dtype)
        exposed = to_display((exposure * to_linear(seen)).clamp_max(1.0))
        seen = torch.where(exposure == 1, seen, (255.0 * exposed).round() / 255.0)
        if self.veil == 0.0:
            return seen
        veil = self._draw("veil", clean, generator)
        field = smooth_field(clean, uniform(40.0, 300.0, clean, generator), generator)
        lowest, highest = field.amin((2, 3), keepdim=True), field.amax((2, 3), keepdim=True)
        # What is near is clear: a veil over everything is haze, and never shown as clean.
        depth = ((field - lowest) / (highest - lowest).clamp_min(1e-6)).square()
        airlight = uniform(0.5, 1.0, clean, generator)
        opacity = (veil * depth).to(clean.dtype)
        return seen + opacity * (airlight.to(clean.dtype) - seen)

    def _apply(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        if self.noise == 0.0:
            return clean
        return clean + self._draw("noise", clean, generator) / 255.0 * normal(clean, generator)


@dataclass(frozen=True)
class Mixture(Degradation):
    """Several degradations at once: the composites of CDD-11.

    ``y = P_haze(P_rain or snow(P_low(x)))``: CDD-11 darkens the scene, lets it rain or snow, and
    veils it at last. ``order`` switches to the order of its folders' names.

    Parameters
    ----------
    combination : str
        One of the eleven folders of CDD-11, or ``random``: each image draws one of the seven
        composites.
    order : {"low_rain_haze", "low_haze_rain"}
        Whether haze comes last, as CDD-11 was made, or before the rain or snow.
    low, haze, rain, snow : Degradation
        The parts.

    Raises
    ------
    TypeError
        If a part is not a degradation.

    Examples
    --------
    >>> clean = torch.rand(1, 3, 16, 16)
    >>> Mixture(combination="low_haze")(clean, torch.Generator()).shape
    torch.Size([1, 3, 16, 16])
    """

    kind: ClassVar[str] = "mixture"

    combination: str = choice("random", ("random", *COMBINATIONS), source="folders of CDD-11")
    order: str = choice(
        "low_rain_haze",
        ("low_rain_haze", "low_haze_rain"),
        source="CDD-11's published synthesis; its folder names",
    )
    # Milder than darkness alone: what rain and haze leave of a scene must still be seen.
    low: Degradation = Darkness(
        exposure=(0.03, 0.4), tone=(1.0, 2.0), photons=(2e2, 1e4), read=(0.0, 2.0)
    )
    # CDD-11: beta 1 to 2 on depth of at most 0.7, airlight 0.6 to 0.9, no tint.
    haze: Degradation = Haze(beta=(0.5, 2.0), airlight=(0.6, 0.9), tint=(0.0, 0.02), nearest=0.0)
    rain: Degradation = Rain()
    snow: Degradation = Snow(veil=0.0)

    def __post_init__(self) -> None:
        """Refuse parts that are no degradations."""
        super().__post_init__()
        for item in fields(self):
            part = getattr(self, item.name)
            if not isinstance(part, (str, Degradation)):
                raise TypeError(
                    f"Mixture: {item.name} must be a degradation, such as "
                    f"{item.name.capitalize()}(...), not {type(part).__name__}."
                )

    def _apply(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        if self.combination == "random":
            drawn = uniform(0.0, float(len(COMPOSITES)), clean, generator).flatten().long()
            names = [COMPOSITES[min(index, len(COMPOSITES) - 1)] for index in drawn.tolist()]
        else:
            names = [self.combination] * clean.shape[0]
        steps = {"low": self.low, "rain": self.rain, "snow": self.snow, "haze": self.haze}
        order = ("low", "rain", "snow", "haze")
        if self.order == "low_haze_rain":
            order = ("low", "haze", "rain", "snow")
        image = clean
        for step in order:
            rows = [row for row, name in enumerate(names) if step in name.split("_")]
            if rows:
                where = torch.tensor(rows, device=clean.device)
                image = image.index_copy(0, where, steps[step](image[where], generator))
        return image
