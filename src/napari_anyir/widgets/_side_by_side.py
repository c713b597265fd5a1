"""Source and feature maps in cells of one grid, which pan and zoom together; no Qt."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from napari_anyir.widgets._viewer import camera, grid

if TYPE_CHECKING:
    from napari.components import ViewerModel


class SideBySide:
    """Puts layers side by side, and the viewer back as it was.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._before: tuple[bool, int, tuple[int, int]] | None = None
        self._eye: tuple[float, tuple[float, ...]] = (1.0, ())
        self._hidden: list[Any] = []

    @property
    def active(self) -> bool:
        """Whether layers stand side by side."""
        return self._before is not None

    def begin(self, layers: Sequence[Any]) -> None:
        """Give each layer a cell of its own and hide the others.

        Parameters
        ----------
        layers : sequence of napari.layers.Layer
            In the order of the cells, row by row; they become neighbours in the list.
        """
        view = grid(self._viewer)
        if self._before is None:
            self._before = (view.enabled, view.stride, view.shape)
            eye = camera(self._viewer)
            self._eye = (eye.zoom, tuple(eye.center))
        for layer in self._viewer.layers:
            if layer not in layers and layer.visible:
                layer.visible = False
                self._hidden.append(layer)
        # Older napari counts hidden layers as well: neighbours get neighbouring cells all the same.
        at = len(self._viewer.layers)
        for layer in layers:
            self._viewer.layers.move(self._viewer.layers.index(layer), at)
        columns = math.ceil(math.sqrt(len(layers)))
        view.stride = 1
        view.shape = (math.ceil(len(layers) / columns), columns)
        view.enabled = True

    def end(self) -> None:
        """Put grid, camera and visibility back."""
        if self._before is None:
            return
        view = grid(self._viewer)
        view.enabled, view.stride, view.shape = self._before
        self._before = None
        eye = camera(self._viewer)
        eye.zoom, eye.center = self._eye
        for layer in self._hidden:
            if layer in self._viewer.layers:
                layer.visible = True
        self._hidden = []
