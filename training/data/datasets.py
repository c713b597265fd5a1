"""Datasets of crops: those of the protocols, pairs of one's own, and degraded photographs.

Every item is a function of the seed, the epoch and its number alone: never of what was drawn
before, of the worker that makes it or of the device that it is for. So runs that are resumed see
what unbroken ones see.

An index beyond the length belongs to a later epoch: ``epoch * length + item``, as
`napari_anyir.training.data.sampling` gives them. A pair ``(index, side)`` asks for another crop
side.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from napari_anyir.degradations import RandomDegradation
from napari_anyir.training.paper.protocols import Task
from napari_anyir.training.pixels.cache import DirectImages, Images
from napari_anyir.training.pixels.cropping import Cropping, Pixels, Storage, add_noise
from napari_anyir.training.pixels.photos import find_photos
from napari_anyir.training.sets.pairing import Pair

Index = int | tuple[int, int]


class Item(NamedTuple):
    """One item; a batch of them is collated to the same with a leading dimension.

    Parameters
    ----------
    degraded, clean : Tensor
        (3, h, w), uint8 in [0, 255] or float32 in [0, 1]; `unit` makes both the latter.
    task : int or Tensor
        Index of the task in the dataset's ``tasks``.
    sigma : int or Tensor
        Noise that was added, in grey levels of 255; 0 for what is no denoising.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.training.data.datasets import Item
    >>> Item(torch.zeros(3, 8, 8), torch.zeros(3, 8, 8), 0, 25).sigma
    25
    """

    degraded: Tensor
    clean: Tensor
    task: Any
    sigma: Any


def unit(images: Tensor) -> Tensor:
    """Bring uint8 grey levels to float32 in [0, 1]; floats are such already.

    8-bit crops travel from workers to a GPU in a quarter of the bytes; this is to be called there.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.training.data.datasets import unit
    >>> unit(torch.tensor([0, 255], dtype=torch.uint8)).tolist()
    [0.0, 1.0]
    """
    return images.float() / 255 if images.dtype == torch.uint8 else images


class _Crops(Dataset[Item]):
    """What all datasets share: seeds, epochs, and the reading of pairs."""

    tasks: tuple[str, ...]

    def __init__(self, length: int, cropping: Cropping, images: Images | None, seed: int) -> None:
        if length < 1:
            raise ValueError("There is nothing to train on: no image was named.")
        self.length, self.cropping, self.seed = length, cropping, seed
        self.images: Images = images or DirectImages()
        # In shared memory, so that workers which are kept between epochs see it change.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def __len__(self) -> int:
        """Count the items of an epoch."""
        return self.length

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of indices below the length, for samplers that know of none."""
        self._epoch.fill_(epoch)

    def _split(self, index: Index) -> tuple[int, int, int]:
        number, side = index if isinstance(index, tuple) else (index, self.cropping.side)
        if number < 0:
            raise IndexError("Items are numbered from 0.")
        later, item = divmod(number, self.length)
        return int(self._epoch) + later, item, side

    def _generator(self, epoch: int, item: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, epoch, item))

    def _read(self, pair: Pair) -> tuple[Pixels, ...]:
        clean = self.images.read(pair.clean)
        if pair.degraded is None:
            return (clean,)
        degraded = self.images.read(pair.degraded)
        if degraded.shape != clean.shape:
            raise ValueError(
                f"'{pair.degraded}' is {_size(degraded)} but its clean partner '{pair.clean}' is "
                f"{_size(clean)}: pairs must show the same pixels, replace one of the two."
            )
        return degraded, clean


def _size(image: Pixels) -> str:
    return f"{image.shape[1]} x {image.shape[0]}"


def _tensor(crop: Pixels) -> Tensor:
    return torch.from_numpy(np.array(crop.transpose(2, 0, 1), order="C"))


class ProtocolSet(_Crops):
    """The epoch of a protocol: all its tasks, each image as often as the task repeats it.

    Order for each item, as in the codes that the protocols come from: centre crop to a multiple of
    16, random crop, augmentation, noise.

    Parameters
    ----------
    found : sequence of (Task, sequence of Pair)
        Tasks with their images, as `napari_anyir.training.sets.layouts.find_training` finds them.
    cropping : Cropping
        Crops of 128 pixels, flipped, by default.
    storage : {"truncate", "round"}
        How noisy values become whole grey levels.
    draw : {"epoch", "random"}
        How the pairs of CDD-11 are chosen: each as often as the task repeats it, or for each item
        one of the folders and one of its pairs at random, as in the runs of the paper's authors.
    images : Images, optional
        Where decoded images come from; decodes each time by default.
    seed : int
        Of crops, turns and noise.

    Raises
    ------
    ValueError
        If a task has no image, or a size differs within a pair.

    Examples
    --------
    >>> import pathlib, tempfile, numpy as np
    >>> from skimage.io import imsave
    >>> from napari_anyir.training.data.datasets import ProtocolSet
    >>> from napari_anyir.training.sets.layouts import find_training
    >>> from napari_anyir.training.paper.protocols import Task
    >>> root = pathlib.Path(tempfile.mkdtemp())
    >>> (root / "WED").mkdir()
    >>> imsave(root / "WED" / "1.png", np.full((40, 50, 3), 99, np.uint8), check_contrast=False)
    >>> task = Task("denoise", 3, (15, 25, 50))
    >>> data = ProtocolSet([(task, find_training(root, task))])
    >>> len(data), data[0].degraded.shape, data[8].sigma
    (9, torch.Size([3, 128, 128]), 50)
    """

    def __init__(
        self,
        found: Sequence[tuple[Task, Sequence[Pair]]],
        *,
        cropping: Cropping | None = None,
        storage: Storage = "truncate",
        draw: Literal["epoch", "random"] = "epoch",
        images: Images | None = None,
        seed: int = 0,
    ) -> None:
        if storage not in ("truncate", "round"):
            raise ValueError(f"Noise is stored by 'truncate' or 'round', not {storage!r}.")
        for task, pairs in found:
            if not pairs:
                raise ValueError(f"Task {task.name!r} has no image; leave it out or add some.")
        # Numbers instead of objects: a worker that is started anew receives megabytes, not pairs
        # times repeats.
        self.found = [(task, list(pairs)) for task, pairs in found]
        self.tasks = tuple(task.name for task, _ in found)
        self.storage = storage
        self._folders = [
            _by_folder(pairs) if draw == "random" and task.name == "cdd11" else None
            for task, pairs in self.found
        ]
        self.counts = [task.items(len(pairs)) for task, pairs in self.found]
        self._ends = np.cumsum(self.counts, dtype=np.int64)
        super().__init__(sum(self.counts), cropping or Cropping(), images, seed)

    def describe(self, number: int, epoch: int = 0) -> tuple[int, Pair, int]:
        """Say what an item is made of, without reading it.

        Parameters
        ----------
        number : int
            Item, below the length.
        epoch : int
            Epoch; sigmas that are shared change with it.

        Returns
        -------
        task : int
            Index of its task.
        pair : Pair
            Its image or images.
        sigma : int
            Noise that is added; 0 where pairs are stored.
        """
        which = int(np.searchsorted(self._ends, number, side="right"))
        place = number - (int(self._ends[which - 1]) if which else 0)
        task, pairs = self.found[which]
        folders = self._folders[which]
        if folders is not None:
            chance = np.random.default_rng((self.seed, epoch, number, 1))
            folder = folders[int(chance.integers(len(folders)))]
            return which, pairs[folder[int(chance.integers(len(folder)))]], 0
        turn, image = divmod(place, len(pairs))
        sigma = 0
        if task.sigmas:
            # The last repeats are shared: each image takes one of the sigmas, by turns.
            fixed = turn < task.repeats * len(task.sigmas)
            chosen = turn // task.repeats if fixed else turn + image + epoch
            sigma = task.sigmas[chosen % len(task.sigmas)]
        return which, pairs[image], sigma

    def paths(self) -> list[Path]:
        """List every file once, in the order of the tasks: what a cache has to hold."""
        return _paths(pair for _, pairs in self.found for pair in pairs)

    def __getitem__(self, index: Index) -> Item:
        """Read, crop, turn, and add noise: uint8 in [0, 255]."""
        epoch, number, side = self._split(index)
        which, pair, sigma = self.describe(number, epoch)
        generator = self._generator(epoch, number)
        crops = self.cropping(generator, *self._read(pair), side=side)
        clean = crops[-1]
        degraded = crops[0] if not sigma else add_noise(clean, sigma, generator, self.storage)
        return Item(_tensor(degraded), _tensor(clean), which, sigma)


def _by_folder(pairs: Sequence[Pair]) -> list[list[int]]:
    """Group pairs by the folder in their names."""
    folders: dict[str, list[int]] = {}
    for index, pair in enumerate(pairs):
        folders.setdefault(pair.name.rpartition("/")[0], []).append(index)
    return list(folders.values())


def _paths(pairs: Any) -> list[Path]:
    listed = dict.fromkeys(path for pair in pairs for path in (pair.degraded, pair.clean) if path)
    return list(listed)


class PairSet(_Crops):
    """Pairs of one's own: crops of a degraded and a clean image.

    Parameters
    ----------
    pairs : sequence of Pair
        As from `find_pairs`, or a test set.
    repeats : int
        Crops that each pair gives in an epoch.
    cropping : Cropping
        Crops of 128 pixels, flipped, by default.
    images : Images, optional
        Where decoded images come from; decodes each time by default.
    seed : int
        Of crops and turns.

    Raises
    ------
    ValueError
        If there is no pair, one is not stored, or its sizes differ.

    Examples
    --------
    >>> from napari_anyir.training.data.datasets import PairSet
    >>> PairSet([])
    Traceback (most recent call last):
    ValueError: There is nothing to train on: no image was named.
    """

    tasks = ("pairs",)

    def __init__(
        self,
        pairs: Sequence[Pair],
        *,
        repeats: int = 1,
        cropping: Cropping | None = None,
        images: Images | None = None,
        seed: int = 0,
    ) -> None:
        if repeats < 1:
            raise ValueError("repeats is at least 1.")
        if lone := next((pair for pair in pairs if pair.degraded is None), None):
            raise ValueError(f"'{lone.clean}' has no degraded image; name pairs of files.")
        self.pairs = list(pairs)
        super().__init__(len(self.pairs) * repeats, cropping or Cropping(), images, seed)

    def paths(self) -> list[Path]:
        """List every file once: what a cache has to hold."""
        return _paths(self.pairs)

    def __getitem__(self, index: Index) -> Item:
        """Read, crop and turn: uint8 in [0, 255]."""
        epoch, number, side = self._split(index)
        pair = self.pairs[number % len(self.pairs)]
        generator = self._generator(epoch, number)
        degraded, clean = self.cropping(generator, *self._read(pair), side=side)
        return Item(_tensor(degraded), _tensor(clean), 0, 0)


class FolderSet(_Crops):
    """Clean photographs with degradations made on the fly, in the workers.

    `napari_anyir.training.pixels.photos.PhotoBank` does the same for whole batches on the device,
    which is faster where all photographs fit into its memory.

    Parameters
    ----------
    photos : str, Path or sequence of Path
        A folder, searched with those in it, or files.
    repeats : int
        Crops that each photograph gives in an epoch.
    degrade : RandomDegradation, optional
        What is done to them; by default `napari_anyir.degradations.TRAINING_SHARES`.
    cropping : Cropping
        Crops of 128 pixels of the whole photograph, flipped, by default.
    images : Images, optional
        Where decoded images come from; decodes each time by default.
    seed : int
        Of crops, turns and degradations.

    Raises
    ------
    FileNotFoundError
        If the folder is missing or empty.
    ValueError
        If there is no photograph.

    Examples
    --------
    >>> import pathlib, tempfile, numpy as np
    >>> from skimage.io import imsave
    >>> from napari_anyir.training.pixels.cropping import Cropping
    >>> from napari_anyir.training.data.datasets import FolderSet
    >>> root = pathlib.Path(tempfile.mkdtemp())
    >>> imsave(root / "1.png", np.full((40, 50, 3), 99, np.uint8), check_contrast=False)
    >>> item = FolderSet(root, cropping=Cropping(32))[0]
    >>> item.degraded.shape, item.degraded.dtype
    (torch.Size([3, 32, 32]), torch.float32)
    """

    def __init__(
        self,
        photos: str | Path | Sequence[Path],
        *,
        repeats: int = 1,
        degrade: RandomDegradation | None = None,
        cropping: Cropping | None = None,
        images: Images | None = None,
        seed: int = 0,
    ) -> None:
        if repeats < 1:
            raise ValueError("repeats is at least 1.")
        self.photos = find_photos(photos) if isinstance(photos, str | Path) else list(photos)
        self.degrade = degrade or RandomDegradation()
        self.tasks = self.degrade.kinds
        length = len(self.photos) * repeats
        super().__init__(length, cropping or Cropping(multiple=1), images, seed)

    def paths(self) -> list[Path]:
        """List every file once: what a cache has to hold."""
        return list(dict.fromkeys(self.photos))

    def __getitem__(self, index: Index) -> Item:
        """Read, crop, turn and degrade: float32 in [0, 1], for micrographs are not 8-bit."""
        epoch, number, side = self._split(index)
        generator = self._generator(epoch, number)
        photo = self.images.read(self.photos[number % len(self.photos)])
        (crop,) = self.cropping(generator, photo, side=side)
        clean = unit(_tensor(crop)).unsqueeze(0)
        torch_generator = torch.Generator().manual_seed(int(generator.integers(2**63)))
        degraded, target, kind = self.degrade(clean, torch_generator)
        return Item(degraded[0], target[0], int(kind[0]), 0)
