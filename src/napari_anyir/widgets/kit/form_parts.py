"""Parts that several widgets' forms share: small print, and the advanced choices."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QWidget,
)

from napari_anyir.widgets.kit.notices import ERROR_STYLE, Notice
from napari_anyir.widgets.kit.qt import Signal

__all__ = [
    "ERROR_STYLE",
    "INTENSITIES",
    "PRECISIONS",
    "TILES",
    "AdvancedFields",
    "choose",
    "small_label",
]

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
    "counted photons": "photons",
    "from ... to ...": "custom",
}


def small_label(text: str = "") -> Notice:
    """Make a line that explains the field above it.

    Examples
    --------
    >>> from qtpy.QtWidgets import QApplication
    >>> application = QApplication.instance() or QApplication([])
    >>> small_label("Planes are restored one by one.").wordWrap()
    True
    """
    return Notice(text)


def choose(box: QComboBox, text: str) -> None:
    """Choose an entry by its text; one that is not offered changes nothing.

    Examples
    --------
    >>> from qtpy.QtWidgets import QApplication
    >>> application = QApplication.instance() or QApplication([])
    >>> box = QComboBox()
    >>> box.addItems(["nano", "tiny"])
    >>> choose(box, "tiny")
    >>> choose(box, "a model that is gone")
    >>> box.currentText()
    'tiny'
    """
    index = box.findText(text)
    if index >= 0:
        box.setCurrentIndex(index)


class AdvancedFields(QWidget):
    """Tile, precision and intensity.

    Attributes
    ----------
    changed : Signal
        Something other was chosen.

    Examples
    --------
    >>> from qtpy.QtWidgets import QApplication
    >>> application = QApplication.instance() or QApplication([])
    >>> fields = AdvancedFields()
    >>> fields.precision_box.currentText()
    'auto'
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.tile_box = QComboBox()
        self.tile_box.addItems(list(TILES))
        self.tile_box.setToolTip(
            "Automatic takes the whole image as long as memory allows, which is best: the network "
            "looks at all pixels, and tiles change the result a little."
        )
        self.precision_box = QComboBox()
        self.precision_box.addItems(PRECISIONS)
        self.precision_box.setToolTip(
            "With how many digits to compute. float32: about seven. bfloat16 and float16: two or "
            "three, in half the memory and quicker on graphics cards. Auto is float32 on "
            "processors and 16 bits on graphics cards."
        )
        self.intensity_box = QComboBox()
        self.intensity_box.addItems(list(INTENSITIES))
        self.intensity_box.setToolTip(
            "Which values the network takes for black and white. Automatic: the range of the type "
            "for 8 bits and for fractions of 0 to 1, percentiles of the whole volume otherwise. "
            "Counted photons: a square root makes noise that grows with brightness equally strong "
            "anywhere, as micrographs need it; the mean stays."
        )
        self.low_box, self.high_box = QDoubleSpinBox(), QDoubleSpinBox()
        for box, value, tip in ((self.low_box, 0, "black"), (self.high_box, 65535, "white")):
            box.setRange(-1e9, 1e9)
            box.setDecimals(3)
            box.setValue(value)
            box.setToolTip(f"The value that is {tip}.")
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.low_box)
        row.addWidget(self.high_box)
        self.custom = QWidget()
        self.custom.setLayout(row)
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(4)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("&Tile", self.tile_box)
        form.addRow("&Precision", self.precision_box)
        form.addRow("&Intensity", self.intensity_box)
        form.addRow("", self.custom)
        self.intensity_box.currentIndexChanged.connect(self._intensity_chosen)
        for field in (self.tile_box, self.precision_box):
            field.currentIndexChanged.connect(self.changed)
        self.low_box.valueChanged.connect(self.changed)
        self.high_box.valueChanged.connect(self.changed)
        self._intensity_chosen()

    @property
    def intensity(self) -> Any:
        """What `napari_anyir.restore` takes."""
        wish = INTENSITIES[self.intensity_box.currentText()]
        return (self.low_box.value(), self.high_box.value()) if wish == "custom" else wish

    def _intensity_chosen(self) -> None:
        self.custom.setVisible(INTENSITIES[self.intensity_box.currentText()] == "custom")
        self.changed.emit()
