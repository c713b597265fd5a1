"""*Degrade image*: seeded noise, rain, haze and the rest, for test cases with a known truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_anyir.widgets.degrade.degrade_job import (
    DegradationChoice,
    DegradeJob,
    KindsJob,
    degraded_layer,
    parameters_from_text,
    parameters_to_text,
    plan_degradation,
)
from napari_anyir.widgets.kit import last_choices
from napari_anyir.widgets.kit.activity import clear_progress
from napari_anyir.widgets.kit.job_dock import JobDock
from napari_anyir.widgets.kit.layer_box import LayerBox
from napari_anyir.widgets.kit.layer_pin import PinnedBox
from napari_anyir.widgets.kit.worker import Runner
from napari_anyir.widgets.layers import image_layers
from napari_anyir.widgets.layers.contrast import widen_slider
from napari_anyir.widgets.layers.layer_order import add_above

if TYPE_CHECKING:
    from napari.components import ViewerModel

Kinds = dict[str, dict[str, dict[str, Any]]]


HINT = "Two equal numbers fix a value; others are a range to draw from."


class RangeField(QWidget):
    """Two numbers, from which each image draws its own; equal ones fix the value.

    Parameters
    ----------
    description : mapping
        Default, limits and unit of the parameter.
    """

    def __init__(self, description: dict[str, Any]) -> None:
        super().__init__()
        default = description["default"]
        self._pair = isinstance(default, tuple)
        values = default if self._pair else (default, default)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        self.boxes = []
        for value in values:
            box = QDoubleSpinBox()
            box.setRange(description["lowest"], min(description["highest"], 1e9))
            box.setDecimals(3 if description["highest"] <= 10 else 1)
            box.setSingleStep(max(0.001, (values[1] - values[0]) / 20))
            box.setValue(value)
            box.setToolTip(f"{description['unit']}; usual values: {description['source']}.")
            # Two boxes with buttons leave no room for their numbers; the arrow keys work as well.
            box.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
            box.setMinimumWidth(60)
            row.addWidget(box)
            self.boxes.append(box)

    def value(self) -> tuple[float, float] | float:
        """Return the pair, or the number if both are equal."""
        low, high = sorted(box.value() for box in self.boxes)
        return low if low == high else (low, high)

    def set_value(self, value: Any) -> None:
        """Set a pair of numbers; anything else changes nothing."""
        if isinstance(value, tuple):
            self.boxes[0].setValue(value[0])
            self.boxes[-1].setValue(value[-1])


class DegradeWidget(JobDock):
    """Degrade a layer, so that what a restoration should give is known.

    Parameters
    ----------
    napari_viewer : napari.components.ViewerModel
        The viewer; napari passes it.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__(napari_viewer, "no layer was added")
        self._kinds: Kinds = {}
        self._fields: dict[str, RangeField | QComboBox] = {}
        self._job: DegradeJob | None = None
        self.loader = Runner(self)
        self._build()
        self._connect()
        self._remembered = last_choices.load("degrade")
        self.seed_box.setValue(int(self._remembered.get("seed", 0)))
        self.strength_slider.setValue(int(self._remembered.get("strength", 100)))
        self.plane_box.setChecked(bool(self._remembered.get("only_plane", False)))
        self._layer_chosen()
        self._update()

    def _build(self) -> None:
        self.layer_box = LayerBox(self._viewer, follows=True)
        self.layer_box.setToolTip("The clean image. It is not changed: results are new layers.")
        self.kind_box = QComboBox()
        self.kind_box.setToolTip("What to do to the image.")
        self.plane_box = QCheckBox("Only the shown plane")
        self.plane_box.setToolTip("Degrade the plane on the screen instead of the whole stack.")
        self.seed_box = QSpinBox()
        self.seed_box.setRange(0, 2**31 - 1)
        self.seed_box.setToolTip("The same seed gives the same image again.")
        self.strength_slider = QSlider(Qt.Orientation.Horizontal)
        self.strength_slider.setRange(0, 100)
        self.strength_slider.setValue(100)
        self.strength_slider.setToolTip("How much of the degradation to mix into the clean image.")
        self.strength_label = QLabel("100 %")
        self.strength_label.setMinimumWidth(44)
        self.run_button.setText("&Degrade")
        self.run_button.setToolTip("Degrade into a new layer.")
        self.cancel_button.setToolTip("Stop at the next plane.")
        self.progress_bar.setToolTip("How many planes are done.")
        self.status_label.setText("Loading the degradations ...")

        form = QFormLayout()
        form.setVerticalSpacing(4)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("&Layer", PinnedBox(self.layer_box))
        form.addRow("&Kind", self.kind_box)
        self._parameters = QFormLayout()
        self._parameters.setContentsMargins(0, 0, 0, 0)
        self._parameters.setVerticalSpacing(4)
        self._parameters.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        more = QFormLayout()
        more.setContentsMargins(0, 0, 0, 0)
        more.setVerticalSpacing(4)
        more.addRow("&Seed", self.seed_box)
        strength = QHBoxLayout()
        strength.addWidget(self.strength_slider)
        strength.addWidget(self.strength_label)
        label = QLabel("S&trength")
        label.setBuddy(self.strength_slider)
        more.addRow(label, strength)
        more.addRow("", self.plane_box)
        buttons = QHBoxLayout()
        buttons.addWidget(self.run_button, 2)
        buttons.addWidget(self.cancel_button, 1)
        self.setMinimumWidth(290)  # napari cuts the title of a narrower dock
        layout = QVBoxLayout(self)
        layout.setSpacing(6)
        for part in (form, self._parameters, more, buttons):
            layout.addLayout(part)
        layout.addWidget(self.row)
        layout.addStretch(1)

    def _connect(self) -> None:
        self.loader.returned.connect(self._loaded)
        self.loader.failed.connect(self.status_label.complain)
        self.kind_box.currentTextChanged.connect(self._kind_chosen)
        self.layer_box.layer_changed.connect(self._layer_chosen)
        self.strength_slider.valueChanged.connect(
            lambda value: self.strength_label.setText(f"{value} %")
        )

    # ---------------------------------------------------------------- what the user does

    def parameters(self) -> dict[str, Any]:
        """Parameters of the chosen kind as they stand in the form."""
        return {
            name: item.currentText() if isinstance(item, QComboBox) else item.value()
            for name, item in self._fields.items()
        }

    def run(self) -> None:
        """Degrade the chosen layer in a thread."""
        layer = self.layer_box.layer
        if self.runner.running or layer is None or not self._kinds:
            return
        try:
            job = plan_degradation(
                layer,
                image_layers.guess_layer_axes(layer),
                DegradationChoice(
                    self.kind_box.currentText(),
                    self.parameters(),
                    seed=self.seed_box.value(),
                    strength=self.strength_slider.value() / 100,
                ),
                dims=self._viewer.dims if self.plane_box.isChecked() else None,
            )
        except (TypeError, ValueError) as error:
            self._complain(str(error))
            return
        last_choices.save("degrade", self._values())
        self._job = job
        self._start(job, source=layer)

    def _values(self) -> dict[str, Any]:
        return {
            "kind": self.kind_box.currentText(),
            "parameters": parameters_to_text(self.parameters()),
            "seed": self.seed_box.value(),
            "strength": self.strength_slider.value(),
            "only_plane": self.plane_box.isChecked(),
        }

    # ---------------------------------------------------------------- reactions

    def _shown(self) -> None:
        """Load the degradations when the widget is first seen: they need torch."""
        self.load()

    def load(self) -> None:
        """Load the degradations in a thread, once."""
        if not self._kinds and not self.loader.running:
            self.loader.start(KindsJob())

    def _loaded(self, kinds: Kinds) -> None:
        self._kinds = kinds
        self.kind_box.addItems(list(kinds))
        kind = self._remembered.get("kind")
        if kind in kinds:
            self.kind_box.setCurrentText(kind)
            values = parameters_from_text(str(self._remembered.get("parameters", "")))
            for name, item in self._fields.items():
                if isinstance(item, RangeField):
                    item.set_value(values.get(name))
                elif isinstance(values.get(name), str):
                    item.setCurrentText(values[name])
        self.status_label.setText(HINT)
        self._update()

    def _kind_chosen(self, kind: str) -> None:
        while self._parameters.rowCount():
            self._parameters.removeRow(0)
        self._fields = {}
        for name, description in self._kinds.get(kind, {}).items():
            item: RangeField | QComboBox
            if "options" in description:
                item = QComboBox()
                item.addItems(list(description["options"]))
                item.setCurrentText(description["default"])
                item.setToolTip(f"{description['source']}.")
            else:
                item = RangeField(description)
            self._fields[name] = item
            self._parameters.addRow(name.replace("_", " "), item)

    def _layer_chosen(self) -> None:
        layer = self.layer_box.layer
        stack = layer is not None and layer.ndim > 2
        self.plane_box.setEnabled(stack)
        if not self.runner.running and self._kinds:  # what was said was of another layer
            self.status_label.setText(HINT)
            clear_progress(self.progress_bar)
        self._update()

    def _returned(self, pixels: Any) -> None:
        if self._job is None:
            return
        names = {layer.name for layer in self._viewer.layers}
        data, values, _ = degraded_layer(self._job, pixels, names)
        layer = add_above(self._viewer, self.source, data, values)
        widen_slider(layer, self._job.slider)
        self.status_label.setText(f"Added {values['name']!r}, seed {self._job.seed}.")

    def _ended(self) -> None:
        self._job = None

    def _update(self) -> None:
        super()._update()
        ready = bool(self._kinds) and self.layer_box.layer is not None
        self.run_button.setEnabled(ready and not self.row.running)
