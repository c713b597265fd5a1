"""Mix a result with its source at the strength of a slider, without holding the window up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from qtpy.QtCore import QObject, QTimer

from napari_anyir.errors import Cancelled
from napari_anyir.widgets.kit.qt import Signal
from napari_anyir.widgets.kit.worker import Runner
from napari_anyir.widgets.layers.blending import blend

AT_ONCE = 2**19
"""Most values that are blended in the window's own thread, which takes some milliseconds."""


class BlendJob:
    """A job that blends.

    Parameters
    ----------
    arrays : mapping of str to (array, array)
        Source and restored, of one shape and type, under any name.
    strength : float
        0 to 1.

    Examples
    --------
    >>> BlendJob({"a": (np.array([10]), np.array([20]))}, 0.5)(None, None)
    ({'a': array([15])}, 0.5)
    """

    def __init__(self, arrays: Mapping[str, tuple[Any, Any]], strength: float) -> None:
        self._arrays = dict(arrays)
        self._strength = strength

    def __str__(self) -> str:
        """What napari shows of a running job."""
        return "Mixing the result with its source"

    __repr__ = __str__

    def __call__(self, progress: Any, cancel: Any) -> tuple[dict[str, Any], float]:
        """Blend, and return the pixels by their names, with the strength."""
        pixels = {}
        for name, (source, restored) in self._arrays.items():
            if cancel is not None and cancel.is_set():
                raise Cancelled("The mixing was stopped.")
            pixels[name] = blend(source, restored, self._strength)
        return pixels, self._strength


class Blender(QObject):
    """Blends what was asked for last; what a dragged slider passed over is left out.

    Parameters
    ----------
    arrays : callable
        Gives ``(source, restored)`` of each result by a name; nothing if there is none any more.
    strength : callable
        Gives the share of the restoration, 0 to 1.
    parent : QObject
        The widget.

    Attributes
    ----------
    blended : Signal
        ``(pixels by name, strength)``.
    """

    blended = Signal(object)

    def __init__(
        self,
        arrays: Callable[[], Mapping[str, tuple[Any, Any]]],
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
        if not arrays:
            return
        if self.runner.running:
            self._again = True
            return
        job = BlendJob(arrays, self._strength())
        after = [restored for _, restored in arrays.values()]
        if sum(array.size for array in after if isinstance(array, np.ndarray)) > AT_ONCE:
            self.runner.start(job)
        else:
            self.blended.emit(job(None, None))

    def _finished(self) -> None:
        if self._again:
            self._again = False
            self._start()
