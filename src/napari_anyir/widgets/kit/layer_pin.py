"""A pin beside a list of layers: shown while the list keeps a layer that was chosen in it."""

from __future__ import annotations

from qtpy.QtWidgets import QHBoxLayout, QToolButton, QWidget

from napari_anyir.widgets.kit.layer_box import LayerBox


class PinnedBox(QWidget):
    """A `LayerBox` that follows napari's list, and its pin.

    Parameters
    ----------
    box : LayerBox
        Made with ``follows=True``.

    Attributes
    ----------
    pin : QToolButton
        Seen while the layer is pinned; a click lets the box follow the list again.
    """

    def __init__(self, box: LayerBox) -> None:
        super().__init__()
        self._box = box
        self.pin = QToolButton()
        self.pin.setText("\N{PUSHPIN}")
        self.pin.setAutoRaise(True)
        self.pin.setToolTip(
            "This layer was chosen here and stays, whichever is selected in napari's list of "
            "layers. Click to follow that list again."
        )
        self.pin.setAccessibleName("Follow the selected layer again")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        row.addWidget(box, 1)
        row.addWidget(self.pin)
        self.setFocusProxy(box)
        self.pin.clicked.connect(lambda: box.pin(False))
        box.pinned_changed.connect(self._show)
        self._show()

    def _show(self) -> None:
        self.pin.setVisible(self._box.pinned)
