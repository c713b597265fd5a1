"""A list of the layers that fit, which follows the viewer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from napari.layers import Shapes
from qtpy.QtWidgets import QComboBox, QSizePolicy, QWidget

from napari_anyir.widgets.kit.qt import Signal
from napari_anyir.widgets.layers.layer_order import is_adding
from napari_anyir.widgets.layers.layer_origins import is_source

if TYPE_CHECKING:
    from napari.components import ViewerModel


def is_shapes(layer: Any) -> bool:
    """Whether a layer holds shapes."""
    return isinstance(layer, Shapes)


class LayerBox(QComboBox):
    """Choose a layer by name; the choice survives renaming, reordering and other layers' removal.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        Whose layers.
    accepts : callable
        ``accepts(layer)``: whether it may be chosen; by default images, but no feature maps,
        differences or previews.
    none : str, optional
        Text of a first entry that stands for no layer, which is chosen at first.
    follows : bool
        Whether the choice follows the layer that is selected in napari's list, until somebody
        chooses another one here; `napari_anyir.widgets.kit.layer_pin.PinnedBox` shows that.
    parent : QWidget, optional
        The parent.

    Attributes
    ----------
    layer_changed : Signal
        Another layer, or none, was chosen by the user or by a removal.
    pinned_changed : Signal
        Somebody has chosen a layer here, or the choice follows the list again.
    """

    layer_changed = Signal()
    pinned_changed = Signal()

    def __init__(
        self,
        viewer: ViewerModel,
        accepts: Callable[[Any], bool] = is_source,
        *,
        none: str | None = None,
        follows: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._pinned = False
        self._followed: Any = None
        self._viewer = viewer
        self._accepts = accepts
        self._none = none
        self._layers: list[Any] = []
        # Long names must not make the dock wider than it has to be.
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(12)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        events = viewer.layers.events
        events.inserted.connect(self._inserted)
        events.removed.connect(self._refresh)
        events.reordered.connect(self._refresh)
        for layer in viewer.layers:
            layer.events.name.connect(self._refresh)
        self._current: Any = None
        self._refresh()
        # The active layer is what people want to work on, not what they compare it with.
        active = viewer.layers.selection.active
        if none is None and active in self._layers:
            self.choose(active)
            self._followed = active
        self.currentIndexChanged.connect(self._chosen)
        if follows:
            viewer.layers.selection.events.active.connect(self._follow)
            self.activated.connect(lambda _index: self.pin(True))  # only by hand

    @property
    def pinned(self) -> bool:
        """Whether somebody has chosen the layer here, so that it does not follow the list."""
        return self._pinned

    def pin(self, pinned: bool) -> None:
        """Keep the chosen layer, or follow the list again."""
        changed, self._pinned = pinned != self._pinned, pinned
        if not pinned:
            self._followed = None
            self._follow()
        if changed:
            self.pinned_changed.emit()

    @property
    def layer(self) -> Any:
        """The chosen layer, or None."""
        return self._current

    def choose(self, layer: Any) -> None:
        """Choose a layer, or None where that is offered; one that is not listed changes nothing."""
        if layer in self._layers:
            self.setCurrentIndex(self._layers.index(layer))
            self._current = layer

    def disconnect_viewer(self) -> None:
        """Stop following the viewer, which may live on."""
        events = self._viewer.layers.events
        events.inserted.disconnect(self._inserted)
        events.removed.disconnect(self._refresh)
        events.reordered.disconnect(self._refresh)
        for layer in self._viewer.layers:
            layer.events.name.disconnect(self._refresh)
        self._layers, self._current = [], None

    def _inserted(self, event: Any) -> None:
        event.value.events.name.connect(self._refresh)
        self._refresh()

    def _refresh(self, event: Any = None) -> None:
        before = self._current
        # napari draws the last layer of its list on top; people look for it first.
        fitting = [layer for layer in reversed(list(self._viewer.layers)) if self._accepts(layer)]
        self._layers = [None, *fitting] if self._none is not None else fitting
        self.blockSignals(True)
        self.clear()
        self.addItems(
            [str(self._none) if layer is None else str(layer.name) for layer in self._layers]
        )
        if before in self._layers:
            self.setCurrentIndex(self._layers.index(before))
        self.blockSignals(False)
        self._chosen()
        if self._followed not in self._layers:
            self._followed = None  # a layer that is gone must not be kept
        if before is not None and before not in self._layers and self._pinned:
            self.pin(False)  # what was pinned is gone

    def _follow(self, event: Any = None) -> None:
        active = self._viewer.layers.selection.active
        if self._pinned or active not in self._layers or is_adding():
            return
        # What is selected again after something that is no image has been in between, is no news.
        if active is not self._followed:
            self._followed = active
            self.choose(active)

    def _chosen(self, _index: int = 0) -> None:
        index = self.currentIndex()
        layer = self._layers[index] if 0 <= index < len(self._layers) else None
        changed = layer != self._current
        self._current = layer
        if changed:
            self.layer_changed.emit()
