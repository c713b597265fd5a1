"""The log in an output folder: how each result was made, and whether it is still that result."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_anyir.files.run_lock import size_and_time

__all__ = ["LOG_NAME", "RunLog"]

LOG_NAME = "anyir-log.jsonl"
"""Name of the log in an output folder: one JSON object per line and result."""


def _entry(line: bytes) -> dict[str, Any] | None:
    """What a line says; None if a kill cut it off, or it is not ours."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    name = entry.get("output") if isinstance(entry, dict) else None
    if not isinstance(name, str) or not name or "\0" in name:
        return None
    return entry


def _no_links(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


class RunLog:
    """Results of this and earlier runs into one folder.

    A line is written when a result is whole, just before it takes its name: so every result in the
    folder has its line. A line whose result never took its name does no harm, because size and
    time of the file tell.

    Parameters
    ----------
    root : Path
        Output folder.

    Examples
    --------
    >>> import tempfile
    >>> log = RunLog(Path(tempfile.mkdtemp()))
    >>> path = log.root / "a.txt"
    >>> _ = path.write_text("a result")
    >>> log.add(path, path, {"input": "a"})
    >>> RunLog(log.root).holds(path, {"input": "a"}), RunLog(log.root).holds(path, {"input": "b"})
    (True, False)
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.path = root / LOG_NAME
        self._lock = threading.Lock()
        self._entries: dict[str, dict[str, Any]] = {}
        if self.path.is_symlink() or (self.path.exists() and not self.path.is_file()):
            raise ValueError(
                f"'{self.path}' is a link or no file, and links in output folders are not "
                "followed; remove it or name another folder."
            )
        if self.path.is_file():
            for line in self.path.read_bytes().splitlines():
                if (entry := _entry(line)) is not None:
                    self._entries[entry["output"]] = entry

    def _name(self, target: Path) -> str:
        return Path(os.path.relpath(target, self.root)).as_posix()

    def outputs(self) -> list[Path]:
        """Results that the log tells of.

        Returns
        -------
        list of Path
            There or not.
        """
        return [self.root / name for name in self._entries]

    def holds(self, target: Path, made_from: Mapping[str, Any]) -> bool:
        """Whether a result is there, unchanged, and was made in this way.

        Parameters
        ----------
        target : Path
            The result.
        made_from : mapping
            What a line must say, as it was given to `add`.

        Returns
        -------
        bool
            True if nothing has to be done.
        """
        entry = self._entries.get(self._name(target))
        if entry is None or not target.exists():
            return False
        plain = json.loads(json.dumps(dict(made_from)))
        if any(entry.get(name) != value for name, value in plain.items()):
            return False
        return [entry.get("output_size"), entry.get("output_time")] == [*size_and_time(target)]

    def add(self, target: Path, part: Path, facts: Mapping[str, Any]) -> None:
        """Write a line.

        Parameters
        ----------
        target : Path
            The result.
        part : Path
            Where its pixels are now.
        facts : mapping
            What the line says; plain values.
        """
        size, time = size_and_time(part)
        entry = {
            "output": self._name(target),
            "output_size": size,
            "output_time": time,
            **facts,
        }
        text = json.dumps(entry, ensure_ascii=False)
        try:
            line = text.encode()
        except UnicodeEncodeError:  # a name that is not UTF-8, which JSON can spell all the same
            line = json.dumps(entry).encode()
        with self._lock:
            # One write at the end of the file: lines of several runs do not mix. A line that a
            # kill cut off is closed first.
            cut = self.path.is_file() and not self._ends_with_newline()
            with open(self.path, "ab", buffering=0, opener=_no_links) as file:
                file.write((b"\n" if cut else b"") + line + b"\n")
            self._entries[entry["output"]] = json.loads(line)

    def _ends_with_newline(self) -> bool:
        with self.path.open("rb") as file:
            if not file.seek(0, os.SEEK_END):
                return True
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"
