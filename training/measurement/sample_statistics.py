"""What an epoch is made of (Fig. 14), and what the on-the-fly degradations do to pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_anyir.degradations import TRAINING_SHARES, Degradation, GaussianNoise, make
from napari_anyir.training.paper.protocols import CDD11_FOLDERS, SIGMAS, Task, find_protocol
from napari_anyir.training.pixels.photos import PhotoBank, find_photos
from napari_anyir.training.sets.catalogue import TASK_LAYOUTS, find_layout
from napari_anyir.training.sets.layouts import count_items
from napari_anyir.training.writing import write_json

FILE = "samples.json"

COUNTED = ("3deg", "3deg-balanced", "5deg", "cdd11")
"""Protocols of which epochs are counted; Fig. 14 shows the first two."""


def expected_images(task: Task) -> int:
    """Images (pairs) of a task as the paper counts them.

    Parameters
    ----------
    task : Task
        A task of a protocol.

    Returns
    -------
    int
        Without repeats.

    Examples
    --------
    >>> from napari_anyir.training.paper.protocols import Task
    >>> from napari_anyir.training.measurement.sample_statistics import expected_images
    >>> expected_images(Task("derain", 120))
    200
    """
    if task.name == "denoise":
        layouts = [find_layout("train", key) for key in ("bsd400", "wed")]
    elif task.name == "cdd11":
        layouts = [find_layout("train", f"cdd11/{folder}") for folder in CDD11_FOLDERS]
    else:
        layouts = [find_layout("train", TASK_LAYOUTS[task.name])]
    total = sum(layout.expected or 0 for layout in layouts)
    if task.parts is not None:
        # Parts 1 and 2 of RESIDE's outdoor set, as the paper's Tab. 12 halves it.
        halves = {(1, 2): 36_400}
        return halves[task.parts[0], task.parts[1]]
    return total


def epoch_counts(protocol_name: str) -> dict[str, int]:
    """Count the items of one epoch by task, as the paper's sets have them.

    Parameters
    ----------
    protocol_name : str
        Name of a protocol.

    Returns
    -------
    dict of str to int
        Denoising is told apart by sigma (``"denoise 15"``); items in which each image takes one of
        the sigmas are ``"denoise any"``.

    Examples
    --------
    >>> from napari_anyir.training.measurement.sample_statistics import epoch_counts
    >>> sum(epoch_counts("3deg").values())
    142431
    """
    counts: dict[str, int] = {}
    for task in find_protocol(protocol_name).tasks:
        images = expected_images(task)
        for sigma in task.sigmas:
            counts[f"{task.name} {sigma}"] = images * task.repeats
        if task.shared:
            counts[f"{task.name} any"] = images * task.shared
        if not task.sigmas:
            counts[task.name] = task.items(images)
    return counts


@dataclass(frozen=True)
class PixelStatistics:
    """What a degradation does to crops of clean photographs.

    Parameters
    ----------
    kind : str
        Name of the degradation.
    crops : int
        How many were degraded.
    mean_clean, mean_degraded : float
        Mean over all pixels and colours, in [0, 1].
    deviation_clean, deviation_degraded : float
        Standard deviation within a crop, mean over crops.
    psnr : tuple of 3 float
        5th, 50th and 95th percentile over crops, in dB; crops that did not change are left out.
    unchanged : int
        Crops that did not change.
    """

    kind: str
    crops: int
    mean_clean: float
    mean_degraded: float
    deviation_clean: float
    deviation_degraded: float
    psnr: tuple[float, float, float]
    unchanged: int


def degradations() -> dict[str, Degradation]:
    """Degradations that training makes on the fly: the protocols' noise, and those of our mix.

    Examples
    --------
    >>> from napari_anyir.training.measurement.sample_statistics import degradations
    >>> list(degradations())[:3]
    ['noise 15', 'noise 25', 'noise 50']
    """
    fixed: dict[str, Degradation] = {f"noise {s}": GaussianNoise(sigma=float(s)) for s in SIGMAS}
    return fixed | {kind: make(kind) for kind in TRAINING_SHARES if kind != "clean"}


def pixel_statistics(
    photos: Sequence[Path], *, crops: int = 32, size: int = 128, seed: int = 0
) -> list[PixelStatistics]:
    """Degrade crops of photographs and say what became of them.

    Parameters
    ----------
    photos : sequence of Path
        Clean 8-bit images.
    crops : int
        Crops for each degradation, the same ones for all.
    size : int
        Their side in pixels.
    seed : int
        Of crops and degradations.

    Returns
    -------
    list of PixelStatistics
        One for each of `degradations`.
    """
    bank = PhotoBank(photos)
    clean = bank.crops(crops, size, torch.Generator().manual_seed(seed))
    found = []
    for kind, degradation in degradations().items():
        generator = torch.Generator().manual_seed(seed)
        wanted = degradation.target(clean, generator)
        degraded = degradation(wanted, generator)
        errors = (degraded - wanted).square().mean(dim=(1, 2, 3))
        changed = errors[errors > 0]
        decibels = (-10 * changed.log10()).numpy() if len(changed) else np.full(1, np.inf)
        low, middle, high = (round(float(v), 2) for v in np.percentile(decibels, (5, 50, 95)))
        deviations = [float(images.std(dim=(1, 2, 3)).mean()) for images in (wanted, degraded)]
        found.append(
            PixelStatistics(
                kind,
                crops,
                round(float(wanted.mean()), 4),
                round(float(degraded.mean()), 4),
                round(deviations[0], 4),
                round(deviations[1], 4),
                (low, middle, high),
                crops - len(changed),
            )
        )
    return found


def measure_samples(
    results: Path, root: Path | None = None, *, most: int = 64
) -> Mapping[str, Any]:
    """Count epochs and measure degradations, and write both where ``anyir report`` looks.

    Parameters
    ----------
    results : Path
        Folder of results.
    root : Path, optional
        Folder of training sets: their items are counted where they are there, and photographs of
        it are degraded.
    most : int
        Photographs to take crops of, spread evenly over those found.

    Returns
    -------
    mapping
        ``counts`` (as the paper's sets), ``found`` (those below ``root``) and ``pixels``.

    Raises
    ------
    FileNotFoundError
        If there is no image below ``root``.
    """
    values: dict[str, Any] = {
        "counts": {name: epoch_counts(name) for name in COUNTED},
        "found": {},
        "pixels": [],
    }
    if root is not None:
        photos = find_photos(root)
        for name in COUNTED:
            try:
                values["found"][name] = count_items(root, find_protocol(name))
            except (FileNotFoundError, ValueError):
                continue  # `anyir data check` says what is missing
        chosen = photos[:: max(1, len(photos) // most)][:most]
        values["pixels"] = [asdict(one) for one in pixel_statistics(chosen)]
    write_json(results / FILE, values)
    return values
