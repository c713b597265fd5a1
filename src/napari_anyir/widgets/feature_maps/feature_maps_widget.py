"""The dock *Look inside*: choose blocks and parts, run the network, add their maps as layers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer

from napari_anyir.widgets.feature_maps.feature_maps_form import FeatureMapsForm
from napari_anyir.widgets.feature_maps.feature_maps_job import (
    ONE,
    FeatureMapsJob,
    Looked,
    free_name,
    groups_of,
    is_inside,
    key_of,
    map_layers,
    update_layer,
)
from napari_anyir.widgets.feature_maps.gathered_maps import TOGETHER, gather, show_place
from napari_anyir.widgets.kit import last_choices
from napari_anyir.widgets.layers.layer_origins import INSIDE
from napari_anyir.widgets.layers.shown_plane import Intensity, ShownPlane, read_shown_plane
from napari_anyir.widgets.layers.side_by_side import SideBySide
from napari_anyir.widgets.network.model_structure import PARTS

if TYPE_CHECKING:
    from napari.components import ViewerModel

SECTION = "look_inside"
"""Key of the remembered settings in the manifest."""

DELAY = 300
"""Milliseconds of rest before a moved slider starts a look."""


class FeatureMapsWidget(FeatureMapsForm):
    """Look inside the network: what its blocks show for the plane in view.

    Parameters
    ----------
    napari_viewer : napari.components.ViewerModel
        The viewer; napari passes it.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__(napari_viewer)
        self._job: FeatureMapsJob | None = None
        self._last: FeatureMapsJob | None = None
        self._volume: tuple[ShownPlane, Intensity] | None = None
        self._watched: Any = None
        self._again = False
        self.side_by_side = SideBySide(self._viewer, lambda: self.side_box.setChecked(False))
        self.set_values(last_choices.load(SECTION))
        self._connect()
        self._structure_changed()
        self._update()

    def _connect(self) -> None:
        self.timer = QTimer(self)
        self.timer.setSingleShot(True)
        self.timer.setInterval(DELAY)
        self.timer.timeout.connect(self._look_again)
        self.model_choice.structure_changed.connect(self._structure_changed)
        self.model_choice.failed.connect(self.status_label.complain)
        self.ushape.changed.connect(self._choices_changed)
        self.layer_box.layer_changed.connect(self._layer_chosen)
        self.show_box.currentIndexChanged.connect(self._choices_changed)
        self.parts_widget.changed.connect(self._choices_changed)
        self.follow_box.toggled.connect(self._ask)
        self.side_box.toggled.connect(self._arrange)
        self.table.arranged.connect(self._arrange)
        for event in self._dims_events():
            event.connect(self._ask)
        self._viewer.dims.events.current_step.connect(self._name_places)
        self.gather_box.toggled.connect(self._gather_again)

    def _dims_events(self) -> list[Any]:
        events = self._viewer.dims.events
        return [events.current_step, events.order, events.ndisplay]

    # ---------------------------------------------------------------- what the user does

    def run(self) -> None:
        """Look inside, in a thread."""
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
        last_choices.save(SECTION, self.values())
        self._look(
            FeatureMapsJob(
                plane,
                self.ushape.chosen,
                self.parts,
                self.show_as,
                self.channel_box.value(),
                self.model_choice.model,
                self.model_choice.device,
            )
        )

    def _gather_again(self) -> None:
        """Look again, since the maps that are there are of the other kind."""
        last = self._last
        if last is None or self._layer_of(last) is None or self.runner.running:
            return
        if blocks := self._kept_blocks(last):
            self._look(replace(last, blocks=blocks))

    def cancel(self) -> None:
        """Stop at the next part; layers that are there stay."""
        self._again = False
        self.timer.stop()
        super().cancel()

    def _look(self, job: FeatureMapsJob) -> None:
        known = self._volume
        if known is not None and known[0].data is job.plane.data:
            job = replace(job, intensity=known[1])
        self._job = job
        self._start(job, source=self._layer_of(job), model=job.model)

    # ---------------------------------------------------------------- following the slider

    def _ask(self, event: Any = None) -> None:
        """Ask for another look once all has come to rest."""
        if self.follow_box.isChecked() and self._last is not None:
            self.timer.start()

    def _look_again(self) -> None:
        """Look again at what is shown now, as far as it is another plane."""
        last = self._last
        layer = self._layer_of(last) if last is not None else None
        if last is None or layer is None or not self.follow_box.isChecked():
            return
        if self.runner.running:  # what is being computed is out of date: stop it, start after it
            self._again = True
            self.runner.stop()
            return
        blocks = self._kept_blocks(last)
        if not blocks:  # all its groups were removed: there is nothing to keep up to date
            self._last = None
            return
        try:
            plane = read_shown_plane(layer, self._viewer.dims)
        except (TypeError, ValueError) as error:
            self.status_label.setText(str(error))
            return
        if not plane.same(last.plane) or self._volume is None:
            self._look(replace(last, plane=plane, blocks=blocks, intensity="auto"))

    def _kept_blocks(self, job: FeatureMapsJob) -> tuple[str, ...]:
        """Blocks of a job whose groups nobody has removed."""
        there = {key_of(item)[:2] for item in self._viewer.layers if is_inside(item)}
        return tuple(block for block in job.blocks if (job.plane.tag, block) in there)

    def _layer_of(self, job: FeatureMapsJob) -> Any:
        tag = job.plane.tag
        return next((x for x in self._viewer.layers if str(x.unique_id) == tag), None)

    def _watch(self, layer: Any) -> None:
        """Follow the pixels of the source, which an edit changes."""
        if self._watched is not None:
            self._watched.events.data.disconnect(self._pixels_changed)
        self._watched = layer
        if layer is not None:
            layer.events.data.connect(self._pixels_changed)

    def _pixels_changed(self, event: Any = None) -> None:
        self._volume = None
        self._ask()

    # ---------------------------------------------------------------- what the worker says

    def _returned(self, looked: Looked) -> None:
        job = self._job
        if job is None or self._layer_of(job) is None:  # its image is gone: nothing to lie over
            return
        self._last, self._volume = job, (job.plane, looked.intensity)
        self._watch(self._layer_of(job))
        self._show_maps(job, looked)
        count = len(looked.maps)
        text = f"{count} {'map' if count == 1 else 'maps'} in {looked.seconds:.1f} s."
        self.status_label.setText(" ".join([text, *looked.notes]))

    def _show_maps(self, job: FeatureMapsJob, looked: Looked) -> None:
        layers = self._viewer.layers
        there = {key_of(layer): layer for layer in layers if is_inside(layer)}
        active, point = layers.selection.active, self._viewer.dims.point
        before = len(there)
        made_layers = map_layers(job, looked)
        if self.gather_box.isChecked():
            made_layers = gather(made_layers)
        self._remove_other_kind({made.key for made in made_layers}, there)
        for made in made_layers:
            layer = there.get(made.key)
            if layer is not None and update_layer(layer, made):
                continue
            if layer is not None:
                layers.remove(layer)
            added = self._viewer.add_image(
                made.data, **free_name(made, {item.name for item in layers})
            )
            if made.key[2] == TOGETHER:
                added.metadata[INSIDE]["shown_name"] = added.name
        # New layers must not move the slider, nor take keys and tools away from the chosen layer.
        if active is not None and active in layers:
            layers.selection.active = active
        dims = self._viewer.dims
        for back in range(1, min(len(point), dims.ndim) + 1):
            if dims.point[-back] != point[-back]:
                dims.set_point(dims.ndim - back, point[-back])
        self._name_places()
        self.table.refresh()
        if self.side_box.isChecked() or before == 0:
            self._arrange()

    def _remove_other_kind(self, wanted: set[Any], there: dict[Any, Any]) -> None:
        """Remove maps that now stand together in one layer, or by themselves again."""
        for key, layer in there.items():
            same_block = [other for other in wanted if other[:2] == key[:2]]
            kinds = {other[2] == TOGETHER for other in same_block}
            if same_block and (key[2] == TOGETHER) not in kinds:
                self._viewer.layers.remove(layer)

    def _name_places(self, event: Any = None) -> None:
        """Let layers of several maps say which one is shown."""
        layers = self._viewer.layers
        for layer in [item for item in layers if is_inside(item)]:
            taken = [other.name for other in layers if other is not layer]
            show_place(layer, self._viewer.dims.point, taken)

    def _ended(self) -> None:
        self._job = None
        again, self._again = self._again, False
        if again:
            self._look_again()

    # ---------------------------------------------------------------- side by side

    def _arrange(self, _on: bool = False) -> None:
        """Give the image and its visible maps a cell each, or put all back."""
        groups = groups_of(self._viewer.layers)
        layer = self.layer_box.layer
        tag = str(layer.unique_id) if layer is not None else ""
        maps = [item for (source, _), items in groups.items() if source == tag for item in items]
        # In the order of computation, whenever they were added.
        structure = self.ushape.structure
        order = {part: number for number, part in enumerate(PARTS)}
        names = structure.names if structure is not None else ()
        place = {name: number for number, name in enumerate(names)}
        shown = sorted(
            (item for item in maps if item.visible),
            key=lambda item: (place.get(key_of(item)[1], -1), order.get(key_of(item)[2], -1)),
        )
        if not self.side_box.isChecked() or layer is None or not shown:
            self.side_by_side.end()
            return
        layer.visible = True
        self.side_by_side.begin([layer, *shown])

    # ---------------------------------------------------------------- reactions

    def _structure_changed(self) -> None:
        structure = self.model_choice.structure
        self.ushape.set_structure(structure)
        self.parts_widget.offer(PARTS if structure is None else structure.parts)
        self._choices_changed()

    def _layer_chosen(self) -> None:
        if self.side_by_side.active:
            self._arrange()
        self._choices_changed()

    def _layer_removed(self, layer: Any) -> None:
        if self._last is not None and str(layer.unique_id) == self._last.plane.tag:
            self.cancel()
            self._watch(None)
            self._last = self._volume = None  # its pixels must not stay in memory
        if is_inside(layer) and self.side_by_side.active:
            self._arrange()

    def _update(self) -> None:
        super()._update()
        self.channel_box.setVisible(self.show_as == ONE)
        self.run_button.setEnabled(not self.row.running and self.problem is None)

    def _choices_changed(self) -> None:
        if not self.runner.running:
            self.status_label.setText(self.problem or self.advice)
        self._update()

    def _shown(self) -> None:
        """Look for devices when the widget is first seen, which is its first use."""
        self.model_choice.find_devices()

    def _left(self) -> None:
        """Put the viewer back; the layers stay."""
        for emitter in self._dims_events():
            emitter.disconnect(self._ask)
        self._viewer.dims.events.current_step.disconnect(self._name_places)
        self._watch(None)
        self.model_choice.stop()
        self.side_by_side.end()
