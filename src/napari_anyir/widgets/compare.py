"""*Compare*: wipe, blink, side by side, difference, and PSNR and SSIM against a reference."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.notifications import show_error
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QButtonGroup,
    QFormLayout,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QSlider,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_anyir.widgets import _layers
from napari_anyir.widgets._comparison import (
    MeasureJob,
    check_pair,
    difference,
    symmetric_limits,
    wipe,
)
from napari_anyir.widgets._layer_box import PREVIEW, LayerBox
from napari_anyir.widgets._regions import displayed_axes, shown_plane
from napari_anyir.widgets._restore_form import small_label
from napari_anyir.widgets._viewer import camera, grid, unwrapped
from napari_anyir.widgets._worker import Runner

if TYPE_CHECKING:
    from napari.components import ViewerModel

WIPE = "AnyIR wipe"
MODES = {
    "&Wipe": "Draw the edge between the two layers with the slider.",
    "&Blink": "Show the two layers in turn, twice a second.",
    "S&ide by side": "Show the two layers beside each other; zoom and pan move both.",
}


class CompareWidget(QWidget):
    """Compare two layers by eye and by numbers.

    Parameters
    ----------
    napari_viewer : napari.components.ViewerModel
        The viewer; napari passes it.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = unwrapped(napari_viewer)
        self._mode: str | None = None
        self._visible: list[tuple[Any, bool]] = []
        self._grid: tuple[bool, int, tuple[int, int]] | None = None
        self._eye: tuple[float, tuple[float, float, float]] = (1.0, (0.0, 0.0, 0.0))
        self.runner = Runner(self)
        self.runner.returned.connect(self._measured)
        self.runner.failed.connect(self._say)
        self.runner.finished.connect(self._finished)
        self._again = False
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
        form.addRow("&Before", self.before_box)
        form.addRow("&After", self.after_box)
        form.addRow("&Reference", self.reference_box)
        row = QHBoxLayout()
        self.mode_buttons: dict[str, QPushButton] = {}
        group = QButtonGroup(self)
        group.setExclusive(False)  # a pressed mode can be released again
        for label, tip in MODES.items():
            button = QPushButton(label)
            button.setCheckable(True)
            button.setToolTip(tip)
            button.clicked.connect(lambda on, name=label: self.set_mode(name if on else None))
            group.addButton(button)
            row.addWidget(button)
            self.mode_buttons[label] = button
        self.wipe_slider = QSlider(Qt.Orientation.Horizontal)
        self.wipe_slider.setRange(0, 100)
        self.wipe_slider.setValue(50)
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
        for layer in self._viewer.layers:
            layer.visible = layer in pair
        before, after = pair
        if mode == "&Wipe":
            after.visible = False
            self._wipe()
        elif mode == "&Blink":
            self._blinker.start()
        else:
            self._side_by_side(before, after)

    def _end(self) -> None:
        self._blinker.stop()
        if self._grid is not None:
            view = grid(self._viewer)
            view.enabled, view.stride, view.shape = self._grid
            self._grid = None
            eye = camera(self._viewer)
            eye.zoom, eye.center = self._eye
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
        place = _layers.spatial_metadata(after, origin=origin)
        shown = next((item for item in self._viewer.layers if WIPE in item.metadata), None)
        if shown is None:
            active = self._viewer.layers.selection.active
            self._viewer.add_image(
                data,
                name=_layers.unique_name(WIPE, {item.name for item in self._viewer.layers}),
                # PREVIEW keeps it out of the lists of layers to choose from.
                metadata={WIPE: True, PREVIEW: True},
                **_layers.appearance(after, rgb=after.rgb),
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

    def _side_by_side(self, before: Any, after: Any) -> None:
        layers = self._viewer.layers
        # Neighbours in the list get neighbouring cells; hidden layers share the two with them.
        layers.move(layers.index(after), layers.index(before) + 1)
        view = grid(self._viewer)
        self._grid = (view.enabled, view.stride, view.shape)
        eye = camera(self._viewer)
        self._eye = (eye.zoom, eye.center)
        view.shape, view.stride, view.enabled = (1, 2), 1, True

    def add_difference(self) -> None:
        """Add a layer of what changed."""
        pair = self.pair
        if pair is None:
            return
        before, after = pair
        samples = 3 if after.rgb else None
        arrays = [_layers.pixels(layer) for layer in pair]
        if samples:
            arrays = [array[..., :samples] for array in arrays]
        values = difference(*arrays)
        if samples:
            values = values.mean(axis=-1)
        plane = values[(0,) * (values.ndim - 2)] if values.ndim > 2 else values
        taken = {layer.name for layer in self._viewer.layers}
        self._viewer.add_image(
            values,
            name=_layers.unique_name(f"{after.name} − {before.name}", taken),
            colormap="PiYG",
            contrast_limits=symmetric_limits(np.asarray(plane)),
            **_layers.spatial_metadata(after),
        )

    # ---------------------------------------------------------------- by numbers

    def measure(self) -> None:
        """Measure the shown plane of both layers against the reference, in a thread."""
        self.table.setRowCount(0)
        reference, layers = self.reference_box.layer, [self.before_box.layer, self.after_box.layer]
        self._again = self.runner.running  # the sliders have moved on: measure once more after it
        if reference is None or None in layers or self._again:
            return
        images = {}
        try:
            for layer in layers:
                if layer != reference:
                    check_pair(reference, layer)
                    images[layer.name] = self._plane(layer)
            job = MeasureJob(images, self._plane(reference))
        except ValueError as error:
            self._say(str(error))
            return
        self.runner.start(job)

    def _finished(self) -> None:
        if self._again:
            self.measure()

    def _plane(self, layer: Any) -> Any:
        region = shown_plane(layer, self._viewer.dims)
        plane = np.asarray(_layers.pixels(layer)[region.slices])
        down, across = region.displayed or (layer.ndim - 2, layer.ndim - 1)
        kept = (down, across, layer.ndim) if layer.rgb else (down, across)
        order = [*(axis for axis in range(plane.ndim) if axis not in kept), *kept]
        return plane.transpose(order).reshape([plane.shape[axis] for axis in kept])

    def _measured(self, rows: dict[str, tuple[float, float]]) -> None:
        self.table.setRowCount(len(rows))
        for row, (name, (psnr, ssim)) in enumerate(rows.items()):
            value = "equal" if math.isinf(psnr) else f"{psnr:.2f}"
            for column, text in enumerate((name, value, f"{ssim:.4f}")):
                self.table.setItem(row, column, QTableWidgetItem(text))

    # ---------------------------------------------------------------- the viewer's doings

    def _moved(self, event: Any = None) -> None:
        if self._mode == "&Wipe" and event is not None and event.type == "order":
            self._wipe()
        self.measure()

    def _say(self, text: str) -> None:
        changed = text and text != self.status_label.text()
        self.status_label.setText(text)
        if changed and self.isVisible():
            show_error(text)

    def closeEvent(self, event: Any) -> None:
        """Put the viewer back as it was."""
        self.set_mode(None)
        self.runner.stop()
        super().closeEvent(event)
