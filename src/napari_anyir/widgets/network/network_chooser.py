"""Choose a model and a device, and learn which blocks and parts the model has."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QComboBox, QHBoxLayout, QSizePolicy, QWidget

from napari_anyir.weights import list_models
from napari_anyir.widgets.kit.model_news import model_news, refill
from napari_anyir.widgets.kit.qt import Signal
from napari_anyir.widgets.kit.worker import Runner
from napari_anyir.widgets.network.devices import DevicesJob
from napari_anyir.widgets.network.model_structure import Structure, StructureJob, structure_of


class NetworkChooser(QWidget):
    """Two lists in a row: model and device.

    Parameters
    ----------
    parent : QWidget, optional
        The parent.

    Attributes
    ----------
    structure_changed : Signal
        Another model was chosen, and its structure is known (or, None, is being read).
    failed : Signal
        One sentence: why a model's structure cannot be read.
    """

    structure_changed = Signal()
    failed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._cards = list_models()
        self.structure: Structure | None = None
        self._wanted_device = self._asked = ""
        self._reader, self._probe = Runner(self), Runner(self)
        self.model_box = QComboBox()
        self.model_box.addItems([card.name for card in self._cards])
        self.model_box.setToolTip("The network to look into.")
        self.model_box.setAccessibleName("Model")
        self.device_box = QComboBox()
        self.device_box.addItems(["auto", "cpu"])
        self.device_box.setToolTip(
            "Where to compute. Only devices that this computer has are listed."
        )
        self.device_box.setAccessibleName("Device")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for box in (self.model_box, self.device_box):
            box.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
            box.setMinimumContentsLength(5)
            box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            layout.addWidget(box)
        self.setFocusProxy(self.model_box)
        self.model_box.currentIndexChanged.connect(self._model_chosen)
        self._reader.returned.connect(self._read)
        self._reader.failed.connect(self.failed)
        self._reader.finished.connect(self._reader_finished)
        self._probe.returned.connect(self._offer_devices)
        model_news().changed.connect(self._models_changed)
        self._model_chosen()

    @property
    def model(self) -> str:
        """Name of the chosen model."""
        return str(self.model_box.currentText())

    @property
    def device(self) -> str:
        """Name of the chosen device."""
        return str(self.device_box.currentText())

    def set_values(self, values: dict[str, Any]) -> None:
        """Choose what was remembered; what is no longer offered is passed over."""
        index = self.model_box.findText(str(values.get("model", "")))
        if index >= 0:
            self.model_box.setCurrentIndex(index)
        # A graphics card is only listed once torch has been asked for it.
        self._wanted_device = str(values.get("device", "auto"))
        if (index := self.device_box.findText(self._wanted_device)) >= 0:
            self.device_box.setCurrentIndex(index)

    def find_devices(self) -> None:
        """Look for devices in a thread: that imports torch, which takes seconds."""
        if not self._probe.running:
            self._probe.start(DevicesJob())

    def stop(self) -> None:
        """Stop what runs; the dock is gone."""
        self._reader.stop()
        self._probe.stop()

    def _models_changed(self) -> None:
        self._cards = list_models()
        refill(self.model_box, [card.name for card in self._cards])

    def _model_chosen(self) -> None:
        index = self.model_box.currentIndex()
        card = self._cards[index] if index >= 0 else None
        self.structure = structure_of(card) if card is not None else None
        if card is not None and self.structure is None and not self._reader.running:
            self._asked = card.name
            self._reader.start(StructureJob(card.name))
        self.structure_changed.emit()

    def _read(self, structure: Structure) -> None:
        if self._asked == self.model:
            self.structure = structure
            self.structure_changed.emit()

    def _reader_finished(self) -> None:
        # Another model without a card was chosen while the first was read.
        if self.structure is None and self._asked != self.model:
            self._model_chosen()

    def _offer_devices(self, names: list[str]) -> None:
        chosen = self._wanted_device or self.device
        self._wanted_device = ""
        self.device_box.blockSignals(True)
        self.device_box.clear()
        self.device_box.addItems(["auto", *names])
        if (index := self.device_box.findText(chosen)) >= 0:
            self.device_box.setCurrentIndex(index)
        self.device_box.blockSignals(False)
