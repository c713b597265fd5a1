"""The intensities of counted photons: a mapping under which their noise is equally strong anywhere.

The generalised Anscombe transform makes Poisson-Gaussian noise nearly white and Gaussian, which is
what networks know best, and compresses what is bright, so that bright spots fit into the range.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from napari_anyir.inference.arrays.mappings import IntensityRange
from napari_anyir.inference.arrays.noise_level import NoiseLevel

HEADROOM = 2.0
"""How far the range may be stretched for the brightest values, against the percentiles' range."""

WIDE = 32
"""Side in pixels of the squares whose mean is kept; blurred, they average 7,000 pixels."""

OUTLIER = 8.0
"""Deviations of the noise up to which a difference counts."""


@dataclass(frozen=True)
class PhotonRange(IntensityRange):
    """The mapping of a volume of counted photons: by a square root, and linearly from there.

    Values z of variance ``gain * mean + intercept`` become the generalised Anscombe transform
    ``T(z) = 2 / gain * sqrt(gain z + 3/8 gain^2 + intercept)``, whose noise has the deviation 1
    (Makitalo and Foi, IEEE TIP 22, 2013, "Optimal inversion of the generalized Anscombe
    transformation for Poisson-Gaussian noise"); ``T(low)`` becomes 0 and ``T(high)`` 1. The way
    back is the closed form of their exact unbiased inverse (IEEE TIP 20, 2011, eq. 10), which gives
    back the mean of the values where T's own inverse would lose ``gain / 4``.

    Parameters
    ----------
    low, high : float
        In the array's own units.
    clip : bool
        False: bright pixels stay bright.
    floor : float
        Results end here.
    gain : float
        Values per photon, above 0.
    intercept : float
        Variance at the value 0.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_anyir.inference.arrays.photons import PhotonRange
    >>> mapping = PhotonRange(0.0, 400.0, gain=2.0, intercept=0.0)
    >>> seen = mapping.to_unit(np.array([0.0, 100.0, 400.0]))
    >>> seen.round(2).tolist()
    [0.0, 0.48, 1.0]
    >>> back = mapping.from_unit(seen)  # as means of noise: a quarter of the gain above
    >>> (back - [0, 100, 400]).round(1).tolist()[1:]
    [0.5, 0.5]
    """

    settles: ClassVar[bool] = True

    gain: float = 1.0
    intercept: float = 0.0

    def to_unit(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Map values to the network's range."""
        bottom = self._stabilise(np.float64(self.low))
        return np.asarray((self._stabilise(values) - bottom) / self._scale)

    def from_unit(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map the network's results, which are means, back to values."""
        stabilised = values * self._scale + self._stabilise(np.float64(self.low))
        photons = _unbiased_inverse(np.maximum(stabilised, _SMALLEST))
        return np.asarray(np.maximum(photons * self.gain - self.intercept / self.gain, self.floor))

    def settle(
        self, seen: NDArray[np.float32], restored: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Give the result the local mean of what the network saw.

        Noise has the mean 0, so what is left of the values' difference after a wide blur is the
        network's own error: a mean that drifts. Differences of more than `OUTLIER` deviations, such
        as hot pixels, count as that many.

        Parameters
        ----------
        seen, restored : array (3, Y, X) of float32
            In the network's range.

        Returns
        -------
        array (3, Y, X) of float32
            The result, moved smoothly.
        """
        bottom = self._stabilise(np.float64(self.low))
        stabilised = np.maximum(restored.astype(np.float64) * self._scale + bottom, _SMALLEST)
        photons = _unbiased_inverse(stabilised)
        before = np.square(seen.astype(np.float64) * self._scale + bottom) / 4.0 - 0.375
        # In photons, so that the variance is that of the transform's own argument.
        limit = OUTLIER * np.sqrt(photons + 1.0)
        wanted = photons + _wide_mean(np.clip(before - photons, -limit, limit))
        for _ in range(3):  # Newton's way back; the first step is nearly all
            slope = np.maximum(stabilised / 2.0, 1.0)
            stabilised += (wanted - _unbiased_inverse(stabilised)) / slope
            np.maximum(stabilised, _SMALLEST, out=stabilised)
        return np.asarray((stabilised - bottom) / self._scale, np.float32)

    def spell(self) -> str:
        """Name the mapping as the ``intensity`` of `napari_anyir.restore`."""
        numbers = (self.low, self.high, self.gain, self.intercept, self.floor)
        return "photons:" + ",".join(map(repr, numbers))

    @property
    def _scale(self) -> float:
        """Range of the transformed values."""
        return float(self._stabilise(np.float64(self.high)) - self._stabilise(np.float64(self.low)))

    def _destabilise(self, stabilised: Any) -> Any:
        """Undo `_stabilise`, which gives a value and not a mean."""
        return self.gain * (stabilised**2 / 4.0 - 0.375) - self.intercept / self.gain

    def _stabilise(self, values: Any) -> Any:
        values = np.asarray(values, np.float64)
        inner = self.gain * values + (0.375 * self.gain**2 + self.intercept)
        return 2.0 / self.gain * np.sqrt(np.maximum(inner, 0.0))


def photon_range(
    level: NoiseLevel, low: float, high: float, largest: float, floor: float = -np.inf
) -> PhotonRange:
    """Choose the mapping of a volume by its noise.

    Parameters
    ----------
    level : NoiseLevel
        With a gain above 0.
    low, high : float
        Percentiles, the lower first and different.
    largest : float
        The brightest value: it fits into the range, unless that had to be stretched by more than
        `HEADROOM`.
    floor : float
        Results end here.

    Returns
    -------
    PhotonRange
        The mapping.

    Examples
    --------
    >>> from napari_anyir.inference.arrays.noise_level import NoiseLevel
    >>> from napari_anyir.inference.arrays.photons import photon_range
    >>> photon_range(NoiseLevel(1.0, 0.0, True), 0.0, 100.0, 150.0).high
    150.0
    """
    mapping = PhotonRange(low, high, False, floor, level.gain, level.intercept)
    bottom, top, reach = (
        float(mapping._stabilise(np.float64(end))) for end in (low, high, largest)
    )
    if reach <= bottom + HEADROOM * (top - bottom):
        return replace(mapping, high=largest)
    top = bottom + HEADROOM * (top - bottom)
    return replace(mapping, high=float(mapping._destabilise(top)))


def photons_of(mapping: object) -> tuple[float, float] | None:
    """Say what a record tells of a mapping by photons.

    Parameters
    ----------
    mapping : object
        A mapping, known or not yet.

    Returns
    -------
    tuple of 2 float or None
        Gain and intercept; None for any other mapping.

    Examples
    --------
    >>> from napari_anyir.inference.arrays.photons import PhotonRange, photons_of
    >>> photons_of(PhotonRange(0.0, 10.0, gain=2.0, intercept=-5.0)), photons_of(None)
    ((2.0, -5.0), None)
    """
    return (mapping.gain, mapping.intercept) if isinstance(mapping, PhotonRange) else None


_SMALLEST = 2.0 * np.sqrt(0.375)
"""The transform's mean where there are no photons at all: no mean lies below it."""


def _unbiased_inverse(stabilised: NDArray[np.float64]) -> NDArray[np.float64]:
    """Photons, from 0 where there is no read noise, whose transform has these means."""
    inverse = 1.0 / stabilised
    root = np.sqrt(1.5)
    series = inverse * (0.25 * root + inverse * (-1.375 + inverse * 0.625 * root))
    return np.asarray(0.25 * stabilised * stabilised - 0.125 + series)


def _wide_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Blur (3, Y, X) so widely that noise averages out, keeping the mean."""
    height, width = values.shape[-2:]
    coarse = functional.avg_pool2d(
        torch.from_numpy(values)[None], WIDE, ceil_mode=True, count_include_pad=False
    )
    for axis in (2, 3):
        index = torch.arange(coarse.shape[axis])
        before = coarse.index_select(axis, (index - 1).clamp(min=0))
        after = coarse.index_select(axis, (index + 1).clamp(max=len(index) - 1))
        coarse = (before + 2.0 * coarse + after) / 4.0
    full = functional.interpolate(
        coarse, scale_factor=float(WIDE), mode="bilinear", align_corners=False
    )
    return np.asarray(full[0, :, :height, :width].numpy())
