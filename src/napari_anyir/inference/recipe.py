"""What a user chooses for a restoration: one frozen, checked description, ready to travel."""

from __future__ import annotations

import numbers
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import torch

from napari_anyir.inference.arrays.intensity import Intensity, check_intensity
from napari_anyir.inference.arrays.nodata import check_nodata
from napari_anyir.inference.engine.device import PRECISIONS
from napari_anyir.inference.engine.run_plan import LEAST_TILE
from napari_anyir.inference.inside.interventions import Intervention

if TYPE_CHECKING:
    from napari_anyir.weights.networks import Network


class Choices(TypedDict, total=False):
    """The keywords of `napari_anyir.restore` that describe a result, as a type for those above.

    Examples
    --------
    >>> choices: Choices = {"model": "nano", "strength": 0.5}
    >>> sorted(choices)
    ['model', 'strength']
    """

    axes: str | None
    model: str | Path | Network
    device: str
    precision: str
    tile: str | int | None
    intensity: Intensity
    nodata: float | None
    strength: float
    interventions: Iterable[Intervention]


@dataclass(frozen=True)
class Recipe:
    """What the pixels are restored with; checked, and plain values that travel to any worker.

    Parameters
    ----------
    axes, model, device, precision, tile, intensity, nodata, strength, interventions
        As for `napari_anyir.restore`.

    Raises
    ------
    TypeError, ValueError
        One sentence: which is wrong and what it may be.

    Examples
    --------
    >>> from napari_anyir.inference.recipe import Recipe
    >>> Recipe(device="cpu", tile=512, strength=1).strength
    1.0
    >>> Recipe(strength=2)
    Traceback (most recent call last):
    ...
    ValueError: strength must be a number from 0 to 1, not 2.
    """

    axes: str | None = None
    model: str | Path | Network = "default"
    device: str = "auto"
    precision: str = "auto"
    tile: str | int | None = "auto"
    intensity: Intensity = "auto"
    nodata: float | None = None
    strength: float = 1.0
    interventions: Iterable[Intervention] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.device, str | torch.device):
            raise TypeError(
                f"device must be a name such as 'cpu', not {type(self.device).__name__}."
            )
        precision: object = self.precision
        if not isinstance(precision, str) or precision not in ("auto", *PRECISIONS):
            raise ValueError(
                f"The precision {precision!r} is unknown; choose 'auto' or one of "
                f"{', '.join(PRECISIONS)}."
            )
        tile = _checked_tile(self.tile)
        strength: object = self.strength
        if not isinstance(strength, numbers.Real) or not 0 <= float(strength) <= 1:
            raise ValueError(f"strength must be a number from 0 to 1, not {strength!r}.")
        checked = {
            "device": str(self.device),
            "precision": precision,
            "tile": tile,
            "strength": float(strength),
            "interventions": _checked_changes(self.interventions, tile),
            "intensity": check_intensity(self.intensity),
            "nodata": check_nodata(self.nodata),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def changes(self) -> tuple[Intervention, ...]:
        """The interventions, as the tuple that they were checked to be."""
        return tuple(self.interventions)


def _checked_tile(tile: object) -> str | int | None:
    if tile is None or tile == "auto":
        return None if tile is None else "auto"
    if (
        not isinstance(tile, bool)
        and isinstance(tile, numbers.Integral)
        and int(tile) >= LEAST_TILE
    ):
        return int(tile)
    raise ValueError(
        f"tile must be 'auto', a side length of at least {LEAST_TILE} pixels or None for the "
        f"whole image, not {tile!r}."
    )


def _checked_changes(
    interventions: Iterable[Intervention], tile: str | int | None
) -> tuple[Intervention, ...]:
    given: object = interventions
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise TypeError(
            f"interventions must be a sequence of Intervention objects, such as (), not "
            f"{type(given).__name__}."
        )
    changes = tuple(interventions)
    for change in changes:
        if not isinstance(change, Intervention):
            raise TypeError(
                f"interventions must hold Intervention objects, not {type(change).__name__}."
            )
    if changes and isinstance(tile, int):
        raise ValueError(
            f"Interventions see whole planes, and tile={tile} would cut them; leave tile "
            "at 'auto' or None."
        )
    return changes


def check_watching(progress: object, cancel: object) -> None:
    """Check that somebody who is told and asked can be.

    Parameters
    ----------
    progress, cancel
        As for `napari_anyir.restore`.

    Raises
    ------
    TypeError
        If they cannot be called as they are to be.

    Examples
    --------
    >>> from napari_anyir.inference.recipe import check_watching
    >>> check_watching(print, None)
    """
    if progress is not None and not callable(progress):
        raise TypeError(
            f"progress must be a function of (done, total), not {type(progress).__name__}."
        )
    if cancel is not None and not callable(getattr(cancel, "is_set", None)):
        raise TypeError(
            f"cancel must have is_set(), as a threading.Event has, and {type(cancel).__name__} "
            "has not."
        )
