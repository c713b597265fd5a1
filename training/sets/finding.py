"""Which folders below a root can be a set: matched by names of folders, judged by their counts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from napari_anyir.training.sets.catalogue import LAYOUTS, SetLayout, plain
from napari_anyir.training.sets.pairing import Folder, Pair, pair_files, single_files

_TRAIN = {"train", "training", "our"}
_TEST = {"test", "testing", "eval", "evaluation"}
_NEITHER = {"val", "valid", "validation"}
# Sequences of the original GoPro tree; each holds a pair of folders.
_SEQUENCE = re.compile(r"gopr\d.*", re.I)


@dataclass(frozen=True)
class Place:
    """Two folders that belong together, or one of clean images.

    Parameters
    ----------
    folder : Folder
        The folder that holds both.
    names : tuple of str
        Names that lead to it, that of the root first.
    degraded : Folder or None
        Degraded images; None for a set of clean images.
    clean : Folder
        Clean images.

    Examples
    --------
    >>> from pathlib import Path
    >>> from napari_anyir.training.sets.finding import Place
    >>> from napari_anyir.training.sets.pairing import Folder
    >>> here = Folder(Path("CBSD68"), ["3096.png"])
    >>> Place(here, ("data", "CBSD68"), None, here).clean.images
    ['3096.png']
    """

    folder: Folder
    names: tuple[str, ...]
    degraded: Folder | None
    clean: Folder


@dataclass(frozen=True)
class Candidate:
    """A folder, or the sequences of one, that can be a set.

    Parameters
    ----------
    layout : SetLayout
        The set.
    places : tuple of Place
        One, but for the original tree of GoPro.
    marked : bool
        Whether its path says what it is for.
    parts : tuple of int or None
        Parts of RESIDE that count.

    Examples
    --------
    >>> from pathlib import Path
    >>> from napari_anyir.training.sets.catalogue import find_layout
    >>> from napari_anyir.training.sets.finding import Candidate, Place
    >>> from napari_anyir.training.sets.pairing import Folder
    >>> here = Folder(Path("CBSD68"), ["3096.png"])
    >>> place = Place(here, ("data", "CBSD68"), None, here)
    >>> Candidate(find_layout("test", "cbsd68"), (place,), True).count
    1
    """

    layout: SetLayout
    places: tuple[Place, ...]
    marked: bool
    parts: tuple[int, ...] | None = None

    def with_parts(self, parts: tuple[int, ...]) -> Candidate:
        """Keep some parts of RESIDE only."""
        return replace(self, parts=parts)

    @property
    def where(self) -> list[Path]:
        """Folders that the images are taken from."""
        if len(self.places) > 1:
            return [self.places[0].folder.path.parent]
        place = self.places[0]
        return [place.folder.path if place.degraded else place.clean.path]

    def files(self, place: Place) -> list[str]:
        """List the images that count: degraded ones, or clean ones where there are no others."""
        folder = place.degraded or place.clean
        parts = self.parts
        if parts is None:
            return folder.files(self.layout.inside)
        # What lies in no part folder belongs to none of the parts that were asked for.
        found = folder.files(self.layout.inside, lambda name: part_number(name) in parts)
        return [file for file in found if "/" in file]

    @cached_property
    def count(self) -> int:
        """Number of images that count, paired or not."""
        return sum(len(self.files(place)) for place in self.places)

    @property
    def rank(self) -> tuple[bool, bool]:
        """What makes it the better one of two: the expected count, then a path that says it."""
        return self.count == self.layout.expected, self.marked

    @cached_property
    def _paired(self) -> tuple[list[Pair], list[str], list[str]]:
        pairs: list[Pair] = []
        without: list[str] = []
        unused: list[str] = []
        for place in self.places:
            prefix = f"{place.folder.path.name}/" if len(self.places) > 1 else ""
            files = self.files(place)
            if place.degraded is None:
                pairs += single_files(place.clean.path, files, prefix)
                continue
            clean = place.clean.files(self.layout.inside)
            some, alone, left = pair_files(
                place.degraded.path, files, place.clean.path, clean, self.layout.rule, prefix
            )
            pairs += some
            without += [prefix + file for file in alone]
            unused += [prefix + file for file in left]
        return pairs, without, unused

    @property
    def pairs(self) -> list[Pair]:
        """Pairs, sorted by name."""
        return self._paired[0]

    @property
    def without(self) -> list[str]:
        """Degraded files that have no clean partner."""
        return self._paired[1]

    @property
    def unused(self) -> list[str]:
        """Clean files that belong to no degraded one."""
        return self._paired[2]


def part_number(name: str) -> int | None:
    """Read the number of a part of RESIDE off a path.

    Examples
    --------
    >>> from napari_anyir.training.sets.finding import part_number
    >>> part_number("part2/0025_0.8_0.04"), part_number("0025_0.8_0.04")
    (2, None)
    """
    found = re.match(r"part[ _-]?(\d+)(/|$)", name, re.I)
    return int(found[1]) if found else None


def split_of(names: tuple[str, ...]) -> str | None:
    """Say what a path is for, by the word that stands nearest to the images.

    Parameters
    ----------
    names : tuple of str
        Names of folders, the root's first; the root counts only if it is nothing but such a word.

    Returns
    -------
    str or None
        ``"train"``, ``"test"``, ``"validate"``, or None if no name says it.

    Examples
    --------
    >>> from napari_anyir.training.sets.finding import split_of
    >>> split_of(("data", "RainTrainL")), split_of(("data", "our485")), split_of(("latest",))
    ('train', 'train', None)
    """
    for depth, name in reversed(list(enumerate(names))):
        words = {w.lower() for w in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", name)}
        if depth == 0 and len(words - {"485", "15"}) > 1:
            continue
        for split, known in (("train", _TRAIN), ("test", _TEST), ("validate", _NEITHER)):
            if words & known:
                return split
    return None


def places(root: Folder, layout: SetLayout) -> Iterator[Place]:
    """Find the folders whose names fit a set, whatever they are for.

    Parameters
    ----------
    root : Folder
        As scanned.
    layout : SetLayout
        The set.

    Yields
    ------
    Place
        Folders with images in them.

    Examples
    --------
    >>> from pathlib import Path
    >>> from napari_anyir.training.sets.catalogue import find_layout
    >>> from napari_anyir.training.sets.finding import places
    >>> from napari_anyir.training.sets.pairing import Folder
    >>> root = Folder(Path("data"), [], {"WED": Folder(Path("data/WED"), ["00001.bmp"])})
    >>> [place.names for place in places(root, find_layout("train", "wed"))]
    [('data', 'WED')]
    """
    for names, folder in root.walk((root.path.resolve().name,)):
        if _refused(layout, names):
            continue
        inside = {plain(name): child for name, child in folder.folders.items()}
        if not layout.degraded:
            if re.fullmatch(layout.place, plain(names[-1])):
                below = (inside[name] for name in layout.clean if name in inside)
                choices = [_unwrapped(choice) for choice in (folder, *below)]
                clean = next((choice for choice in choices if choice.images), None)
                if clean:
                    yield Place(folder, names, None, clean)
            continue
        degraded = _first(inside, layout.degraded, layout.inside) or _parts(folder, layout)
        clean = _first(inside, layout.clean, layout.inside)
        if layout.key == "rain100l":
            # Some copies have the clean files beside the folder of rainy ones, or all in one.
            degraded = degraded or _named(folder, "rain-")
            clean = clean or _named(folder, "norain-")
        if not degraded or not clean:
            continue
        if layout.siblings and not any(name in inside for name in layout.siblings):
            continue
        if layout.place and not _nearest(layout, names):
            continue
        yield Place(folder, names, degraded, clean)


def _first(inside: dict[str, Folder], names: tuple[str, ...], between: str) -> Folder | None:
    there = (_unwrapped(inside[name]) for name in names if name in inside)
    return next((folder for folder in there if folder.files(between)), None)


def _unwrapped(folder: Folder) -> Folder:
    """Step into a folder of the same name: archives are often unpacked into one."""
    while not folder.images and len(folder.folders) == 1:
        (child,) = folder.folders.values()
        if plain(child.path.name) != plain(folder.path.name):
            break
        folder = child
    return folder


def _named(folder: Folder, start: str) -> Folder | None:
    images = [image for image in folder.images if image.lower().startswith(start)]
    return Folder(folder.path, images) if images else None


def _parts(folder: Folder, layout: SetLayout) -> Folder | None:
    """Take parts that lie beside the clean images, in no folder of their own."""
    if layout.key != "reside":
        return None
    parts = {
        name: child
        for name, child in folder.folders.items()
        if child.images and re.fullmatch(layout.inside, name, re.I)
    }
    return Folder(folder.path, [], parts) if parts else None


def _refused(layout: SetLayout, names: tuple[str, ...]) -> bool:
    return bool(layout.refused) and any(
        re.fullmatch(layout.refused, plain(name)) for name in names[1:] or names
    )


def _depth(layout: SetLayout, names: tuple[str, ...]) -> int:
    fits = [i for i, name in enumerate(names) if re.fullmatch(layout.place, plain(name))]
    return max(fits, default=-1)


def _nearest(layout: SetLayout, names: tuple[str, ...]) -> bool:
    """Whether no other set is named nearer to the images than this one."""
    depth = _depth(layout, names)
    rivals = (other for other in LAYOUTS if other.place and other.degraded)
    return depth >= 0 and all(
        _depth(other, names) <= depth for other in rivals if not _refused(other, names)
    )


def candidates(root: Folder, layout: SetLayout) -> list[Candidate]:
    """List what can be a set, the best first.

    A folder whose path says neither train nor test belongs to the split whose expected count is
    nearer to its own.

    Parameters
    ----------
    root : Folder
        As scanned.
    layout : SetLayout
        The set.

    Returns
    -------
    list of Candidate
        Best first; empty if there is none.

    Examples
    --------
    >>> from pathlib import Path
    >>> from napari_anyir.training.sets.catalogue import find_layout
    >>> from napari_anyir.training.sets.finding import candidates
    >>> from napari_anyir.training.sets.pairing import Folder
    >>> root = Folder(Path("data"), [], {"WED": Folder(Path("data/WED"), ["00001.bmp"])})
    >>> [found.count for found in candidates(root, find_layout("train", "wed"))]
    [1]
    """
    groups: dict[tuple[object, ...], list[Place]] = {}
    seen = set()
    for place in places(root, layout):
        real = place.clean.path.resolve()
        if real in seen:  # a link to what is there already
            continue
        seen.add(real)
        sequence = len(place.names) > 1 and _SEQUENCE.fullmatch(place.names[-1])
        key = ("sequences", place.names[:-1]) if sequence else ("one", place.names)
        groups.setdefault(key, []).append(place)
    found = []
    for group in groups.values():
        split = split_of(group[0].names)
        if _says_itself(layout, group[0]):
            # A folder called denoise may be for either; other sets of clean images are for one.
            split = layout.split if layout.key != "denoise" or split is None else split
        candidate = Candidate(layout, tuple(group), split == layout.split)
        if split in (None, layout.split) and (split or _nearer(candidate)):
            found.append(candidate)
    found.sort(key=lambda one: (not one.rank[0], not one.rank[1], str(one.where[0])))
    return found


def _says_itself(layout: SetLayout, place: Place) -> bool:
    if not layout.degraded:  # sets of clean images are for one thing only
        return True
    folder = place.degraded
    return layout.key == "reside" and (
        folder is not None
        and (plain(folder.path.name) == "synthetic" or any(map(part_number, folder.folders)))
    )


def _nearer(candidate: Candidate) -> bool:
    layout, count = candidate.layout, candidate.count
    if layout.other is None or layout.expected is None:
        return True
    mine, others = abs(count - layout.expected), abs(count - layout.other)
    return mine < others or (mine == others and layout.split == "test")
