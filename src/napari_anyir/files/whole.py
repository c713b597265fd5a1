"""Write whole files or none: a temporary name beside the target, then one rename."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

__all__ = ["RunLock", "remove", "remove_stale", "size_and_time", "whole_file"]

_PART = ".anyir-"
_LOCK = ".lock"


def remove(path: Path) -> None:
    """Remove a file or a folder with all it holds; one that is not there is no error.

    Parameters
    ----------
    path : Path
        What goes.
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def size_and_time(path: Path) -> tuple[int, int]:
    """Size and time of last change: two numbers that change when a file does.

    Parameters
    ----------
    path : Path
        A file, or a folder (an OME-Zarr), for which all files in it count.

    Returns
    -------
    size : int
        Bytes.
    time : int
        Nanoseconds since 1970; of a folder, that of its newest file.

    Raises
    ------
    FileNotFoundError
        If it is not there.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.bin"
    >>> path.write_bytes(b"1234")
    4
    >>> size_and_time(path)[0]
    4
    """
    status = path.stat()
    if not path.is_dir():
        return status.st_size, status.st_mtime_ns
    files = [file.stat() for file in path.rglob("*") if file.is_file()]
    return (
        sum(file.st_size for file in files),
        max((file.st_mtime_ns for file in files), default=status.st_mtime_ns),
    )


@contextlib.contextmanager
def whole_file(
    path: Path, *, run: str = "", before: Callable[[Path], None] | None = None
) -> Iterator[Path]:
    """Give a temporary name beside a target, and rename it when all went well.

    On any error, and on Ctrl-C, the temporary goes and an older target stays as it was.

    Parameters
    ----------
    path : Path
        Target: a file, or a folder (an OME-Zarr). Its parent is made if need be.
    run : str
        Name of the run, from `RunLock`, by which the leftovers of a killed one are known.
    before : callable, optional
        Called with the temporary once it is whole, just before the rename.

    Yields
    ------
    Path
        Temporary name in the folder of the target, with the same extension.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.txt"
    >>> with whole_file(path) as part:
    ...     _ = part.write_text("whole")
    >>> path.read_text(), len(list(path.parent.iterdir()))
    ('whole', 1)
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The name of the target is not part of it: it may be as long as the system allows.
    part = path.with_name(f"{_PART}{run or 'one'}-{secrets.token_hex(4)}{path.suffix[:9]}")
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


class RunLock:
    """Tell this run's temporaries from those that a killed run left behind.

    A killed process gives its lock back, so a temporary whose run is not locked is stale. Several
    runs may write into one folder at a time.

    Parameters
    ----------
    folder : Path
        Folder that the run writes into; it must exist.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> with RunLock(folder) as lock:
    ...     len(lock.name)
    12
    >>> list(folder.iterdir())
    []
    """

    def __init__(self, folder: Path) -> None:
        self.name = secrets.token_hex(6)
        self._path = folder / f"{_PART}{self.name}{_LOCK}"
        self._lock = FileLock(self._path, thread_local=False)

    def __enter__(self) -> RunLock:
        self._lock.acquire(timeout=0)
        return self

    def __exit__(self, *error: object) -> None:
        self._lock.release()
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)


def remove_stale(root: Path, folders: Iterable[Path]) -> int:
    """Remove what killed runs left half-written.

    Parameters
    ----------
    root : Path
        Folder with the locks of the runs.
    folders : iterable of Path
        Folders they wrote into.

    Returns
    -------
    int
        How many files and folders went.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> root = pathlib.Path(tempfile.mkdtemp())
    >>> (root / ".anyir-0123456789ab-00000000.png").touch()
    >>> remove_stale(root, [root])
    1
    """
    alive: dict[str, bool] = {}
    gone = 0
    for folder in {root, *folders}:
        for part in folder.glob(f"{_PART}*-*"):
            run = part.name.removeprefix(_PART).split("-", 1)[0]
            if run == "one":  # a single write_image; nobody can tell whether it still runs
                continue
            if run not in alive:
                alive[run] = _is_running(root, run)
            if not alive[run]:
                remove(part)
                gone += 1
    for path in root.glob(f"{_PART}*{_LOCK}"):
        _is_running(root, path.name.removeprefix(_PART).removesuffix(_LOCK))
    return gone


def _is_running(root: Path, run: str) -> bool:
    """Whether a run still holds its lock; a lock that nobody holds is removed."""
    path = root / f"{_PART}{run}{_LOCK}"
    if not path.exists():
        return False
    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
    return False
