"""What went wrong, as one sentence for a notification; no Qt, and no torch before it is needed."""

from __future__ import annotations

import sys

from napari_anyir.errors import ModelError

TORCH_AFTER_QT = (
    "Windows could not load torch after Qt (WinError 1114); start napari with "
    '`python -c "import torch, napari; napari.Viewer(); napari.run()"`, or install the newest '
    "Microsoft Visual C++ Redistributable."
)

OUT_OF_MEMORY = (
    "There is not enough memory for this image in one piece; set Tile to 512 under Advanced, "
    "restore a rectangle of it, or choose the device 'cpu'."
)


def load_torch() -> None:
    """Import torch, which takes seconds the first time; called in the worker, never at import.

    Raises
    ------
    ModelError
        If Windows refuses to load it after Qt; the message says what to do.
    """
    try:
        import torch  # noqa: F401
    except OSError as error:
        if getattr(error, "winerror", None) == 1114:
            raise ModelError(TORCH_AFTER_QT) from error
        raise


def sentence(error: BaseException) -> str | None:
    """Say in one sentence what is wrong and what to do.

    Parameters
    ----------
    error : BaseException
        What a job raised.

    Returns
    -------
    str or None
        The sentence, or None for an error that nobody foresaw and whose traceback is needed.

    Examples
    --------
    >>> sentence(ValueError("The axes 'YX' are two; give three."))
    "The axes 'YX' are two; give three."
    >>> sentence(MemoryError())[:40]
    'There is not enough memory for this imag'
    >>> sentence(KeyError("x")) is None
    True
    """
    if isinstance(error, MemoryError) or _is_torch_out_of_memory(error):
        return OUT_OF_MEMORY
    if isinstance(error, FileNotFoundError | ModelError | TypeError | ValueError):
        return str(error)
    return None


def _is_torch_out_of_memory(error: BaseException) -> bool:
    torch = sys.modules.get("torch")
    if torch is None:
        return False
    if isinstance(error, torch.OutOfMemoryError):
        return True
    # The CPU allocator raises a plain RuntimeError.
    return isinstance(error, RuntimeError) and "not enough memory" in str(error)
