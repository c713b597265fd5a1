"""Errors of files: whatever goes wrong with one becomes one sentence with its name.

Readers and writers, and the libraries below them, may raise what they like. Nobody keeps a list of
what a library raises at damaged files, because no such list is ever complete.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_anyir.errors import Cancelled, ImageFileError, ModelError, memory_sentence

__all__ = ["GuardedArray", "as_file_error", "is_regular", "is_there", "reason", "sentence"]

_LONGEST = 240  # characters of a library's message


@contextmanager
def as_file_error(path: Path, what: str = "read") -> Iterator[None]:
    """Turn every error of reading or writing a file into `ImageFileError` with its path.

    What is not the file's fault passes: `ModelError`, `Cancelled`, and the error of another file
    that was told already, such as the source of a lazy array that is being written.

    Parameters
    ----------
    path : Path
        The file.
    what : str
        What is done to it: ``"read"`` or ``"written"``.

    Raises
    ------
    ImageFileError
        One sentence.

    Examples
    --------
    >>> with as_file_error(Path("a.tif")):
    ...     raise KeyError("ImageWidth")
    Traceback (most recent call last):
    ...
    napari_anyir.errors.ImageFileError: 'a.tif' cannot be read: it is damaged, or of a kind that ...
    """
    try:
        yield
    except (Cancelled, ModelError):
        raise
    except Exception as error:  # see the module's first lines
        if isinstance(error, ImageFileError) and error.path is not None:
            raise
        raise ImageFileError(f"'{path}' cannot be {what}: {reason(error, what)}.", path) from error


def reason(error: BaseException, what: str = "read") -> str:
    """Say in words why a file could not be read or written.

    Parameters
    ----------
    error : BaseException
        What was raised.
    what : str
        ``"read"`` or ``"written"``.

    Returns
    -------
    str
        One line without a full stop.

    Examples
    --------
    >>> reason(OSError(28, "No space left on device"))
    'no space left on device'
    >>> reason(ModuleNotFoundError("No module named 'zstd'", name="zstd"))
    "it needs the package 'zstd', which is not installed"
    """
    text = _first_line(error)
    if isinstance(error, ImageFileError):
        return text
    if "imagecodecs" in text:
        return (
            f"its compression needs one more package ({text}); pip install 'napari-anyir[codecs]'"
        )
    if isinstance(error, ImportError):
        name = error.name or text
        return f"it needs the package '{name}', which is not installed"
    if isinstance(error, MemoryError):
        return f"the memory does not suffice ({text or 'out of memory'})"
    if isinstance(error, RecursionError):
        return "its description is nested too deeply"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[:1].lower() + error.strerror[1:]
    named = f"{type(error).__name__}: {text}" if text else type(error).__name__
    if what == "read":
        return f"it is damaged, or of a kind that is not read here ({named})"
    return named if not isinstance(error, ValueError) else text or named


def sentence(error: BaseException) -> str:
    """Say any error in one line, whatever it is.

    Parameters
    ----------
    error : BaseException
        What was raised.

    Returns
    -------
    str
        Our own errors, and those that Python documents for wrong input, as they are; others with
        the name of their type, without which their text is seldom understood.

    Examples
    --------
    >>> sentence(ValueError("The scale is 0.")), sentence(KeyError("x"))
    ('The scale is 0.', "KeyError: 'x'")
    """
    if (told := memory_sentence(error)) is not None:
        return told
    text = _first_line(error)
    plain = (ValueError, TypeError, OSError, ModelError, MemoryError, Cancelled)
    if text and isinstance(error, plain) and not isinstance(error, UnicodeError):
        return str(error).strip().splitlines()[0]
    return f"{type(error).__name__}: {text}" if text else f"{type(error).__name__}."


def _first_line(error: BaseException) -> str:
    """First line of an error's text, without its full stop and not too long."""
    lines = str(error).strip().splitlines()
    line = lines[0].rstrip(".") if lines else ""
    longest = 3 * _LONGEST if isinstance(error, ImageFileError) else _LONGEST
    return line if len(line) <= longest else line[:longest] + "..."


class GuardedArray:
    """A source of lazy pixels whose errors, which come when blocks are read, are told as well.

    Parameters
    ----------
    source : array
        Anything with ``shape`` and ``dtype`` that takes indices.
    path : Path
        The file that it lies in.

    Examples
    --------
    >>> guarded = GuardedArray(np.arange(6).reshape(2, 3), Path("a.npy"))
    >>> guarded[1].tolist(), guarded.shape
    ([3, 4, 5], (2, 3))
    """

    def __init__(self, source: Any, path: Path) -> None:
        self.source = source
        self.path = path
        self.shape = tuple(source.shape)
        self.dtype = np.dtype(source.dtype)
        self.ndim = len(self.shape)

    def __getitem__(self, index: Any) -> NDArray[Any]:
        with as_file_error(self.path):
            return np.asarray(self.source[index])


def is_there(path: Path) -> bool:
    """Whether something has this name, be it a link to nothing or what cannot be looked at.

    Parameters
    ----------
    path : Path
        Any path, however long.

    Returns
    -------
    bool
        False only where the system says that there is nothing.

    Examples
    --------
    >>> is_there(Path()), is_there(Path("/nowhere/at/all"))
    (True, False)
    """
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError):
        return True  # opening it will say what is wrong
    return True


def is_regular(path: Path) -> bool:
    """Whether a path is a file or a folder, and no pipe, socket or device, which may never end.

    Parameters
    ----------
    path : Path
        A path that is there.

    Returns
    -------
    bool
        True also through links.

    Examples
    --------
    >>> import os
    >>> is_regular(Path(os.devnull))
    False
    """
    return path.is_file() or path.is_dir()
