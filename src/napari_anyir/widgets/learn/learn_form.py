"""The choices of *Learn my noise* as a form."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QLineEdit,
    QWidget,
)

from napari_anyir.weights import check_new_name, list_models
from napari_anyir.widgets.folder.folder_widget import FolderField
from napari_anyir.widgets.kit.form_parts import choose
from napari_anyir.widgets.kit.layer_box import LayerBox
from napari_anyir.widgets.kit.model_news import model_news
from napari_anyir.widgets.kit.qt import Signal
from napari_anyir.widgets.layers import image_layers
from napari_anyir.widgets.learn.layer_list import LayerList
from napari_anyir.widgets.learn.learn_files import LayerPixels
from napari_anyir.widgets.learn.learn_job import LearnChoices
from napari_anyir.widgets.network.model_box import ModelBox

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["EXTRA", "LearnForm"]

KINDS = ("Noisy images alone", "Pairs: noisy and clean")
SOURCES = ("Layers", "Folders")
NAMES = ("my-noise", "my-pairs")

EXTRA = 'Training on pairs needs an extra: pip install "napari-anyir[training]", then start anew.'
_EXTRA_MODULES = ("lightning", "pydantic", "tensorboard", "torchmetrics", "yaml")


class LearnForm(QWidget):
    """What to learn from what, and what to call it.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        Whose layers.

    Attributes
    ----------
    changed : Signal
        Something other was chosen; `problem` may have changed.
    """

    changed = Signal()

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._listening = True
        self._build(viewer)
        self._connect()
        self._kind_chosen()

    @property
    def pairs(self) -> bool:
        """Whether there are clean images, too."""
        return self.kind_box.currentIndex() == 1

    @property
    def folders(self) -> bool:
        """Whether files are learned from, not layers."""
        return self.source_box.currentIndex() == 1

    @property
    def problem(self) -> str | None:
        """One sentence: why learning cannot begin; None if it can."""
        if self.pairs and any(importlib.util.find_spec(name) is None for name in _EXTRA_MODULES):
            return EXTRA
        if self.folders:
            for field in (self.noisy_field, self.clean_field)[: 1 + self.pairs]:
                if not Path(field.path or "-").is_dir():
                    return (
                        "Choose the folder of the images."
                        if not field.path
                        else (f"There is no folder '{field.path}'.")
                    )
        elif self.pairs:
            noisy, clean = self.noisy_box.layer, self.clean_box.layer
            if noisy is None or clean is None or noisy is clean:
                return "Choose a noisy layer and the clean one that belongs to it."
            if image_layers.pixels(noisy).shape != image_layers.pixels(clean).shape:
                return "The noisy and the clean layer must be of one shape."
        elif not self.layer_list.layers:
            return "Tick the noisy layers to learn from, or choose a folder."
        try:
            check_new_name(self.name_edit.text().strip())
        except Exception as error:  # noqa: BLE001 - whatever speaks against the name is told
            return str(error)
        return None

    def wish(self) -> LearnChoices:
        """Return what is asked for; only where there is no `problem`."""
        noisy: Any
        clean: Any = None
        if self.folders:
            noisy = Path(self.noisy_field.path)
            clean = Path(self.clean_field.path) if self.pairs else None
        elif self.pairs:
            noisy, clean = ([_pixels(box.layer)] for box in (self.noisy_box, self.clean_box))
        else:
            noisy = [_pixels(layer) for layer in self.layer_list.layers]
        return LearnChoices(
            name=self.name_edit.text().strip(),
            model=self.model_box.model_name,
            minutes=self.minutes_box.value(),
            noisy=noisy,
            clean=clean,
            outliers=self.outliers_box.isChecked(),
        )

    def values(self) -> dict[str, Any]:
        """What to remember for the next time."""
        return {
            "kind": KINDS[self.kind_box.currentIndex()],
            "images_in": SOURCES[self.source_box.currentIndex()],
            "images": self.noisy_field.path,
            "clean": self.clean_field.path,
            "model": self.model_box.model_name,
            "minutes": self.minutes_box.value(),
            "outliers": self.outliers_box.isChecked(),
        }

    def set_values(self, values: dict[str, Any]) -> None:
        """Choose what was remembered; what is no longer offered is passed over."""
        for box, name in (
            (self.kind_box, "kind"),
            (self.source_box, "images_in"),
        ):
            choose(box, str(values.get(name, "")))
        self.model_box.choose(str(values.get("model", "")))
        self.noisy_field.edit.setText(str(values.get("images", "")))
        self.clean_field.edit.setText(str(values.get("clean", "")))
        self.minutes_box.setValue(float(values.get("minutes", 3.0)))
        self.outliers_box.setChecked(bool(values.get("outliers", False)))

    def disconnect_viewer(self) -> None:
        """Hear no more of the viewer; the dock is gone."""
        if not self._listening:  # a dock may be closed twice
            return
        self._listening = False
        self.layer_list.disconnect_viewer()
        self.noisy_box.disconnect_viewer()
        self.clean_box.disconnect_viewer()
        model_news().changed.disconnect(self._models_changed)

    def next_name(self) -> None:
        """Propose a name that no model has."""
        taken = {card.name for card in list_models()}
        name, number = NAMES[self.pairs], 2
        while name in taken:
            name, number = f"{NAMES[self.pairs]}-{number}", number + 1
        self.name_edit.setText(name)

    # ---------------------------------------------------------------- building

    def _build(self, viewer: ViewerModel) -> None:
        self.kind_box, self.source_box = QComboBox(), QComboBox()
        self.model_box = ModelBox(trainable=True)
        self.kind_box.addItems(KINDS)
        self.kind_box.setToolTip(
            "Noisy images alone: nothing clean is needed, since neighbouring pixels show the same "
            "scene under different noise. Pairs: each noisy image has a clean one."
        )
        self.source_box.addItems(SOURCES)
        self.source_box.setToolTip("Where the images are: open in napari, or in files.")
        self.layer_list = LayerList(viewer)
        self.layer_list.setToolTip("Layers with the same kind of noise; tick one or several.")
        self.noisy_box, self.clean_box = LayerBox(viewer), LayerBox(viewer)
        self.noisy_box.setToolTip("The layer as the camera or microscope gives it.")
        self.clean_box.setToolTip("What should come out of it, pixel by pixel.")
        self.noisy_field = FolderField("Images", "The folder with the noisy images.")
        self.clean_field = FolderField("Clean", "The folder with the clean ones, of equal names.")
        self.model_box.setToolTip(
            "The model to start from. It is not changed. By kind of image: the one that would "
            "restore the first image."
        )
        self.minutes_box = QDoubleSpinBox()
        self.minutes_box.setRange(0.1, 24 * 60)
        self.minutes_box.setDecimals(1)
        self.minutes_box.setValue(3.0)
        self.minutes_box.setSuffix(" min")
        self.minutes_box.setToolTip("After so long it ends; earlier if nothing improves any more.")
        self.outliers_box = QCheckBox("Hot pixels, salt and pepper")
        self.outliers_box.setToolTip(
            "For pixels that are far off: what is learned is the middle of what a pixel may be, "
            "not its mean. Leave it off for the noise of photons and of cameras."
        )
        self.name_edit = QLineEdit()
        self.name_edit.setToolTip("By this name the new model appears in every list of models.")
        self.next_name()
        self._form = QFormLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setVerticalSpacing(4)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for label, part in (
            ("&Learn from", self.kind_box),
            ("&Images in", self.source_box),
            ("La&yers", self.layer_list),
            ("N&oisy", self.noisy_box),
            ("Cl&ean", self.clean_box),
            ("&Folder", self.noisy_field),
            ("Clea&n ones", self.clean_field),
            ("&Model", self.model_box),
            ("&Time", self.minutes_box),
            ("", self.outliers_box),
            ("New n&ame", self.name_edit),
        ):
            self._form.addRow(label, part)

    def _connect(self) -> None:
        self.kind_box.currentIndexChanged.connect(self._kind_chosen)
        self.source_box.currentIndexChanged.connect(self._show_rows)
        for signal in (
            self.layer_list.ticked_changed,
            self.noisy_box.layer_changed,
            self.clean_box.layer_changed,
            self.noisy_field.edit.textChanged,
            self.clean_field.edit.textChanged,
            self.model_box.currentIndexChanged,
            self.name_edit.textChanged,
        ):
            signal.connect(self._something_changed)
        model_news().changed.connect(self._models_changed)

    # ---------------------------------------------------------------- reactions

    def _something_changed(self, *_: Any) -> None:
        self.changed.emit()

    def _models_changed(self) -> None:
        self.model_box.offer_all()
        self.changed.emit()

    def _kind_chosen(self) -> None:
        if re.sub(r"-\d+$", "", self.name_edit.text()) in NAMES:
            self.next_name()
        self._show_rows()

    def _show_rows(self) -> None:
        layers, pairs = not self.folders, self.pairs
        for part, shown in (
            (self.layer_list, layers and not pairs),
            (self.noisy_box, layers and pairs),
            (self.clean_box, layers and pairs),
            (self.noisy_field, not layers),
            (self.clean_field, not layers and pairs),
            (self.outliers_box, not pairs),
        ):
            part.setVisible(shown)
            label = self._form.labelForField(part)
            if label is not None:
                label.setVisible(shown)
        self.changed.emit()


def _pixels(layer: Any) -> LayerPixels:
    axes = image_layers.guess_layer_axes(layer)
    return LayerPixels(layer.name, image_layers.pixels(layer), axes)
