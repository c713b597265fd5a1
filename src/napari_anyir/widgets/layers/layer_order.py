"""Where a result goes in the list of layers, and how it mixes with what lies below; no Qt."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from napari_anyir.widgets.layers.lazy_results import add_result

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

SUMS = ("additive", "minimum", "multiplicative")
"""Blending in which a result and its source add up instead of covering each other."""

_adding: list[int] = []
_stands_in: weakref.WeakSet[Any] = weakref.WeakSet()


def manner(layer: Image) -> dict[str, Any]:
    """How a result mixes with the layers below it: as its source does.

    Parameters
    ----------
    layer : napari.layers.Image
        The source.

    Returns
    -------
    dict
        Keyword arguments: blending, opacity and visible.

    Examples
    --------
    >>> import numpy as np
    >>> from napari.layers import Image
    >>> manner(Image(np.zeros((8, 8)), blending="additive", opacity=0.5))
    {'blending': 'additive', 'opacity': 0.5, 'visible': True}
    """
    return {
        "blending": str(layer.blending),
        "opacity": float(layer.opacity),
        "visible": bool(layer.visible) or layer in _stands_in,
    }


def add_above(viewer: ViewerModel, source: Any, data: Any, values: Mapping[str, Any]) -> Any:
    """Add a result directly above its source, or above earlier results that lie there.

    What was selected stays so: it is what people work on. Where blending sums, the source is
    hidden, since both together would be twice as bright.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer.
    source : napari.layers.Image or None
        The source, if it is still there.
    data : array
        numpy or dask.
    values : mapping
        Keyword arguments of the layer.

    Returns
    -------
    napari.layers.Image
        The layer.

    Examples
    --------
    >>> import numpy as np
    >>> from napari.components import ViewerModel
    >>> viewer = ViewerModel()
    >>> cells = viewer.add_image(np.zeros((8, 8)), name="cells")
    >>> _ = viewer.add_image(np.zeros((8, 8)), name="nuclei")
    >>> made = {"name": "cells (nano)", "metadata": {"napari_anyir": {"source": "cells"}}}
    >>> _ = add_above(viewer, cells, np.zeros((8, 8)), made)
    >>> [layer.name for layer in viewer.layers]
    ['cells', 'cells (nano)', 'nuclei']
    """
    layers = viewer.layers
    if source is None or source not in layers:
        with adding():
            return add_result(viewer, data, values)
    place = layers.index(source) + 1
    while place < len(layers) and _made_of(layers[place], source):
        place += 1
    active = layers.selection.active
    with adding():
        layer = add_result(viewer, data, values)
        if layers.index(layer) != place:
            layers.move(layers.index(layer), place)
        if active is not None and active in layers:
            layers.selection.active = active
    if layer.blending in SUMS and layer.visible and source.visible:
        source.visible = False
        _stands_in.add(source)
    return layer


def _made_of(layer: Any, source: Any) -> bool:
    return bool(layer.metadata.get("napari_anyir", {}).get("source") == source.name)


def sums(layer: Image) -> bool:
    """Whether a layer is hidden because its result stands in for it."""
    return layer in _stands_in and not layer.visible


@contextmanager
def adding() -> Iterator[None]:
    """Mark that a layer is being added that nobody has selected: forms do not follow it."""
    _adding.append(1)
    try:
        yield
    finally:
        _adding.pop()


def is_adding() -> bool:
    """Whether a result is being added just now."""
    return bool(_adding)
