"""Looks at the pixels of the chosen layer before a run, and again when they change."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QObject

from napari_anyir.widgets.kit.qt import Signal
from napari_anyir.widgets.kit.worker import Runner
from napari_anyir.widgets.layers.image_checks import ImageChecks


class PixelWatch(QObject):
    """Knows why the pixels of one layer cannot be restored.

    Parameters
    ----------
    parent : QObject
        The form.

    Attributes
    ----------
    edited : Signal
        The layer's pixels are others than before.
    told : Signal
        A look that took its time has ended.
    """

    edited = Signal()
    told = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._checks = ImageChecks()
        self._layer: Any = None
        self._looked_at: Any = None
        self._runner = Runner(self)
        self._runner.returned.connect(self._checked)
        self._runner.finished.connect(self.told)

    def follow(self, layer: Any) -> None:
        """Watch another layer, or None."""
        if layer is self._layer:
            return
        if self._layer is not None:
            self._layer.events.data.disconnect(self._edited)
        self._layer = layer
        if layer is not None:
            layer.events.data.connect(self._edited)

    def problem(self, layer: Any) -> str | None:
        """Say why a layer's pixels cannot be restored, or None; a long look is begun."""
        text = self._checks.problem(layer)
        wanted = self._checks.wanted
        if wanted is not None and not self._runner.running:
            self._looked_at = wanted[0]
            self._runner.start(wanted[1])
        return text

    def stop(self) -> None:
        """Stop looking; the form is gone."""
        self.follow(None)
        self._runner.stop()

    def _edited(self, event: Any = None) -> None:
        self._checks.forget(self._layer)
        self.edited.emit()

    def _checked(self, text: str | None) -> None:
        layer = self._looked_at() if self._looked_at is not None else None
        if layer is not None:
            self._checks.tell(layer, text)
