"""What a worker is told and does for one plane; importable by any worker of a cluster."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_anyir.errors import ModelError
from napari_anyir.inference.arrays.axes import Layout
from napari_anyir.inference.arrays.intensity import IntensityRange, check_dtype
from napari_anyir.inference.arrays.memory_maps import unmapped
from napari_anyir.inference.arrays.statistics import check_finite, not_finite
from napari_anyir.inference.engine.device import resolve_device
from napari_anyir.inference.engine.host_state import own_state
from napari_anyir.inference.engine.run_plan import network_precision
from napari_anyir.inference.models import LoadedModel, get_model
from napari_anyir.inference.preparation import Prepared
from napari_anyir.inference.recipe import Recipe
from napari_anyir.inference.volumes.plane_restoration import restore_planes

# A plane's features fill memory and its arithmetic fills the processor: one plane per process.
_turn = threading.Lock()


@dataclass(frozen=True)
class PlaneTask:
    """What a worker has to know to restore a plane; small and picklable.

    Parameters
    ----------
    recipe : Recipe
        Its model is taken, and device and precision are resolved, by the worker.
    sha256 : str
        Hash that the network must have there.
    threads : int or None
        Threads of torch, where the last bits depend on them: under interventions, which see the
        whole plane at once. None is as many as the worker has.
    """

    recipe: Recipe
    sha256: str
    threads: int | None = None


@contextmanager
def turn(task: PlaneTask) -> Iterator[None]:
    """Wait until no other plane is restored in this process, and set the threads of a task."""
    with _turn:
        before = torch.get_num_threads()
        change = task.threads is not None and task.threads != before
        if change and task.threads is not None:
            torch.set_num_threads(task.threads)
        try:
            yield
        finally:
            if change:
                torch.set_num_threads(before)


def load_network(task: PlaneTask) -> LoadedModel:
    """Load a task's network, once per process.

    Parameters
    ----------
    task : PlaneTask
        Which.

    Returns
    -------
    LoadedModel
        The network.

    Raises
    ------
    ModelError
        If it is another than the caller's.
    """
    loaded = get_model(task.recipe.model)
    if loaded.sha256 != task.sha256:
        raise ModelError(
            f"The model {loaded.name!r} of this worker is another than the caller's (SHA-256 "
            f"{loaded.sha256[:12]}... and {task.sha256[:12]}...); install the same one on both."
        )
    return loaded


def prepare_on_worker(task: PlaneTask, plane: NDArray[Any], mapping: IntensityRange) -> Prepared:
    """Decide on a worker what the caller could not know: its network, device and precision.

    Parameters
    ----------
    task : PlaneTask
        How.
    plane : array (Y, X) or (Y, X, S)
        What is restored at a time.
    mapping : IntensityRange
        Of the whole volume.

    Returns
    -------
    Prepared
        Not to be cut into tiles: that was decided when the tasks were made.

    Raises
    ------
    ModelError
        If the worker's model is another than the caller's.
    """
    loaded = load_network(task)
    device = resolve_device(task.recipe.device)
    precision = network_precision(task.recipe.precision, loaded.network.config, device)
    layout = Layout("YXS"[: plane.ndim], plane.shape)
    return Prepared(task.recipe, layout, loaded, device, precision, mapping=mapping)


def check_plane(plane: NDArray[Any], colour: bool) -> None:
    """Refuse a plane, or a part of one, with pixels that are not finite.

    Parameters
    ----------
    plane : array (Y, X) or (Y, X, S)
        The plane, with alpha: it passes through, and has to be a number for that.
    colour : bool
        Whether there are samples.

    Raises
    ------
    ValueError
        With their number.

    Examples
    --------
    >>> check_plane(np.array([[1.0, np.inf]]), colour=False)
    Traceback (most recent call last):
    ...
    ValueError: The plane has 1 infinite pixel; replace them first, for instance with ...
    """
    if plane.dtype.kind == "f":
        check_finite(not_finite(plane), "plane")


@own_state()
def restore_block(
    block: NDArray[Any], mapping: IntensityRange, task: PlaneTask, colour: bool
) -> NDArray[Any]:
    """Restore one block on a worker.

    Parameters
    ----------
    block : array (1, ..., Y, X) or (1, ..., Y, X, S)
        One plane.
    mapping : IntensityRange
        Of the whole volume.
    task : PlaneTask
        How.
    colour : bool
        Whether there are samples.

    Returns
    -------
    array
        Of the same shape and type.

    Raises
    ------
    ValueError
        If the plane is not finite.
    ModelError
        If the worker's model is another than the caller's.
    """
    plane = unmapped(block.reshape(block.shape[-3 if colour else -2 :]))
    check_plane(plane, colour)
    restored = np.empty(plane.shape, check_dtype(plane.dtype))
    prepared = prepare_on_worker(task, plane, mapping)
    with turn(task):
        restore_planes([plane], [restored], prepared)
    return restored.reshape(block.shape)
