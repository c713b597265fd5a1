"""The arguments of `restore` that need no image, checked once and ready to travel."""

from __future__ import annotations

import numbers
from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch

from napari_anyir.inference.engine.device import PRECISIONS
from napari_anyir.inference.engine.run_plan import LEAST_TILE
from napari_anyir.inference.inside.interventions import Intervention


@dataclass(frozen=True)
class Options:
    """What a plane is restored with; plain values that travel to any worker.

    Parameters
    ----------
    device, precision, tile
        As for `restore`.
    strength : float
        In [0, 1].
    interventions : tuple of Intervention
        Changes to the network's parts.
    """

    device: str = "auto"
    precision: str = "auto"
    tile: str | int | None = "auto"
    strength: float = 1.0
    interventions: tuple[Intervention, ...] = ()


def check_options(
    device: object,
    precision: object,
    tile: object,
    strength: object,
    progress: object = None,
    cancel: object = None,
) -> Options:
    """Check the arguments of `restore` that need no image.

    Parameters
    ----------
    device, precision, tile, strength, progress, cancel
        As for `restore`.

    Returns
    -------
    Options
        The first four.

    Raises
    ------
    TypeError, ValueError
        One sentence: which is wrong and what it may be.

    Examples
    --------
    >>> from napari_anyir.inference.options import check_options
    >>> check_options("cpu", "auto", 512, 1).strength
    1.0
    """
    if not isinstance(device, str | torch.device):
        raise TypeError(f"device must be a name such as 'cpu', not {type(device).__name__}.")
    if not isinstance(precision, str) or (precision != "auto" and precision not in PRECISIONS):
        raise ValueError(
            f"The precision {precision!r} is unknown; choose 'auto' or one of "
            f"{', '.join(PRECISIONS)}."
        )
    side: str | int | None
    if tile is None or tile == "auto":
        side = None if tile is None else "auto"
    elif (
        not isinstance(tile, bool)
        and isinstance(tile, numbers.Integral)
        and int(tile) >= LEAST_TILE
    ):
        side = int(tile)
    else:
        raise ValueError(
            f"tile must be 'auto', a side length of at least {LEAST_TILE} pixels or None for the "
            f"whole image, not {tile!r}."
        )
    if not isinstance(strength, numbers.Real) or not 0 <= float(strength) <= 1:
        raise ValueError(f"strength must be a number from 0 to 1, not {strength!r}.")
    if progress is not None and not callable(progress):
        raise TypeError(
            f"progress must be a function of (done, total), not {type(progress).__name__}."
        )
    if cancel is not None and not callable(getattr(cancel, "is_set", None)):
        raise TypeError(
            f"cancel must have is_set(), as a threading.Event has, and {type(cancel).__name__} "
            "has not."
        )
    return Options(str(device), str(precision), side, float(strength))


def with_interventions(options: Options, interventions: Iterable[Intervention]) -> Options:
    """Add changes to the network's parts.

    Parameters
    ----------
    options : Options
        The options without them.
    interventions : iterable of Intervention
        Whether the network has these parts is seen when it is there.

    Returns
    -------
    Options
        The options with them.

    Raises
    ------
    TypeError
        If something else than interventions is given.
    ValueError
        If tiles are asked for, too: an intervention sees whole planes.

    Examples
    --------
    >>> from napari_anyir.inference.inside.interventions import switch_off
    >>> from napari_anyir.inference.options import Options, with_interventions
    >>> str(with_interventions(Options(), [switch_off("alpha")]).interventions[0])
    '*:alpha=off'
    """
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
    if changes and isinstance(options.tile, int):
        raise ValueError(
            f"Interventions see whole planes, and tile={options.tile} would cut them; leave tile "
            "at 'auto' or None."
        )
    return replace(options, interventions=changes)
