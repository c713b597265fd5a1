"""Whole, in strips or in tiles: chosen from an estimate before anything is computed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from napari_anyir.inference.engine.device import PRECISIONS, resolve_precision
from napari_anyir.inference.engine.memory_estimate import free_bytes, pass_bytes
from napari_anyir.inference.exact.fast_dab import CHUNK, HALO
from napari_anyir.inference.exact.maps import WIDER, level_shapes, spare_rows
from napari_anyir.inference.exact.workers import MOST_WORKERS
from napari_anyir.model import AnyIRConfig
from napari_anyir.model.config import SIZE_MULTIPLE
from napari_anyir.weights.foreign import ForeignConfig

SHARE = 0.8
"""Of the free memory that a run may plan with; the rest is for what an estimate does not see."""

LEAST_TILE = 32
"""Side length below which a tile has too little around it to be worth restoring."""

_LARGEST_TILE = 2048


@dataclass(frozen=True)
class RunPlan:
    """How a run will be made.

    Parameters
    ----------
    mode : str
        ``"whole"``, ``"strips"`` or ``"tiles"``.
    tile : int or None
        Side length of the tiles.
    inner : str
        How each tile is restored: ``"whole"`` or ``"strips"``.

    Examples
    --------
    >>> RunPlan("tiles", 512, "strips").tile
    512
    """

    mode: str
    tile: int | None
    inner: str


def strip_bytes(
    config: AnyIRConfig, height: int, width: int, itemsize: int = 4, workers: int = 2
) -> int:
    """Memory that a run in strips takes, besides the image and its result.

    Parameters
    ----------
    config : AnyIRConfig
        The network's sizes.
    height, width : int
        Of the image.
    itemsize : int
        Bytes per number of the kept features.
    workers : int
        Threads.

    Returns
    -------
    int
        Bytes, without the weights.

    Examples
    --------
    >>> from napari_anyir.inference.engine.run_plan import strip_bytes
    >>> from napari_anyir.model import VARIANTS
    >>> round(strip_bytes(VARIANTS["tiny"], 2048, 2048) / 1e9, 1)
    1.8
    """
    rows, columns = config.padded_size(height, width)
    maps = scratch = norms = 0
    for channels, high, wide, side in level_shapes(config, rows, columns):
        maps += channels * (high + spare_rows(high, side)) * wide * itemsize
        norms = max(norms, 4 * 4 * high * wide)  # what normalisations say of each pixel
        # Of a window and its halo 6 maps of its channels, and a few rows of all that is hidden.
        window = min(side * 3 // 2, high) + 2 * HALO, min(side * WIDER * 3 // 2, wide) + 2 * HALO
        scratch = max(scratch, 4 * (window[0] * window[1] * channels * 6 + 6 * CHUNK))
    # The padded image, and once more as it enters a stem.
    padded = 4 * 3 * rows * columns * config.stem
    return maps + norms + scratch * workers + padded


def plan_run(
    config: AnyIRConfig | ForeignConfig,
    shape: tuple[int, ...],
    device: torch.device,
    precision: str,
    tile: str | int | None,
) -> RunPlan:
    """Choose how to run.

    Parameters
    ----------
    config : AnyIRConfig or ForeignConfig
        The network's sizes; one from elsewhere is never run in strips.
    shape : tuple of int
        (B, 3, H, W).
    device : torch.device
        Where.
    precision : str
        Working precision.
    tile : str, int or None
        ``"auto"``: exact where the memory suffices, tiles otherwise. A side length: tiles, rounded
        up to a multiple of 8 and of what the network needs. None: exact, whatever the memory.

    Returns
    -------
    RunPlan
        The choice.

    Raises
    ------
    ValueError
        If ``tile`` is neither, or too small.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.inference.engine.run_plan import plan_run
    >>> from napari_anyir.model import VARIANTS
    >>> plan_run(VARIANTS["nano"], (1, 3, 512, 512), torch.device("cpu"), "float32", 128)
    RunPlan(mode='tiles', tile=128, inner='strips')
    """
    batch, _, height, width = shape
    itemsize = PRECISIONS[precision].itemsize
    cpu = device.type == "cpu"
    workers = min(torch.get_num_threads(), MOST_WORKERS) if cpu else 1
    free = free_bytes(device)
    room = None if free is None else int(SHARE * free)

    def takes(mode: str, rows: int, columns: int, count: int = 1) -> int:
        if mode == "strips" and isinstance(config, AnyIRConfig):
            return strip_bytes(config, rows, columns, itemsize, workers)
        return count * pass_bytes(config, rows, columns, itemsize)

    def fits(mode: str, rows: int, columns: int, count: int = 1) -> bool:
        return room is None or takes(mode, rows, columns, count) <= room

    # On a processor strips are the faster way; elsewhere they are the way when memory is short.
    # Their sums need float64, which Apple's GPUs lack.
    ours = isinstance(config, AnyIRConfig)
    exact = "strips" if cpu and ours else "whole"
    if device.type == "cuda" and ours and not fits("whole", height, width, batch):
        exact = "strips"
    if tile is None:
        return RunPlan(exact, None, exact)
    if tile == "auto":
        if fits(exact, height, width, batch):
            return RunPlan(exact, None, exact)
        side = _LARGEST_TILE
        while side > LEAST_TILE and not fits(exact, side, side):
            side //= 2
        return RunPlan("tiles", side, exact)
    if isinstance(tile, bool) or not isinstance(tile, int) or tile < LEAST_TILE:
        raise ValueError(
            f"tile must be 'auto', None or a side length of at least {LEAST_TILE} pixels, "
            f"not {tile!r}."
        )
    multiple = math.lcm(SIZE_MULTIPLE, config.size_multiple)
    side = -(-tile // multiple) * multiple
    if side >= height and side >= width:
        return RunPlan(exact, None, exact)
    return RunPlan("tiles", side, exact)


def network_precision(name: str, config: AnyIRConfig | ForeignConfig, device: torch.device) -> str:
    """Choose the precision by the device, and by what a network from elsewhere works in.

    Parameters
    ----------
    name : str
        ``"auto"`` or one of `napari_anyir.inference.engine.device.PRECISIONS`.
    config : AnyIRConfig or ForeignConfig
        The network.
    device : torch.device
        Where.

    Returns
    -------
    str
        One of `napari_anyir.inference.engine.device.PRECISIONS`.

    Raises
    ------
    ValueError
        If the name is unknown, or the network does not work in it.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.inference.engine.run_plan import network_precision
    >>> from napari_anyir.weights.foreign import ForeignConfig
    >>> network_precision("auto", ForeignConfig("Restormer"), torch.device("cpu"))
    'float32'
    """
    preferred = resolve_precision(name, device)
    if isinstance(config, ForeignConfig):
        return config.precision(name, preferred)
    return preferred


def working_precision(
    name: str,
    config: AnyIRConfig | ForeignConfig,
    size: tuple[int, int],
    device: torch.device,
    tile: str | int | None = "auto",
) -> str:
    """Choose the precision, by the memory where the caller leaves both it and tiles open.

    A processor keeps features in float32 while they fit. Kept in bfloat16 they take half the
    memory, the arithmetic stays in float32 and the image is still restored as a whole; the largest
    measured loss is 0.005 dB, where tiles cost up to 0.09. So it comes before them.

    Parameters
    ----------
    name : str
        ``"auto"`` or one of `napari_anyir.inference.engine.device.PRECISIONS`.
    config : AnyIRConfig or ForeignConfig
        The network's sizes.
    size : tuple of int
        (H, W) of a plane.
    device : torch.device
        Where.
    tile : str, int or None
        As for `plan_run`.

    Returns
    -------
    str
        One of `napari_anyir.inference.engine.device.PRECISIONS`.

    Raises
    ------
    ValueError
        If the name is unknown.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.inference.engine.run_plan import working_precision
    >>> from napari_anyir.model import VARIANTS
    >>> working_precision("auto", VARIANTS["nano"], (64, 64), torch.device("cpu"))
    'float32'
    """
    working = network_precision(name, config, device)
    if name != "auto" or device.type != "cpu" or tile != "auto":
        return working
    shape = (1, 3, *size)
    modes = [
        plan_run(config, shape, device, precision, tile).mode for precision in (working, "bfloat16")
    ]
    return "bfloat16" if modes == ["tiles", "strips"] else working
