"""*Restore a folder*: choose, filter, run, cancel, resume, with a line for every file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_anyir.lazy_names import names_from

if TYPE_CHECKING:
    from napari_anyir.widgets.folder.folder_widget import FolderWidget

__all__ = ["FolderWidget"]

__getattr__ = names_from(__name__, {"FolderWidget": "folder_widget"})
