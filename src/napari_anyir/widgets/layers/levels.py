"""The brightness of an image before and after, in three numbers: measured, not assumed; no Qt."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

SAMPLE = 2**22
"""Most pixels of which percentiles are taken: a regular grid of a larger image."""

MOVED = 0.02
"""Share by which a mean may move before it is worth a warning."""


@dataclass(frozen=True)
class Levels:
    """Mean and percentiles of an image.

    Parameters
    ----------
    mean : float
        Of all pixels.
    low, high : float
        1st and 99th percentile.
    """

    mean: float
    low: float
    high: float


def measure_levels(pixels: np.ndarray[Any, Any], *, colour: bool = False) -> Levels | None:
    """Measure an image.

    Parameters
    ----------
    pixels : ndarray
        Of any shape; colours last. The mean is that of all pixels; percentiles are of a regular
        grid if there are more than `SAMPLE`.
    colour : bool
        Whether the last axis holds colours, of which a fourth is alpha and left out.

    Returns
    -------
    Levels or None
        None of an image without pixels.

    Examples
    --------
    >>> measure_levels(np.arange(101, dtype=np.uint8))
    Levels(mean=50.0, low=1.0, high=99.0)
    """
    if colour:
        pixels = pixels[..., :3]
    if not pixels.size:
        return None
    step = max(1, math.ceil(pixels.size / SAMPLE))
    # An odd step, so that a grid does not fall on every second column or one colour only.
    sample = pixels.reshape(-1)[:: step | 1] if step > 1 else pixels.reshape(-1)
    low, high = (float(value) for value in np.percentile(sample, (1, 99)))
    return Levels(float(pixels.mean(dtype=np.float64)), low, high)


@dataclass(frozen=True)
class Change:
    """Brightness of a source and of its result at full strength.

    Parameters
    ----------
    before, after : Levels
        As measured.
    part : str
        What of the image was measured, if not all of it.

    Examples
    --------
    >>> change = Change(Levels(100, 20, 400), Levels(103, 25, 395))
    >>> change.at(1.0).warning()
    'The mean has risen by 3.0 %: measure intensities in the source, not in this result.'
    >>> change.at(0.5).warning()
    ''
    """

    before: Levels
    after: Levels
    part: str = ""

    def at(self, strength: float) -> Change:
        """Mix in a share of the restoration, 0 to 1.

        The mean follows it exactly, percentiles nearly.
        """
        if strength == 1:
            return self
        mixed = (
            before + strength * (after - before)
            for before, after in zip(
                (self.before.mean, self.before.low, self.before.high),
                (self.after.mean, self.after.low, self.after.high),
                strict=True,
            )
        )
        return Change(self.before, Levels(*mixed), self.part)

    @property
    def moved(self) -> float:
        """By what share of itself the mean has moved; of an image around zero, of its span."""
        before = self.before
        scale = abs(before.mean)
        # Of values around zero a mean says nothing, and their span does.
        if scale < 0.01 * (before.high - before.low):
            scale = before.high - before.low
        return (self.after.mean - before.mean) / scale if scale else 0.0

    def warning(self) -> str:
        """Say in words that the mean has moved too far, or nothing."""
        moved = self.moved
        if abs(moved) <= MOVED:
            return ""
        way = "risen" if moved > 0 else "fallen"
        return (
            f"The mean has {way} by {abs(moved):.1%}: measure intensities in the source, not in "
            "this result."
        ).replace("%:", " %:")

    def rows(self) -> tuple[tuple[str, str, str], ...]:
        """Name, before and after of each number, as they are read.

        Examples
        --------
        >>> Change(Levels(0.5, 0, 1), Levels(0.498, 0.01, 0.97)).rows()[0]
        ('Mean', '0.5', '0.498')
        """
        pairs = (
            ("Mean", self.before.mean, self.after.mean),
            ("1st percentile", self.before.low, self.after.low),
            ("99th percentile", self.before.high, self.after.high),
        )
        return tuple((name, f"{before:.5g}", f"{after:.5g}") for name, before, after in pairs)


def measure_change(
    before: Any, after: Any, *, colour: bool = False, part: tuple[slice, ...] | None = None
) -> Change | None:
    """Measure a source and its result.

    Parameters
    ----------
    before, after : array
        Of equal shape. Lazy ones are measured in the part that is known.
    colour : bool
        Whether the last axis holds colours.
    part : tuple of slice, optional
        What of a lazy result has been computed.

    Returns
    -------
    Change or None
        None if nothing has been computed.
    """
    lazy = not all(isinstance(image, np.ndarray) for image in (before, after))
    if lazy and part is None:
        return None
    cut = part if lazy and part is not None else ()
    pair = [measure_levels(np.asarray(image[cut]), colour=colour) for image in (before, after)]
    if pair[0] is None or pair[1] is None:
        return None
    return Change(pair[0], pair[1], "of the shown plane" if lazy else "")
