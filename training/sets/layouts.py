"""Find the sets of the protocols below a folder, pair their files, and say what is missing.

Where a set lies below ROOT is free, names may vary (`napari_anyir.training.sets.catalogue`); what
was taken is always told: to the log ``napari_anyir.training``, and by `check`. Of two folders that
fit equally well none is taken.
"""

from __future__ import annotations

import logging
from pathlib import Path

from napari_anyir.training.paper.protocols import CDD11_FOLDERS, Protocol, Task, TestSet
from napari_anyir.training.sets.catalogue import (
    PARTS_EXPECTED,
    TASK_LAYOUTS,
    SetLayout,
    find_layout,
)
from napari_anyir.training.sets.finding import Candidate, candidates, part_number
from napari_anyir.training.sets.inventory import Finding, check
from napari_anyir.training.sets.layout_mistakes import why_refused
from napari_anyir.training.sets.pairing import Folder, Pair, scan

__all__ = [
    "Finding",
    "Pair",
    "check",
    "count_items",
    "expected_items",
    "find_test",
    "find_training",
]

Root = str | Path | Folder
"""A folder, or what `napari_anyir.training.sets.pairing.scan` read of it, so as to read it once."""

_log = logging.getLogger("napari_anyir.training")


def _scanned(root: Root) -> Folder:
    return root if isinstance(root, Folder) else scan(root)


def _choose(root: Folder, layout: SetLayout) -> Candidate:
    """Take the folder that fits best, or say why there is none.

    Raises
    ------
    FileNotFoundError
        If none fits.
    ValueError
        If two fit equally well.
    """
    fitting = candidates(root, layout)
    if not fitting:
        reason = why_refused(root, layout)
        raise FileNotFoundError(
            f"No {layout.name} to {layout.split} with below '{root.path}'"
            f"{f' ({reason})' if reason else ''}: lay it out as {layout.advice}."
        )
    best = fitting[0]
    rivals = [other for other in fitting[1:] if other.rank == best.rank]
    if rivals:
        raise ValueError(
            f"Two folders could be {layout.name} to {layout.split} with, '{best.where[0]}' and "
            f"'{rivals[0].where[0]}': keep only one of them below '{root.path}'."
        )
    return best


def _pairs(root: Folder, layout: SetLayout, parts: tuple[int, ...] | None = None) -> list[Pair]:
    """Pair the files of the set that fits best; a file without a partner is an error."""
    chosen = _choose(root, layout)
    if parts is not None:
        chosen = chosen.with_parts(parts)
        there = {part_number(pair.name) for pair in chosen.pairs}
        if absent := sorted(set(parts) - there, key=str):
            raise FileNotFoundError(
                f"Part {absent[0]} of {layout.name} is not below '{chosen.where[0]}': keep the "
                f"parts in folders of their own, {layout.advice}."
            )
    if chosen.without:
        raise FileNotFoundError(
            f"{len(chosen.without):,} of {len(chosen.without) + len(chosen.pairs):,} images of "
            f"{layout.name} in '{chosen.where[0]}' have no clean partner, the first is "
            f"'{chosen.without[0]}': add the partners or remove these files."
        )
    if not chosen.pairs:
        raise FileNotFoundError(
            f"'{chosen.where[0]}' holds no image of {layout.name}: lay it out as {layout.advice}."
        )
    place = chosen.where[0]
    _log.info("%s (%s): %d from '%s'", layout.name, layout.split, len(chosen.pairs), place)
    if parts is None and layout.expected not in (None, len(chosen.pairs)):
        _log.warning(
            "%s (%s) has %s images in '%s', the protocol counts %s: results will not compare.",
            layout.name,
            layout.split,
            f"{len(chosen.pairs):,}",
            place,
            f"{layout.expected:,}",
        )
    return chosen.pairs


def find_training(root: Root, task: Task, *, bsd: bool = True) -> list[Pair]:
    """Find and pair the training images of a task.

    Parameters
    ----------
    root : str, Path or Folder
        Folder that the sets lie in, anywhere below it.
    task : Task
        Task of a protocol; its repeats are not applied.
    bsd : bool
        Whether BSD400 takes part in denoising, beside WED.

    Returns
    -------
    list of Pair
        Sorted within each set.

    Raises
    ------
    FileNotFoundError
        If the set is missing or an image has no clean partner; the sentence says how to lay it out.
    ValueError
        If two folders fit equally well.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from napari_anyir.training.sets.layouts import find_training
    >>> from napari_anyir.training.paper.protocols import Task
    >>> root = pathlib.Path(tempfile.mkdtemp()) / "data"
    >>> for name in ("rainy/rain-1.png", "gt/norain-1.png"):
    ...     file = root / "Rain100L" / "train" / name
    ...     file.parent.mkdir(parents=True)
    ...     file.touch()
    >>> pair, = find_training(root, Task("derain", 120))
    >>> pair.clean.name
    'norain-1.png'
    """
    tree = _scanned(root)
    if task.name == "denoise":
        return _denoising(tree) if bsd else _only_wed(tree)
    if task.name == "cdd11":
        pairs = []
        for folder in CDD11_FOLDERS:
            found = _pairs(tree, find_layout("train", f"cdd11/{folder}"))
            pairs += [Pair(f"{folder}/{p.name}", p.clean, p.degraded) for p in found]
        return pairs
    return _pairs(tree, find_layout("train", TASK_LAYOUTS[task.name]), task.parts)


def _denoising(root: Folder) -> list[Pair]:
    separate = [find_layout("train", key) for key in ("bsd400", "wed")]
    there = [layout for layout in separate if candidates(root, layout)]
    if not there:
        try:
            return _pairs(root, find_layout("train", "denoise"))
        except FileNotFoundError as error:
            reasons = filter(None, (why_refused(root, layout) for layout in separate))
            raise FileNotFoundError(
                f"Neither BSD400 nor WED is below '{root.path}'"
                f"{''.join(f' ({reason})' for reason in reasons)}: lay them out as "
                f"{separate[0].advice}, and {separate[1].advice}, or both in ROOT/train/Denoise."
            ) from error
    for layout in separate:
        if layout not in there:
            _log.warning(
                "%s is not below '%s': the epoch is shorter than the protocol's; lay it out as %s.",
                layout.name,
                root.path,
                layout.advice,
            )
    return [
        Pair(f"{layout.name}/{p.name}", p.clean, None)
        for layout in there
        for p in _pairs(root, layout)
    ]


def _only_wed(root: Folder) -> list[Pair]:
    wed = find_layout("train", "wed")
    if candidates(root, wed) or not candidates(root, find_layout("train", "denoise")):
        return [Pair(f"{wed.name}/{p.name}", p.clean, None) for p in _pairs(root, wed)]
    both = _pairs(root, find_layout("train", "denoise"))
    found = [pair for pair in both if _is_wed(pair.clean)]
    if not found:
        raise FileNotFoundError(
            f"None of the {len(both):,} images to denoise below '{root.path}' is called as those "
            "of WED (00001 to 04744); lay WED out in a folder of its name."
        )
    if len(found) != wed.expected:
        _log.warning(
            "WED has %s images in '%s', the protocol counts %s: results will not compare.",
            f"{len(found):,}",
            found[0].clean.parent,
            f"{wed.expected:,}",
        )
    return found


def _is_wed(path: Path) -> bool:
    """Whether a file is one of WED's by its name: those of BSD400 have other numbers."""
    return path.stem.isdecimal() and len(path.stem) == 5 and 1 <= int(path.stem) <= 4744


def find_test(root: Root, test: TestSet) -> list[Pair]:
    """Find and pair the images of a test set.

    Parameters
    ----------
    root : str, Path or Folder
        Folder that the sets lie in, anywhere below it.
    test : TestSet
        A test set of a protocol.

    Returns
    -------
    list of Pair
        Sorted by name; ``degraded`` is None where noise of ``test.sigma`` is to be added.

    Raises
    ------
    FileNotFoundError
        If the set is missing or an image has no clean partner; the sentence says how to lay it out.
    ValueError
        If two folders fit equally well, or the layout is unknown.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from napari_anyir.training.sets.layouts import find_test
    >>> from napari_anyir.training.paper.protocols import TestSet
    >>> root = pathlib.Path(tempfile.mkdtemp()) / "data"
    >>> (root / "CBSD68").mkdir(parents=True)
    >>> (root / "CBSD68" / "3096.png").touch()
    >>> [pair.name for pair in find_test(root, TestSet("CBSD68 sigma 25", "cbsd68", 25))]
    ['3096']
    """
    return _pairs(_scanned(root), find_layout("test", test.layout))


def count_items(root: Root, protocol: Protocol) -> dict[str, int]:
    """Count the items of one epoch of a protocol, by task.

    Parameters
    ----------
    root : str, Path or Folder
        Folder that the sets lie in.
    protocol : Protocol
        What to count for.

    Returns
    -------
    dict of str to int
        Items of each task; no file is opened.

    Raises
    ------
    FileNotFoundError, ValueError
        As `find_training`.

    Examples
    --------
    >>> from napari_anyir.training.sets.layouts import count_items
    >>> from napari_anyir.training.paper.protocols import find_protocol
    >>> count_items(".", find_protocol("zeroshot-snow"))  # nothing is trained
    {}
    """
    tree = _scanned(root)
    return {task.name: task.items(len(find_training(tree, task))) for task in protocol.tasks}


def expected_items(protocol: Protocol, *, bsd: bool = True) -> dict[str, int]:
    """Say how many items an epoch has where every set is as the protocol counts it.

    Parameters
    ----------
    protocol : Protocol
        What to count for.
    bsd : bool
        Whether BSD400 takes part in denoising; without it the epochs are those of the runs of the
        paper's authors, 138,831 and 159,046 items.

    Returns
    -------
    dict of str to int
        Items of each task.

    Examples
    --------
    >>> from napari_anyir.training.sets.layouts import expected_items
    >>> from napari_anyir.training.paper.protocols import find_protocol
    >>> sum(expected_items(find_protocol("3deg")).values())
    142431
    >>> sum(expected_items(find_protocol("3deg"), bsd=False).values())
    138831
    """
    expected = {}
    for task in protocol.tasks:
        if task.name == "cdd11":
            keys = [f"cdd11/{folder}" for folder in CDD11_FOLDERS]
        elif task.name == "denoise" and not bsd:
            keys = ["wed"]
        else:
            keys = [TASK_LAYOUTS.get(task.name, task.name)]
        images = sum(find_layout("train", key).expected or 0 for key in keys)
        expected[task.name] = task.items(PARTS_EXPECTED.get(task.parts, images))
    return expected
