"""Where the crops of a step come from: what trainers and data agree on.

What a step is made of depends on its place in the run and on the seed alone, never on what was
drawn before. So a run that continues sees what an unbroken one would have seen, and several
devices share the crops of a step without talking to each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

MOST_HELD_OUT = 10
"""At most one image in so many is kept for validation, so that small folders keep theirs."""


class StepCrops(NamedTuple):
    """One step's crops.

    Parameters
    ----------
    first : int
        Number of the first crop, counted from the start of the run.
    batch : int
        Crops, over all devices.
    crop : int
        Side in pixels.
    """

    first: int
    batch: int
    crop: int

    def share(self, rank: int, world: int) -> range:
        """Numbers of the crops of one device; those of several do not overlap.

        Raises
        ------
        ValueError
            If the crops cannot be divided.

        Examples
        --------
        >>> from napari_anyir.training.data.crop_source import StepCrops
        >>> StepCrops(100, 8, 64).share(1, 2)
        range(104, 108)
        """
        if self.batch % world:
            raise ValueError(
                f"A batch of {self.batch} crops cannot be divided among {world} devices; choose a "
                "multiple of their number."
            )
        each = self.batch // world
        return range(self.first + rank * each, self.first + (rank + 1) * each)


StepSequence = Callable[[], Iterator[StepCrops]]
"""Makes the endless sequence of steps from where the run stands."""


class Source(Protocol):
    """What a trainer needs of its data."""

    @property
    def items(self) -> int | None:
        """Images per epoch; None where there are no epochs."""

    @property
    def own_held(self) -> int | None:
        """Images of a folder of one's own for validation; None where there is no such folder."""

    @property
    def facts(self) -> dict[str, Any]:
        """What the card says of the data."""

    def prepare(self, device: torch.device) -> None:
        """Do what takes long before the clock starts."""

    def loader(self, steps: StepSequence, rank: int, world: int) -> Iterable[Any]:
        """Return what a training loop iterates over."""

    def batch(
        self, loaded: Any, device: torch.device, rank: int, world: int
    ) -> tuple[Tensor, Tensor]:
        """Turn what was loaded into degraded and clean crops (B, 3, H, W) in [0, 1]."""

    def validation(self, count: int, crop: int) -> tuple[Tensor, Tensor] | None:
        """Return the same degraded and clean crops each time; None where nothing is held out."""


def mix_seed(*numbers: int) -> int:
    """Make one seed of several numbers; neighbours get unrelated ones.

    Examples
    --------
    >>> from napari_anyir.training.data.crop_source import mix_seed
    >>> mix_seed(0, 1) == mix_seed(0, 1), mix_seed(0, 1) == mix_seed(1, 0)
    (True, False)
    """
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)


def hold_out(items: list[Any], count: int) -> tuple[list[Any], list[Any]]:
    """Divide a list into what is trained on and what is kept, spread evenly.

    Parameters
    ----------
    items : list
        Sorted images.
    count : int
        How many to keep; never more than one in `MOST_HELD_OUT`.

    Returns
    -------
    trained, kept : list
        Each in order.

    Examples
    --------
    >>> from napari_anyir.training.data.crop_source import hold_out
    >>> hold_out(list(range(20)), 2)[1]
    [5, 15]
    """
    count = min(count, len(items) // MOST_HELD_OUT)
    kept = {int((k + 0.5) * len(items) / count) for k in range(count)}
    return (
        [item for index, item in enumerate(items) if index not in kept],
        [item for index, item in enumerate(items) if index in kept],
    )


def require_root(root: Path | None) -> Path:
    """Return the folder of the data.

    Raises
    ------
    ValueError
        If none was given.

    Examples
    --------
    >>> require_root(None)
    Traceback (most recent call last):
    ...
    ValueError: Nothing to train on: name the folder of the data with --data.
    """
    if root is None:
        raise ValueError("Nothing to train on: name the folder of the data with --data.")
    return root


def leave_out(paths: list[Path], names: Iterable[str], root: Path) -> list[Path]:
    """Drop files by name.

    Raises
    ------
    ValueError
        If a name is not there, or nothing is left.

    Examples
    --------
    >>> from pathlib import Path
    >>> from napari_anyir.training.data.crop_source import leave_out
    >>> leave_out([Path("a.png"), Path("b.png")], ["a.png"], Path("."))[0].name
    'b.png'
    """
    unwanted = set(names)
    if absent := sorted(unwanted - {path.name for path in paths}):
        raise ValueError(f"'{absent[0]}' is to be left out, but is not below '{root}'.")
    left = [path for path in paths if path.name not in unwanted]
    if not left:
        raise ValueError(f"Everything below '{root}' is left out; leave something to train on.")
    return left


def outside(paths: list[Path], held: Path, root: Path) -> list[Path]:
    """Drop what lies in the folder for validation: a run is not judged by what it has learned from.

    Raises
    ------
    ValueError
        If nothing is left.

    Examples
    --------
    >>> from pathlib import Path
    >>> from napari_anyir.training.data.crop_source import outside
    >>> outside([Path("a/1.png"), Path("a/held/2.png")], Path("a/held"), Path("a"))[0].name
    '1.png'
    """
    apart = held.resolve()
    left = [path for path in paths if not path.resolve().is_relative_to(apart)]
    if not left:
        raise ValueError(
            f"Everything below '{root}' lies in the folder for validation, '{held}'; name another "
            "one as validation.folder."
        )
    return left
