"""The test sets of a protocol that are there, and those that are not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from napari_anyir.training.paper.protocols import Protocol, TestSet
from napari_anyir.training.sets.catalogue import find_layout
from napari_anyir.training.sets.finding import candidates
from napari_anyir.training.sets.layouts import find_test
from napari_anyir.training.sets.pairing import Folder, Pair, scan


@dataclass(frozen=True)
class FoundSet:
    """A test set that is there.

    Parameters
    ----------
    test : TestSet
        What the protocol says of it.
    pairs : list of Pair
        Its images in the order of the protocol.
    expected : int or None
        How many the protocol counts.
    wanted : bool
        Whether it is measured; noise is drawn for it all the same.
    """

    test: TestSet
    pairs: list[Pair]
    expected: int | None
    wanted: bool


def find_sets(
    root: Path | Folder, protocol: Protocol, only: str = ""
) -> tuple[list[FoundSet], dict[str, str]]:
    """Look for the test sets of a protocol.

    Parameters
    ----------
    root : Path
        Folder that the sets lie in.
    protocol : Protocol
        What is tested on.
    only : str
        Part of the name of the sets that are wanted.

    Returns
    -------
    found : list of FoundSet
        In the order of the protocol, which is that of the noise.
    missing : dict of str to str
        Wanted sets that are not there, and why.

    Raises
    ------
    ValueError
        If ``only`` fits no set of the protocol, or two folders fit a set equally well.
    FileNotFoundError
        If a set is there but an image has no partner.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from napari_anyir.training.sets.found_sets import find_sets
    >>> from napari_anyir.training.paper.protocols import find_protocol
    >>> found, missing = find_sets(pathlib.Path(tempfile.mkdtemp()), find_protocol("derain"))
    >>> found, list(missing)
    ([], ['Rain100L'])
    """
    if not any(only in test.name for test in protocol.tests):
        names = ", ".join(test.name for test in protocol.tests)
        raise ValueError(f"No set of {protocol.name} is called '{only}'; its sets are {names}.")
    tree = root if isinstance(root, Folder) else scan(root)
    found, missing = [], {}
    for test in protocol.tests:
        layout = find_layout("test", test.layout)
        wanted = only in test.name
        if not candidates(tree, layout):
            if wanted:
                missing[test.name] = _why(tree, test)
            continue
        found.append(FoundSet(test, find_test(tree, test), layout.expected, wanted))
    return found, missing


def _why(tree: Folder, test: TestSet) -> str:
    try:
        find_test(tree, test)
    except FileNotFoundError as error:
        return str(error)
    return ""
