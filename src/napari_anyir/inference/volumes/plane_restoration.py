"""Planes through the network, several together where they are small: the step all ways share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_anyir.inference.arrays.axes import Layout
from napari_anyir.inference.arrays.pixels import from_network, is_grey, to_network
from napari_anyir.inference.engine import execution
from napari_anyir.inference.inside.interventions import make_observer
from napari_anyir.inference.inside.network_parts import block_scales
from napari_anyir.inference.inside.progress_observer import watched
from napari_anyir.inference.preparation import Prepared
from napari_anyir.model.network import BlockObserver
from napari_anyir.progress import Cancel, Progress, Watch

SMALL_PLANE = 256 * 256
"""Pixels up to which several planes go to the network together."""

TOGETHER = 32
"""How many planes at most."""


def planes_together(layout: Layout, device: torch.device, *, changed: bool) -> int:
    """Number of planes that go to the network at once: several where they are small.

    Only on a processor, where strips treat each image of a batch by itself, so that the company of
    a plane does not change its last bits; on a GPU it would.

    Parameters
    ----------
    layout : Layout
        Where the planes are.
    device : torch.device
        Where they are restored.
    changed : bool
        Whether parts of the network are changed; planes are then run one by one.

    Returns
    -------
    int
        At least 1.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.inference.arrays.axes import Layout
    >>> from napari_anyir.inference.volumes.plane_restoration import planes_together
    >>> planes_together(Layout("ZYX", (500, 64, 64)), torch.device("cpu"), changed=False)
    32
    """
    small = math.prod(layout.plane_shape[:2]) <= SMALL_PLANE
    return TOGETHER if small and device.type == "cpu" and not changed else 1


def restore_planes(
    planes: Sequence[NDArray[Any]],
    outs: Sequence[NDArray[Any]],
    prepared: Prepared,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> execution.RunRecord | None:
    """Restore planes of one size: the step that every way into this package shares.

    Parameters
    ----------
    planes : sequence of arrays (Y, X) or (Y, X, S)
        Finite values.
    outs : sequence of arrays
        Where the results go, of the same shapes.
    prepared : Prepared
        How, and in which range.
    progress, cancel
        As for `napari_anyir.restore`.

    Returns
    -------
    RunRecord or None
        How it was done; None if there was nothing to do, at strength 0.
    """
    mapping, recipe = prepared.range, prepared.recipe
    if recipe.strength == 0:
        for plane, out in zip(planes, outs, strict=True):
            out[...] = plane
        return None
    seen = np.empty((len(planes), 3, *planes[0].shape[:2]), np.float32)
    for plane, place in zip(planes, seen, strict=True):
        to_network(plane, mapping, out=place)
    images = torch.from_numpy(seen)
    observer: BlockObserver | None = None
    steps = progress
    if recipe.changes:
        network = prepared.loaded.anyir
        blocks = Watch(len(block_scales(network)), progress, cancel)
        observer, steps = watched(make_observer(network, recipe.changes), blocks), None
    restored, record = execution.run(
        prepared.loaded.network,
        images,
        prepared.placement,
        observer=observer,
        progress=steps,
        cancel=cancel,
    )
    del images
    outputs = restored.numpy()
    if mapping.settles:
        for output, before in zip(outputs, seen, strict=True):
            output[...] = mapping.settle(before, output)
    del seen
    for output, plane, out in zip(outputs, planes, outs, strict=True):
        from_network(output, plane, mapping, recipe.strength, out, grey=is_grey(plane))
    return record


class PlaneProgress:
    """One rising count over all planes, of the steps that the engine reports for each.

    The first planes tell how many steps a plane has. Should a later one take more, as after a lack
    of memory, its steps are counted in the measure of the first.

    Parameters
    ----------
    progress : callable or None
        Called as ``progress(done, total)``.
    planes : int
        Their number.

    Examples
    --------
    >>> from napari_anyir.inference.volumes.plane_restoration import PlaneProgress
    >>> report = PlaneProgress(lambda done, total: print(done, total), planes=2)
    >>> report.begin(1), report(1, 2), report.finish(), report.begin(1), report.finish()
    1 4
    2 4
    4 4
    (None, None, None, None, None)
    """

    def __init__(self, progress: Progress | None, planes: int) -> None:
        self._progress = progress
        self._planes = planes
        self._steps: int | None = None
        self._finished = 0
        self._present = 0
        self._told = 0

    def begin(self, count: int) -> None:
        """Say how many planes come next, together."""
        self._present = count

    def __call__(self, done: int, total: int) -> None:
        """Report steps of the present planes."""
        if self._steps is None:
            self._steps = max(1, total // self._present)
        present = self._present * self._steps
        share = math.floor(present * done / max(1, total))
        self._tell(self._finished * self._steps + min(share, present))

    def finish(self) -> None:
        """Report that the present planes are done."""
        self._steps = self._steps or 1
        self._finished += self._present
        self._tell(self._finished * self._steps)

    def _tell(self, done: int) -> None:
        if self._progress is None or self._steps is None or done <= self._told:
            return
        self._told = done
        self._progress(done, self._planes * self._steps)
