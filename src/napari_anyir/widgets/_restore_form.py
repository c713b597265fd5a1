"""The choices of a restoration as a form: model, device, axes, what, and the advanced ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QPalette
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from napari_anyir.weights import list_models
from napari_anyir.widgets import _layers
from napari_anyir.widgets._devices import DevicesJob
from napari_anyir.widgets._layer_box import LayerBox, is_shapes
from napari_anyir.widgets._qt import Signal
from napari_anyir.widgets._restoration import RECTANGLE, WHAT, Settings, check_layer_axes, describe
from napari_anyir.widgets._worker import Runner

if TYPE_CHECKING:
    from napari.components import ViewerModel

TILES = {
    "automatic": "auto",
    "whole image": None,
    "256 pixels": 256,
    "512 pixels": 512,
    "1024 pixels": 1024,
}
PRECISIONS = ("auto", "float32", "bfloat16", "float16")
INTENSITIES = {
    "automatic": "auto",
    "range of the type": "dtype",
    "0.1 to 99.9 percentile": "range",
    "from ... to ...": "custom",
}
ERROR_STYLE = "color: #d0514b;"


def small_label(text: str = "") -> QLabel:
    """Make a line that explains the field above it."""
    label = QLabel(text)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    # A word-wrapped label otherwise asks for the width of its whole text.
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    font = label.font()
    font.setPointSizeF(max(7.0, font.pointSizeF() * 0.9))
    label.setFont(font)
    label.setForegroundRole(QPalette.ColorRole.PlaceholderText)
    return label


class RestoreForm(QWidget):
    """What is to be restored and how; says while the user types whether it can be.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        Whose layers.
    parent : QWidget, optional
        The parent.

    Attributes
    ----------
    changed : Signal
        Something other was chosen or typed.
    """

    changed = Signal()

    def __init__(self, viewer: ViewerModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._cards = list_models()
        self._typed: dict[tuple[int, bool], str] = {}
        self._build(viewer)
        self._connect()
        self._prefill_axes()
        self._model_chosen()
        self._what_chosen()
        self._intensity_chosen()
        self._probe = Runner(self)
        self._probe.returned.connect(self._offer_devices)
        self._wanted_device: str | None = None

    # ---------------------------------------------------------------- what was chosen

    @property
    def layer(self) -> Any:
        """The source layer, or None."""
        return self.layer_box.layer

    @property
    def axes(self) -> str:
        """Axis letters as typed."""
        return self.axes_edit.text().strip()

    @property
    def what(self) -> str:
        """One of the keys of `napari_anyir.widgets._restoration.WHAT`."""
        return list(WHAT)[self.what_box.currentIndex()]

    @property
    def shapes(self) -> Any:
        """The Shapes layer with the rectangle, or None."""
        return self.shapes_box.layer if self.what == RECTANGLE else None

    @property
    def problem(self) -> str | None:
        """Why a run cannot start, as one sentence, or None."""
        if self.layer is None:
            return "Open an image first: File > Open, or File > Open Sample."
        try:
            check_layer_axes(self.layer, self.axes)
        except (TypeError, ValueError) as error:
            return str(error)
        if not self._cards:
            return "There is no model; install the package again."
        return None

    def settings(self) -> Settings:
        """Arguments of a restoration."""
        intensity: Any = list(INTENSITIES.values())[self.intensity_box.currentIndex()]
        if intensity == "custom":
            intensity = (self.low_box.value(), self.high_box.value())
        return Settings(
            model=self.model_box.currentText(),
            device=self.device_box.currentText(),
            precision=self.precision_box.currentText(),
            tile=list(TILES.values())[self.tile_box.currentIndex()],
            intensity=intensity,
        )

    def values(self) -> dict[str, Any]:
        """What to remember for the next time."""
        chosen = self.settings()
        return {
            "model": chosen.model,
            "device": chosen.device,
            "precision": chosen.precision,
            "tile": self.tile_box.currentText(),
            "intensity": self.intensity_box.currentText(),
            "what": self.what,
        }

    def set_values(self, values: dict[str, Any]) -> None:
        """Choose what was remembered; what is no longer offered is passed over."""
        for box, name in (
            (self.model_box, "model"),
            (self.precision_box, "precision"),
            (self.tile_box, "tile"),
            (self.intensity_box, "intensity"),
        ):
            _choose(box, str(values.get(name, "")))
        if values.get("what") in WHAT:
            self.what_box.setCurrentIndex(list(WHAT).index(values["what"]))
        # A graphics card is only listed once torch has been asked for it.
        self._wanted_device = str(values.get("device", "auto"))
        _choose(self.device_box, self._wanted_device)

    def find_devices(self) -> None:
        """Look for devices in a thread: that imports torch, which takes seconds."""
        if not self._probe.running:
            self._probe.start(DevicesJob())

    # ---------------------------------------------------------------- building

    def _build(self, viewer: ViewerModel) -> None:
        self.layer_box = LayerBox(viewer)
        self.layer_box.setToolTip(
            "The image to restore. It is never changed: results are new layers."
        )
        self.model_box = QComboBox()
        self.model_box.addItems([card.name for card in self._cards])
        self.model_box.setToolTip("The network's weights; all of them run without a connection.")
        self.card_label = small_label()
        self.device_box = QComboBox()
        self.device_box.addItems(["auto", "cpu"])
        self.device_box.setToolTip(
            "Where to compute. Only devices that this computer has are listed."
        )
        self.axes_edit = QLineEdit()
        self.axes_edit.setMaxLength(8)
        self.axes_edit.setToolTip(
            "One letter per axis: T time, Z depth, C channel, Y rows, X columns, S colour samples. "
            "Every plane YX is restored on its own."
        )
        self.axes_label = small_label()
        self.what_box = QComboBox()
        self.what_box.addItems(list(WHAT.values()))
        self.what_box.setToolTip("How much of the layer to restore.")
        self.shapes_box = LayerBox(viewer, is_shapes)
        self.shapes_box.setToolTip("The Shapes layer; its selected shape, or else its last one.")
        self.tile_box = QComboBox()
        self.tile_box.addItems(list(TILES))
        self.tile_box.setToolTip(
            "Automatic takes the whole image as long as memory allows, which is best: the network "
            "looks at all pixels, and tiles change the result a little."
        )
        self.precision_box = QComboBox()
        self.precision_box.addItems(PRECISIONS)
        self.precision_box.setToolTip(
            "Auto is float32 on processors and 16 bits on graphics cards."
        )
        self.intensity_box = QComboBox()
        self.intensity_box.addItems(list(INTENSITIES))
        self.intensity_box.setToolTip(
            "Which values the network takes for black and white. Automatic: the range of the type "
            "for 8 bits and for fractions of 0 to 1, percentiles of the whole volume otherwise."
        )
        self.low_box, self.high_box = QDoubleSpinBox(), QDoubleSpinBox()
        for box, value, tip in ((self.low_box, 0, "black"), (self.high_box, 65535, "white")):
            box.setRange(-1e9, 1e9)
            box.setDecimals(3)
            box.setValue(value)
            box.setToolTip(f"The value that is {tip}.")

        custom = QHBoxLayout()
        custom.setContentsMargins(0, 0, 0, 0)
        custom.addWidget(self.low_box)
        custom.addWidget(self.high_box)
        self._custom = QWidget()
        self._custom.setLayout(custom)

        self._form = QFormLayout()
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setVerticalSpacing(4)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._form.addRow("&Layer", self.layer_box)
        self._form.addRow("&Model", self.model_box)
        self._form.addRow("", self.card_label)
        self._form.addRow("&Device", self.device_box)
        self._form.addRow("A&xes", self.axes_edit)
        self._form.addRow("", self.axes_label)
        self._form.addRow("&What", self.what_box)
        self._form.addRow("Sh&apes", self.shapes_box)
        inner = QWidget()
        advanced = QFormLayout(inner)
        advanced.setContentsMargins(0, 0, 0, 0)
        advanced.setVerticalSpacing(4)
        advanced.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        advanced.addRow("&Tile", self.tile_box)
        advanced.addRow("&Precision", self.precision_box)
        advanced.addRow("&Intensity", self.intensity_box)
        advanced.addRow("", self._custom)
        self.advanced = QCollapsible("Advanced")
        self.advanced.setDuration(0)
        self.advanced.addWidget(inner)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(self._form)
        layout.addWidget(self.advanced)

    def _connect(self) -> None:
        self.layer_box.layer_changed.connect(self._prefill_axes)
        self.axes_edit.textEdited.connect(self._axes_typed)
        self.model_box.currentIndexChanged.connect(self._model_chosen)
        self.what_box.currentIndexChanged.connect(self._what_chosen)
        self.intensity_box.currentIndexChanged.connect(self._intensity_chosen)
        for box in (self.device_box, self.tile_box, self.precision_box):
            box.currentIndexChanged.connect(self.changed)
        self.shapes_box.layer_changed.connect(self.changed)
        self.low_box.valueChanged.connect(self.changed)
        self.high_box.valueChanged.connect(self.changed)

    # ---------------------------------------------------------------- reactions

    def _prefill_axes(self) -> None:
        layer, text = self.layer, ""
        if layer is not None:
            try:
                text = _layers.guess_layer_axes(layer)
            except ValueError:  # more axes than letters: the check below says so
                text = ""
        self.axes_edit.setText(text)
        self._check_axes()
        self.changed.emit()

    def _axes_typed(self) -> None:
        self._check_axes()
        self.changed.emit()

    def _check_axes(self) -> None:
        problem = self.problem
        wrong = problem is not None and self.layer is not None
        self.axes_edit.setStyleSheet(ERROR_STYLE if wrong else "")
        self.axes_label.setStyleSheet(ERROR_STYLE if wrong else "")
        self.axes_label.setText(problem or describe(self.layer, self.axes))

    def _model_chosen(self) -> None:
        index = self.model_box.currentIndex()
        card = self._cards[index] if index >= 0 else None
        self.card_label.setText(card.summary if card else "No model is installed.")
        if card is not None:
            self.card_label.setToolTip(card.limits or card.tiling)
        self.changed.emit()

    def _what_chosen(self) -> None:
        self._show_row(self.shapes_box, self.what == RECTANGLE)
        self.changed.emit()

    def _intensity_chosen(self) -> None:
        custom = list(INTENSITIES.values())[self.intensity_box.currentIndex()] == "custom"
        self._custom.setVisible(custom)
        self.changed.emit()

    def _show_row(self, field: QWidget, shown: bool) -> None:
        field.setVisible(shown)
        label = self._form.labelForField(field)
        if label is not None:
            label.setVisible(shown)

    def _offer_devices(self, names: list[str]) -> None:
        chosen = self._wanted_device or self.device_box.currentText()
        self._wanted_device = None
        self.device_box.blockSignals(True)
        self.device_box.clear()
        self.device_box.addItems(["auto", *names])
        _choose(self.device_box, chosen)
        self.device_box.blockSignals(False)


def _choose(box: QComboBox, text: str) -> None:
    index = box.findText(text)
    if index >= 0:
        box.setCurrentIndex(index)
