"""Which files are restored, and under which names; whatever cannot go well is told before."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from napari_anyir.files.finding import Found, find_images, identity
from napari_anyir.files.formats import extension_of, format_of, is_image_name, stem_of
from napari_anyir.files.tiff_sets import others_of_sets
from napari_anyir.places import expanded, longest_name

__all__ = ["BatchPlan", "FileJob", "make_plan"]


@dataclass(frozen=True)
class FileJob:
    """One file to restore.

    Parameters
    ----------
    source : Path
        The image.
    target : Path
        Where its result goes.
    name : str
        What to call it: its path below the input folder.
    problem : str
        One sentence, if it is known already that it cannot be done.
    parts : tuple of Path
        Other named files that hold a part of the same image, as those of an OME-TIFF set do.

    Examples
    --------
    >>> FileJob(Path("raw/a.png"), Path("out/a.png"), "a.png").parts
    ()
    """

    source: Path
    target: Path
    name: str
    problem: str = ""
    parts: tuple[Path, ...] = ()


@dataclass(frozen=True)
class BatchPlan:
    """All files to restore.

    Parameters
    ----------
    root : Path
        Output folder, where the log is kept.
    jobs : tuple of FileJob
        In a stable order, with distinct targets, none of which is a source.

    Examples
    --------
    >>> BatchPlan(Path("out"), (FileJob(Path("a.png"), Path("out/a.png"), "a.png"),)).jobs[0].name
    'a.png'
    """

    root: Path
    jobs: tuple[FileJob, ...]


def make_plan(
    inputs: Sequence[str | Path],
    output: str | Path,
    *,
    suffix: str = "",
    extension: str | None = None,
    earlier: Collection[str] = (),
) -> BatchPlan:
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
    BatchPlan
        Jobs, each image once; one that cannot be done has its problem, and stops no other.

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
    output = expanded(output)
    one_file = is_image_name(output) and (output.suffix.lower() == ".zarr" or not output.is_dir())
    found: dict[str, Found] = {}
    for item in inputs:
        for image in find_images(item, outside=output, leave=earlier):
            found.setdefault(identity(image.path), image)
    sources = set(found)
    found, parts = _one_per_set(found)
    if one_file:
        first = expanded(inputs[0])
        if len(inputs) > 1 or not (first.exists() and is_image_name(first)):
            raise ValueError(
                f"'{output}' names one image, which takes one image as input; name a folder."
            )
        if suffix or extension:
            raise ValueError(
                f"A suffix and a format name the files in a folder, but '{output}' is a file; "
                "leave them out or name a folder."
            )
        jobs = [
            FileJob(path, output, at.name, problem, parts.get(path, ()))
            for path, at, problem in found.values()
        ]
        root = output.parent
    else:
        if output.exists() and not output.is_dir():
            raise ValueError(f"'{output}' is a file and no image; name a folder.")
        jobs = [
            FileJob(path, output / name, at.as_posix(), problem, parts.get(path, ()))
            for path, at, problem in found.values()
            for name in (_renamed(at, suffix, extension),)
        ]
        root = output
    _refuse_collisions(jobs, sources)
    return BatchPlan(root, tuple(_with_obstacle(job, root) for job in jobs))


def _with_obstacle(job: FileJob, root: Path) -> FileJob:
    """Say before the work why a result could not be written under its name."""
    if job.problem:
        return job
    name = job.target.name
    limit = longest_name(job.target.parent)
    if len(os.fsencode(name)) > limit:
        said = f"its name would have {len(os.fsencode(name))} bytes, and {limit} are allowed there"
        return replace(job, problem=f"The result of '{job.source}' cannot be written: {said}.")
    if job.target.is_relative_to(root):
        for folder in job.target.relative_to(root).parents:
            if (root / folder) != root and (root / folder).is_symlink():
                said = f"the link '{root / folder}' would lead it out of the output folder"
                return replace(job, problem=f"The result of '{job.source}' is not written: {said}.")
    return job


def _one_per_set(
    found: dict[str, Found],
) -> tuple[dict[str, Found], dict[Path, tuple[Path, ...]]]:
    """Leave one file of every OME-TIFF set, which gives the whole image, and name its others."""
    others = others_of_sets(image.path for image in found.values() if not image.problem)
    parts: dict[Path, tuple[Path, ...]] = {}
    for other, first in others.items():
        parts[first] = (*parts.get(first, ()), other)
    return {key: image for key, image in found.items() if image.path not in others}, parts


def _renamed(relative: Path, suffix: str, extension: str | None) -> Path:
    return relative.with_name(stem_of(relative) + suffix + (extension or extension_of(relative)))


def _refuse_collisions(jobs: Sequence[FileJob], sources: set[str]) -> None:
    """Refuse two results under one name, and results that would replace an input."""
    taken: dict[str, FileJob] = {}
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
