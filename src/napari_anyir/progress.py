"""How far the work is, and how it is stopped: what all rooms pass on to each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from napari_anyir.errors import Cancelled

Progress = Callable[[int, int], None]
"""``progress(done, total)``, in steps."""


class Cancel(Protocol):
    """Anything that can say that the work is to stop, such as a ``threading.Event``.

    Examples
    --------
    >>> import threading
    >>> cancel: Cancel = threading.Event()
    >>> cancel.is_set()
    False
    """

    def is_set(self) -> bool:
        """Whether to stop."""
        ...


class Watch:
    """Counts finished steps for a progress callback, and stops the work when asked to.

    Parameters
    ----------
    total : int
        Number of steps.
    progress : callable, optional
        ``progress(done, total)``; called by the thread that waits for the work.
    cancel : Cancel, optional
        Looked at before each step.
    stopped : str
        What is said when the work was stopped.

    Examples
    --------
    >>> watch = Watch(4, progress=lambda done, total: print(done, "of", total))
    >>> watch.done += 2
    >>> watch.tell()
    2 of 4
    """

    def __init__(
        self,
        total: int,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
        stopped: str = "The restoration was cancelled.",
    ) -> None:
        self.total, self.done = total, 0
        self._progress, self._cancel = progress, cancel
        self._told, self._stopped = 0, stopped

    @property
    def heard(self) -> bool:
        """Whether anybody is told."""
        return self._progress is not None

    def check(self) -> None:
        """Raise `Cancelled` if the work is to stop."""
        if self._cancel is not None and self._cancel.is_set():
            raise Cancelled(self._stopped)

    def tell(self) -> None:
        """Report what is new since the last report."""
        if self._progress is not None and self.done > self._told:
            self._told = self.done
            self._progress(self._told, self.total)
