"""Files that are whole or not there: written under another name, then renamed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari_anyir.atomic_writing import atomic_write


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
    # Of the same name each time, so that a killed run's is written over; never through a link.
    temporary = path.with_name(path.name + ".part")
    temporary.unlink(missing_ok=True)
    with atomic_write(path, temporary=temporary):
        write(temporary)


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
