"""Layers beside each other in napari's grid, which pan and zoom together, and back; no Qt."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from napari_anyir.widgets.layers.viewer import camera, grid

if TYPE_CHECKING:
    from napari.components import ViewerModel

ROW = 3
"""Most layers that stand in one row; canvases are wide."""


class SideBySide:
    """Puts layers into cells of napari's grid, and then all back as it was.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer.
    ended : callable, optional
        Called when napari's own grid button has ended it.

    Examples
    --------
    >>> import numpy as np
    >>> from napari.components import ViewerModel
    >>> viewer = ViewerModel()
    >>> layers = [viewer.add_image(np.zeros((8, 8))) for _ in range(4)]
    >>> beside = SideBySide(viewer)
    >>> beside.begin(layers[1:])
    >>> tuple(grid(viewer).shape), layers[0].visible
    ((1, 3), False)
    >>> beside.end()
    >>> grid(viewer).enabled, layers[0].visible
    (False, True)
    """

    def __init__(self, viewer: ViewerModel, ended: Callable[[], object] | None = None) -> None:
        self._viewer, self._ended = viewer, ended
        self._grid: tuple[bool, int, tuple[int, int]] | None = None
        self._eye: tuple[float, tuple[float, ...]] = (1.0, ())
        self._hidden: list[Any] = []
        self._order: list[Any] = []
        self._named: list[Any] = []

    @property
    def active(self) -> bool:
        """Whether layers stand side by side."""
        return self._grid is not None

    def begin(self, shown: Sequence[Any]) -> None:
        """Give each layer a cell of its own and hide the others; the camera moves all cells.

        Parameters
        ----------
        shown : sequence of napari.layers.Layer
            In the order of the cells, row by row; asked for again, others may get the cells. What
            was not visible before stays so.
        """
        layers, view = self._viewer.layers, grid(self._viewer)
        first = not self.active
        if first:
            eye = camera(self._viewer)
            self._grid = (view.enabled, view.stride, view.shape)
            self._eye = (eye.zoom, tuple(eye.center))
            self._order = list(layers)
        for layer in layers:
            if layer not in shown and layer.visible:
                layer.visible = False
                self._hidden.append(layer)
            elif layer in shown and layer in self._hidden:
                layer.visible = True
                self._hidden.remove(layer)
        self._name(shown)
        # napari 0.7 gives hidden layers cells too, so the shown ones come first in the list.
        self._sort(shown)
        columns = len(shown) if len(shown) <= ROW else math.ceil(math.sqrt(len(shown)))
        view.stride, view.shape = 1, (math.ceil(len(shown) / columns), columns)
        view.enabled = True
        if first:
            view.events.enabled.connect(self._switched)
            self._viewer.reset_view(reset_camera_angle=False)  # a cell is smaller than the canvas

    def end(self) -> None:
        """Put grid, camera, visibility and the order of the list back."""
        if self._grid is None:
            return
        view, eye = grid(self._viewer), camera(self._viewer)
        enabled, stride, shape = self._grid
        self._grid = None
        self._name([])
        view.events.enabled.disconnect(self._switched)
        view.enabled, view.stride, view.shape = enabled and view.enabled, stride, shape
        eye.zoom, eye.center = self._eye
        there = [layer for layer in self._hidden if layer in self._viewer.layers]
        for layer in there:
            layer.visible = True
        self._sort([layer for layer in self._order if layer in self._viewer.layers])
        self._hidden, self._order = [], []

    def _name(self, shown: Sequence[Any]) -> None:
        """Write the names of layers into their cells, and take them out of all others' cells."""
        for layer in [layer for layer in self._named if layer not in shown]:
            layer.name_overlay.visible = False
            self._named.remove(layer)
        for layer in shown:
            # napari has names on the canvas since 0.7; whoever has switched one on keeps it.
            overlay = getattr(layer, "name_overlay", None)
            if overlay is not None and not overlay.visible:
                overlay.visible = True
                self._named.append(layer)

    def _sort(self, first: Sequence[Any]) -> None:
        """Bring layers to the beginning of the list, in this order."""
        layers = self._viewer.layers
        for place, layer in enumerate(first):
            if layers.index(layer) != place:
                layers.move(layers.index(layer), place)

    def _switched(self, event: Any = None) -> None:
        if self.active and not grid(self._viewer).enabled:
            self.end()
            if self._ended is not None:
                self._ended()
