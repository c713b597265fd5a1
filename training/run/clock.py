"""The clock of a run: it stands still while the process does."""

from __future__ import annotations

import threading
import time

TICK = 0.5
"""Seconds between two looks at the system's clock."""

PAUSE = 10.0
"""Seconds between two looks from which on the process must have stood still: a busy machine lets a
thread wait, but not for so long."""


class TrainingClock:
    """Seconds in which a run could work.

    A process that is stopped (Ctrl-Z, a queue that suspends jobs) and a machine that sleeps stand
    still while the system's clock goes on. A run that ends by the clock would find its schedule
    over when it wakes. A thread looks at the clock twice a second: where much more time passed
    between two looks, nothing ran.

    Examples
    --------
    >>> from napari_anyir.training.run.clock import TrainingClock
    >>> clock = TrainingClock()
    >>> clock.seconds
    0.0
    >>> clock.start(); clock.stop(); clock.seconds < PAUSE
    True
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._seconds, self._looked = 0.0, time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since `start`, without pauses."""
        if self._thread is not None:
            self._look()
        return self._seconds

    def start(self) -> None:
        """Go on from where it stands."""
        if self._thread is not None:
            return
        self._over.clear()
        self._looked = time.monotonic()
        self._thread = threading.Thread(target=self._watch, name="training clock", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stand still."""
        if self._thread is None:
            return
        self._look()
        self._over.set()
        self._thread.join()
        self._thread = None

    def _watch(self) -> None:
        while not self._over.wait(TICK):
            self._look()

    def _look(self) -> None:
        with self._lock:
            now = time.monotonic()
            passed, self._looked = now - self._looked, now
            self._seconds += passed if passed < PAUSE else TICK
