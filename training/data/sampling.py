"""The order of the items of each epoch: a function of seed and epoch alone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import torch
from torch import Tensor
from torch.utils.data import Sampler


class EpochOrder:
    """Shuffles each epoch anew, and tells the item that comes at any place of a run.

    Parameters
    ----------
    length : int
        Items of an epoch.
    seed : int
        Another one gives another order.

    Raises
    ------
    ValueError
        If there is no item.

    Examples
    --------
    >>> from napari_anyir.training.data.sampling import EpochOrder
    >>> order = EpochOrder(4, seed=0)
    >>> sorted(order[n] for n in range(4)), sorted(order[n] for n in range(4, 8))
    ([0, 1, 2, 3], [4, 5, 6, 7])
    """

    def __init__(self, length: int, seed: int = 0) -> None:
        if length < 1:
            raise ValueError("An epoch needs at least one item.")
        self.length, self.seed = length, seed

    def __getitem__(self, number: int) -> int:
        """Return the item at a place of the run, as ``epoch * length + item``."""
        epoch, place = divmod(number, self.length)
        return epoch * self.length + int(_shuffled(self.length, self.seed, epoch)[place])


@lru_cache(maxsize=4)
def _shuffled(length: int, seed: int, epoch: int) -> Tensor:
    # One generator for both numbers: neighbouring seeds must not share their later epochs.
    generator = torch.Generator().manual_seed((seed * 1_000_003 + epoch) % 2**63)
    return torch.randperm(length, generator=generator)


class EpochSampler(Sampler[int]):
    """Items of one epoch for one of several devices; no item is given to two of them.

    It yields ``epoch * length + item``, which `napari_anyir.training.data.datasets` understands: so
    the epoch travels with the item and also reaches workers that were started before the epoch was.
    What does not divide among the devices is left out: fewer items than there are devices.

    Parameters
    ----------
    length : int
        Items of an epoch.
    seed : int
        Of the order.
    rank, world : int
        Number of this device and of all.
    start : int
        Items of the first epoch that this device has seen already, to resume within it.

    Raises
    ------
    ValueError
        If the rank is not one of the world's, or there is nothing for each device.

    Examples
    --------
    >>> from napari_anyir.training.data.sampling import EpochSampler
    >>> first, second = (list(EpochSampler(10, rank=rank, world=2)) for rank in (0, 1))
    >>> len(first), len(second), set(first) & set(second)
    (5, 5, set())
    """

    def __init__(
        self, length: int, seed: int = 0, rank: int = 0, world: int = 1, start: int = 0
    ) -> None:
        if not 0 <= rank < world:
            raise ValueError(f"Device {rank} is none of {world}; they are numbered from 0.")
        if length < world:
            raise ValueError(f"{length} items cannot be divided among {world} devices.")
        self.order = EpochOrder(length, seed)
        self.rank, self.world, self.start, self.epoch = rank, world, start, 0

    def __len__(self) -> int:
        """Count the items that are left of the epoch for this device."""
        return self.order.length // self.world - self.start

    def __iter__(self) -> Iterator[int]:
        """Give the items of the epoch; the next epoch begins at its beginning."""
        start, self.start = self.start, 0
        first = self.epoch * self.order.length
        for place in range(start, self.order.length // self.world):
            yield self.order[first + place * self.world + self.rank]

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration gives; Lightning and torch call this."""
        self.epoch = epoch
