"""The live preview: what is in view, restored again whenever something changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer

from napari_anyir.widgets.kit.qt import Signal
from napari_anyir.widgets.kit.worker import Runner
from napari_anyir.widgets.layers.blending import blend
from napari_anyir.widgets.layers.layer_origins import PREVIEW
from napari_anyir.widgets.layers.regions import limit, placement
from napari_anyir.widgets.layers.viewer import camera
from napari_anyir.widgets.restore.estimate import learn_from
from napari_anyir.widgets.restore.restore_job import (
    FIELD,
    RECTANGLE,
    Restored,
    RestoreJob,
    plan,
)

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_anyir.widgets.restore.restore_form import RestoreForm

NAME = "AnyIR preview"

PIXELS = 2**17
"""Most pixels of a preview, about 360 x 360: two cores restore them in a second or two."""

DELAY = 300
"""Milliseconds of rest before a preview starts: nobody reads one while panning."""

MOVES = ("scale", "translate", "rotate", "shear", "affine")


def preview_job(layer: Any, axes: str, **choices: Any) -> RestoreJob:
    """Plan the preview of a layer.

    Parameters
    ----------
    layer : napari.layers.Image
        The source.
    axes : str
        Its letters.
    **choices
        As for `napari_anyir.widgets.restore.restore_job.plan`.

    Returns
    -------
    RestoreJob
        Of at most `PIXELS` pixels, in the middle of what was asked for.

    Raises
    ------
    ValueError
        If nothing can be shown; one sentence says why.
    """
    job = plan(layer, axes, **choices)
    region = limit(job.region, PIXELS)
    return replace(job, region=region, placement=placement(layer, job.axes, region))


class LivePreview(QObject):
    """Keeps a layer that shows the restored view.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer.
    form : RestoreForm
        What to restore and how.
    strength : callable
        Gives the share of the restoration, 0 to 1.
    parent : QObject
        The widget.

    Attributes
    ----------
    told : Signal
        A sentence on what was done, or why nothing can be shown.
    """

    told = Signal(str)

    def __init__(
        self,
        viewer: ViewerModel,
        form: RestoreForm,
        strength: Callable[[], float],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._viewer, self._form, self._strength = viewer, form, strength
        self._enabled = self._paused = False
        self._job: RestoreJob | None = None
        self._shown: tuple[RestoreJob, Restored] | None = None
        self._watched: Any = None
        self.runner = Runner(self)
        self.runner.returned.connect(self._returned)
        self.runner.finished.connect(self._finished)
        self.timer = QTimer(self)
        self.timer.setSingleShot(True)
        self.timer.setInterval(DELAY)
        self.timer.timeout.connect(self._start)

    @property
    def layer(self) -> Any:
        """The layer of the preview, or None."""
        return next(
            (item for item in self._viewer.layers if item.metadata.get(PREVIEW) == NAME), None
        )

    def set_enabled(self, enabled: bool) -> None:
        """Begin or end; at the end the layer goes."""
        if enabled == self._enabled:
            return
        self._enabled = enabled
        for emitter in self._emitters():
            (emitter.connect if enabled else emitter.disconnect)(self.ask)
        if enabled:
            self._form.changed.connect(self.ask)
            self.ask()
            return
        self._form.changed.disconnect(self.ask)
        self.timer.stop()
        self.runner.stop()
        self._clear()

    def _clear(self) -> None:
        self._watch(None)
        self._job = self._shown = None
        layer = self.layer
        if layer is not None:
            self._viewer.layers.remove(layer)

    def pause(self) -> None:
        """Leave the processor to a full run."""
        self._paused = True
        self.timer.stop()
        self.runner.stop()

    def resume(self) -> None:
        """Go on after a full run."""
        self._paused = False
        self.ask()

    def ask(self, event: Any = None) -> None:
        """Ask for a new preview once all has come to rest."""
        if self._enabled and not self._paused:
            self.timer.start()

    def blend_again(self) -> None:
        """Show the newest preview at the strength that the slider has now."""
        if self._enabled and self._shown is not None:
            self._show(*self._shown)

    # ---------------------------------------------------------------- from change to picture

    def _emitters(self) -> list[Any]:
        view, dims = camera(self._viewer).events, self._viewer.dims.events
        return [view.center, view.zoom, dims.current_step, dims.order, dims.ndisplay]

    def _watch(self, layer: Any) -> None:
        """Follow the pixels of the source, which an edit changes."""
        if self._watched is not None:
            self._watched.events.data.disconnect(self.ask)
        self._watched = layer
        if layer is not None:
            layer.events.data.connect(self.ask)

    def _start(self) -> None:
        if not self._enabled or self._paused:
            return
        if self.runner.running:  # what is being computed is out of date: stop it, start after it
            self.runner.stop()
            return
        layer = self._form.layer
        if layer is None:  # the last image was removed: nothing of it may stay in memory
            self._clear()
        if self._form.problem is not None:
            return
        if layer != self._watched:
            self._watch(layer)
            self._shown = None
        what = RECTANGLE if self._form.what == RECTANGLE else FIELD
        try:
            job = preview_job(
                layer,
                self._form.axes,
                dims=self._viewer.dims,
                what=what,
                shapes=self._form.shapes,
                settings=self._form.settings(),
            )
        except (TypeError, ValueError) as error:
            self.told.emit(f"No preview: {error}")
            return
        if self._shown is not None and _same(self._shown[0], job):
            return
        self._job = job
        self.told.emit("Preview ...")
        self.runner.start(job)

    def _returned(self, restored: Restored) -> None:
        # A stopped run gives nothing; one that ended while the next was asked for is out of date,
        # but still the best picture of what it shows until the next one is there.
        if self._enabled and self._job is not None:
            self._shown = (self._job, restored)
            self._show(*self._shown)
            learn_from(restored.record, self._job.settings, self._job.pixels)
            height, width = (
                self._job.region.shape[axis] for axis in self._job.region.displayed or ()
            )
            self.told.emit(
                f"Preview of {height} × {width} pixels: {restored.record['seconds']:.1f} s."
            )

    def _finished(self) -> None:
        stopped = self._shown is None or self._shown[0] is not self._job
        self._job = None
        if stopped:
            self.ask()

    def _show(self, job: RestoreJob, restored: Restored) -> None:
        data = blend(restored.source, restored.pixels, self._strength())
        layer = self.layer
        if layer is not None and (layer.rgb != job.placement["rgb"] or layer.ndim != _ndim(job)):
            self._viewer.layers.remove(layer)
            layer = None
        if layer is None:
            active = self._viewer.layers.selection.active
            layer = self._viewer.add_image(
                data, **job.placement, name=NAME, metadata={PREVIEW: NAME}
            )
            # A new layer becomes the active one, and keys and tools would then work on it.
            if active is not None:
                self._viewer.layers.selection.active = active
            return
        layer.data = data
        for name in MOVES:
            setattr(layer, name, job.placement[name])
        if "contrast_limits" in job.placement:
            layer.contrast_limits = job.placement["contrast_limits"]


def _ndim(job: RestoreJob) -> int:
    return len(job.placement["scale"])


def _same(one: RestoreJob, other: RestoreJob) -> bool:
    """Whether two jobs would give the same pixels."""
    return (
        one.data is other.data
        and one.axes == other.axes
        and one.region == other.region
        and one.settings == other.settings
    )
