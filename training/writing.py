"""Files that are whole or not there: written under another name, then renamed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file under a temporary name and rename it; on an error the old one stays.

    Parameters
    ----------
    path : Path
        The file; its folder is made.
    write : callable
        Called with the temporary name.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from napari_anyir.training.writing import replace_file
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.txt"
    >>> replace_file(path, lambda temporary: temporary.write_text("whole"))
    >>> path.read_text()
    'whole'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Of the same name each time, so that a killed run's is written over; never through a link.
    temporary = path.with_name(path.name + ".part")
    temporary.unlink(missing_ok=True)
    try:
        write(temporary)
        # Renamed before its content has reached the disk, a file can be empty after a power cut.
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from napari_anyir.training.writing import write_text
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.txt"
    >>> write_text(path, "whole")
    >>> path.read_text()
    'whole'
    """
    replace_file(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_json(path: Path, values: Any) -> None:
    """Write a JSON file whole or not at all.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from napari_anyir.training.writing import write_json
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.json"
    >>> write_json(path, {"a": 1})
    >>> json.loads(path.read_text())
    {'a': 1}
    """
    write_text(path, json.dumps(values, indent=2, default=dict) + "\n")
