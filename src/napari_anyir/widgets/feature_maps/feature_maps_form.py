"""The fields of *Look inside*, and what they say; what is done is in `feature_maps_widget`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QSpinBox,
    QVBoxLayout,
)

from napari_anyir.widgets.feature_maps.feature_maps_job import ALL, SHOWS
from napari_anyir.widgets.feature_maps.group_table import GroupTable
from napari_anyir.widgets.kit.job_dock import JobDock
from napari_anyir.widgets.kit.layer_box import LayerBox
from napari_anyir.widgets.kit.layer_pin import PinnedBox
from napari_anyir.widgets.network.model_structure import PARTS
from napari_anyir.widgets.network.network_chooser import NetworkChooser
from napari_anyir.widgets.network.part_boxes import PartBoxes
from napari_anyir.widgets.network.ushape import UShape

if TYPE_CHECKING:
    from napari.components import ViewerModel


class FeatureMapsForm(JobDock):
    """Fields, buttons and table of *Look inside*.

    Parameters
    ----------
    napari_viewer : napari.components.ViewerModel
        The viewer, or napari's proxy of it.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__(napari_viewer, "layers are as they were")
        self._build()

    def _build(self) -> None:
        self.layer_box = LayerBox(self._viewer, follows=True)
        self.layer_box.setToolTip("The image that the network sees; of a stack, the shown plane.")
        self.model_choice = NetworkChooser()
        self.ushape = UShape()
        self.parts_widget = PartBoxes(PARTS)
        self.part_boxes = self.parts_widget.boxes
        self.show_box = QComboBox()
        self.show_box.addItems(list(SHOWS.values()))
        self.show_box.setToolTip("How the channels of a map become a picture.")
        self.channel_box = QSpinBox()
        self.channel_box.setRange(0, 9999)
        self.channel_box.setToolTip("Which channel to show, from 0.")
        self.channel_box.setAccessibleName("Channel")
        show = QHBoxLayout()
        show.setContentsMargins(0, 0, 0, 0)
        show.addWidget(self.show_box, 1)
        show.addWidget(self.channel_box)
        self.follow_box = QCheckBox("Follow the slide&r")
        self.follow_box.setToolTip("Look again whenever another plane of the stack is shown.")
        self.side_box = QCheckBox("Side &by side")
        self.side_box.setToolTip(
            "Give the image and each visible map a cell of its own; zoom and pan move all of them."
        )
        self.gather_box = QCheckBox("O&ne layer per block")
        self.gather_box.setChecked(True)
        self.gather_box.setToolTip(
            "Put all parts of a block into one layer with a slider, which names what it shows. "
            "Off: each part is a layer of its own."
        )
        checks = QHBoxLayout()
        checks.addWidget(self.follow_box)
        checks.addWidget(self.side_box)
        self.run_button.setText("L&ook")
        self.run_button.setToolTip("Run the network once and show the ticked parts as layers.")
        self.cancel_button.setToolTip("Stop at the next part of the network.")
        buttons = QHBoxLayout()
        buttons.addWidget(self.run_button, 2)
        buttons.addWidget(self.cancel_button, 1)
        self.table = GroupTable(self._viewer)
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(4)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("&Layer", PinnedBox(self.layer_box))
        form.addRow("&Model", self.model_choice)
        more = QFormLayout()
        more.setContentsMargins(0, 0, 0, 0)
        more.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        label = QLabel("&Show")
        label.setBuddy(self.show_box)
        more.addRow(label, show)
        self.setMinimumWidth(352)  # napari cuts the title of a narrower dock
        layout = QVBoxLayout(self)
        layout.setSpacing(5)
        layout.addLayout(form)
        layout.addWidget(self.ushape)
        layout.addWidget(self.parts_widget)
        for row in (more, checks, buttons):
            layout.addLayout(row)
        layout.addWidget(self.gather_box)
        layout.addWidget(self.row)
        layout.addWidget(self.table, 1)

    @property
    def parts(self) -> tuple[str, ...]:
        """Ticked parts that the model has."""
        return self.parts_widget.chosen

    @property
    def show_as(self) -> str:
        """One of the keys of `SHOWS`."""
        return list(SHOWS)[self.show_box.currentIndex()]

    @property
    def problem(self) -> str | None:
        """Why a look cannot start, as one sentence, or None."""
        if self.layer_box.layer is None:
            return "Open an image first: File > Open, or File > Open Sample."
        if not self.ushape.chosen:
            return "Choose blocks: click them in the picture."
        if not self.parts:
            return "Tick at least one part."
        return None

    @property
    def advice(self) -> str:
        """What to expect of a look, as one sentence."""
        return (
            "Maps lie over the image; each block is a group below."
            if self.show_as != ALL
            else "Each map gets a slider for its channels."
        )

    def values(self) -> dict[str, Any]:
        """Everything that is remembered."""
        return {
            "model": self.model_choice.model,
            "device": self.model_choice.device,
            "blocks": " ".join(self.ushape.chosen),
            "parts": " ".join(self.parts_widget.ticked),
            "show": self.show_as,
            "follow": self.follow_box.isChecked(),
            "gather": self.gather_box.isChecked(),
        }

    def set_values(self, values: dict[str, Any]) -> None:
        """Set what was remembered; what is unknown changes nothing."""
        self.model_choice.set_values(values)
        self.ushape.set_structure(self.model_choice.structure)
        self.ushape.choose(str(values.get("blocks") or "encoder1.0 decoder1.0").split())
        self.parts_widget.choose(str(values.get("parts") or "alpha attention gated fused").split())
        if values.get("show") in SHOWS:
            self.show_box.setCurrentIndex(list(SHOWS).index(values["show"]))
        self.follow_box.setChecked(bool(values.get("follow", True)))
        self.gather_box.setChecked(bool(values.get("gather", True)))
