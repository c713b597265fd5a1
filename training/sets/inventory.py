"""Tell of every known set what is there, what is wrong with it, and how to lay it out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from napari_anyir.training.paper.protocols import CDD11_FOLDERS, PROTOCOLS, Protocol
from napari_anyir.training.sets.catalogue import TASK_LAYOUTS, SetLayout, find_layout
from napari_anyir.training.sets.finding import Candidate, candidates
from napari_anyir.training.sets.layout_mistakes import notes_of, why_refused
from napari_anyir.training.sets.pairing import Folder, scan


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
    >>> from napari_anyir.training.sets.inventory import Finding
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


def check(root: str | Path | Folder, protocols: Iterable[Protocol] | None = None) -> list[Finding]:
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
    >>> from napari_anyir.training.sets.inventory import check
    >>> {finding.status for finding in check(tempfile.mkdtemp())}
    {'missing'}
    """
    tree = root if isinstance(root, Folder) else scan(root)
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
    taken = {path for finding in findings for path in finding.where}
    return [_without_twin(finding, taken) for finding in findings]


def _without_twin(finding: Finding, taken: set[Path]) -> Finding:
    """Drop the advice to make a training set of what was taken as a test set, and vice versa."""
    told = "".join(finding.notes)
    if not finding.found and any(f"'{path}' says neither" in told for path in taken):
        return replace(finding, notes=())
    return finding


def _finding(tree: Folder, layout: SetLayout) -> Finding:
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
    layouts: Sequence[SetLayout] = [
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
