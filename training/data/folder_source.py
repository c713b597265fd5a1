"""Clean photographs in the memory of the device, cropped and degraded there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from napari_anyir.degradations import TRAINING_SHARES, RandomDegradation
from napari_anyir.degradations.training_mix import LOOKS
from napari_anyir.training.config import FolderData
from napari_anyir.training.data.crop_source import (
    StepCrops,
    StepSequence,
    hold_out,
    leave_out,
    mix_seed,
    outside,
    require_root,
)
from napari_anyir.training.pixels.image_bank import ImageBank
from napari_anyir.training.pixels.photos import find_photos


class _EmptyBatches:
    """Steps without pixels: those are made on the device, where no worker can be too slow."""

    def __init__(self, steps: StepSequence) -> None:
        self._steps = steps

    def __iter__(self) -> Iterator[StepCrops]:
        return self._steps()


class FolderSource:
    """Clean photographs in the memory of the device, cropped and degraded there.

    Parameters
    ----------
    config : FolderData
        The folder and the degradations.
    seed : int
        Of crops and degradations.
    held : Path, optional
        Folder of clean images to validate on; nothing else is held out then. Where it lies within
        the data, its images are not trained on.

    Raises
    ------
    FileNotFoundError
        If the folder is missing or empty.
    ValueError
        If a name to leave out is not there, or nothing is left.
    """

    items = None

    def __init__(self, config: FolderData, seed: int, held: Path | None = None) -> None:
        self.root = require_root(config.root)
        self.seed = seed
        photos = leave_out(find_photos(self.root), config.leave_out, self.root)
        self.own_held: int | None = None
        if held is None:
            self.photos, self.held = hold_out(photos, config.hold_out)
        else:
            self.photos, self.held = outside(photos, held, self.root), find_photos(held)
            self.own_held = len(self.held)
        self._intensity, self._axes = config.intensity, config.axes
        self.shares = dict(TRAINING_SHARES if config.shares is None else config.shares)
        self.degrade = RandomDegradation(self.shares)
        self.together = config.together
        self._banks: dict[torch.device, ImageBank] = {}
        self._pool: tuple[tuple[int, ...], tuple[Tensor, Tensor]] | None = None
        self._left_out = len(config.leave_out)

    @property
    def facts(self) -> dict[str, Any]:
        """What the card says of the data."""
        return {
            "data": f"{len(self.photos)} images; {len(self.held)} more for validation, "
            f"{self._left_out} left out",
            "degradations": ", ".join(f"{k} {v:g}" for k, v in self.shares.items() if v),
            **({} if self._intensity == "auto" else {"intensity": str(self._intensity)}),
        }

    def prepare(self, device: torch.device) -> None:
        """Decode the photographs into the memory of the device."""
        self.bank(device)

    def loader(self, steps: StepSequence, rank: int, world: int) -> Iterable[StepCrops]:
        """Return what the steps are made of, without pixels."""
        return _EmptyBatches(steps)

    def bank(self, device: torch.device) -> ImageBank:
        """Return the images on a device; they are decoded once."""
        if device not in self._banks:
            self._banks[device] = self._open(self.photos, device)
        return self._banks[device]

    def _open(self, paths: list[Path], device: torch.device) -> ImageBank:
        return ImageBank.open(paths, device, self._intensity, self._axes)

    def batch(
        self, loaded: Any, device: torch.device, rank: int, world: int
    ) -> tuple[Tensor, Tensor]:
        """Crop and degrade on the device."""
        step = StepCrops(*loaded)
        share = step.share(rank, world)
        if self.together == 1:
            return self._make(device, mix_seed(self.seed, share.start, rank), len(share), step.crop)
        # Pools are numbered from the start of the run, so that a run that continues finds its own.
        size, start = len(share) * self.together, step.first // world
        end = start + len(share)
        parts = []
        for pool in range(start // size, (end - 1) // size + 1):
            window = slice(max(start - pool * size, 0), end - pool * size)
            made = self._pooled(device, (pool, rank, size, step.crop))
            parts.append([images[window] for images in made])
        degraded, clean = (torch.cat(images) for images in zip(*parts, strict=True))
        return degraded, clean

    def _pooled(self, device: torch.device, key: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """Return the crops of several steps: pool number, device's rank, crops, their side."""
        if self._pool is None or self._pool[0] != key:
            self._pool = None  # its memory is needed
            made = self._make(device, mix_seed(self.seed, *key), key[2], key[3])
            self._pool = key, made
        return self._pool[1]

    def _make(
        self, device: torch.device, seed: int, count: int, crop: int
    ) -> tuple[Tensor, Tensor]:
        """Crop and degrade."""
        generator = torch.Generator(device).manual_seed(seed)
        with torch.no_grad():
            clean, grey = self.bank(device).draw(count, crop, generator)
            degraded, target, _ = self.degrade(clean, generator)
        return as_grey(degraded, grey), as_grey(target, grey)

    def validation(self, count: int, crop: int) -> tuple[Tensor, Tensor] | None:
        """Degrade crops of held-out photographs, one kind after the other."""
        if not self.held or not count:
            return None
        generator = torch.Generator().manual_seed(mix_seed(self.seed, 2**32))
        cpu = torch.device("cpu")
        bank = None if self.own_held else self._open(self.held, cpu)
        kinds = [kind for kind, share in self.shares.items() if share]
        pairs = []
        for i in range(count):
            # Somebody chose these images: each is looked at, not the largest ones most often.
            one = bank or self._open([self.held[spread(i, count, len(self.held))]], cpu)
            clean, grey = one.draw(1, crop, generator)
            one_kind = {kinds[i % len(kinds)]: 1.0}
            choose = RandomDegradation(one_kind, looks=dict.fromkeys(LOOKS, 0.0))
            made = choose(clean, generator)[:2]
            pairs.append([as_grey(image, grey) for image in made])
        return torch.cat([p[0] for p in pairs]), torch.cat([p[1] for p in pairs])


def spread(index: int, count: int, length: int) -> int:
    """Place of the index-th of so many looks at a list: spread over it, or round and round.

    Examples
    --------
    >>> from napari_anyir.training.data.folder_source import spread
    >>> [spread(i, 2, 6) for i in range(2)], [spread(i, 4, 3) for i in range(4)]
    ([0, 3], [0, 1, 2, 0])
    """
    return index * length // count if count <= length else index % length


def as_grey(images: Tensor, grey: Tensor) -> Tensor:
    """Give images of one colour the same values in all three channels again.

    A grey image comes to the network as three equal channels; noise of three independent colours,
    or a tinted haze, would be something that it never meets.

    Parameters
    ----------
    images : Tensor
        (B, 3, H, W).
    grey : Tensor
        (B,), which of them have one colour; they keep the first channel.

    Returns
    -------
    Tensor
        (B, 3, H, W).

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.training.data.folder_source import as_grey
    >>> as_grey(torch.arange(6.0).reshape(2, 3, 1, 1), torch.tensor([True, False])).flatten()
    tensor([0., 0., 0., 3., 4., 5.])
    """
    return torch.where(grey[:, None, None, None], images[:, :1], images)
