"""One forward pass that keeps what its blocks show; no hooks, so nothing is left behind."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_anyir.inference.engine import execution
from napari_anyir.inference.engine.execution import Placement
from napari_anyir.inference.inside.channels import Reduction, reduce_tensor, reduced_channels
from napari_anyir.inference.inside.interventions import Intervention, make_observer
from napari_anyir.inference.inside.network_parts import block_scales, part_widths
from napari_anyir.inference.inside.progress_observer import watched
from napari_anyir.model import AnyIR
from napari_anyir.model.config import PARTS
from napari_anyir.progress import Cancel, Progress, Watch


@dataclass(frozen=True, eq=False)
class FeatureMap:
    """What one part of one block showed for one image.

    Pixel (i, j) of the map covers the image's pixels ``scale * i`` to ``scale * i + scale - 1``, so
    its centre lies at ``scale * i + offset``: to lay a map over its image, scale by ``scale`` and
    translate by ``offset``, in image pixels. Where the image's size is no multiple of the scale,
    the last row or column covers the image's last pixels and some of the reflection beyond them;
    it is kept, and what lies wholly beyond the image is not.

    Parameters
    ----------
    block : str
        Address such as ``decoder1.0``.
    part : str
        One of `napari_anyir.model.config.PARTS`.
    array : ndarray of float32
        (C, H', W') with ``H' = ceil(H / scale)``, or the channels that a reduction left.
    scale : int
        Image pixels per pixel of the map along each axis: 1, 2, 4 or 8.
    channels : int
        Channels of the part in the network, before any reduction.
    reduce : {"mean_abs", "strongest", "pca"}, optional
        The reduction that was applied.
    tau_adj : ndarray of float32
        The gate's adjusted temperature (Alg. 1), one number per channel of alpha; empty if the
        block has none.
    lam : float, optional
        The block's lambda (Alg. 2): the weight of the spatial branch; None if it has none.
    model : str
        Name of the network.
    chosen : str, optional
        Why this network, where the kind of the image chose it.

    Examples
    --------
    >>> import numpy as np, napari_anyir
    >>> maps = napari_anyir.feature_maps(np.zeros((19, 26), np.uint8), "latent.0", "fused")
    >>> found = maps["latent.0", "fused"]
    >>> found.array.shape[1:], found.scale, found.offset
    ((2, 2), 16, 7.5)
    """

    block: str
    part: str
    array: NDArray[np.float32]
    scale: int
    channels: int
    reduce: Reduction | None
    tau_adj: NDArray[np.float32]
    lam: float | None
    model: str = ""
    chosen: str | None = None

    @property
    def offset(self) -> float:
        """Centre of the map's first pixel along each axis, in image pixels."""
        return (self.scale - 1) / 2


@dataclass(frozen=True, eq=False)
class GateNumbers:
    """What the gate and the fusion of a block are set to for one image.

    Parameters
    ----------
    block : str
        Address such as ``decoder1.0``.
    scale : int
        Image pixels per pixel of the block.
    tau_adj : ndarray of float32
        Alg. 1: ``tau * sigmoid(mean + deviation)`` over all pixels, one number per channel of
        alpha; it depends on the image. Empty if the block has none.
    lam : float, optional
        Alg. 2: the weight of the spatial branch; it belongs to the weights. None if it has none.
    model : str
        Name of the network.
    chosen : str, optional
        Why this network, where the kind of the image chose it.

    Examples
    --------
    >>> import napari_anyir
    >>> from napari_anyir.inference import gate_numbers
    >>> found = gate_numbers(np.zeros((16, 16), np.uint8), "latent.0", model="nano")[0]
    >>> found.block, found.scale, found.tau_adj.dtype
    ('latent.0', 16, dtype('float32'))
    """

    block: str
    scale: int
    tau_adj: NDArray[np.float32]
    lam: float | None
    model: str = ""
    chosen: str | None = None


@dataclass(frozen=True)
class MapRequest:
    """Which maps are wanted, and how.

    Parameters
    ----------
    blocks, parts : iterable of str
        Exact names, as `napari_anyir.inference.inside.network_parts` finds them. Without parts,
        only the numbers of the gates are kept.
    reduce : {"mean_abs", "strongest", "pca"}, optional
        Reduce each map as soon as it is there, so that little is kept.
    interventions : iterable of Intervention
        Changes to the pass; the maps are those with which the network went on.

    Examples
    --------
    >>> MapRequest(blocks=["latent.0"], parts=["fused"], reduce="pca").reduce
    'pca'
    """

    blocks: Iterable[str]
    parts: Iterable[str] = ()
    reduce: Reduction | None = None
    interventions: Iterable[Intervention] = ()


class _Enough(Exception):
    """Ends the forward pass after the last part that was asked for."""


def map_shapes(
    network: AnyIR,
    height: int,
    width: int,
    blocks: Iterable[str],
    parts: Iterable[str],
    reduce: Reduction | None = None,
) -> dict[tuple[str, str], tuple[int, int, int]]:
    """Shapes of the maps that a pass would return, without running it.

    Parameters
    ----------
    network : AnyIR
        The network.
    height, width : int
        Size of the image.
    blocks, parts : iterable of str
        Exact names.
    reduce : str, optional
        Reduction of the channels.

    Returns
    -------
    dict
        (block, part) to (C, H', W').

    Examples
    --------
    >>> from napari_anyir.inference.inside.collecting import map_shapes
    >>> from napari_anyir.model import build_model
    >>> map_shapes(build_model("nano"), 19, 26, ["latent.0"], ["alpha", "fused"])
    {('latent.0', 'alpha'): (64, 2, 2), ('latent.0', 'fused'): (192, 2, 2)}
    """
    blocks, parts = set(blocks), set(parts)
    return {
        (name, part): (reduced_channels(reduce, count), -(-height // scale), -(-width // scale))
        for name, scale, block in network.named_blocks()
        if name in blocks
        for part, count in part_widths(network.config, block.fusion.project.in_channels).items()
        if part in parts
    }


def collect(
    network: AnyIR,
    image: Tensor,
    request: MapRequest,
    placement: Placement | None = None,
    *,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> tuple[dict[tuple[str, str], FeatureMap], list[GateNumbers]]:
    """Run a network once and keep the parts that were asked for.

    The pass ends with the last block that was asked for: what follows it is not computed.

    Parameters
    ----------
    network : AnyIR
        Any device, any precision; it is not changed.
    image : Tensor
        (1, 3, H, W), float32, on the CPU, in [0, 1].
    request : MapRequest
        What to keep, and what to change.
    placement : Placement, optional
        Where and in what to compute; by default on the processor, in float32.
    progress : callable, optional
        ``progress(done, total)`` after each block.
    cancel : optional
        Anything with ``is_set()``; looked at before each part.

    Returns
    -------
    maps : dict
        (block, part) to `FeatureMap`: blocks in the order of computation, parts in that of PARTS.
    numbers : list of GateNumbers
        One for each block.

    Raises
    ------
    ValueError
        If the image would not fit into memory.
    Cancelled
        If ``cancel`` was set.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.inference.inside.collecting import MapRequest, collect
    >>> from napari_anyir.model import build_model
    >>> network, request = build_model("nano"), MapRequest(["encoder2.0"], ["gated"])
    >>> maps, numbers = collect(network, torch.rand(1, 3, 19, 26), request)
    >>> maps["encoder2.0", "gated"].array.shape, round(numbers[0].lam, 2)
    ((24, 5, 7), 0.5)
    """
    wanted, parts, reduce = set(request.blocks), set(request.parts), request.reduce
    scales = block_scales(network)
    # Blocks up to the last one wanted; the others are never reached.
    needed = list(scales)[: max(index for index, name in enumerate(scales) if name in wanted) + 1]
    height, width = image.shape[-2:]
    change = make_observer(network, request.interventions)
    arrays: dict[tuple[str, str], NDArray[np.float32]] = {}
    widths: dict[tuple[str, str], int] = {}
    tau_adj: dict[str, NDArray[np.float32]] = {}
    lam: dict[str, float] = {}

    def keep(block: str, part: str, tensor: Tensor) -> None:
        if part == "tau_adj":
            tau_adj[block] = tensor[0].flatten().float().cpu().numpy()
        elif part == "lambda":
            lam[block] = float(tensor)
        elif part in parts and tensor.shape[1]:
            scale = scales[block]
            rows, columns = -(-height // scale), -(-width // scale)
            # The reflection beyond the image is cut off first, so that no reduction sees it.
            seen = tensor[0, :, :rows, :columns]
            widths[block, part] = seen.shape[0]
            seen = seen if reduce is None else reduce_tensor(seen, reduce)
            # A copy: a view would keep the padded tensor, or share the block's own memory.
            arrays[block, part] = np.array(seen.float().cpu().numpy(), order="C", copy=True)

    def keeping(block: str, part: str, tensor: Tensor) -> Tensor:
        if change is not None:
            tensor = change(block, part, tensor)
        if block in wanted:
            keep(block, part, tensor)
        return tensor

    watch = Watch(len(needed), progress, cancel, "Stopped before the feature maps were complete.")
    telling = watched(keeping, watch)

    def observer(block: str, part: str, tensor: Tensor) -> Tensor:
        tensor = telling(block, part, tensor)
        if watch.done == watch.total:
            raise _Enough
        return tensor

    placement = placement or Placement(torch.device("cpu"))
    with suppress(_Enough):
        execution.run(network, image, placement, observer=observer)
    none = np.zeros(0, np.float32)
    numbers = [
        GateNumbers(block, scales[block], tau_adj.get(block, none), lam.get(block))
        for block in needed
        if block in wanted
    ]
    maps = {
        (number.block, part): FeatureMap(
            number.block,
            part,
            arrays[number.block, part],
            number.scale,
            widths[number.block, part],
            reduce,
            number.tau_adj,
            number.lam,
        )
        for number in numbers
        for part in PARTS
        if (number.block, part) in arrays
    }
    return maps, numbers
