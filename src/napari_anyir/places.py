"""Names and places as systems really have them: no home folder, undecodable names, long ones."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

__all__ = ["expanded", "longest_name", "part_beside", "user_config"]

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


def part_beside(path: Path) -> Path:
    """Temporary name beside a target, to be renamed when all is written.

    Nobody can lay a link there beforehand, through which another file would be written, and two
    programs never have the same.

    Parameters
    ----------
    path : Path
        Target.

    Returns
    -------
    Path
        A hidden name in its folder, with its last extension; never longer than the system allows.

    Examples
    --------
    >>> part = part_beside(Path("folder") / "a.png")
    >>> part.parent.name, part.suffix, part.name.startswith(".anyir-one-")
    ('folder', '.png', True)
    """
    return path.with_name(f".anyir-one-{secrets.token_hex(6)}{path.suffix[:20]}")


def user_config(package: str) -> Path | None:
    """Folder for what a program remembers of its user.

    Parameters
    ----------
    package : str
        Name of the program.

    Returns
    -------
    Path or None
        It need not exist; None where there is no home, as in containers.

    Examples
    --------
    >>> folder = user_config("napari-anyir")
    >>> folder is None or folder.name
    'napari-anyir'
    """
    import platformdirs

    try:
        return Path(platformdirs.user_config_dir(package, appauthor=False))
    except (RuntimeError, KeyError, OSError):
        return None
