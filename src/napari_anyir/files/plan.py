"""Which files are restored, and under which names; whatever cannot go well is told before."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_anyir.files.formats import FORMATS, extension_of, format_of, is_image_name, stem_of

__all__ = ["Job", "Plan", "find_images", "make_plan"]


@dataclass(frozen=True)
class Job:
    """One file to restore.

    Parameters
    ----------
    source : Path
        The image.
    target : Path
        Where its result goes.
    name : str
        What to call it: its path below the input folder.
    """

    source: Path
    target: Path
    name: str


@dataclass(frozen=True)
class Plan:
    """All files to restore.

    Parameters
    ----------
    root : Path
        Output folder, where the log is kept.
    jobs : tuple of Job
        In a stable order, with distinct targets, none of which is a source.
    """

    root: Path
    jobs: tuple[Job, ...]


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
    """
    real = os.path.normcase(os.path.realpath(path))
    return real.casefold() if sys.platform == "darwin" else real


def find_images(
    item: str | Path, *, outside: Path | None = None, leave: Collection[str] = ()
) -> list[tuple[Path, Path]]:
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
    list of (Path, Path)
        Image and its path relative to the named folder, sorted.

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
    >>> [relative.as_posix() for _, relative in find_images(folder)]
    ['b.png', 'day1/a.tif']
    """
    path = Path(item).expanduser()
    text = str(path)
    if path.is_dir() and not is_image_name(path):
        found = [(file, file.relative_to(path)) for file in _walk(path, outside)]
        kind = "The folder"
    elif path.exists():
        format_of(path)
        return [(path, Path(path.name))]
    elif glob.has_magic(text):
        base = _fixed_part(path)
        found = [
            (file, file.relative_to(base))
            # Path.glob takes no absolute pattern
            for match in sorted(map(Path, glob.glob(text, recursive=True)))  # noqa: PTH207
            if not any(
                part.lower().endswith(".zarr") for part in match.relative_to(base).parts[:-1]
            )
            for file in _images_at(match, outside)
        ]
        kind = "The pattern"
    else:
        raise FileNotFoundError(f"There is no file or folder '{item}'; check the path.")
    found = [pair for pair in found if identity(pair[0]) not in leave]
    if not found:
        raise ValueError(f"{kind} '{item}' holds no images ({' '.join(FORMATS)}).")
    return found


def _walk(folder: Path, outside: Path | None) -> Iterator[Path]:
    """Images in a folder and in the folders below it."""
    for path in sorted(folder.iterdir()):
        yield from _images_at(path, outside)


def _images_at(path: Path, outside: Path | None) -> Iterator[Path]:
    """An image itself, or the images in a folder; nothing for other files and hidden ones."""
    if path.name.startswith("."):
        return
    if path.is_dir() != (path.suffix.lower() == ".zarr"):
        if path.is_dir() and not (outside and identity(path) == identity(outside)):
            yield from _walk(path, outside)
    elif is_image_name(path):
        yield path


def _fixed_part(pattern: Path) -> Path:
    """Folder of a pattern before its first wildcard."""
    base = Path(pattern.anchor)
    for part in pattern.relative_to(base).parts[:-1]:
        if glob.has_magic(part):
            break
        base /= part
    return base


def make_plan(
    inputs: Sequence[str | Path],
    output: str | Path,
    *,
    suffix: str = "",
    extension: str | None = None,
    earlier: Collection[str] = (),
) -> Plan:
    """Name an output for every input, or say what stands in the way.

    Parameters
    ----------
    inputs : sequence of str or Path
        Files, folders and glob patterns.
    output : str or Path
        A folder, in which the layout below input folders is kept; or, for one input file, the
        name of its result.
    suffix : str
        Added to every name, before the extension.
    extension : str, optional
        Format of all results, for instance ``".png"``; default: each as its input.
    earlier : collection of str
        Identities of the results of earlier runs, which are no inputs.

    Returns
    -------
    Plan
        Jobs, each image once.

    Raises
    ------
    FileNotFoundError, ValueError
        If an input is missing or no image, two inputs would have one output, an output would
        replace an input, or the output is of the wrong kind; one sentence.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / "a.png").touch()
    >>> (folder / "a.tif").touch()
    >>> plan = make_plan([folder], folder / "restored")
    >>> [job.target.relative_to(folder).as_posix() for job in plan.jobs]
    ['restored/a.png', 'restored/a.tif']
    >>> make_plan([folder], folder / "restored", extension="png")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    ValueError: '...a.png' and '...a.tif' would both become '...a.png'; ...
    """
    if not inputs:
        raise ValueError("There is nothing to restore; name files, folders or patterns.")
    if extension is not None:
        extension = "." + extension.lstrip(".")
        format_of("a" + extension)
    output = Path(output).expanduser()
    one_file = is_image_name(output) and (output.suffix.lower() == ".zarr" or not output.is_dir())
    found: dict[str, tuple[Path, Path]] = {}
    for item in inputs:
        for source, relative in find_images(item, outside=output, leave=earlier):
            found.setdefault(identity(source), (source, relative))
    if one_file:
        first = Path(inputs[0]).expanduser()
        if len(inputs) > 1 or not (first.exists() and is_image_name(first)):
            raise ValueError(
                f"'{output}' names one image, which takes one image as input; name a folder."
            )
        if suffix or extension:
            raise ValueError(
                f"A suffix and a format name the files in a folder, but '{output}' is a file; "
                "leave them out or name a folder."
            )
        jobs = [Job(source, output, relative.name) for source, relative in found.values()]
        root = output.parent
    else:
        if output.exists() and not output.is_dir():
            raise ValueError(f"'{output}' is a file and no image; name a folder.")
        jobs = [
            Job(source, output / _renamed(relative, suffix, extension), relative.as_posix())
            for source, relative in found.values()
        ]
        root = output
    _refuse_collisions(jobs, set(found))
    return Plan(root, tuple(jobs))


def _renamed(relative: Path, suffix: str, extension: str | None) -> Path:
    return relative.with_name(stem_of(relative) + suffix + (extension or extension_of(relative)))


def _refuse_collisions(jobs: Sequence[Job], sources: set[str]) -> None:
    """Refuse two results under one name, and results that would replace an input."""
    taken: dict[str, Job] = {}
    for job in jobs:
        target = identity(job.target)
        if target in sources:
            raise ValueError(
                f"The result of '{job.source}' would replace the input '{job.target}'; "
                "name another folder or give a suffix."
            )
        if target in taken:
            raise ValueError(
                f"'{taken[target].source}' and '{job.source}' would both become '{job.target}'; "
                "restore them in two runs, into two folders."
            )
        taken[target] = job
