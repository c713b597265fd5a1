"""*Restore a folder*: choose, filter, run, cancel, resume, with a line for every file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_anyir.errors import ModelError
from napari_anyir.files.batch_settings import FileStatus, Settings
from napari_anyir.inference.model_choice import rule_in_words
from napari_anyir.weights import DEFAULT, find_model
from napari_anyir.widgets.folder.folder_job import BatchJob, inputs_of
from napari_anyir.widgets.kit import last_choices
from napari_anyir.widgets.kit.form_parts import (
    INTENSITIES,
    PRECISIONS,
    TILES,
    choose,
    small_label,
)
from napari_anyir.widgets.kit.job_dock import JobDock
from napari_anyir.widgets.kit.model_news import model_news
from napari_anyir.widgets.kit.worker import Runner
from napari_anyir.widgets.network.devices import DevicesJob
from napari_anyir.widgets.network.model_box import ModelBox

if TYPE_CHECKING:
    from napari.components import ViewerModel

COLUMNS = ("File", "State", "Model", "Seconds")


class FolderField(QWidget):
    """A path that can be typed or chosen.

    Parameters
    ----------
    title : str
        Of the dialog.
    tip : str
        What the folder is for.
    """

    def __init__(self, title: str, tip: str) -> None:
        super().__init__()
        self._title = title
        self.edit = QLineEdit()
        self.edit.setToolTip(tip)
        self.button = QPushButton("...")
        self.button.setToolTip("Choose a folder.")
        self.button.setMaximumWidth(32)
        self.button.clicked.connect(self._choose)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.edit)
        row.addWidget(self.button)
        self.setFocusProxy(self.edit)

    @property
    def path(self) -> str:
        """The folder as typed."""
        return self.edit.text().strip()

    def _choose(self) -> None:
        path = QFileDialog.getExistingDirectory(self, self._title, self.path)
        if path:
            self.edit.setText(path)


class FolderWidget(JobDock):
    """Restore all images of a folder into another, as ``anyir restore`` does.

    Parameters
    ----------
    napari_viewer : napari.components.ViewerModel
        The viewer; napari passes it. Double-clicking a finished file opens its result there.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__(napari_viewer, "run again to go on where it stopped")
        self._targets: list[Path] = []
        self._probe = Runner(self)
        self._build()
        self._set_values(last_choices.load("folder"))
        self._connect()
        self._update()

    def _build(self) -> None:
        self.input_field = FolderField("Images", "The folder with the images, and those below it.")
        self.filter_edit = QLineEdit()
        self.filter_edit.setPlaceholderText("all images, or for example *.tif *.png")
        self.filter_edit.setToolTip("Patterns of file names, divided by spaces.")
        self.output_field = FolderField("Results", "Where results go, under the same names.")
        self.model_box = ModelBox()
        self.model_box.setToolTip(
            "The network's weights. By kind of image: each file gets the model that suits it."
        )
        self.model_label = small_label()
        self.device_box = QComboBox()
        self.device_box.addItems(["auto", "cpu"])
        self.device_box.setToolTip("Where to compute; only devices that this computer has.")
        self.tile_box, self.precision_box, self.intensity_box = (QComboBox() for _ in range(3))
        self.tile_box.addItems(list(TILES))
        self.tile_box.setToolTip("Automatic takes whole images as long as memory allows.")
        self.precision_box.addItems(PRECISIONS)
        self.precision_box.setToolTip(
            "With how many digits to compute. Auto: float32 on processors, 16 bits on cards."
        )
        self.intensity_box.addItems([n for n, v in INTENSITIES.items() if v != "custom"])
        self.intensity_box.setToolTip("Which values the network takes for black and white.")
        self.strength_box = QSpinBox()
        self.strength_box.setRange(0, 100)
        self.strength_box.setValue(100)
        self.strength_box.setSuffix(" %")
        self.strength_box.setToolTip("How much of the restoration goes into the results.")
        self.overwrite_box = QCheckBox("Replace existing files")
        self.overwrite_box.setToolTip(
            "Off: files that were not made by an earlier run of this are left alone. Results of "
            "an earlier run with the same settings are never made twice."
        )
        self.run_button.setText("&Restore all")
        self.run_button.setToolTip("Start, or go on where an earlier run ended.")
        self.cancel_button.setToolTip("Stop within the current file; finished files stay.")
        self.progress_bar.setToolTip("How far the run is, over all files.")
        self.table = QTableWidget(0, len(COLUMNS))
        self.table.setHorizontalHeaderLabels(list(COLUMNS))
        self.table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.table.setToolTip("Double-click a finished file to open its result.")
        header, rows = self.table.horizontalHeader(), self.table.verticalHeader()
        if header is not None and rows is not None:
            rows.setVisible(False)
            header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
            header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.row.tells = lambda done, total, _: f"{done // 1000} of {total // 1000} files."

        form = QFormLayout()
        form.setVerticalSpacing(4)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for label, field in (
            ("&Images", self.input_field),
            ("&Filter", self.filter_edit),
            ("Res&ults", self.output_field),
            ("&Model", self.model_box),
            ("", self.model_label),
            ("&Device", self.device_box),
            ("&Tile", self.tile_box),
            ("&Precision", self.precision_box),
            ("I&ntensity", self.intensity_box),
            ("&Strength", self.strength_box),
            ("", self.overwrite_box),
        ):
            form.addRow(label, field)
        buttons = QHBoxLayout()
        buttons.addWidget(self.run_button, 2)
        buttons.addWidget(self.cancel_button, 1)
        self.setMinimumWidth(320)
        layout = QVBoxLayout(self)
        layout.setSpacing(6)
        layout.addLayout(form)
        layout.addLayout(buttons)
        layout.addWidget(self.row)
        layout.addWidget(self.table, 1)

    def _connect(self) -> None:
        self.model_box.currentIndexChanged.connect(self._model_chosen)
        model_news().changed.connect(self._models_changed)
        self._model_chosen()
        self._probe.returned.connect(self._offer_devices)
        self.runner.told.connect(self._file_changed)
        self.table.cellDoubleClicked.connect(self._open)

    def settings(self) -> Settings:
        """Arguments of the restoration, the same for all files."""
        intensity: Any = INTENSITIES[self.intensity_box.currentText()]
        return Settings(
            model=self.model_box.model_name,
            device=self.device_box.currentText(),
            precision=self.precision_box.currentText(),
            tile=TILES[self.tile_box.currentText()],
            intensity=intensity,
            strength=self.strength_box.value() / 100,
        )

    def _values(self) -> dict[str, Any]:
        """What to remember; never that files may be replaced, which is to be said each time."""
        return {
            "images": self.input_field.path,
            "filter": self.filter_edit.text(),
            "results": self.output_field.path,
            "model": self.model_box.model_name,
            **{name: box.currentText() for name, box in self._boxes().items()},
            "strength": self.strength_box.value(),
        }

    def _set_values(self, values: dict[str, Any]) -> None:
        """Choose what was remembered; what is no longer offered is passed over."""
        self.input_field.edit.setText(str(values.get("images", "")))
        self.filter_edit.setText(str(values.get("filter", "")))
        self.output_field.edit.setText(str(values.get("results", "")))
        self.model_box.choose(str(values.get("model", "")))
        for name, box in self._boxes().items():
            choose(box, str(values.get(name, "")))
        # A graphics card is only listed once torch has been asked for it.
        wanted = str(values.get("device", "auto"))
        self._wanted_device = wanted if self.device_box.currentText() != wanted else ""
        self.strength_box.setValue(int(values.get("strength", 100)))

    def _boxes(self) -> dict[str, QComboBox]:
        return {
            "device": self.device_box,
            "tile": self.tile_box,
            "precision": self.precision_box,
            "intensity": self.intensity_box,
        }

    def run(self) -> None:
        """Restore the files in a thread."""
        if self.runner.running:
            return
        try:
            if not self.output_field.path:
                raise ValueError("There is no folder for the results; choose one.")
            job = BatchJob(
                inputs_of(self.input_field.path, self.filter_edit.text()),
                self.output_field.path,
                self.settings(),
                self.overwrite_box.isChecked(),
            )
        except (ValueError, FileNotFoundError) as error:
            self._complain(str(error))
            return
        last_choices.save("folder", self._values())
        self.table.setRowCount(0)
        self._targets = []
        self._start(job)

    def _file_changed(self, status: FileStatus) -> None:
        if self.table.rowCount() < status.total:
            self.table.setRowCount(status.total)
            self._targets = [Path()] * status.total
        self._targets[status.index] = status.target
        seconds = f"{status.seconds:.1f}" if status.seconds else ""
        record = status.record or {}
        model, why = str(record.get("model", "")), record.get("chosen")
        tips = {2: f"Chosen because {why}."} if why else {}
        for column, text in enumerate((status.name, status.state, model, seconds)):
            item = QTableWidgetItem(text)
            item.setToolTip(tips.get(column) or status.message or str(status.source))
            self.table.setItem(status.index, column, item)
        if status.state == "running":
            self.table.scrollToItem(self.table.item(status.index, 0))

    def _returned(self, counts: dict[str, int]) -> None:
        text = ", ".join(f"{count} {state}" for state, count in counts.items()) or "no files"
        hint = " Point at a failed file to see why." if "failed" in counts else ""
        self.status_label.setText(f"{text}.{hint}")

    def _open(self, row: int, _column: int) -> None:
        item = self.table.item(row, 1)
        if item is not None and item.text() in ("done", "skipped"):
            self._viewer.open(str(self._targets[row]), plugin=None)

    def _offer_devices(self, names: list[str]) -> None:
        here = self.device_box.currentText()
        # Whoever chose "cpu" while torch was being loaded meant it.
        chosen = self._wanted_device if self._wanted_device and here == "auto" else here
        self._wanted_device = ""
        self.device_box.clear()
        self.device_box.addItems(["auto", *names])
        choose(self.device_box, chosen)

    def _update(self) -> None:
        super()._update()
        self.run_button.setEnabled(not self.row.running)

    def _models_changed(self) -> None:
        self.model_box.offer_all()
        self._model_chosen()

    def _model_chosen(self) -> None:
        model = self.model_box.model_name
        try:
            text = rule_in_words() if model == DEFAULT else find_model(model).summary
        except ModelError as error:  # there is none any more
            self.model_label.complain(str(error))
            return
        self.model_label.setText(text)

    def _shown(self) -> None:
        """Look for devices when the widget is first seen, which is its first use."""
        if not self._probe.running:
            self._probe.start(DevicesJob())
