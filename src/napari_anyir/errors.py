"""Errors that belong to this package and to no other.

Everything else that goes wrong is a ``ValueError``, a ``TypeError`` or a ``FileNotFoundError``.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["Cancelled", "ImageFileError", "ModelError", "memory_sentence"]

# How numpy and torch begin, or say, that they got no memory; our own sentences are others.
_NO_MEMORY = ("Unable to allocate", "DefaultCPUAllocator", "not enough memory", "out of memory")


class ImageFileError(ValueError):
    """An image file cannot be read or written.

    Readers and writers raise it with a reason ("its colours are CMYK; ..."); the door in front of
    them, `napari_anyir.files.file_errors`, puts the path before it.

    Parameters
    ----------
    message : str
        A reason, or a whole sentence if there is a path.
    path : Path, optional
        The file that the sentence names.

    Examples
    --------
    >>> from napari_anyir import ImageFileError
    >>> issubclass(ImageFileError, ValueError), ImageFileError("its colours are CMYK").path
    (True, None)
    """

    def __init__(self, message: str, path: Path | None = None) -> None:
        super().__init__(message)
        self.path = path

    def __reduce__(self) -> tuple[type[ImageFileError], tuple[str, Path | None]]:
        return type(self), (str(self), self.path)  # dask sends errors between processes


class ModelError(Exception):
    """A checkpoint or its card cannot be used.

    Raised when a model is unknown, when its file is missing, truncated or changed, and when its
    tensors do not fit the network. The message is one sentence: what is wrong and what to do.

    Examples
    --------
    >>> from napari_anyir import ModelError
    >>> try:
    ...     raise ModelError("There is no model named 'huge': choose 'nano' or 'tiny'.")
    ... except ModelError as error:
    ...     print(error)
    There is no model named 'huge': choose 'nano' or 'tiny'.
    """


class Cancelled(Exception):
    """The caller asked to stop, and the work stopped before its end.

    Raised by `napari_anyir.restore` at the first strip or tile after ``cancel.is_set()`` became
    true. Nothing was returned and nothing half-finished is kept.

    Examples
    --------
    >>> from napari_anyir import Cancelled
    >>> issubclass(Cancelled, ValueError)
    False
    """


def memory_sentence(error: BaseException) -> str | None:
    """Say that the memory did not suffice, and what to do.

    Parameters
    ----------
    error : BaseException
        What was raised.

    Returns
    -------
    str or None
        One sentence; None if it is another error, or one that says so itself.

    Examples
    --------
    >>> from napari_anyir.errors import memory_sentence
    >>> memory_sentence(MemoryError())
    'The memory does not suffice; close other programs, or give a smaller image or tile.'
    >>> memory_sentence(ValueError("The scale is 0.")) is None
    True
    """
    text = str(error).strip().split("\n")[0].rstrip(".")
    if not isinstance(error, MemoryError | RuntimeError):
        return None
    if any(sign in text for sign in _NO_MEMORY):
        text = f" ({text[:120]})"
    elif text or not isinstance(error, MemoryError):
        return None
    remedy = "close other programs, or give a smaller image or tile"
    return f"The memory does not suffice{text}; {remedy}."
