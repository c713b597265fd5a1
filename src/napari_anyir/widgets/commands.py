"""Commands that open a dock: they carry words by which people look for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari import Viewer


def open_restore(viewer: Viewer) -> None:
    """Open *Restore image*.

    Parameters
    ----------
    viewer : napari.Viewer
        napari gives it.
    """
    viewer.window.add_plugin_dock_widget("napari-anyir", "Restore image")
