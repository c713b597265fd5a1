"""The results of the last run, which the strength slider and *Copy as script* act on; no Qt."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_anyir.widgets.restore.result_script import Origin, script

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_anyir.widgets.restore.restore_job import Restored, RestoreJob

METADATA = "napari_anyir"
"""Key of the provenance record in a layer's metadata."""


@dataclass(frozen=True, eq=False)
class Result:
    """One result.

    Parameters
    ----------
    layer : weakref to napari.layers.Image
        Its layer, which people may delete.
    origin : Origin
        Where the source came from.
    job : RestoreJob
        What was done.
    restored : Restored
        What came out.
    """

    layer: weakref.ref[Any]
    origin: Origin
    job: RestoreJob
    restored: Restored


class Results:
    """Results of one run: one for each model, as long as their layers are there.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer.

    Examples
    --------
    >>> from napari.components import ViewerModel
    >>> len(Results(ViewerModel()))
    0
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._all: list[Result] = []

    def __len__(self) -> int:
        return len(self._all)

    @property
    def layers(self) -> list[Any]:
        """Their layers, the first model's first."""
        layers = [result.layer() for result in self._all]
        return [layer for layer in layers if layer is not None and layer in self._viewer.layers]

    @property
    def restored(self) -> list[Restored]:
        """Their pixels before and after."""
        return [result.restored for result in self._all]

    def add(self, layer: Any, origin: Origin, job: RestoreJob, restored: Restored) -> None:
        """Add the next one."""
        self._all.append(Result(weakref.ref(layer), origin, job, restored))

    def clear(self) -> None:
        """Forget all of them; their layers stay."""
        self._all = []

    def forget(self, layer: Any) -> bool:
        """Let go of the pixels of a layer that was removed; return whether it was one of them."""
        kept = [result for result in self._all if result.layer() not in (layer, None)]
        found, self._all = len(kept) < len(self._all), kept
        return found

    def arrays(self) -> dict[str, tuple[Any, Any]]:
        """Pixels before and after of each, by its layer's id."""
        found = {}
        for result in self._all:
            layer = result.layer()
            if layer is not None and layer in self._viewer.layers:
                found[str(layer.unique_id)] = (result.restored.source, result.restored.pixels)
        return found

    def show(self, pixels: Mapping[str, Any], strength: float) -> None:
        """Show what was mixed, by layers' ids, in the layers that are still there.

        Parameters
        ----------
        pixels : mapping of str to array
            As `arrays` names them.
        strength : float
            At which they were mixed, for the record.
        """
        for layer in self.layers:
            data = pixels.get(str(layer.unique_id))
            if data is not None:
                layer.data = data
                record = {**layer.metadata.get(METADATA, {}), "strength": strength}
                layer.metadata = {**layer.metadata, METADATA: record}

    def script(self, strength: float) -> str:
        """Write Python that makes all of them again; there must be one."""
        first = self._all[0]
        return script(first.origin, first.job, self.restored, strength)
