"""Sets of image files, read and cropped by workers: those of a protocol, or pairs of one's own."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from napari_anyir.training.config import PairData, ProtocolData
from napari_anyir.training.data.crop_source import StepSequence, hold_out, outside, require_root
from napari_anyir.training.data.datasets import PairSet, ProtocolSet, unit
from napari_anyir.training.data.plane_sets import PlanePairSet, open_pairs, planes_of
from napari_anyir.training.data.sampling import EpochOrder
from napari_anyir.training.paper.protocols import find_protocol
from napari_anyir.training.pixels.cache import open_images
from napari_anyir.training.pixels.cropping import Cropping
from napari_anyir.training.pixels.image_bank import split_by_depth
from napari_anyir.training.sets.layouts import find_training
from napari_anyir.training.sets.pairing import Pair, find_pairs, scan


class _Batches:
    """The items of each step, for one device: what a `DataLoader` takes as its batch sampler."""

    def __init__(self, steps: StepSequence, order: EpochOrder, rank: int, world: int) -> None:
        self._steps, self._order, self._rank, self._world = steps, order, rank, world

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for step in self._steps():
            yield [(self._order[n], step.crop) for n in step.share(self._rank, self._world)]


class SetSource:
    """Image files, read and cropped by workers: the sets of a protocol, or pairs of one's own.

    Parameters
    ----------
    data : ProtocolSet, PairSet or PlanePairSet
        What is trained on.
    held : ProtocolSet, PairSet, PlanePairSet or None
        What is looked at: pairs that were held out, or the data themselves where a protocol holds
        nothing back; other crops, then.
    workers : int or None
        Processes that read; None leaves one processor to the training itself.
    facts : dict
        What the card says of the data.
    own_held : bool
        Whether ``held`` are images of one's own, apart from the data.
    """

    def __init__(
        self,
        data: ProtocolSet | PairSet | PlanePairSet,
        held: ProtocolSet | PairSet | PlanePairSet | None,
        workers: int | None,
        facts: dict[str, Any],
        own_held: bool = False,
    ) -> None:
        self.data, self.held, self.facts = data, held, facts
        self.own_held = len(held) if own_held and held is not None else None
        self.workers = min(8, (os.cpu_count() or 1) - 1) if workers is None else workers

    @property
    def items(self) -> int:
        """Items of an epoch."""
        return len(self.data)

    def prepare(self, device: torch.device) -> None:
        """Nothing to do: workers read."""

    def loader(self, steps: StepSequence, rank: int, world: int) -> Iterable[Any]:
        """Return a loader of this device's share of each step; no item goes to two devices."""
        batches = _Batches(steps, EpochOrder(len(self.data), self.data.seed), rank, world)
        return DataLoader(
            self.data,
            batch_sampler=batches,
            num_workers=self.workers,
            pin_memory=torch.cuda.is_available(),
        )

    def batch(
        self, loaded: Any, device: torch.device, rank: int, world: int
    ) -> tuple[Tensor, Tensor]:
        """Bring 8-bit crops to [0, 1]: on the device, where they came as bytes."""
        return unit(loaded.degraded), unit(loaded.clean)

    def validation(self, count: int, crop: int) -> tuple[Tensor, Tensor] | None:
        """Crop items spread over the set, as if in an epoch that no run reaches."""
        if self.held is None or not count:
            return None
        length = len(self.held)
        items = [
            self.held[_NO_EPOCH * length + i * length // count, crop]
            for i in range(min(count, length))
        ]
        return (
            torch.stack([unit(item.degraded) for item in items]),
            torch.stack([unit(item.clean) for item in items]),
        )


_NO_EPOCH = 10**6


def protocol_source(
    config: ProtocolData, seed: int, processes: int = 1, held: Path | None = None
) -> SetSource:
    """Open the training sets of a protocol.

    Parameters
    ----------
    config : ProtocolData
        Which, and where.
    seed : int
        Of crops, turns and noise.
    processes : int
        Training processes on this machine, which share its memory.
    held : Path, optional
        Folder with pairs to validate on, in its folders ``input`` and ``target``.

    Raises
    ------
    FileNotFoundError
        If a set is missing; the sentence says how to lay it out.
    ValueError
        If the protocol is unknown or trains nothing, or a name to leave out is not there.
    """
    root = require_root(config.root)
    protocol = find_protocol(config.protocol)
    if not protocol.tasks:
        raise ValueError(
            f"The protocol '{protocol.name}' trains nothing: it tests a checkpoint of "
            f"'{protocol.trained_by or 'another'}'."
        )
    tree = scan(root)
    everything = [(task, find_training(tree, task, bsd=config.bsd)) for task in protocol.tasks]
    _check_left_out([pair for _, pairs in everything for pair in pairs], config)
    found = [
        (task, [pair for pair in pairs if not _left_out(pair, config.leave_out)])
        for task, pairs in everything
    ]
    data = ProtocolSet(
        found,
        cropping=Cropping(rotations=config.rotations, always=config.augmentation == "promptir"),
        storage=config.noise,
        draw=config.draw,
        seed=seed,
    )
    data.images = open_images(
        data.paths(), mode=config.images, cache=config.cache, processes=processes
    )
    counts = ", ".join(
        f"{task.name} {len(pairs):,} images as {count:,} items"
        for (task, pairs), count in zip(data.found, data.counts, strict=True)
    )
    facts = {"data": f"{protocol.name}: {counts}; {len(data):,} items per epoch"}
    unlike = [
        *(["without BSD400"] if not config.bsd else []),
        *(["turned as in PromptIR"] if config.augmentation == "promptir" else []),
        *(["CDD-11 drawn at random"] if config.draw == "random" else []),
    ]
    if unlike:
        facts["switches"] = ", ".join(unlike)
    if held is None:
        return SetSource(data, data, config.workers, facts)
    own = _held_pairs(held, PairData(source="pairs"), seed)
    return SetSource(data, own, config.workers, facts | _own_fact(own), own_held=True)


def pair_source(
    config: PairData, seed: int, processes: int = 1, held: Path | None = None
) -> SetSource:
    """Open two folders of images with equal names.

    Parameters
    ----------
    config, seed, processes
        As for `protocol_source`.
    held : Path, optional
        Folder with pairs to validate on, in two folders named as those of the data.

    Raises
    ------
    FileNotFoundError
        If a folder is missing or empty, or an image has no partner.
    ValueError
        If a name to leave out is not there.
    """
    root = require_root(config.root)
    pairs = find_pairs(root / config.degraded, root / config.clean)
    _check_left_out(pairs, config)
    pairs = [pair for pair in pairs if not _left_out(pair, config.leave_out)]
    own = _held_pairs(held, config, seed) if held is not None else None
    if held is not None:
        config = config.model_copy(update={"hold_out": 0})
        apart = outside([pair.clean for pair in pairs], held, root)
        pairs = [pair for pair in pairs if pair.clean in apart]
    if _are_deep(pairs, config):
        return _deep_source(pairs, config, seed, own)
    trained, kept = hold_out(pairs, config.hold_out)
    # A pair of one's own may be of any size: nothing is cut off around the centre.
    cropping = Cropping(multiple=1, rotations=config.rotations)
    data = PairSet(trained, cropping=cropping, seed=seed)
    data.images = open_images(
        data.paths(), mode=config.images, cache=config.cache, processes=processes
    )
    if own is not None:
        facts = {"data": f"{len(trained):,} pairs"} | _own_fact(own)
        return SetSource(data, own, config.workers, facts, own_held=True)
    rest = PairSet(kept, cropping=cropping, seed=seed) if kept else None
    facts = {"data": f"{len(trained):,} pairs; {len(kept)} more for validation"}
    return SetSource(data, rest, config.workers, facts)


def _are_deep(pairs: list[Pair], config: PairData) -> bool:
    """Whether pairs must be read plane by plane, with a mapping of their intensities."""
    paths = [path for pair in pairs for path in (pair.degraded, pair.clean) if path]
    return bool(config.intensity != "auto" or config.axes or split_by_depth(paths)[1])


def _held_pairs(folder: Path, config: PairData, seed: int) -> PairSet | PlanePairSet:
    """Open pairs of one's own to validate on."""
    pairs = find_pairs(folder / config.degraded, folder / config.clean)
    if _are_deep(pairs, config):
        opened = open_pairs(pairs, config.intensity, config.clean_intensity, config.axes)
        return PlanePairSet(planes_of(opened), seed=seed)
    return PairSet(pairs, cropping=Cropping(multiple=1), seed=seed)


def _own_fact(held: PairSet | PlanePairSet) -> dict[str, str]:
    return {"validation": f"validated on {len(held):,} pairs of their own"}


def _deep_source(
    pairs: list[Pair], config: PairData, seed: int, own: PairSet | PlanePairSet | None
) -> SetSource:
    """Open pairs of images of any depth, plane by plane."""
    planes = planes_of(open_pairs(pairs, config.intensity, config.clean_intensity, config.axes))
    if len(pairs) < 10:  # too few files to keep one: planes of the stacks are kept instead
        trained, kept = hold_out(planes, config.hold_out)
    else:
        parts = hold_out(pairs, config.hold_out)
        files = [{pair.clean for pair in part} for part in parts]
        trained, kept = ([one for one in planes if one[1].path in part] for part in files)
    data = PlanePairSet(trained, seed=seed, rotations=config.rotations)
    held = PlanePairSet(kept, seed=seed) if kept else None
    if own is not None:
        facts = {"data": f"{len(pairs):,} pairs of {len(planes):,} planes"} | _own_fact(own)
        return SetSource(data, own, config.workers, facts | _mapping_fact(config), own_held=True)
    facts = {
        "data": f"{len(pairs):,} pairs of {len(planes):,} planes; {len(kept):,} of these kept for "
        "validation",
    }
    return SetSource(data, held, config.workers, facts | _mapping_fact(config))


def _mapping_fact(config: PairData) -> dict[str, str]:
    whose = "own" if config.clean_intensity == "own" else "as their partners"
    return {"intensity": f"intensity {config.intensity}, the clean images' {whose}"}


def _left_out(pair: Pair, names: Iterable[str]) -> bool:
    own = {pair.clean.name} | ({pair.degraded.name} if pair.degraded else set())
    return bool(own & set(names))


def _check_left_out(pairs: Iterable[Pair], config: ProtocolData | PairData) -> None:
    names = {path.name for pair in pairs for path in (pair.clean, pair.degraded) if path}
    if absent := sorted(set(config.leave_out) - names):
        raise ValueError(f"'{absent[0]}' is to be left out, but is not below '{config.root}'.")
