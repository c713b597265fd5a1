"""How strong an image's noise is, estimated from the image alone: a line of variance over mean.

A detector that counts photons has the variance ``gain * mean + intercept`` (Foi et al., IEEE TIP
17, 2008, "Practical Poissonian-Gaussian noise modeling and fitting for single-image raw-data").
Small blocks give pairs of mean and variance, taken by a filter that smooth content does not pass; a
robust line is laid through them, as textured blocks have too much variance and never too little.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK = 8
"""Side of a block in pixels."""

MOST_BLOCKS = 2**16
"""Blocks that are looked at, in a regular selection of all."""

FEWEST_BLOCKS = 24
"""Below this number nothing is estimated."""

RISING = 1.5
"""How many times the variance at the bright end must be that at the dark end to count as rising."""


@dataclass(frozen=True)
class NoiseLevel:
    """Variance of the noise as a line over the mean: ``gain * mean + intercept``.

    Parameters
    ----------
    gain : float
        Values per photon, at least 0; 0 where the noise does not follow brightness.
    intercept : float
        Variance at the value 0: that of the read noise less ``gain`` times the detector's offset.
    rising : bool
        Whether the variance clearly rises over the image's own range of means.

    Examples
    --------
    >>> from napari_anyir.inference.arrays.noise_level import NoiseLevel
    >>> NoiseLevel(2.0, -100.0, True).gain
    2.0
    """

    gain: float
    intercept: float
    rising: bool


def block_step(shape: tuple[int, int], planes: int) -> int:
    """Distance, in blocks, between those that are looked at.

    Parameters
    ----------
    shape : tuple of 2 int
        Height and width of a plane.
    planes : int
        Number of planes, each colour of each counted.

    Returns
    -------
    int
        Odd, at least 1.

    Examples
    --------
    >>> from napari_anyir.inference.arrays.noise_level import block_step
    >>> block_step((512, 512), 1), block_step((2048, 2048), 100)
    (1, 11)
    """
    blocks = (shape[0] // BLOCK) * (shape[1] // BLOCK) * max(planes, 1)
    return 1 if blocks <= MOST_BLOCKS else math.ceil(math.sqrt(blocks / MOST_BLOCKS)) | 1


def measure_blocks(
    values: NDArray[Any], step: int = 1, start: tuple[int, int] = (0, 0)
) -> NDArray[np.float64]:
    """Measure mean and variance of the blocks of a part of a volume.

    Parameters
    ----------
    values : array (..., Y, X, S)
        The part, without alpha; S is 1 where it is grey. Blocks with masked values are left out.
    step : int
        See `block_step`.
    start : tuple of 2 int
        Row and column of the part in its plane; blocks lie on the plane's grid, and those that the
        part holds in part are left out.

    Returns
    -------
    array (N, 3) of float64
        Mean; variance of the noise if it is white, by a Laplacian that planes and edges along the
        axes do not pass (Immerkaer, CVIU 64, 1996); variance about a fitted plane.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_anyir.inference.arrays.noise_level import measure_blocks
    >>> ramp = np.arange(64.0).reshape(8, 8, 1)
    >>> measure_blocks(ramp).round(6).tolist()
    [[31.5, 0.0, 0.0]]
    """
    side = BLOCK * step
    rows, columns = ((-first) % BLOCK for first in start)
    # Of the blocks, those whose number in the plane is a multiple of the step.
    skip = [
        BLOCK * (-((first + offset) // BLOCK) % step)
        for first, offset in zip(start, (rows, columns), strict=True)
    ]
    tops = np.arange(rows + skip[0], values.shape[-3] - BLOCK + 1, side)
    lefts = np.arange(columns + skip[1], values.shape[-2] - BLOCK + 1, side)
    if not (len(tops) and len(lefts)):
        return np.empty((0, 3))
    inside = np.arange(BLOCK)
    blocks = values[..., (tops[:, None] + inside).ravel(), :, :][
        ..., (lefts[:, None] + inside).ravel(), :
    ]
    blocks = np.moveaxis(blocks, -1, 0).reshape(-1, len(tops), BLOCK, len(lefts), BLOCK)
    blocks = blocks.transpose(0, 1, 3, 2, 4).reshape(-1, BLOCK, BLOCK)
    if isinstance(blocks, np.ma.MaskedArray):
        blocks = np.ma.getdata(blocks)[~np.ma.getmaskarray(blocks).any(axis=(1, 2))]
    blocks = blocks.astype(np.float64)
    mean = blocks.mean(axis=(1, 2))
    blocks = blocks - mean[:, None, None]
    ramp = np.arange(BLOCK) - (BLOCK - 1) / 2
    norm = BLOCK * float((ramp * ramp).sum())
    down = np.einsum("nyx,y->n", blocks, ramp) / norm
    right = np.einsum("nyx,x->n", blocks, ramp) / norm
    total = np.einsum("nyx,nyx->n", blocks, blocks)
    detrended = np.maximum(total - norm * (down**2 + right**2), 0.0) / (BLOCK * BLOCK - 3)
    second = blocks[:, 2:] - 2 * blocks[:, 1:-1] + blocks[:, :-2]
    second = second[:, :, 2:] - 2 * second[:, :, 1:-1] + second[:, :, :-2]
    white = (second * second).mean(axis=(1, 2)) / 36.0
    return np.stack((mean, white, detrended), axis=1)


def fit_noise(blocks: NDArray[np.float64]) -> NoiseLevel | None:
    """Lay a line through the blocks' variances over their means.

    The line is fitted to the Laplacian's variances, weighted by their own scatter, again and again
    without the blocks that lie far above it. Noise that is correlated passes the Laplacian in part;
    how much is lost is seen where the image is smooth, by the variance about a plane.

    Parameters
    ----------
    blocks : array (N, 3)
        As from `measure_blocks`.

    Returns
    -------
    NoiseLevel or None
        None where there is too little to estimate from.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_anyir.inference.arrays.noise_level import fit_noise, measure_blocks
    >>> light = np.linspace(10, 200, 512)[:, None, None] * np.ones((1, 512, 1))
    >>> counts = 3 * np.random.default_rng(0).poisson(light) + 50
    >>> found = fit_noise(measure_blocks(counts))  # of the intercept -150
    >>> round(found.gain, 1), found.rising
    (3.0, True)
    """
    # Saturated and empty blocks say nothing of the noise. In one order however a volume was cut.
    blocks = blocks[blocks[:, 1] > 0]
    blocks = blocks[np.lexsort(blocks.T)]
    if len(blocks) < FEWEST_BLOCKS:
        return None
    mean, white, detrended = blocks.T
    low, high = np.percentile(mean, (2, 98))
    span = high - low
    if not span > 1e-9 * max(abs(low), abs(high)):
        return NoiseLevel(0.0, float(np.median(white)), False)
    line = _first_line(mean, white)
    floor = 1e-3 * float(np.median(white))
    for _ in range(12):
        expected = np.maximum(line[0] * mean + line[1], floor)
        ratio = white / expected
        kept = ratio < 1.0 + 3.0 * _SCATTER
        if kept.sum() < FEWEST_BLOCKS:
            break
        line = _weighted_line(mean[kept], white[kept], 1.0 / expected[kept])
    expected = np.maximum(line[0] * mean + line[1], floor)
    kept = white / expected < 1.0 + 3.0 * _SCATTER
    line = line[0] / _KEPT, line[1] / _KEPT
    coloured = _coloured(detrended[kept] / np.maximum(expected[kept], floor))
    at_low, at_high = (max(line[0] * end + line[1], floor) for end in (low, high))
    return NoiseLevel(
        line[0] * coloured, line[1] * coloured, bool(line[0] > 0 and at_high > RISING * at_low)
    )


_SCATTER = 0.42
"""Relative deviation of the Laplacian's variance in a block of white noise (by simulation)."""

_KEPT = 0.979
"""Mean of these variances without those above three deviations (by simulation)."""


def _first_line(mean: NDArray[np.float64], white: NDArray[np.float64]) -> tuple[float, float]:
    """Line through a low quantile of the variances in bins of the mean."""
    count = int(np.clip(len(mean) // 12, 2, 24))
    order = np.argsort(mean, kind="stable")
    middles, levels = [], []
    for part in np.array_split(order, count):
        middles.append(float(np.median(mean[part])))
        levels.append(float(np.quantile(white[part], 0.35)))
    x, y = np.array(middles), np.array(levels)
    # Theil and Sen's line: the median of the slopes between all bins.
    right, left = np.triu_indices(count, 1)
    apart = np.abs(x[right] - x[left]) > 0
    if not apart.any():
        return 0.0, float(np.median(y))
    slopes = ((y[right] - y[left]) / np.where(apart, x[right] - x[left], 1.0))[apart]
    slope = max(float(np.median(slopes)), 0.0)
    return slope, float(np.median(y - slope * x))


def _weighted_line(
    x: NDArray[np.float64], y: NDArray[np.float64], weight: NDArray[np.float64]
) -> tuple[float, float]:
    """Least squares of ``y = a x + b`` with deviations ``1 / weight``; a is at least 0."""
    weight = weight * weight
    total = weight.sum()
    middle_x, middle_y = (weight * x).sum() / total, (weight * y).sum() / total
    spread = (weight * (x - middle_x) ** 2).sum()
    slope = (weight * (x - middle_x) * (y - middle_y)).sum() / spread if spread > 0 else 0.0
    slope = max(float(slope), 0.0)
    return slope, float(middle_y - slope * middle_x)


def _coloured(ratio: NDArray[np.float64]) -> float:
    """How many times larger the variance is than the Laplacian shows: 1 for white noise."""
    # In white noise a fifth of the ratios lie below 0.84 (by simulation). Texture raises them, too,
    # so that only what it hardly reaches is believed.
    smooth = float(np.quantile(ratio, 0.2)) / 0.84
    return float(np.clip(smooth, 1.0, 12.0)) if smooth > 1.6 else 1.0
