"""Pairs of one's own, of any depth: read as files are, measured on the clean image's own scale.

The protocols of the paper know 8-bit photographs in [0, 1]. A pair of 16-bit or float images, with
channels, planes or times, is restored as `anyir restore` restores such a file, and measured by the
one measure that shell and widgets have (`napari_anyir.inference.image_quality`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from napari_anyir.files import read_image
from napari_anyir.inference import guess_axes
from napari_anyir.inference.image_quality import full_scale, score
from napari_anyir.training.evaluation.metrics import window_of
from napari_anyir.training.paper.protocols import OWN
from napari_anyir.training.sets.found_sets import FoundSet
from napari_anyir.training.sets.pairing import Pair, find_pairs

DEGRADED, CLEAN = "input", "target"
"""Folders of the pairs below the root, as in training."""


@dataclass(frozen=True)
class Deep:
    """An image as its file has it.

    Parameters
    ----------
    array : numpy.ndarray
        Of any type.
    axes : str
        Capital letters, one for each axis, with Y and X.

    Examples
    --------
    >>> Deep(np.zeros((5, 2, 7), np.uint16), "YTX").planes().shape
    (2, 5, 7)
    """

    array: NDArray[Any]
    axes: str

    def planes(self) -> NDArray[Any]:
        """Return (N, H, W), or (N, H, W, S) with colours."""
        last = [letter for letter in "YXS" if letter in self.axes]
        first = [letter for letter in self.axes if letter not in last]
        turned = self.array.transpose([self.axes.index(letter) for letter in (*first, *last)])
        return turned.reshape(-1, *turned.shape[len(first) :])


def own_sets(root: Path) -> list[FoundSet]:
    """Find the pairs in the folders ``input`` and ``target``.

    Parameters
    ----------
    root : Path
        Folder of both.

    Returns
    -------
    list of FoundSet
        One.

    Raises
    ------
    FileNotFoundError
        If a folder is missing or empty, or an image has no partner.
    """
    (test,) = OWN.tests
    return [FoundSet(test, find_pairs(root / DEGRADED, root / CLEAN), None, True)]


def read_own(pairs: Iterable[Pair], wanted: Iterable[str]) -> Iterator[tuple[str, Deep, Deep]]:
    """Read pairs, one at a time.

    Parameters
    ----------
    pairs : iterable of Pair
        Of files.
    wanted : iterable of str
        Names of those to read.

    Yields
    ------
    name : str
        Of the pair.
    degraded, clean : Deep
        Of one shape.

    Raises
    ------
    ValueError
        If a file cannot be used, or the two are no pair.
    """
    names = set(wanted)
    for pair in pairs:
        if pair.name not in names or pair.degraded is None:
            continue
        degraded, clean = _read(pair.degraded), _read(pair.clean)
        if degraded.planes().shape != clean.planes().shape:
            raise ValueError(
                f"'{pair.degraded}' has the shape {degraded.array.shape} ({degraded.axes}) and "
                f"'{pair.clean}' {clean.array.shape} ({clean.axes}); pair images of one size."
            )
        yield pair.name, degraded, clean


def _read(path: Path) -> Deep:
    image = read_image(path)
    array = np.asarray(image.array)
    axes = (image.axes or guess_axes(array.shape, array.dtype)).upper()
    if axes.endswith("S") and array.shape[-1] in (2, 4):  # alpha is no colour
        array = array[..., :-1]
        if array.shape[-1] == 1:
            array, axes = array[..., 0], axes[:-1]
    return Deep(array, axes)


def score_own(image: Deep, clean: Deep, ssim: str = "uniform") -> tuple[float, float]:
    """Measure PSNR and SSIM.

    Parameters
    ----------
    image, clean : Deep
        Of one shape.
    ssim : str
        A key of `napari_anyir.training.evaluation.metrics.SSIMS`.

    Returns
    -------
    psnr, ssim : float
        In dB over all planes, and the mean of planes and colours; SSIM is NaN where an image is
        smaller than the window.

    Examples
    --------
    >>> clean = np.tile(np.arange(16, dtype=np.uint16) * 1000, (16, 1))
    >>> noisy = Deep(clean + np.uint16(1500), "YX")
    >>> round(score_own(noisy, Deep(clean, "YX"))[0], 2)
    20.0
    """
    truths, planes = clean.planes(), image.planes()
    span = full_scale(truths, clean.array.dtype)
    found = score(zip(planes, truths, strict=True), span)
    if ssim == "uniform":
        return found.psnr, found.ssim
    taps, window = window_of(ssim)
    if min(truths.shape[1:3]) < taps:
        return found.psnr, math.nan
    colours = {"channel_axis": -1} if truths.ndim == 4 else {}
    alike = [
        structural_similarity(
            one.astype(float), other.astype(float), data_range=span, **colours, **window
        )
        for one, other in zip(truths, planes, strict=True)
    ]
    return found.psnr, float(np.mean(alike))


def picture_of(image: Deep, clean: Deep) -> NDArray[np.float32]:
    """Show the first plane: the clean one's percentiles 0.1 and 99.9 are black and white.

    Returns
    -------
    numpy.ndarray
        (H, W, 3), float32 in [0, 1].

    Examples
    --------
    >>> clean = Deep(np.tile(np.arange(16, dtype=np.uint16), (16, 1)), "YX")
    >>> picture_of(clean, clean).shape
    (16, 16, 3)
    """
    plane, truth = (one.planes()[0].astype(np.float32) for one in (image, clean))
    low, high = np.percentile(truth, (0.1, 99.9))
    if clean.array.dtype == np.uint8:
        low, high = 0.0, 255.0
    shown = np.clip((plane - low) / max(high - low, 1e-12), 0, 1).astype(np.float32)
    return np.repeat(shown[..., None], 3, axis=2) if shown.ndim == 2 else shown
