"""A table of the groups of feature maps: what their gates are set to, and a button to remove."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHeaderView, QTableWidget, QTableWidgetItem, QToolButton, QWidget

from napari_anyir.widgets.feature_maps.feature_maps_job import groups_of, is_inside
from napari_anyir.widgets.feature_maps.map_names import block_in_words
from napari_anyir.widgets.kit.qt import Signal
from napari_anyir.widgets.layers.layer_origins import INSIDE

if TYPE_CHECKING:
    from napari.components import ViewerModel

COLUMNS = ("Group", "λ", "τ_adj", "")
TIPS = (
    "A block; its tick shows or hides its maps.",
    (
        "Lambda (Alg. 2): how much the spatial branch counts against the frequency branch; "
        "a learnt number, the same for every image."
    ),
    (
        "Adjusted temperature (Alg. 1): by how much each channel of alpha is made stronger or "
        "weaker for this image; mean, and least to largest."
    ),
    "Remove the group.",
)


def tau_text(tau: list[float]) -> str:
    """Say what tau_adj is in a cell: mean, and least to largest.

    Parameters
    ----------
    tau : list of float
        One number per channel of alpha.

    Returns
    -------
    str
        A dash if there is none.

    Examples
    --------
    >>> tau_text([0.5, 0.75, 1.0])
    '0.75 (0.50–1.00)'
    """
    if not tau:
        return "–"
    return f"{sum(tau) / len(tau):.2f} ({min(tau):.2f}–{max(tau):.2f})"


class GroupTable(QTableWidget):
    """Lists the groups of a viewer; everything in it is read from the layers themselves.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer.
    parent : QWidget, optional
        The parent.

    Attributes
    ----------
    arranged : Signal
        A group was shown or hidden.
    """

    arranged = Signal()

    def __init__(self, viewer: ViewerModel, parent: QWidget | None = None) -> None:
        super().__init__(0, len(COLUMNS), parent)
        self._viewer = viewer
        self._keys: list[tuple[str, str]] = []
        self.setHorizontalHeaderLabels(list(COLUMNS))
        self.setToolTip("The groups of maps that were added; tick one to show it.")
        for column, tip in enumerate(TIPS):
            item = self.horizontalHeaderItem(column)
            if item is not None:
                item.setToolTip(tip)
        header, rows = self.horizontalHeader(), self.verticalHeader()
        if header is not None and rows is not None:
            rows.setVisible(False)
            rows.setDefaultSectionSize(24)
            header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
            header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QTableWidget.SelectionMode.NoSelection)
        self.setMinimumHeight(56)
        self.setAccessibleName("Groups of feature maps and the numbers of their gates")
        self.itemChanged.connect(self._ticked)
        events = viewer.layers.events
        events.removed.connect(self.refresh)
        events.inserted.connect(self._inserted)
        for layer in viewer.layers:
            if is_inside(layer):
                layer.events.visible.connect(self._seen)
        self.refresh()

    def refresh(self, event: Any = None) -> None:
        """Read the groups anew."""
        if event is not None and not is_inside(event.value):
            return
        groups = groups_of(self._viewer.layers)
        self._keys = list(groups)
        several = len({source for source, _ in groups}) > 1
        self.blockSignals(True)
        self.setRowCount(len(groups))
        for row, (key, layers) in enumerate(groups.items()):
            inside = layers[0].metadata[INSIDE]
            # With maps of one image only, its name would only take room.
            name = QTableWidgetItem(inside["group"] if several else block_in_words(inside["block"]))
            name.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
            name.setCheckState(_state(layers))
            name.setToolTip(f"{inside['group']}: {', '.join(layer.name for layer in layers)}")
            weight = "–" if inside["lambda"] is None else f"{inside['lambda']:.3f}"
            tau = QTableWidgetItem(tau_text(inside["tau_adj"]))
            tau.setToolTip(", ".join(f"{value:.3f}" for value in inside["tau_adj"]))
            for column, item in enumerate((name, QTableWidgetItem(weight), tau)):
                self.setItem(row, column, item)
            self.setCellWidget(
                row, len(COLUMNS) - 1, self._button(inside["group"], partial(self.remove, key))
            )
        self.blockSignals(False)

    def _inserted(self, event: Any) -> None:
        if is_inside(event.value):
            event.value.events.visible.connect(self._seen)
            self.refresh()

    def _seen(self, event: Any = None) -> None:
        """Follow the eyes in napari's list of layers."""
        groups = groups_of(self._viewer.layers)
        self.blockSignals(True)
        for row, key in enumerate(self._keys):
            item = self.item(row, 0)
            if item is not None and key in groups:
                item.setCheckState(_state(groups[key]))
        self.blockSignals(False)

    def _button(self, group: str, action: Callable[[], None]) -> QToolButton:
        button = QToolButton()
        button.setText("✕")
        button.setToolTip(f"Remove the maps of {group}")
        button.setAccessibleName(f"Remove {group}")
        button.setAutoRaise(True)
        button.clicked.connect(lambda _checked=False: action())
        return button

    def remove(self, key: tuple[str, str]) -> None:
        """Remove all layers of a group."""
        for layer in groups_of(self._viewer.layers).get(key, []):
            self._viewer.layers.remove(layer)

    def _ticked(self, item: QTableWidgetItem) -> None:
        if item.column() != 0 or item.row() >= len(self._keys):
            return
        shown = item.checkState() == Qt.CheckState.Checked
        for layer in groups_of(self._viewer.layers).get(self._keys[item.row()], []):
            layer.visible = shown
        self.arranged.emit()


def _state(layers: list[Any]) -> Qt.CheckState:
    shown = [layer.visible for layer in layers]
    if all(shown):
        return Qt.CheckState.Checked
    return Qt.CheckState.PartiallyChecked if any(shown) else Qt.CheckState.Unchecked
