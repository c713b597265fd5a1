"""*Restore image*: choose, run, cancel, and see the result as a new layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_anyir.lazy_names import names_from

if TYPE_CHECKING:
    from napari_anyir.widgets.restore.restore_widget import RestoreWidget

__all__ = ["RestoreWidget"]

__getattr__ = names_from(__name__, {"RestoreWidget": "restore_widget"})
