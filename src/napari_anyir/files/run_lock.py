"""Tell the temporaries of this run from those that a killed run left behind."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from napari_anyir.atomic_writing import remove
from napari_anyir.errors import ImageFileError
from napari_anyir.files.file_errors import reason

__all__ = ["RunLock", "is_locked", "remove_stale", "size_and_time", "temporary_of", "writable"]

_PART = ".anyir-"
_LOCK = ".lock"


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


def temporary_of(path: Path, run: str = "") -> Path:
    """Name a temporary beside a target, by which the leftovers of a killed run are known.

    Parameters
    ----------
    path : Path
        Target: a file, or a folder (an OME-Zarr).
    run : str
        Name of the run, from `RunLock`.

    Returns
    -------
    Path
        In the folder of the target, with the same extension.

    Examples
    --------
    >>> temporary_of(Path("out/a.png"), "0123456789ab").name[:20]
    '.anyir-0123456789ab-'
    """
    # The name of the target is not part of it: it may be as long as the system allows.
    return path.with_name(f"{_PART}{run or 'one'}-{secrets.token_hex(4)}{path.suffix[:9]}")


@contextlib.contextmanager
def writable(folder: Path) -> Iterator[None]:
    """Tell in one sentence where an output folder cannot be made or written to.

    Parameters
    ----------
    folder : Path
        The folder.

    Raises
    ------
    ImageFileError
        What is wrong and what to do.

    Examples
    --------
    >>> with writable(Path("out")):
    ...     raise OSError(30, "Read-only file system")
    Traceback (most recent call last):
    ...
    napari_anyir.errors.ImageFileError: The folder 'out' cannot be written to: read-only file ...
    """
    try:
        yield
    except OSError as error:
        raise ImageFileError(
            f"The folder '{folder}' cannot be written to: {reason(error, 'written')}; "
            "name another.",
            folder,
        ) from error


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
        with writable(self._path.parent):
            self._lock.acquire(timeout=0)
        return self

    def __exit__(self, *error: object) -> None:
        self._lock.release()
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)


def is_locked(folder: Path, run: str) -> bool:
    """Whether a run has its lock in a folder: another machine that sees it sees the same folder.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> with RunLock(folder) as lock:
    ...     is_locked(folder, lock.name), is_locked(folder / "other", lock.name)
    (True, False)
    """
    return (folder / f"{_PART}{run}{_LOCK}").exists()


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
