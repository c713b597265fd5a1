"""Layers beside each other in napari's grid, and back again; no Qt."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from napari_anyir.widgets._viewer import camera, grid

if TYPE_CHECKING:
    from napari.components import ViewerModel


class SideBySide:
    """Puts layers into cells of napari's grid, and puts grid and camera back as they were.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer.

    Examples
    --------
    >>> import numpy as np
    >>> from napari.components import ViewerModel
    >>> viewer = ViewerModel()
    >>> layers = [viewer.add_image(np.zeros((8, 8))) for _ in range(3)]
    >>> beside = SideBySide(viewer)
    >>> beside.show(layers)
    >>> tuple(grid(viewer).shape)
    (1, 3)
    >>> beside.end()
    >>> grid(viewer).enabled
    False
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._grid: tuple[bool, int, tuple[int, int]] | None = None
        self._eye: tuple[float, tuple[float, float, float]] = (1.0, (0.0, 0.0, 0.0))

    def show(self, shown: Sequence[Any]) -> None:
        """Give each layer a cell; the camera moves all of them."""
        layers = self._viewer.layers
        # Neighbours in the list get neighbouring cells; hidden layers share the cells with them.
        for number, layer in enumerate(shown[1:]):
            layers.move(layers.index(layer), layers.index(shown[number]) + 1)
        view, eye = grid(self._viewer), camera(self._viewer)
        self._grid = (view.enabled, view.stride, view.shape)
        self._eye = (eye.zoom, eye.center)
        columns = len(shown) if len(shown) <= 3 else math.ceil(math.sqrt(len(shown)))
        rows = math.ceil(len(shown) / columns)
        view.shape, view.stride, view.enabled = (rows, columns), 1, True
        self._viewer.reset_view(reset_camera_angle=False)  # a cell is smaller than the canvas

    def end(self) -> None:
        """Put everything back."""
        if self._grid is None:
            return
        view, eye = grid(self._viewer), camera(self._viewer)
        view.enabled, view.stride, view.shape = self._grid
        eye.zoom, eye.center = self._eye
        self._grid = None
