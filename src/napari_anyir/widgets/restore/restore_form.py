"""The choices of a restoration as a form: model, device, axes, what, and the advanced ones."""

from __future__ import annotations

import math
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.settings import get_settings
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from napari_anyir.widgets.kit.form_parts import (
    ERROR_STYLE,
    INTENSITIES,
    PRECISIONS,
    TILES,
    AdvancedFields,
    choose,
    small_label,
)
from napari_anyir.widgets.kit.layer_box import LayerBox, is_shapes
from napari_anyir.widgets.kit.layer_pin import PinnedBox
from napari_anyir.widgets.kit.notices import mark
from napari_anyir.widgets.kit.qt import Signal
from napari_anyir.widgets.kit.worker import Runner
from napari_anyir.widgets.layers import image_layers
from napari_anyir.widgets.network.devices import DevicesJob
from napari_anyir.widgets.restore.estimate import expected_for, in_words
from napari_anyir.widgets.restore.memory_needs import needs_in_words
from napari_anyir.widgets.restore.model_field import ModelField
from napari_anyir.widgets.restore.pixel_watch import PixelWatch
from napari_anyir.widgets.restore.restore_job import (
    ALL,
    RECTANGLE,
    WHAT,
    RestoreChoices,
    check_layer_axes,
    describe,
)

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_anyir.widgets.restore.restore_job import RestoreJob

__all__ = ["ERROR_STYLE", "INTENSITIES", "PRECISIONS", "TILES", "RestoreForm", "small_label"]

WHEN = ("When it is shown (stays lazy)", "Now, into memory")


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
        self._devices: list[str] = []
        self._wanted_device: str | None = None
        self._pixels = PixelWatch(self)
        self._typed: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()
        self._build(viewer)
        self._connect()
        self._prefill_axes()
        self._what_chosen()
        self._probe = Runner(self)
        self._probe.returned.connect(self._offer_devices)
        self._pixels.edited.connect(self._prefill_axes)
        self._pixels.told.connect(self._check_axes)

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
        """One of the keys of `napari_anyir.widgets.restore.restore_job.WHAT`."""
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
        if (text := self._pixels.problem(self.layer)) is not None:
            return text
        try:
            check_layer_axes(self.layer, self.axes)
        except (TypeError, ValueError) as error:
            return str(error)
        if self.model_field.empty:
            return "There is no model; install the package again."
        return None

    def settings(self) -> RestoreChoices:
        """Arguments of a restoration."""
        return RestoreChoices(
            model=self.model_field.model,
            device=self.device_box.currentText(),
            precision=self.precision_box.currentText(),
            tile=list(TILES.values())[self.tile_box.currentIndex()],
            intensity=self.fields.intensity,
        )

    @property
    def models(self) -> list[str]:
        """All models to restore with: the chosen one first, then the ticked ones."""
        return self.model_field.models

    @property
    def lazy(self) -> bool:
        """Whether all planes of a layer are asked for that is not in memory."""
        layer = self.layer
        if layer is None or self.what != ALL:
            return False
        with suppress(TypeError):  # `problem` says so
            return not isinstance(image_layers.pixels(layer), np.ndarray)
        return False

    @property
    def compute(self) -> bool:
        """Whether the result of a lazy layer is to be computed at once."""
        return self.lazy and self.when_box.currentIndex() == 1

    def estimate(self, job: RestoreJob) -> tuple[str, bool]:
        """Say in words how long a run will take, and how much memory.

        Parameters
        ----------
        job : RestoreJob
            What would run.

        Returns
        -------
        text : str
            A sentence or two.
        tight : bool
            Whether the memory will not suffice.
        """
        text = self._duration(job.pixels)
        cards = self.model_field.cards
        if not self._devices or not text or not cards:
            return text, False
        chosen = self.settings()
        device = self._devices[0] if chosen.device == "auto" else chosen.device
        needs, tight = needs_in_words(
            [card.config for card in cards],
            job.plane_size,
            job.kept_bytes,
            device=device,
            precision=chosen.precision,
            tile=chosen.tile,
        )
        return f"{text} {needs}".strip(), tight

    def _duration(self, pixels: int) -> str:
        if self.lazy and not self.compute:
            return "Only the shown plane is computed now."
        if not self._devices:  # torch is not there yet, and with it nobody knows the device
            return ""
        models = {card.name: card.sha256 for card in self.model_field.cards}
        return in_words(expected_for(self.settings(), models, self._devices[0], pixels))

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
            "more_models": " ".join(self.more_button.names),
            "compute": self.when_box.currentIndex() == 1,
        }

    def set_values(self, values: dict[str, Any]) -> None:
        """Choose what was remembered; what is no longer offered is passed over."""
        for box, name in (
            (self.precision_box, "precision"),
            (self.tile_box, "tile"),
            (self.intensity_box, "intensity"),
        ):
            choose(box, str(values.get(name, "")))
        self.model_box.choose(str(values.get("model", "")))
        self.more_button.set_names(str(values.get("more_models", "")).split())
        self.when_box.setCurrentIndex(int(bool(values.get("compute", False))))
        if values.get("what") in WHAT:
            self.what_box.setCurrentIndex(list(WHAT).index(values["what"]))
        # A graphics card is only listed once torch has been asked for it.
        wanted = str(values.get("device", "auto"))
        choose(self.device_box, wanted)
        self._wanted_device = wanted if self.device_box.currentText() != wanted else None

    def find_devices(self) -> None:
        """Look for devices in a thread: that imports torch, which takes seconds."""
        if not self._probe.running:
            self._probe.start(DevicesJob())

    # ---------------------------------------------------------------- building

    def _build(self, viewer: ViewerModel) -> None:
        self.layer_box = LayerBox(viewer, follows=True)
        self.layer_box.setToolTip(
            "The image to restore. It is never changed: results are new layers."
        )
        self.model_field = ModelField()
        self.model_box, self.card_label = self.model_field.box, self.model_field.note
        self.more_button = self.model_field.more_button
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
        self.when_box = QComboBox()
        self.when_box.addItems(list(WHEN))
        self.when_box.setToolTip(
            "The layer is read when needed. Its result can be, too: the shown plane is computed "
            "first, each other one when it is shown. Or all of it now, with progress and Cancel."
        )
        self.free_box = QCheckBox("Keep the window free meanwhile")
        self.free_box.setToolTip(
            "napari waits for every plane of a lazy layer unless it renders images "
            "asynchronously. This switches that setting of napari's (Preferences > Experimental) "
            "for all layers."
        )
        self.fields = AdvancedFields()
        # Under the names by which they are known as parts of this form.
        self.tile_box, self.precision_box = self.fields.tile_box, self.fields.precision_box
        self.intensity_box = self.fields.intensity_box
        self.low_box, self.high_box = self.fields.low_box, self.fields.high_box
        self._form = QFormLayout()
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setVerticalSpacing(4)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._form.addRow("&Layer", PinnedBox(self.layer_box))
        self._form.addRow("&Model", self.model_field)
        self._form.addRow("&Device", self.device_box)
        self._form.addRow("A&xes", self.axes_edit)
        self._form.addRow("", self.axes_label)
        self._form.addRow("&What", self.what_box)
        self._form.addRow("Sh&apes", self.shapes_box)
        self._form.addRow("C&ompute", self.when_box)
        self._form.addRow("", self.free_box)
        self.advanced = QCollapsible("Advanced")
        self.advanced.setDuration(0)
        self.advanced.toggleButton().setToolTip("Tile, precision and intensity.")
        self.advanced.addWidget(self.fields)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(self._form)
        layout.addWidget(self.advanced)

    def _connect(self) -> None:
        self.layer_box.layer_changed.connect(self._prefill_axes)
        self.axes_edit.textEdited.connect(self._axes_typed)
        self.model_field.changed.connect(self.changed)
        self.what_box.currentIndexChanged.connect(self._what_chosen)
        self.device_box.currentIndexChanged.connect(self._device_chosen)
        self.fields.changed.connect(self.changed)
        self.when_box.currentIndexChanged.connect(self._show_lazy_rows)
        self.free_box.toggled.connect(self._set_async)
        self.shapes_box.layer_changed.connect(self.changed)

    # ---------------------------------------------------------------- reactions

    def _prefill_axes(self) -> None:
        layer, text = self.layer, ""
        self._pixels.follow(layer)
        if layer is not None:
            with suppress(TypeError, ValueError):  # the check below says so
                text = self._typed.get(layer) or image_layers.guess_layer_axes(layer)
        self.axes_edit.setText(text)
        self._check_axes()
        self._show_lazy_rows()

    def _axes_typed(self) -> None:
        if self.layer is not None:
            self._typed[self.layer] = self.axes_edit.text()
        self._check_axes()

    def _check_axes(self) -> None:
        layer, problem = self.layer, self.problem
        if problem is None:
            self.axes_label.setText(describe(layer, self.axes))
        elif layer is None:
            self.axes_label.setText(problem)
        else:
            self.axes_label.complain(problem)
        wrong = problem is not None and layer is not None
        axes_wrong = wrong and self._pixels.problem(layer) is None
        mark(self.axes_edit, ERROR_STYLE if axes_wrong else "")
        self._tell_kind()
        self.changed.emit()

    def _tell_kind(self) -> None:
        """Let the model follow the image, and call all planes of one that has one what it is."""
        layer, letters, pixels = self.layer, "", None
        if layer is not None:
            with suppress(TypeError, ValueError):  # `problem` says so
                pixels = image_layers.pixels(layer)
                letters = check_layer_axes(layer, self.axes)
        whole = False
        if pixels is None:
            self.model_field.set_image(None, colour=False)
        else:
            self.model_field.set_image(pixels.dtype, colour="S" in letters or layer.rgb)
            sizes = zip(pixels.shape, letters, strict=True) if letters else ()
            whole = bool(letters) and math.prod(n for n, letter in sizes if letter in "TZC") == 1
        self.what_box.setItemText(0, "The whole image" if whole else WHAT[ALL])

    def _device_chosen(self) -> None:
        self._wanted_device = None
        self.changed.emit()

    def _what_chosen(self) -> None:
        self._show_row(self.shapes_box, self.what == RECTANGLE)
        self._show_lazy_rows()

    def _show_lazy_rows(self) -> None:
        self._show_row(self.when_box, self.lazy)
        self._show_row(self.free_box, self.lazy and not self.compute)
        self.free_box.blockSignals(True)
        self.free_box.setChecked(bool(get_settings().experimental.async_))
        self.free_box.blockSignals(False)
        self.changed.emit()

    def _set_async(self, wanted: bool) -> None:
        get_settings().experimental.async_ = wanted

    def _show_row(self, field: QWidget, shown: bool) -> None:
        field.setVisible(shown)
        label = self._form.labelForField(field)
        if label is not None:
            label.setVisible(shown)

    def _offer_devices(self, names: list[str]) -> None:
        self._devices = names
        chosen = self._wanted_device or self.device_box.currentText()
        self._wanted_device = None
        self.device_box.blockSignals(True)
        self.device_box.clear()
        self.device_box.addItems(["auto", *names])
        choose(self.device_box, chosen)
        self.device_box.blockSignals(False)
        self.changed.emit()
