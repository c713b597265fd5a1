"""The fields of *What if*, and the changes that they stand for; the trials are in `trial_job`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
)

from napari_anyir.widgets.kit.job_dock import JobDock
from napari_anyir.widgets.kit.layer_box import LayerBox
from napari_anyir.widgets.kit.layer_pin import PinnedBox
from napari_anyir.widgets.layers.comparison import check_pair
from napari_anyir.widgets.layers.layer_origins import WHAT_IF, is_source
from napari_anyir.widgets.network.network_chooser import NetworkChooser
from napari_anyir.widgets.network.part_boxes import PartBoxes
from napari_anyir.widgets.network.ushape import UShape
from napari_anyir.widgets.what_if.trial_job import SWITCHES, Changes, changes_of
from napari_anyir.widgets.what_if.trial_table import TrialTable

if TYPE_CHECKING:
    from napari.components import ViewerModel

ACTIONS = {"off": "off: zero", "mean": "flat: mean"}
"""What is done to a part, and what the widget calls it."""


def is_untried(layer: Any) -> bool:
    """Whether one can ask what if of a layer: an image that is no trial, which the next renews."""
    return is_source(layer) and WHAT_IF not in layer.metadata


class WhatIfForm(JobDock):
    """Fields, buttons and table of *What if*.

    Parameters
    ----------
    napari_viewer : napari.components.ViewerModel
        The viewer, or napari's proxy of it.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__(napari_viewer, "layers are as they were")
        self._build()

    def _build(self) -> None:
        self.layer_box = LayerBox(self._viewer, is_untried, follows=True)
        self.layer_box.setToolTip("The image to restore; of a stack, the shown plane.")
        self.reference_box = LayerBox(self._viewer, is_untried, none="none")
        self.reference_box.setToolTip("The truth, if there is one: PSNR is measured against it.")
        self.model_choice = NetworkChooser()
        self.ushape = UShape()
        self.parts_widget = PartBoxes(SWITCHES)
        self.part_boxes = self.parts_widget.boxes
        self.action_box = QComboBox()
        self.action_box.addItems(list(ACTIONS.values()))
        self.action_box.setToolTip(
            "Zero, or each channel's mean: that keeps the level and takes away where."
        )
        self.lambda_check = QCheckBox("Set &λ to")
        self.lambda_check.setToolTip(
            "Weight of the spatial branch: 1 leaves the frequency branch out, 0 the spatial one."
        )
        self.lambda_box = QDoubleSpinBox()
        self.lambda_box.setRange(-10, 10)
        self.lambda_box.setSingleStep(0.1)
        self.lambda_box.setValue(1.0)
        self.lambda_box.setAccessibleName("Lambda")
        self.lambda_box.setToolTip("The weight, once it is ticked.")
        row = QHBoxLayout()
        row.addWidget(self.action_box, 1)
        row.addWidget(self.lambda_check)
        row.addWidget(self.lambda_box)
        self.run_button.setText("&Try")
        self.run_button.setToolTip("Make all ticked changes at once.")
        self.each_button = QPushButton("&Each alone")
        self.each_button.setToolTip("Make the ticked changes one after the other, and table them.")
        self.cancel_button.setToolTip("Stop at the next part of the network.")
        buttons = QHBoxLayout()
        for button in (self.run_button, self.each_button, self.cancel_button):
            buttons.addWidget(button)
        self.table = TrialTable()
        self.script_button = QPushButton("Co&py as script")
        self.script_button.setToolTip("Copy Python that makes the newest trial again.")
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(4)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("&Layer", PinnedBox(self.layer_box))
        form.addRow("&Reference", self.reference_box)
        form.addRow("&Model", self.model_choice)
        self.setMinimumWidth(300)  # napari cuts the title of a narrower dock
        layout = QVBoxLayout(self)
        layout.setSpacing(5)
        layout.addLayout(form)
        layout.addWidget(self.ushape)
        layout.addWidget(self.parts_widget)
        for inner in (row, buttons):
            layout.addLayout(inner)
        layout.addWidget(self.row)
        layout.addWidget(self.table, 1)
        layout.addWidget(self.script_button)

    @property
    def parts(self) -> tuple[str, ...]:
        """Ticked parts that the model has."""
        return self.parts_widget.chosen

    @property
    def action(self) -> str:
        """What is done to them: ``off`` or ``mean``."""
        return list(ACTIONS)[self.action_box.currentIndex()]

    @property
    def lam(self) -> float | None:
        """What lambda is set to, or None."""
        chosen = self.lambda_check.isChecked() and self.lambda_check.isEnabled()
        return float(self.lambda_box.value()) if chosen else None

    @property
    def changes(self) -> Changes:
        """All ticked changes of the chosen blocks."""
        structure = self.ushape.structure
        patterns = structure.patterns(self.ushape.chosen) if structure is not None else ()
        return changes_of(patterns, self.parts, self.action, self.lam)

    @property
    def each(self) -> tuple[Changes, ...]:
        """The ticked changes one by one."""
        structure = self.ushape.structure
        patterns = structure.patterns(self.ushape.chosen) if structure is not None else ()
        single = [changes_of(patterns, [part], self.action) for part in self.parts]
        if self.lam is not None:
            single.append(changes_of(patterns, [], lam=self.lam))
        return tuple(single)

    @property
    def problem(self) -> str | None:
        """Why a trial cannot start, as one sentence, or None."""
        layer, reference = self.layer_box.layer, self.reference_box.layer
        if layer is None:
            return "Open an image first: File > Open, or File > Open Sample."
        if reference is not None:
            try:
                check_pair(reference, layer)
            except ValueError as error:
                return str(error)
        if not self.ushape.chosen:
            return "Choose blocks: click them in the picture."
        if not self.parts and self.lam is None:
            return "Tick what to switch off, or set lambda."
        if self.action == "mean" and "tau_adj" in self.parts:
            return "tau_adj is no map and has no mean; switch it off instead, or leave it."
        return None

    def values(self) -> dict[str, Any]:
        """Everything that is remembered."""
        return {
            "model": self.model_choice.model,
            "device": self.model_choice.device,
            "blocks": " ".join(self.ushape.chosen),
            "parts": " ".join(self.parts_widget.ticked),
            "action": self.action,
        }

    def set_values(self, values: dict[str, Any]) -> None:
        """Set what was remembered; what is unknown changes nothing."""
        self.model_choice.set_values(values)
        self.ushape.set_structure(self.model_choice.structure)
        known = self.ushape.structure.names if self.ushape.structure is not None else ()
        self.ushape.choose(str(values.get("blocks") or " ".join(known)).split())
        self.parts_widget.choose(str(values.get("parts") or "alpha").split())
        if values.get("action") in ACTIONS:
            self.action_box.setCurrentIndex(list(ACTIONS).index(values["action"]))
