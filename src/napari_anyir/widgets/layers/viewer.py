"""Parts of a viewer under one name, whichever version of napari holds them where; no Qt."""

from __future__ import annotations

from typing import Any


def camera(viewer: Any) -> Any:
    """Return the viewer's camera; since napari 0.9 it belongs to the scene.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer.

    Returns
    -------
    napari.components.Camera
        Its camera.

    Examples
    --------
    >>> from napari.components import ViewerModel
    >>> camera(ViewerModel()).zoom
    1.0
    """
    scene = getattr(viewer, "scene", None)
    return viewer.camera if scene is None else scene.camera


def grid(viewer: Any) -> Any:
    """Return the viewer's grid; since napari 0.9 it belongs to the canvas.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer.

    Returns
    -------
    napari.components.grid.GridCanvas
        Its grid.

    Examples
    --------
    >>> from napari.components import ViewerModel
    >>> grid(ViewerModel()).enabled
    False
    """
    canvas = getattr(viewer, "canvas", None)
    found = getattr(canvas, "grid", None)
    return viewer.grid if found is None else found


def unwrapped(viewer: Any) -> Any:
    """Return the viewer behind the proxy that napari may pass to widgets.

    The proxy makes a new proxy of a layer for everyone who asks: two of one layer are not the same
    object, and a weak reference to one is dead at once.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer, or napari's proxy of it.

    Returns
    -------
    napari.components.ViewerModel
        The viewer itself.

    Examples
    --------
    >>> from napari.components import ViewerModel
    >>> viewer = ViewerModel()
    >>> unwrapped(viewer) is viewer
    True
    """
    return getattr(viewer, "__wrapped__", viewer)
