"""Folders of images as lists, and the rules by which degraded and clean files belong together.

Names only: nothing here opens an image, so that a set of 72,135 files is paired in a moment.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

SUFFIXES = {".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
"""Files that are read as photographs, in any letter case."""

ANY_IMAGE = SUFFIXES | {".btf", ".jpe", ".npy", ".tf8", ".zarr"}
"""Files, and folders of OME-Zarr, that may be deeper than photographs, or stacks."""

DEPTH = 9
"""Levels of folders that are searched below a root."""


@dataclass(frozen=True)
class Pair:
    """A degraded image and the clean one it should become.

    Parameters
    ----------
    name : str
        Unique within its set: the path of the degraded file in the set, without its suffix.
    clean : Path
        Clean image.
    degraded : Path or None
        Degraded image; None where noise is added on the fly.

    Examples
    --------
    >>> from pathlib import Path
    >>> from napari_anyir.training.sets.pairing import Pair
    >>> Pair("0001", Path("0001.png"), None).degraded is None
    True
    """

    name: str
    clean: Path
    degraded: Path | None


@dataclass
class Folder:
    """A folder as one scan saw it.

    Parameters
    ----------
    path : Path
        Where it is.
    images : list of str
        Names of the image files directly in it, sorted.
    folders : dict of str to Folder
        Folders directly in it, by name, sorted.

    Examples
    --------
    >>> from pathlib import Path
    >>> from napari_anyir.training.sets.pairing import Folder
    >>> Folder(Path("set"), ["a.png"]).count()
    1
    """

    path: Path
    images: list[str] = field(default_factory=list)
    folders: dict[str, Folder] = field(default_factory=dict)

    def walk(self, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Folder]]:
        """Visit this folder and all below it, each with the names that lead to it."""
        yield above, self
        for name, folder in self.folders.items():
            yield from folder.walk((*above, name))

    def files(self, inside: str = "", wanted: Callable[[str], bool] | None = None) -> list[str]:
        """List images here and in the folders directly below, relative to this folder.

        Parameters
        ----------
        inside : str
            Regular expression that names of such folders match as a whole; empty: none of them.
        wanted : callable, optional
            Says of a folder that matches whether its images count.

        Returns
        -------
        list of str
            Relative paths with ``/``, sorted.
        """
        found = list(self.images)
        for name, folder in self.folders.items():
            if inside and re.fullmatch(inside, name, re.I) and (not wanted or wanted(name)):
                found += [f"{name}/{image}" for image in folder.images]
        return sorted(found)

    def count(self) -> int:
        """Count the images here and below."""
        return len(self.images) + sum(folder.count() for folder in self.folders.values())


def scan(root: str | Path, depth: int = DEPTH, suffixes: Collection[str] = SUFFIXES) -> Folder:
    """List a folder and all below it once; links are followed, but never in a circle.

    Hidden entries and what macOS leaves in archives (``__MACOSX``, ``._name``) are left out; they
    would be counted as images.

    Parameters
    ----------
    root : str or Path
        Where to begin.
    depth : int
        Levels below it.
    suffixes : collection of str
        What names of images end with, in small letters.

    Returns
    -------
    Folder
        The tree of it.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.

    Examples
    --------
    >>> from napari_anyir.training.sets.pairing import scan
    >>> scan("no-such-folder")
    Traceback (most recent call last):
    FileNotFoundError: No folder 'no-such-folder'; name the one that your datasets lie in.
    """
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(f"No folder '{root}'; name the one that your datasets lie in.")
    return _scan(root, depth, frozenset({os.path.realpath(root)}), suffixes)


def _scan(path: Path, depth: int, above: frozenset[str], suffixes: Collection[str]) -> Folder:
    folder, below = Folder(path), []
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.name.startswith((".", "__MACOSX")):
                continue
            # A name that ends like an image is not looked at on disk: that would take minutes for
            # large sets on network drives.
            if os.path.splitext(entry.name)[1].lower() in suffixes:  # noqa: PTH122
                folder.images.append(entry.name)
            elif depth > 0 and entry.is_dir():
                below.append(entry.name)
    folder.images.sort()
    for name in sorted(below):
        real = os.path.realpath(path / name)
        if real not in above:
            try:
                folder.folders[name] = _scan(path / name, depth - 1, above | {real}, suffixes)
            except PermissionError:
                continue
    return folder


def same_name(stem: str) -> list[str]:
    """Rule of most sets: the clean file is called as the degraded one.

    Parameters
    ----------
    stem : str
        Name of a degraded file without its suffix.

    Returns
    -------
    list of str
        Stems that its clean file may have, the likeliest first.

    Examples
    --------
    >>> from napari_anyir.training.sets.pairing import same_name
    >>> same_name("0001")
    ['0001']
    """
    return [stem]


def _own_name(stem: str) -> list[str]:
    """Rule of one's own pairs: equal names, of which one may have the ``.ome`` of its format."""
    bare = stem.removesuffix(".ome")
    return [stem, f"{bare}.ome" if bare == stem else bare]


def rain_name(stem: str) -> list[str]:
    """Rule of Rain100L: ``rain-12`` belongs to ``norain-12``; other copies have equal names.

    Examples
    --------
    >>> from napari_anyir.training.sets.pairing import rain_name
    >>> rain_name("rain-12"), rain_name("12")
    (['norain-12', '12', 'rain-12'], ['norain-12', '12'])
    """
    number = re.sub(r"^rain-?", "", stem, flags=re.I)
    return list(dict.fromkeys([f"norain-{number}", number, stem]))


def hazy_name(stem: str) -> list[str]:
    """Rule of RESIDE: the name up to the first ``_``; the rest is airlight and thickness.

    Examples
    --------
    >>> from napari_anyir.training.sets.pairing import hazy_name
    >>> hazy_name("0025_0.8_0.04")
    ['0025', '0025_0.8_0.04']
    """
    return list(dict.fromkeys([stem.split("_", 1)[0], stem]))


def pair_files(
    degraded: Path,
    degraded_files: Iterable[str],
    clean: Path,
    clean_files: Sequence[str],
    rule: Callable[[str], list[str]] = same_name,
    prefix: str = "",
) -> tuple[list[Pair], list[str], list[str]]:
    """Find the clean partner of each degraded file.

    Several clean files may differ in their suffix only: the one with the suffix of the degraded
    file is taken, then ``.png``, then ``.jpg``. A degraded file in a folder of its own is paired
    within the folder of that name, where there is one, and otherwise by its name alone.

    Parameters
    ----------
    degraded, clean : Path
        Folders.
    degraded_files, clean_files : sequence of str
        Images, relative to them.
    rule : callable
        Stems that the clean file may have, from the stem of the degraded one.
    prefix : str
        Put before the name of each pair.

    Returns
    -------
    pairs : list of Pair
        Sorted by name.
    without : list of str
        Degraded files that have no clean partner.
    unused : list of str
        Clean files that belong to no degraded one.

    Examples
    --------
    >>> from pathlib import Path
    >>> from napari_anyir.training.sets.pairing import hazy_name, pair_files
    >>> hazy = ["part1/0025_0.8_0.04.jpg", "part1/0026_1_0.1.jpg"]
    >>> pairs, without, unused = pair_files(
    ...     Path("hazy"), hazy, Path("gt"), ["0025.jpg", "9.png"], hazy_name)
    >>> pairs[0].name, without, unused
    ('part1/0025_0.8_0.04', ['part1/0026_1_0.1.jpg'], ['9.png'])
    """
    by_stem: dict[str, dict[str, str]] = {}
    for file in clean_files:
        stem, suffix = os.path.splitext(file)  # noqa: PTH122 - thousands of names, no Path each
        by_stem.setdefault(stem, {})[suffix.lower()] = file
    pairs, without = [], []
    used: dict[str, Path] = {}  # a clean file may belong to many degraded ones
    for file in degraded_files:
        whole, suffix = os.path.splitext(file)  # noqa: PTH122
        place, _, stem = whole.rpartition("/")
        wanted = rule(stem)
        if place:
            wanted = [f"{place}/{name}" for name in wanted] + wanted
        choice = next((by_stem[name] for name in wanted if name in by_stem), None)
        if choice is None:
            without.append(file)
            continue
        order = (suffix.lower(), ".png", ".jpg", *choice)
        partner = choice[next(kind for kind in order if kind in choice)]
        if partner not in used:
            used[partner] = clean / partner
        pairs.append(Pair(prefix + whole, used[partner], degraded / file))
    pairs.sort(key=lambda pair: pair.name)
    unused = [file for file in clean_files if file not in used]
    return pairs, without, unused


def single_files(folder: Path, files: Iterable[str], prefix: str = "") -> list[Pair]:
    """Make pairs of clean images alone, to which noise is added on the fly.

    Examples
    --------
    >>> from pathlib import Path
    >>> from napari_anyir.training.sets.pairing import single_files
    >>> single_files(Path("CBSD68"), ["3096.png"])[0].name
    '3096'
    """
    return sorted(
        (
            Pair(prefix + str(PurePosixPath(file).with_suffix("")), folder / file, None)
            for file in files
        ),
        key=lambda pair: pair.name,
    )


def find_pairs(degraded: str | Path, clean: str | Path) -> list[Pair]:
    """Pair two folders of one's own: equal names, suffixes may differ.

    Parameters
    ----------
    degraded, clean : str or Path
        Folders; those within them are searched as well, and must have equal names.

    Returns
    -------
    list of Pair
        Sorted by name.

    Raises
    ------
    FileNotFoundError
        If a folder is missing or empty, or a degraded image has no clean partner.
    ValueError
        If both folders are one.

    Examples
    --------
    >>> from napari_anyir.training.sets.pairing import find_pairs
    >>> find_pairs("no-such-folder", "none")
    Traceback (most recent call last):
    FileNotFoundError: No folder 'no-such-folder'; name the one that your datasets lie in.
    """
    trees = [scan(folder, suffixes=ANY_IMAGE) for folder in (degraded, clean)]
    if trees[0].path.resolve() == trees[1].path.resolve():
        raise ValueError(f"'{degraded}' was named twice; name the folder of the clean images too.")
    files = [
        ["/".join((*names, image)) for names, folder in tree.walk() for image in folder.images]
        for tree in trees
    ]
    for tree, listed in zip(trees, files, strict=True):
        if not listed:
            raise FileNotFoundError(f"No images in '{tree.path}'; name a folder that holds some.")
    pairs, without, _ = pair_files(trees[0].path, files[0], trees[1].path, files[1], _own_name)
    if without:
        raise FileNotFoundError(
            f"{len(without):,} of {len(files[0]):,} images in '{trees[0].path}' have no partner of "
            f"the same name in '{trees[1].path}', the first is '{without[0]}'."
        )
    return pairs
