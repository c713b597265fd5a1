"""Mix a result with its source at the strength of a slider, without holding the window up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from qtpy.QtCore import QObject, QTimer

from napari_anyir.widgets._qt import Signal
from napari_anyir.widgets._worker import Runner
from napari_anyir.widgets.blending import blend

AT_ONCE = 2**19
"""Most values that are blended in the window's own thread, which takes some milliseconds."""


class BlendJob:
    """A job that blends.

    Parameters
    ----------
    source, restored : array
        Of one shape and type.
    strength : float
        0 to 1.

    Examples
    --------
    >>> BlendJob(np.array([10]), np.array([20]), 0.5)(None, None)[0]
    array([15])
    """

    def __init__(self, source: Any, restored: Any, strength: float) -> None:
        self._arrays = source, restored
        self._strength = strength

    def __str__(self) -> str:
        """What napari shows of a running job."""
        return "Mixing the result with its source"

    __repr__ = __str__

    def __call__(self, progress: Any, cancel: Any) -> tuple[Any, float]:
        """Blend, and return the pixels with the strength."""
        return blend(*self._arrays, self._strength), self._strength


class Blender(QObject):
    """Blends what was asked for last; what a dragged slider passed over is left out.

    Parameters
    ----------
    arrays : callable
        Gives ``(source, restored)``, or None if there is no result any more.
    strength : callable
        Gives the share of the restoration, 0 to 1.
    parent : QObject
        The widget.

    Attributes
    ----------
    blended : Signal
        ``(pixels, strength)``.
    """

    blended = Signal(object)

    def __init__(
        self,
        arrays: Callable[[], tuple[Any, Any] | None],
        strength: Callable[[], float],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._arrays, self._strength = arrays, strength
        self._again = False
        self.runner = Runner(self)
        self.runner.returned.connect(self.blended)
        self.runner.finished.connect(self._finished)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(30)
        self._timer.timeout.connect(self._start)

    def ask(self) -> None:
        """Ask for the result at the strength that the slider has now."""
        self._timer.start()

    def stop(self) -> None:
        """Forget what was asked for."""
        self._timer.stop()
        self._again = False
        self.runner.stop()

    def _start(self) -> None:
        arrays = self._arrays()
        if arrays is None:
            return
        if self.runner.running:
            self._again = True
            return
        job = BlendJob(*arrays, self._strength())
        if isinstance(arrays[1], np.ndarray) and arrays[1].size > AT_ONCE:
            self.runner.start(job)
        else:
            self.blended.emit(job(None, None))

    def _finished(self) -> None:
        if self._again:
            self._again = False
            self._start()
