"""Errors that belong to this package and to no other.

Everything else that goes wrong is a ``ValueError``, a ``TypeError`` or a ``FileNotFoundError``.
"""

from __future__ import annotations

__all__ = ["Cancelled", "ModelError"]


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
