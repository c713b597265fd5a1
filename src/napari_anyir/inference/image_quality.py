"""PSNR and SSIM of images against clean ones: one measure for the shell, the widgets and scripts.

PSNR is over all pixels and colours; SSIM is scikit-image's default, with a uniform window of 7 x 7,
as the mean of colours and planes. Alpha is left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

WINDOW = 7
"""Side length in pixels of SSIM's window."""


@dataclass(frozen=True)
class Score:
    """How far an image is from its reference.

    Parameters
    ----------
    psnr : float
        Decibels; infinite for equal images.
    ssim : float
        At most 1; NaN if the image is smaller than the window.
    data_range : float
        What counts as full scale.

    Examples
    --------
    >>> Score(34.2, 0.91, 255.0).psnr
    34.2
    """

    psnr: float
    ssim: float
    data_range: float


def full_scale(planes: Iterable[Any], dtype: Any) -> float:
    """Choose the span of values that PSNR and SSIM are measured against.

    Parameters
    ----------
    planes : iterable of array
        All planes of the reference; looked at only where the type does not decide.
    dtype : dtype
        Its type.

    Returns
    -------
    float
        255 for uint8; 1 for floats inside [0, 1] and for constant images; otherwise the distance
        between the reference's extremes.

    Examples
    --------
    >>> full_scale([np.array([100, 4100])], np.uint16)
    4000.0
    >>> full_scale([np.array([0.2, 0.9])], np.float32)
    1.0
    """
    if np.dtype(dtype) == np.uint8:
        return 255.0
    low, high = math.inf, -math.inf
    for plane in planes:
        low, high = min(low, float(np.min(plane))), max(high, float(np.max(plane)))
    if np.dtype(dtype).kind == "f" and low >= 0 and high <= 1:
        return 1.0
    return high - low if high > low else 1.0


def score(pairs: Iterable[tuple[Any, Any]], data_range: float) -> Score:
    """Compare an image with its reference, plane by plane.

    Parameters
    ----------
    pairs : iterable of (array, array)
        A plane of the image and the same plane of the reference, (H, W) or (H, W, S); of four
        samples the last, alpha, is left out.
    data_range : float
        Full scale, as `full_scale` chooses it.

    Returns
    -------
    Score
        PSNR over all planes, SSIM as their mean.

    Examples
    --------
    >>> clean = np.tile(np.arange(16, dtype=np.uint8) * 15, (16, 1))
    >>> round(score([(clean + 5, clean)], 255.0).psnr, 2)
    34.15
    """
    from skimage.metrics import structural_similarity  # imports scipy; only when it is needed

    squares, count, ssims = 0.0, 0, []
    for image, clean in pairs:
        plane, truth = _values(image), _values(clean)
        squares += float(np.square(plane - truth).sum())
        count += truth.size
        if min(truth.shape[:2]) >= WINDOW:
            colours = {"channel_axis": -1} if truth.ndim == 3 else {}
            ssims.append(structural_similarity(plane, truth, data_range=data_range, **colours))
    error = squares / max(count, 1)
    psnr = 10 * math.log10(data_range**2 / error) if error else math.inf
    return Score(psnr, float(np.mean(ssims)) if ssims else math.nan, data_range)


def _values(plane: Any) -> np.ndarray[Any, Any]:
    """Return float values without alpha."""
    values = np.asarray(plane, dtype=np.float64)
    return values[..., :3] if values.ndim == 3 and values.shape[-1] == 4 else values
