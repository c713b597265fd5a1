"""*Analyses*: the paper's figures for the plane in view."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
)

from napari_anyir.atomic_writing import atomic_write
from napari_anyir.places import part_beside
from napari_anyir.widgets.analyses.analysis_job import (
    KINDS,
    NONE,
    SEVERAL,
    SINGLE,
    Analysed,
    AnalysisJob,
)
from napari_anyir.widgets.analyses.figure_view import FigureView, FigureWindow
from napari_anyir.widgets.kit import last_choices
from napari_anyir.widgets.kit.job_dock import JobDock
from napari_anyir.widgets.kit.layer_box import LayerBox
from napari_anyir.widgets.kit.layer_pin import PinnedBox
from napari_anyir.widgets.layers import image_layers
from napari_anyir.widgets.layers.comparison import check_pair
from napari_anyir.widgets.layers.shown_plane import read_shown_plane
from napari_anyir.widgets.network.network_chooser import NetworkChooser
from napari_anyir.widgets.network.ushape import UShape

if TYPE_CHECKING:
    from napari.components import ViewerModel

SECTION = "analyses"
"""Key of the remembered settings in the manifest."""

FILTERS = {
    ".png": "Picture (*.png)",
    ".svg": "Drawing (*.svg)",
    ".csv": "Numbers (*.csv)",
    ".pdf": "Document (*.pdf)",
}


class AnalysesWidget(JobDock):
    """Draw the paper's analyses of a layer.

    Parameters
    ----------
    napari_viewer : napari.components.ViewerModel
        The viewer; napari passes it.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__(napari_viewer, "the figure is as it was")
        self.analysed: Analysed | None = None
        self._build()
        self._restore_settings(last_choices.load(SECTION))
        self._connect()
        self._kind_chosen()
        self._guess_reference()

    def sizeHint(self) -> QSize:
        """Wide enough for most figures; the dock can be made narrower."""
        return QSize(420, 640)

    # ---------------------------------------------------------------- building

    def _build(self) -> None:
        self.kind_box = QComboBox()
        for kind in KINDS.values():
            self.kind_box.addItem(kind.title)
            self.kind_box.setItemData(
                self.kind_box.count() - 1, kind.tip, Qt.ItemDataRole.ToolTipRole
            )
        # The longest name would press the labels together.
        self.kind_box.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.kind_box.setMinimumContentsLength(12)
        self.layer_box = LayerBox(self._viewer, follows=True)
        self.layer_box.setToolTip("The image that the network sees; of a stack, the shown plane.")
        self.reference_box = LayerBox(self._viewer, none="none")
        self.reference_box.setToolTip("The truth, against which the error is measured.")
        self.model_choice = NetworkChooser()
        self.ushape = UShape()
        self.run_button.setText("&Analyse")
        self.run_button.setToolTip("Run the network once and draw the figure.")
        self.cancel_button.setToolTip("Stop; the figure stays as it is.")
        self.enlarge_button = QPushButton("&Enlarge")
        self.enlarge_button.setToolTip("Show the figure in a window of its own.")
        self.save_button = QPushButton("&Save ...")
        self.save_button.setToolTip("Save the figure as PNG, SVG or PDF, or its numbers as CSV.")
        buttons = QHBoxLayout()
        for button in (
            self.run_button,
            self.cancel_button,
            self.enlarge_button,
            self.save_button,
        ):
            buttons.addWidget(button)
        self.view = FigureView()
        self._form = QFormLayout()
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setVerticalSpacing(4)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._form.addRow("A&nalysis", self.kind_box)
        self._form.addRow("&Layer", PinnedBox(self.layer_box))
        self._form.addRow("&Reference", self.reference_box)
        self._form.addRow("&Model", self.model_choice)
        self.setMinimumWidth(300)  # napari cuts the title of a narrower dock
        layout = QVBoxLayout(self)
        layout.setSpacing(5)
        layout.addLayout(self._form)
        layout.addWidget(self.ushape)
        layout.addLayout(buttons)
        layout.addWidget(self.row)
        layout.addWidget(self.view, 1)

    def _connect(self) -> None:
        self.kind_box.currentIndexChanged.connect(self._kind_chosen)
        self.model_choice.structure_changed.connect(self._structure_changed)
        self.model_choice.failed.connect(self.status_label.complain)
        self.ushape.changed.connect(self._choices_changed)
        self.layer_box.layer_changed.connect(self._layer_chosen)
        self.reference_box.layer_changed.connect(self._choices_changed)
        self.enlarge_button.clicked.connect(self.enlarge)
        self.save_button.clicked.connect(self.ask_and_save)

    # ---------------------------------------------------------------- what was chosen

    @property
    def kind(self) -> str:
        """One of the keys of `KINDS`."""
        return list(KINDS)[self.kind_box.currentIndex()]

    @property
    def problem(self) -> str | None:
        """Why an analysis cannot start, as one sentence, or None."""
        kind, layer = KINDS[self.kind], self.layer_box.layer
        if layer is None:
            return "Open an image first: File > Open, or File > Open Sample."
        structure = self.model_choice.structure
        if structure is None:
            return "The model is being read; wait a moment."
        if (lack := kind.problem(structure)) is not None:
            return lack
        if kind.blocks != NONE and not self.ushape.chosen:
            return "Choose a block: click it in the picture."
        if kind.reference:
            reference = self.reference_box.layer
            if reference is None:
                return "Choose a reference: the error is measured against it."
            try:
                check_pair(reference, layer)
            except ValueError as error:
                return str(error)
        return None

    def _restore_settings(self, values: dict[str, Any]) -> None:
        self.model_choice.set_values(values)
        self.ushape.set_structure(self.model_choice.structure)
        self.ushape.choose(str(values.get("blocks") or "decoder1.0").split())
        if values.get("analysis") in KINDS:
            self.kind_box.setCurrentIndex(list(KINDS).index(values["analysis"]))

    # ---------------------------------------------------------------- what the user does

    def run(self) -> None:
        """Analyse, in a thread."""
        if self.runner.running:
            return
        problem = self.problem
        if problem is not None:
            self._complain(problem)
            return
        try:
            plane = read_shown_plane(self.layer_box.layer, self._viewer.dims)
        except (TypeError, ValueError) as error:
            self._complain(str(error))
            return
        last_choices.save(
            SECTION,
            {
                "model": self.model_choice.model,
                "device": self.model_choice.device,
                "blocks": " ".join(self.ushape.chosen),
                "analysis": self.kind,
            },
        )
        kind, structure = KINDS[self.kind], self.model_choice.structure
        there = structure.parts if structure is not None else ()
        reference = self.reference_box.layer if kind.reference else None
        job = AnalysisJob(
            self.kind,
            plane,
            self.ushape.chosen if kind.blocks != NONE else (),
            tuple(part for part in kind.parts if part in there),
            self.model_choice.model,
            self.model_choice.device,
            None if reference is None else image_layers.pixels(reference),
        )
        self._start(job, source=self.layer_box.layer, model=job.model)

    def enlarge(self) -> FigureWindow | None:
        """Show the figure in a window of its own."""
        if self.analysed is None:
            return None
        window = FigureWindow(
            self.analysed.analysis.figure(), KINDS[self.analysed.kind].title, self
        )
        window.show()
        return window

    def ask_and_save(self) -> None:
        """Ask for a file, and save the figure or its numbers."""
        if self.analysed is None:
            return
        name, chosen = QFileDialog.getSaveFileName(
            self, "Save the analysis", f"{self.analysed.kind}.png", ";;".join(FILTERS.values())
        )
        if name:
            suffix = next(key for key, text in FILTERS.items() if text == (chosen or text))
            path = Path(name)
            self.save(path if path.suffix else path.with_suffix(suffix))

    def save(self, path: Path) -> None:
        """Save the figure, or its numbers, as the suffix says; whole, or not at all."""
        if self.analysed is None:
            return
        part = part_beside(path)
        try:
            with atomic_write(path, temporary=part):
                self.analysed.analysis.save(part)
        except (OSError, ValueError) as error:
            self._complain(str(error).replace(part.name, path.name))
            return
        self.status_label.setText(f"Saved {path.name}.")

    # ---------------------------------------------------------------- what the worker says

    def _returned(self, analysed: Analysed) -> None:
        self.analysed = analysed
        self.view.set_figure(analysed.analysis.figure())
        self.status_label.setText(f"{KINDS[analysed.kind].title}: {analysed.seconds:.1f} s.")

    # ---------------------------------------------------------------- reactions

    def _kind_chosen(self) -> None:
        kind = KINDS[self.kind]
        self.kind_box.setToolTip(kind.tip)
        self.ushape.setVisible(kind.blocks != NONE)
        if kind.blocks != NONE:
            self.ushape.set_single(kind.blocks == SINGLE)
        if kind.blocks == SEVERAL and len(self.ushape.chosen) < 2:
            self._choose_sheet()
        label = self._form.labelForField(self.reference_box)
        for widget in (self.reference_box, label):
            if widget is not None:
                widget.setVisible(kind.reference)
        self._choices_changed()

    def _choose_sheet(self) -> None:
        """Choose the first block of each stage: a sheet of one block shows little."""
        structure = self.model_choice.structure
        if structure is not None:
            self.ushape.choose([blocks[0] for blocks in structure.stages().values()])

    def _structure_changed(self) -> None:
        self.ushape.set_structure(self.model_choice.structure)
        self._choices_changed()

    def _guess_reference(self) -> None:
        """Choose the clean version of a sample."""
        layer = self.layer_box.layer
        clean = f"{layer.name} (clean)" if layer is not None else ""
        there = clean in self._viewer.layers
        # Without one none: the list starts with the selected layer, which is the image itself.
        self.reference_box.choose(self._viewer.layers[clean] if there else None)

    def _layer_chosen(self) -> None:
        self._guess_reference()
        self._choices_changed()

    def _choices_changed(self) -> None:
        if not self.runner.running:
            self.status_label.setText(self.problem or KINDS[self.kind].tip)
        self._update()

    def _update(self) -> None:
        super()._update()
        self.run_button.setEnabled(not self.row.running and self.problem is None)
        for button in (self.enlarge_button, self.save_button):
            button.setEnabled(self.analysed is not None)

    def _shown(self) -> None:
        """Look for devices when the widget is first seen, which is its first use."""
        self.model_choice.find_devices()

    def _left(self) -> None:
        self.model_choice.stop()
