"""Layers with a box to tick before each, which follows the viewer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QListWidget, QListWidgetItem, QWidget

from napari_anyir.widgets.kit.qt import Signal
from napari_anyir.widgets.layers.layer_origins import is_source

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["LayerList"]

ROWS = 3


class LayerList(QListWidget):
    """Tick layers; the selected ones are ticked at first, and ticks survive renaming.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        Whose layers.
    accepts : callable
        ``accepts(layer)``: whether it is listed.
    parent : QWidget, optional
        The parent.

    Attributes
    ----------
    ticked_changed : Signal
        Other layers are ticked.
    """

    ticked_changed = Signal()

    def __init__(
        self,
        viewer: ViewerModel,
        accepts: Callable[[Any], bool] = is_source,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer, self._accepts = viewer, accepts
        self._ticked = [layer for layer in viewer.layers.selection if accepts(layer)]
        self.setFixedHeight(ROWS * (self.fontMetrics().height() + 2) + 8)
        self.itemChanged.connect(self._item_changed)
        events = viewer.layers.events
        for event in (events.inserted, events.removed, events.reordered, events.changed):
            event.connect(self._refresh)
        events.inserted.connect(self._inserted)
        for layer in viewer.layers:
            layer.events.name.connect(self._refresh)
        self._refresh()

    @property
    def layers(self) -> list[Any]:
        """The ticked layers, in the order of the viewer."""
        return [layer for layer in self._viewer.layers if layer in self._ticked]

    def tick(self, layer: Any, ticked: bool = True) -> None:
        """Tick a layer, or take its tick away."""
        if ticked != (layer in self._ticked):
            (self._ticked.append if ticked else self._ticked.remove)(layer)
            self._refresh()
            self.ticked_changed.emit()

    def disconnect_viewer(self) -> None:
        """Hear no more of the viewer; the dock is gone."""
        events = self._viewer.layers.events
        for event in (events.inserted, events.removed, events.reordered, events.changed):
            event.disconnect(self._refresh)
        events.inserted.disconnect(self._inserted)
        for layer in self._viewer.layers:
            layer.events.name.disconnect(self._refresh)
        self._ticked.clear()

    def _inserted(self, event: Any) -> None:
        event.value.events.name.connect(self._refresh)
        if not self._ticked and self._accepts(event.value):
            self.tick(event.value)

    def _refresh(self, event: Any = None) -> None:
        here = [layer for layer in self._viewer.layers if self._accepts(layer)]
        gone = [layer for layer in self._ticked if layer not in here]
        self._ticked = [layer for layer in self._ticked if layer in here]
        self.blockSignals(True)
        self.clear()
        for layer in reversed(here):  # the top of napari's list is the end of `layers`
            item = QListWidgetItem(layer.name)
            item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
            on = layer in self._ticked
            item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)
            self.addItem(item)
        self._shown = list(reversed(here))
        self.blockSignals(False)
        if gone:
            self.ticked_changed.emit()

    def _item_changed(self, item: QListWidgetItem) -> None:
        layer = self._shown[self.row(item)]
        self.tick(layer, item.checkState() == Qt.CheckState.Checked)
