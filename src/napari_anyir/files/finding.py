"""Which images a file, a folder or a pattern names; whatever cannot be looked at stops no other."""

from __future__ import annotations

import fnmatch
import glob
import os
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from napari_anyir.files.file_errors import is_there, reason
from napari_anyir.files.formats import FORMATS, extension_of, format_of, is_image_name, stem_of
from napari_anyir.places import expanded

__all__ = ["Found", "find_images", "identity"]


class Found(NamedTuple):
    """An image, or an entry that could not be looked at.

    Parameters
    ----------
    path : Path
        Where it is.
    relative : Path
        The same below the folder that was named.
    problem : str
        One sentence, if it cannot even be looked at.

    Examples
    --------
    >>> Found(Path("raw/day1/a.tif"), Path("day1/a.tif")).problem
    ''
    """

    path: Path
    relative: Path
    problem: str = ""


def identity(path: Path) -> str:
    """Spelling by which two names of one file are recognised as equal.

    Parameters
    ----------
    path : Path
        Any path, there or not.

    Returns
    -------
    str
        Absolute, without links, in lower case where the system ignores case.

    Examples
    --------
    >>> identity(Path("a/../b.png")) == identity(Path("b.png"))
    True
    """
    real = os.path.normcase(os.path.realpath(path))
    return real.casefold() if sys.platform == "darwin" else real


def find_images(
    item: str | Path, *, outside: Path | None = None, leave: Collection[str] = ()
) -> list[Found]:
    """Expand a file, a folder (with all folders in it) or a glob pattern.

    Hidden files and folders are passed over. A .zarr folder is an image, not a folder of images.

    Parameters
    ----------
    item : str or Path
        What the user named.
    outside : Path, optional
        A folder inside a named one whose files are no inputs: the output folder.
    leave : collection of str
        Identities of files that are no inputs: earlier outputs.

    Returns
    -------
    list of Found
        Images, each with its path relative to the named folder, sorted. What could not be looked
        at, such as a folder without permission, is among them with its problem.

    Raises
    ------
    FileNotFoundError
        If nothing has that name.
    ValueError
        If a named file is no image by its extension, or a folder or pattern holds none.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / "day1").mkdir()
    >>> for name in ("b.png", "notes.txt", "day1/a.tif"):
    ...     (folder / name).touch()
    >>> [image.relative.as_posix() for image in find_images(folder)]
    ['b.png', 'day1/a.tif']
    """
    path = expanded(item)
    text = str(path)
    if path.is_dir() and not is_image_name(path):
        os.listdir(path)  # what was named itself must be readable  # noqa: PTH208
        base, places = path, _walk(path, outside, set())
        kind = "The folder"
    elif is_there(path):
        format_of(path)
        return [Found(path, Path(_name_of(path)))]
    elif glob.has_magic(text):
        base = _fixed_part(path)
        places = (
            image
            for match in _matches(base, path.relative_to(base).parts, set())
            for image in _images_at(match, outside, set())
        )
        kind = "The pattern"
    else:
        raise FileNotFoundError(f"There is no file or folder '{item}'; check the path.")
    found: dict[Path, Found] = {}
    for place, problem in places:
        if identity(place) not in leave:
            found.setdefault(place, Found(place, place.relative_to(base), problem))
    if not found:
        raise ValueError(f"{kind} '{item}' holds no images ({' '.join(FORMATS)}).")
    return list(found.values())


def _name_of(path: Path) -> str:
    """Name of a result; an image inside of a .zarr is called after both."""
    for outer in path.parents:
        if outer.suffix.lower() == ".zarr" and path.suffix.lower() not in FORMATS:
            inner = "_".join(path.relative_to(outer).parts)
            return f"{stem_of(outer)}_{inner}{extension_of(outer)}"
    return path.name


_Place = tuple[Path, str]  # an image, or what could not be looked at and why


def _unseen(path: Path, error: OSError) -> _Place:
    return path, f"'{path}' cannot be looked at: {reason(error)}."


def _entries(folder: Path) -> tuple[list[Path], list[_Place]]:
    """Entries of a folder in the order of their names, or why there are none."""
    try:
        return sorted(folder.iterdir()), []
    except OSError as error:
        return [], [_unseen(folder, error)]


def _walk(folder: Path, outside: Path | None, seen: set[str]) -> Iterator[_Place]:
    """Images in a folder and in the folders below it, each folder once, links or not."""
    if (name := identity(folder)) in seen:
        return
    seen.add(name)
    paths, problems = _entries(folder)
    yield from problems
    for path in paths:
        yield from _images_at(path, outside, seen)


def _images_at(path: Path, outside: Path | None, seen: set[str]) -> Iterator[_Place]:
    """An image itself, or the images in a folder; nothing for other files and hidden ones."""
    if path.name.startswith("."):
        return
    try:
        is_folder = path.is_dir()
    except OSError as error:
        yield _unseen(path, error)
        return
    if is_folder and path.suffix.lower() != ".zarr":
        if not (outside and identity(path) == identity(outside)):
            yield from _walk(path, outside, seen)
    elif is_image_name(path) and (is_folder or path.suffix.lower() != ".zarr" or path.is_symlink()):
        yield path, ""


def _fixed_part(pattern: Path) -> Path:
    """Folder of a pattern before its first wildcard."""
    base = Path(pattern.anchor)
    for part in pattern.relative_to(base).parts[:-1]:
        if glob.has_magic(part):
            break
        base /= part
    return base


def _matches(folder: Path, parts: tuple[str, ...], seen: set[tuple[str, int]]) -> Iterator[Path]:
    """Paths that match a pattern; unlike `glob.glob`, this ends where links make loops."""
    if not parts:
        yield folder
        return
    first, rest = parts[0], parts[1:]
    if not glob.has_magic(first):
        if is_there(folder / first):
            yield from _matches(folder / first, rest, seen)
        return
    # Nothing inside a .zarr is an image of its own.
    if folder.suffix.lower() == ".zarr" or not os.access(folder, os.R_OK) or not folder.is_dir():
        return
    if first == "**":
        if (key := (identity(folder), len(parts))) in seen:
            return
        seen.add(key)
        yield from _matches(folder, rest, seen)
    for path in _entries(folder)[0]:
        if path.name.startswith(".") and not first.startswith("."):
            continue
        if first == "**":
            if path.is_dir():
                yield from _matches(path, parts, seen)
        elif fnmatch.fnmatch(path.name, first):
            yield from _matches(path, rest, seen)
