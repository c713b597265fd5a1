"""*Compare*: wipe, blink, side by side, difference, and PSNR and SSIM against a reference."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QButtonGroup,
    QFormLayout,
    QGridLayout,
    QHeaderView,
    QPushButton,
    QSlider,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
)

from napari_anyir.widgets.kit import last_choices
from napari_anyir.widgets.kit.blender import AT_ONCE
from napari_anyir.widgets.kit.form_parts import small_label
from napari_anyir.widgets.kit.job_dock import Dock
from napari_anyir.widgets.kit.layer_box import LayerBox
from napari_anyir.widgets.kit.worker import Runner
from napari_anyir.widgets.layers import image_layers
from napari_anyir.widgets.layers.comparison import (
    DifferenceJob,
    MeasureJob,
    Plane,
    check_pair,
    results_of,
    wipe,
)
from napari_anyir.widgets.layers.layer_origins import DIFFERENCE, PREVIEW
from napari_anyir.widgets.layers.lazy_results import add_result
from napari_anyir.widgets.layers.regions import displayed_axes, shown_plane
from napari_anyir.widgets.layers.side_by_side import SideBySide

if TYPE_CHECKING:
    from napari.components import ViewerModel

WIPE = "AnyIR wipe"
MODES = {
    "&Wipe": "Draw the edge between the two layers with the slider.",
    "&Blink": "Show the two layers in turn, twice a second.",
    "S&ide by side": "Show the two layers beside each other; zoom and pan move both.",
    "A&ll results": "Show the lower layer beside all its restorations, one for each model.",
}


class CompareWidget(Dock):
    """Compare two layers by eye and by numbers.

    Parameters
    ----------
    napari_viewer : napari.components.ViewerModel
        The viewer; napari passes it.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__(napari_viewer)
        self._mode: str | None = None
        self._visible: list[tuple[Any, bool]] = []
        self._difference: dict[str, Any] = {}
        self._beside = SideBySide(self._viewer, lambda: self.set_mode(None))
        self.runner = Runner(self)
        self.runner.returned.connect(self._measured)
        self.runner.failed.connect(self._say)
        self.runner.finished.connect(self._finished)
        self._again = False
        self.subtracter = Runner(self)
        self.subtracter.returned.connect(self._subtracted)
        self.subtracter.failed.connect(self._say)
        self._blinker = QTimer(self)
        self._blinker.setInterval(500)
        self._blinker.timeout.connect(self._blink)
        self._build()
        self._guess_pair()
        for box in (self.before_box, self.after_box):
            box.layer_changed.connect(self._pair_changed)
        self.reference_box.layer_changed.connect(self.measure)
        self._viewer.dims.events.current_step.connect(self._moved)
        self._viewer.dims.events.order.connect(self._moved)

    def _build(self) -> None:
        self.before_box, self.after_box = LayerBox(self._viewer), LayerBox(self._viewer)
        self.before_box.setToolTip("The lower layer: usually the source.")
        self.after_box.setToolTip("The upper layer: usually the result.")
        self.reference_box = LayerBox(self._viewer, none="none")
        self.reference_box.setToolTip("The truth, if there is one: PSNR and SSIM are against it.")
        form = QFormLayout()
        form.setVerticalSpacing(4)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Be&fore", self.before_box)
        form.addRow("&After", self.after_box)
        form.addRow("&Reference", self.reference_box)
        row = QGridLayout()
        self.mode_buttons: dict[str, QPushButton] = {}
        group = QButtonGroup(self)
        group.setExclusive(False)  # a pressed mode can be released again
        for number, (label, tip) in enumerate(MODES.items()):
            button = QPushButton(label)
            button.setCheckable(True)
            button.setToolTip(tip)
            button.clicked.connect(lambda on, name=label: self.set_mode(name if on else None))
            group.addButton(button)
            row.addWidget(button, number // 2, number % 2)
            self.mode_buttons[label] = button
        self.wipe_slider = QSlider(Qt.Orientation.Horizontal)
        self.wipe_slider.setRange(0, 100)
        self.wipe_slider.setValue(int(last_choices.load("compare").get("wipe", 50)))
        self.wipe_slider.setEnabled(False)
        self.wipe_slider.setToolTip("Where the upper layer begins, from left to right.")
        self.wipe_slider.valueChanged.connect(self._wipe)
        self.difference_button = QPushButton("&Difference layer")
        self.difference_button.setToolTip(
            "Add after minus before as a layer: pink where it became darker, green where brighter."
        )
        self.difference_button.clicked.connect(self.add_difference)
        self.table = QTableWidget(0, 3)
        self.table.setHorizontalHeaderLabels(["Layer", "PSNR (dB)", "SSIM"])
        header, rows = self.table.horizontalHeader(), self.table.verticalHeader()
        if header is not None and rows is not None:
            rows.setVisible(False)
            header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
            header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.table.setToolTip("The shown plane of each layer against the reference.")
        self.table.setMaximumHeight(120)
        self.status_label = small_label()
        self.setMinimumWidth(300)
        layout = QVBoxLayout(self)
        layout.setSpacing(6)
        layout.addLayout(form)
        layout.addLayout(row)
        layout.addWidget(self.wipe_slider)
        layout.addWidget(self.difference_button)
        layout.addWidget(self.table)
        layout.addWidget(self.status_label)
        layout.addStretch(1)

    # ---------------------------------------------------------------- the pair

    @property
    def pair(self) -> tuple[Any, Any] | None:
        """Both layers, if they can be compared; else a sentence is shown."""
        before, after = self.before_box.layer, self.after_box.layer
        if before is None or after is None:
            self._say("Open two images to compare, or restore one.")
            return None
        try:
            check_pair(before, after)
        except ValueError as error:
            self._say(str(error))
            return None
        self._say("")
        return before, after

    def _guess_pair(self) -> None:
        """Choose the newest result and its source, and a clean version as the reference."""
        for layer in reversed(list(self._viewer.layers)):
            record = layer.metadata.get("napari_anyir", {})
            source = record.get("source")
            if source in self._viewer.layers and "degradation" not in record:
                self.before_box.choose(self._viewer.layers[source])
                self.after_box.choose(layer)
                clean = f"{source} (clean)"
                if clean in self._viewer.layers:
                    self.reference_box.choose(self._viewer.layers[clean])
                self.measure()
                return
        if self.before_box.count() > 1:
            self.before_box.setCurrentIndex(1)
            self.after_box.setCurrentIndex(0)

    def _pair_changed(self) -> None:
        self.set_mode(None)
        self.measure()

    # ---------------------------------------------------------------- by eye

    def set_mode(self, mode: str | None) -> None:
        """Begin one way to compare, or end it; ending puts everything back as it was."""
        self._end()
        pair = self.pair if mode is not None else None
        self._mode = mode if pair is not None else None
        for label, button in self.mode_buttons.items():
            button.setChecked(label == self._mode)
        self.wipe_slider.setEnabled(self._mode == "&Wipe")
        if pair is None or mode is None:
            return
        self._visible = [(layer, layer.visible) for layer in self._viewer.layers]
        before, after = pair
        shown = [before, *results_of(before, self._viewer.layers)]
        shown = shown if mode == "A&ll results" and len(shown) > 1 else [before, after]
        for layer in self._viewer.layers:
            layer.visible = layer in shown
        if mode == "&Wipe":
            after.visible = False
            self._wipe()
        elif mode == "&Blink":
            self._blinker.start()
        else:
            self._beside.begin(shown)

    def _end(self) -> None:
        self._blinker.stop()
        self._beside.end()
        for layer in [item for item in self._viewer.layers if WIPE in item.metadata]:
            self._viewer.layers.remove(layer)
        for layer, visible in self._visible:
            if layer in self._viewer.layers:
                layer.visible = visible
        self._visible, self._mode = [], None

    def _wipe(self, _value: int = 0) -> None:
        pair = self.pair if self._mode == "&Wipe" else None
        if pair is None:
            return
        after = pair[1]
        try:
            axis = displayed_axes(after, self._viewer.dims)[1]
        except ValueError as error:
            self._say(str(error))
            return
        data, origin = wipe(after, axis, self.wipe_slider.value() / 100)
        place = image_layers.spatial_metadata(after, origin=origin)
        shown = next((item for item in self._viewer.layers if WIPE in item.metadata), None)
        if shown is None:
            active = self._viewer.layers.selection.active
            self._viewer.add_image(
                data,
                name=image_layers.unique_name(WIPE, {item.name for item in self._viewer.layers}),
                # PREVIEW keeps it out of the lists of layers to choose from.
                metadata={WIPE: True, PREVIEW: WIPE},
                **image_layers.appearance(after, rgb=after.rgb),
                **place,
            )
            if active is not None:
                self._viewer.layers.selection.active = active
            return
        shown.data = data
        shown.translate = place["translate"]

    def _blink(self) -> None:
        pair = self.pair if self._mode == "&Blink" else None
        if pair is None:
            self.set_mode(None)
            return
        pair[1].visible = not pair[1].visible

    def add_difference(self) -> None:
        """Add a layer of what changed; of large images it is computed in a thread."""
        pair = self.pair
        if pair is None or self.subtracter.running:
            return
        before, after = pair
        arrays = [image_layers.pixels(layer) for layer in pair]
        try:
            shown = shown_plane(after, self._viewer.dims).slices
        except ValueError:  # the view is in 3-D
            shown = None
        job = DifferenceJob(arrays[0], arrays[1], bool(after.rgb), shown)
        self._difference = {
            "name": f"{after.name} − {before.name}",
            "metadata": {DIFFERENCE: (after.name, before.name)},
            **image_layers.spatial_metadata(after),
        }
        if arrays[0].size <= AT_ONCE and all(hasattr(array, "ravel") for array in arrays):
            self._subtracted(job(None, None))
        else:
            self._say("Subtracting ...", notify=False)
            self.subtracter.start(job)

    def _subtracted(self, found: tuple[Any, tuple[float, float]]) -> None:
        values, limits = found
        options = dict(self._difference)
        taken = {layer.name for layer in self._viewer.layers}
        options["name"] = image_layers.unique_name(options["name"], taken)
        add_result(self._viewer, values, {"colormap": "PiYG", "contrast_limits": limits, **options})
        self.status_label.setText("")

    # ---------------------------------------------------------------- by numbers

    def measure(self) -> None:
        """Measure the shown plane of both layers against the reference, in a thread."""
        self.table.setRowCount(0)
        reference, layers = self.reference_box.layer, [self.before_box.layer, self.after_box.layer]
        if layers[0] is not None:
            others = results_of(layers[0], self._viewer.layers)
            layers += [layer for layer in others if layer not in layers]
        self._again = self.runner.running  # the sliders have moved on: measure once more after it
        if reference is None or None in layers or self._again:
            return
        images = {}
        try:
            for layer in layers:
                if layer != reference:
                    check_pair(reference, layer)
                    images[layer.name] = Plane(layer, self._viewer.dims)
            job = MeasureJob(images, Plane(reference, self._viewer.dims))
        except ValueError as error:
            self._say(str(error))
            return
        self.runner.start(job)

    def _finished(self) -> None:
        if self._again:
            self.measure()

    def _measured(self, rows: dict[str, tuple[float, float]]) -> None:
        self.table.setRowCount(len(rows))
        for row, (name, (psnr, ssim)) in enumerate(rows.items()):
            value = "equal" if math.isinf(psnr) else f"{psnr:.2f}"
            similar = "-" if math.isnan(ssim) else f"{ssim:.4f}"
            for column, text in enumerate((name, value, similar)):
                self.table.setItem(row, column, QTableWidgetItem(text))

    # ---------------------------------------------------------------- the viewer's doings

    def _moved(self, event: Any = None) -> None:
        if self._mode == "&Wipe" and event is not None and event.type == "order":
            self._wipe()
        self.measure()

    def _say(self, text: str, *, notify: bool = True) -> None:
        changed = notify and text and text != self.status_label.text()
        self.status_label.setText(text)
        if changed and self.isVisible():
            show_error(text)

    def _left(self) -> None:
        """Put the viewer back as it was."""
        self.set_mode(None)
        last_choices.save("compare", {"wipe": self.wipe_slider.value()})
        self.runner.stop()
        self.subtracter.stop()
