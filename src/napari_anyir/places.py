"""Names and places as systems really have them: no home folder, undecodable names, long ones."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["expanded", "longest_name"]

_USUAL_LIMIT = 255  # bytes of a name, on nearly every file system


def expanded(path: str | Path) -> Path:
    """Replace a leading ``~`` by the home folder it stands for.

    Parameters
    ----------
    path : str or Path
        Any path.

    Returns
    -------
    Path
        The path as it is where there is no such user or no home, as in containers.

    Examples
    --------
    >>> expanded("~nobody-of-that-name/a.png").name, expanded("b~.png").name
    ('a.png', 'b~.png')
    """
    try:
        return Path(path).expanduser()
    except (RuntimeError, KeyError):
        return Path(path)


def longest_name(folder: Path) -> int:
    """How many bytes a name in a folder may have.

    Parameters
    ----------
    folder : Path
        A folder, which need not exist yet.

    Returns
    -------
    int
        The limit of its file system where the system tells, else the usual one.

    Examples
    --------
    >>> longest_name(Path()) > 100
    True
    """
    for place in (folder, *folder.absolute().parents):
        try:
            return os.pathconf(place, "PC_NAME_MAX")
        except (AttributeError, OSError, ValueError):  # not on Windows; not there yet
            continue
    return _USUAL_LIMIT
