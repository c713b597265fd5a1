"""Find the sets of the protocols below a folder, pair their files, and say what is missing.

Where a set lies below ROOT is free, names may vary (`napari_anyir.training.catalogue`); what was
taken is always told: to the log ``napari_anyir.training``, and by `check`. Of two folders that fit
equally well none is taken.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_anyir.training.catalogue import TASK_LAYOUTS, Layout, find_layout
from napari_anyir.training.finding import Candidate, candidates, part_number
from napari_anyir.training.pairing import Folder, Pair, scan
from napari_anyir.training.protocols import CDD11_FOLDERS, PROTOCOLS, Protocol, Task, TestSet
from napari_anyir.training.traps import notes_of, why_refused

__all__ = ["Finding", "Pair", "check", "count_items", "find_test", "find_training"]

Root = str | Path | Folder
"""A folder, or what `napari_anyir.training.pairing.scan` read of it, so that it is read once."""

_log = logging.getLogger("napari_anyir.training")


@dataclass(frozen=True)
class Finding:
    """What `check` found of one set.

    Parameters
    ----------
    name : str
        As tables print it.
    split : str
        ``"train"`` or ``"test"``.
    found : int
        Pairs (images, where noise is added on the fly).
    expected : int or None
        What the protocol counts; None where nobody says.
    where : tuple of Path
        Folders that were taken.
    notes : tuple of str
        What to know or to mend, a sentence each.
    advice : str
        How to lay the set out.

    Examples
    --------
    >>> from napari_anyir.training.layouts import Finding
    >>> Finding("Urban100", "test", 99, 100, (), (), "ROOT/Urban100/*.png").status
    'differs'
    """

    name: str
    split: str
    found: int
    expected: int | None
    where: tuple[Path, ...]
    notes: tuple[str, ...]
    advice: str

    @property
    def status(self) -> str:
        """Missing, unusable (there, but not as it is), differs (from the count) or complete."""
        if not self.found:
            return "unusable" if self.notes else "missing"
        return "complete" if self.expected in (None, self.found) else "differs"


def _scanned(root: Root) -> Folder:
    return root if isinstance(root, Folder) else scan(root)


def _choose(root: Folder, layout: Layout) -> Candidate:
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


def _pairs(root: Folder, layout: Layout, parts: tuple[int, ...] | None = None) -> list[Pair]:
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


def find_training(root: Root, task: Task) -> list[Pair]:
    """Find and pair the training images of a task.

    Parameters
    ----------
    root : str, Path or Folder
        Folder that the sets lie in, anywhere below it.
    task : Task
        Task of a protocol; its repeats are not applied.

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
    >>> from napari_anyir.training.layouts import find_training
    >>> from napari_anyir.training.protocols import Task
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
        return _denoising(tree)
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
    >>> from napari_anyir.training.layouts import find_test
    >>> from napari_anyir.training.protocols import TestSet
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
    >>> from napari_anyir.training.layouts import count_items
    >>> from napari_anyir.training.protocols import find_protocol
    >>> count_items(".", find_protocol("zeroshot-snow"))  # nothing is trained
    {}
    """
    tree = _scanned(root)
    return {task.name: task.items(len(find_training(tree, task))) for task in protocol.tasks}


def check(root: Root, protocols: Iterable[Protocol] | None = None) -> list[Finding]:
    """Tell of every known set what is there, what is wrong with it, and how to lay it out.

    Parameters
    ----------
    root : str, Path or Folder
        Folder that the sets lie in.
    protocols : iterable of Protocol, optional
        Only their sets. By default all.

    Returns
    -------
    list of Finding
        Training sets first; the folders of CDD-11 count as one set.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.

    Examples
    --------
    >>> import tempfile
    >>> from napari_anyir.training.layouts import check
    >>> {finding.status for finding in check(tempfile.mkdtemp())}
    {'missing'}
    """
    tree = _scanned(root)
    wanted = list(PROTOCOLS.values() if protocols is None else protocols)
    tasks = {task.name for protocol in wanted for task in protocol.tasks}
    tests = dict.fromkeys(test.layout for protocol in wanted for test in protocol.tests)
    findings = []
    if "denoise" in tasks:
        both = find_layout("train", "denoise")
        separate = [find_layout("train", key) for key in ("bsd400", "wed")]
        apart = any(candidates(tree, layout) for layout in separate)
        listed = separate if apart or not candidates(tree, both) else [both]
        findings += [_finding(tree, layout) for layout in listed]
    findings += [
        _finding(tree, find_layout("train", key))
        for name, key in TASK_LAYOUTS.items()
        if name in tasks
    ]
    if "cdd11" in tasks:
        findings.append(_cdd11(tree, "train"))
    findings += [
        _finding(tree, find_layout("test", key)) for key in tests if not key.startswith("cdd11/")
    ]
    if any(key.startswith("cdd11/") for key in tests):
        findings.append(_cdd11(tree, "test"))
    return findings


def _finding(tree: Folder, layout: Layout) -> Finding:
    fitting = candidates(tree, layout)
    if not fitting:
        reason = why_refused(tree, layout)
        why = (f"{reason[0].upper()}{reason[1:]}.",) if reason else ()
        return Finding(layout.name, layout.split, 0, layout.expected, (), why, layout.advice)
    best = fitting[0]
    notes = (*notes_of(best), *(_rivalry(best, other) for other in fitting[1:]))
    where = tuple(best.where)
    found = len(best.pairs)
    return Finding(layout.name, layout.split, found, layout.expected, where, notes, layout.advice)


def _rivalry(best: Candidate, other: Candidate) -> str:
    if best.rank == other.rank:
        return f"'{other.where[0]}' fits as well: keep only one of the two."
    return f"'{other.where[0]}' ({other.count:,}) fits less well and is not used."


def _cdd11(tree: Folder, split: str) -> Finding:
    layouts: Sequence[Layout] = [
        find_layout("train" if split == "train" else "test", f"cdd11/{folder}")
        for folder in CDD11_FOLDERS
    ]
    each = [_finding(tree, layout) for layout in layouts]
    found = sum(finding.found for finding in each)
    notes: list[str] = []
    for finding, folder in zip(each, CDD11_FOLDERS, strict=True):
        if found and finding.status != "complete":
            notes.append(f"{folder}: {finding.found:,} pairs of {finding.expected or 0:,}.")
        notes += [f"{folder}: {note}" for note in finding.notes]
    where = tuple(dict.fromkeys(path for finding in each for path in finding.where))
    expected = sum(layout.expected or 0 for layout in layouts)
    advice = re.sub(r"/low/", "/{low,haze,...,low_haze_snow}/", layouts[0].advice)
    advice = advice.replace("pairs", "pairs in each of 11 folders")
    return Finding("CDD-11", split, found, expected, where, tuple(notes), advice)
