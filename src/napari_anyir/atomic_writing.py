"""Files that are whole or not there: a temporary name beside the target, then one rename."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from napari_anyir.places import part_beside

__all__ = ["atomic_write", "remove", "write_json", "write_text"]


def remove(path: Path) -> None:
    """Remove a file or a folder with all it holds; one that is not there is no error.

    Parameters
    ----------
    path : Path
        What goes.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> remove(folder)
    >>> remove(folder)  # no error
    >>> folder.exists()
    False
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_write(
    path: Path, *, temporary: Path | None = None, before: Callable[[Path], None] | None = None
) -> Iterator[Path]:
    """Give a temporary name beside a target, and rename it when all went well.

    On any error, and on Ctrl-C, the temporary goes and an older target stays as it was.

    Parameters
    ----------
    path : Path
        Target: a file, or a folder (an OME-Zarr). Its parent is made if need be.
    temporary : Path, optional
        Another temporary name in the same folder; by default that of
        `napari_anyir.places.part_beside`.
    before : callable, optional
        Called with the temporary once it is whole, just before the rename.

    Yields
    ------
    Path
        Temporary name in the folder of the target, with the same extension.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from napari_anyir.atomic_writing import atomic_write
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.txt"
    >>> with atomic_write(path) as part:
    ...     _ = part.write_text("whole")
    >>> path.read_text(), len(list(path.parent.iterdir()))
    ('whole', 1)
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = temporary or part_beside(path)
    try:
        yield part
        if part.is_file():
            # Without this a power cut can leave the new name on an empty file.
            with part.open("r+b") as file:
                os.fsync(file.fileno())
        if before is not None:
            before(part)
        _rename(part, path)
    finally:
        remove(part)


def _rename(part: Path, path: Path) -> None:
    """Put a whole file or folder in the place of an older one."""
    if not (part.is_dir() and path.exists()):
        part.replace(path)
        return
    # A folder cannot be replaced in one step: the old one steps aside, and back if need be.
    aside = part.with_name(part.name + ".old")
    path.rename(aside)
    try:
        part.rename(path)
    except OSError:
        aside.rename(path)
        raise
    remove(aside)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from napari_anyir.atomic_writing import write_text
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.txt"
    >>> write_text(path, "whole")
    >>> path.read_text()
    'whole'
    """
    with atomic_write(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: Path, values: Any) -> None:
    """Write a JSON file whole or not at all.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from napari_anyir.atomic_writing import write_json
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.json"
    >>> write_json(path, {"a": 1})
    >>> json.loads(path.read_text())
    {'a': 1}
    """
    write_text(path, json.dumps(values, indent=2, default=dict) + "\n")
