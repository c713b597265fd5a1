"""How long a restoration will take on this computer, from how long earlier ones took; no Qt.

Nothing is guessed: until a restoration or a preview has run with a model, device, precision, tile
and number of threads, the answer is that it has not been measured.
"""

from __future__ import annotations

import json
import math
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_anyir.atomic_writing import write_json
from napari_anyir.widgets.kit import last_choices

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari_anyir.widgets.restore.restore_job import RestoreChoices

LEAST_PIXELS = 2**14
"""Fewer pixels say more of the time to start than of the time per pixel, and teach nothing."""

UNKNOWN = "How long it takes on this computer is not yet measured; a preview or a run will tell."


@dataclass(frozen=True)
class Way:
    """What the speed depends on.

    Parameters
    ----------
    model : str
        Name of the model.
    sha256 : str
        Of its weights: another model may come under the same name.
    device : str
        As it is really used, never ``"auto"``.
    precision : str
        As chosen.
    tile : str, int or None
        As chosen.
    threads : int
        Of torch.

    Examples
    --------
    >>> Way("nano", "77ab" * 16, "cpu", "auto", None, 2).key
    'nano 77ab77ab cpu auto None 2'
    """

    model: str
    sha256: str
    device: str
    precision: str
    tile: str | int | None
    threads: int

    @property
    def key(self) -> str:
        """Name in the file."""
        parts = (self.model, self.sha256[:8], self.device, self.precision, self.tile, self.threads)
        return " ".join(str(part) for part in parts)


def expected_seconds(way: Way, pixels: int) -> float | None:
    """Say how long a run will take.

    Parameters
    ----------
    way : Way
        How it will run.
    pixels : int
        Height times width times planes.

    Returns
    -------
    float or None
        Seconds; None if this way was never measured here.
    """
    known = _read().get(way.key)
    try:
        return float(known["seconds"]) * pixels / int(known["pixels"]) if known else None
    except (TypeError, ValueError, KeyError, ZeroDivisionError):
        return None


def expected_for(
    settings: RestoreChoices, models: Mapping[str, str], best_device: str, pixels: int
) -> float | None:
    """Say how long a run with one or several models will take.

    Parameters
    ----------
    settings : RestoreChoices
        What was chosen.
    models : mapping of str to str
        Name of each model to its SHA-256.
    best_device : str
        What ``"auto"`` takes.
    pixels : int
        Height times width times planes.

    Returns
    -------
    float or None
        Seconds; None if any of them was never measured here.
    """
    import torch

    device = best_device if settings.device == "auto" else settings.device
    chosen = (device, settings.precision, settings.tile, torch.get_num_threads())
    times = [expected_seconds(Way(name, sha, *chosen), pixels) for name, sha in models.items()]
    known = [seconds for seconds in times if seconds is not None]
    return sum(known) if len(known) == len(times) else None


def learn(way: Way, pixels: int, seconds: float) -> None:
    """Remember how long a run took.

    A small run does not displace what a much larger one has told.

    Parameters
    ----------
    way : Way
        How it ran.
    pixels : int
        Height times width times planes.
    seconds : float
        How long it took.
    """
    if pixels < LEAST_PIXELS or not 0 < seconds < math.inf:
        return
    values = _read()
    before = values.get(way.key)
    if isinstance(before, dict) and 4 * pixels < before.get("pixels", 0):
        return
    values[way.key] = {"seconds": round(seconds, 3), "pixels": int(pixels)}
    if (path := _file()) is None:
        return
    with suppress(OSError):  # then the time is simply not known the next time
        write_json(path, values)


def learn_from(record: Mapping[str, Any], settings: RestoreChoices, pixels: int) -> None:
    """Remember how long a run took, from its record.

    Parameters
    ----------
    record : mapping
        Provenance; a lazy result has no time and teaches nothing.
    settings : RestoreChoices
        What was chosen.
    pixels : int
        Height times width times planes.
    """
    if record.get("seconds") is None:
        return
    way = Way(
        str(record["model"]),
        str(record["sha256"]),
        str(record["device"]),
        settings.precision,
        settings.tile,
        int(record["threads"]),
    )
    learn(way, pixels, float(record["seconds"]))


def in_words(seconds: float | None) -> str:
    """Say how long a run will take.

    Parameters
    ----------
    seconds : float or None
        As from `expected_seconds`.

    Returns
    -------
    str
        One sentence.

    Examples
    --------
    >>> in_words(41.7)
    'About 42 s on this computer.'
    >>> in_words(0.2), in_words(2000)
    ('Less than a second on this computer.', 'About 33 min on this computer.')
    >>> in_words(None)[:40]
    'How long it takes on this computer is no'
    """
    if seconds is None:
        return UNKNOWN
    if seconds < 1:
        return "Less than a second on this computer."
    for limit, length, unit in ((90, 1, "s"), (5400, 60, "min"), (math.inf, 3600, "h")):
        if seconds < limit:
            return f"About {seconds / length:.2g} {unit} on this computer."
    return UNKNOWN


def _file() -> Path | None:
    return last_choices.beside("speeds")


def _read() -> dict[str, Any]:
    try:
        path = _file()
        values = json.loads(path.read_text(encoding="utf-8")) if path else {}
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
