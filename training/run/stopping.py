"""Ctrl-C ends a run between two steps, saved, instead of in the middle of one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Any

from lightning.pytorch import Callback, Trainer


class Stopping(Callback):
    """Let the first Ctrl-C end the run after its step; a second one ends it at once.

    Only where one process trains: of several each would end after another step, and wait.

    Parameters
    ----------
    say : callable
        Told that it was heard.

    Attributes
    ----------
    asked : bool
        Whether the run was to end.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.asked = False
        self._before: Any = None

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Listen, unless somebody else does or nobody should."""
        if (
            trainer.world_size > 1
            or threading.current_thread() is not threading.main_thread()
            or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
        ):
            return

        def heard(number: int, frame: Any) -> None:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self.asked = trainer.should_stop = True
            self.say("Stops after this step and saves; Ctrl-C again stops at once.")

        self._before = signal.signal(signal.SIGINT, heard)

    def teardown(self, trainer: Trainer, pl_module: Any, stage: str) -> None:
        """Listen no more."""
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None
