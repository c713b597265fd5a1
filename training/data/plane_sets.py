"""Pairs of images of any depth: crops of planes, cut where something is."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch.utils.data import Dataset

from napari_anyir.inference.arrays.intensity import Intensity
from napari_anyir.training.data.datasets import Index, Item
from napari_anyir.training.pixels.image_planes import PlaneFile, check_partners
from napari_anyir.training.pixels.plane_bank import open_planes
from napari_anyir.training.sets.pairing import Pair

MOST_UNLIKE = 2.0
"""How many times the one's range the other's may be before it is told."""

_log = logging.getLogger("napari_anyir.training")


def open_pairs(
    pairs: Sequence[Pair],
    intensity: Intensity = "auto",
    clean_intensity: Literal["same", "own"] = "same",
    axes: str | None = None,
) -> list[tuple[PlaneFile, PlaneFile]]:
    """Open pairs of files of any depth.

    Parameters
    ----------
    pairs : sequence of Pair
        Each with a degraded file.
    intensity : str or tuple
        Of the degraded files, as for `napari_anyir.restore`.
    clean_intensity : {"same", "own"}
        Whether a clean file is brought to the network's range by its partner's mapping, so that
        restored intensities are those of the clean file, or by its own, where the two were stored
        on different scales.
    axes : str, optional
        Letters of the axes where files do not say, or say wrong.

    Returns
    -------
    list of (PlaneFile, PlaneFile)
        Degraded and clean.

    Raises
    ------
    ValueError
        If a file cannot be used or two do not show the same pixels.

    Examples
    --------
    >>> open_pairs([])
    []
    """
    degraded = open_planes([pair.degraded for pair in pairs if pair.degraded], intensity, axes)
    own = open_planes([pair.clean for pair in pairs], intensity, axes)
    opened, unlike = [], []
    for noisy, clean in zip(degraded, own, strict=True):
        check_partners(noisy, clean)
        ratio = clean.mapping.span / noisy.mapping.span
        if clean_intensity == "same":
            if not 1 / MOST_UNLIKE < ratio < MOST_UNLIKE:
                unlike.append((clean.path.name, ratio))
            clean = replace(clean, mapping=noisy.mapping)
        opened.append((noisy, clean))
    if unlike:
        name, ratio = unlike[0]
        _log.warning(
            "The values of %d clean images span another range than those of their degraded "
            "partners, '%s' %.2g times as much. Results will have the clean ones' values; if both "
            "are on different scales, give data.clean_intensity=own.",
            len(unlike),
            name,
            ratio,
        )
    return opened


class PlanePairSet(Dataset[Item]):
    """Pairs of planes of any depth; an item is a function of seed, epoch and number alone.

    Parameters
    ----------
    planes : sequence of (PlaneFile, PlaneFile, int)
        Degraded, clean, and the number of the plane in both.
    side : int
        Of the crops where none is asked for.
    seed : int
        Of crops and turns.
    rotations : bool
        Also turn by quarters; mirroring is always on.

    Raises
    ------
    ValueError
        If there is no plane.

    Examples
    --------
    >>> PlanePairSet([])
    Traceback (most recent call last):
    ValueError: There is nothing to train on: no image was named.
    """

    tasks = ("pairs",)

    def __init__(
        self,
        planes: Sequence[tuple[PlaneFile, PlaneFile, int]],
        *,
        side: int = 128,
        seed: int = 0,
        rotations: bool = False,
    ) -> None:
        if not planes:
            raise ValueError("There is nothing to train on: no image was named.")
        self.planes, self.side, self.seed, self.rotations = list(planes), side, seed, rotations

    def __len__(self) -> int:
        """Count the items of an epoch: one crop of each plane."""
        return len(self.planes)

    def paths(self) -> list[Path]:
        """List every file once."""
        return list(dict.fromkeys(file.path for pair in self.planes for file in pair[:2]))

    def __getitem__(self, index: Index) -> Item:
        """Crop and turn: float32, mapped as the engine maps these files."""
        number, side = index if isinstance(index, tuple) else (index, self.side)
        if number < 0:
            raise IndexError("Items are numbered from 0.")
        epoch, item = divmod(number, len(self.planes))
        degraded, clean, plane = self.planes[item]
        numbers = np.random.default_rng((self.seed, epoch, item))
        place = clean.place(plane, side, numbers)
        mirrored = numbers.integers(2, size=2)
        turns = int(numbers.integers(4)) if self.rotations else 0
        crops = []
        for file in (degraded, clean):
            crop = file.crop(plane, *place, side)
            crop = crop[:, ::-1] if mirrored[0] else crop
            crop = crop[:, :, ::-1] if mirrored[1] else crop
            crop = np.rot90(crop, turns, axes=(1, 2))
            crops.append(torch.from_numpy(np.ascontiguousarray(crop)))
        return Item(crops[0], crops[1], 0, 0)


def planes_of(
    opened: Sequence[tuple[PlaneFile, PlaneFile]],
) -> list[tuple[PlaneFile, PlaneFile, int]]:
    """List the planes of opened pairs.

    Examples
    --------
    >>> planes_of([])
    []
    """
    return [
        (degraded, clean, plane) for degraded, clean in opened for plane in range(len(degraded))
    ]
