"""`feature_maps`: what the blocks of the network show for one plane of an image."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import numpy as np
import torch
from torch import Tensor

from napari_anyir.inference.arrays.array_layout import as_array, make_layout
from napari_anyir.inference.arrays.axes import Layout
from napari_anyir.inference.arrays.intensity import (
    Intensity,
    check_dtype,
    check_intensity,
    for_model,
)
from napari_anyir.inference.arrays.pixels import to_network
from napari_anyir.inference.arrays.plane_reading import find_range, read_plane
from napari_anyir.inference.engine.device import PRECISIONS, resolve_device, resolve_precision
from napari_anyir.inference.engine.execution import Placement
from napari_anyir.inference.engine.host_state import own_state
from napari_anyir.inference.engine.memory_estimate import check_memory, maps_bytes, pass_bytes
from napari_anyir.inference.inside.channels import Reduction, check_reduction
from napari_anyir.inference.inside.collecting import (
    FeatureMap,
    GateNumbers,
    MapRequest,
    collect,
    map_shapes,
)
from napari_anyir.inference.inside.interventions import Intervention, make_observer
from napari_anyir.inference.inside.network_parts import choose_blocks, choose_parts, shown_parts
from napari_anyir.inference.model_choice import choose_model
from napari_anyir.inference.models import LoadedModel, get_model
from napari_anyir.keywords import check_keywords
from napari_anyir.progress import Cancel, Progress
from napari_anyir.weights import DEFAULT

if TYPE_CHECKING:
    from napari_anyir.model import AnyIR

DEFAULT_PARTS = ("alpha", "beta", "gamma", "attention", "fused")


class PassChoices(TypedDict, total=False):
    """The keywords of `feature_maps` that say which plane is seen, and by what.

    Examples
    --------
    >>> choices: PassChoices = {"model": "nano", "device": "cpu"}
    >>> sorted(choices)
    ['device', 'model']
    """

    axes: str | None
    index: int | Sequence[int] | None
    model: str | Path | AnyIR
    device: str
    precision: str
    intensity: Intensity
    interventions: Iterable[Intervention]


@own_state()
def feature_maps(
    image: Any,
    blocks: str | Iterable[str] | None = None,
    parts: str | Iterable[str] | None = None,
    *,
    axes: str | None = None,
    index: int | Sequence[int] | None = None,
    model: str | Path | AnyIR = "default",
    device: str = "auto",
    precision: str = "auto",
    intensity: Intensity = "auto",
    reduce: Reduction | None = None,
    interventions: Iterable[Intervention] = (),
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> dict[tuple[str, str], FeatureMap]:
    """Collect feature maps of an image in one forward pass.

    The network sees the whole plane at once, as attention and gates look at all of its pixels. The
    memory is estimated first. Nothing is attached to the network, so nothing is left behind.

    Parameters
    ----------
    image : array
        One plane, grey or RGB(A), or a stack of which ``index`` names the plane: numpy, dask or
        zarr.
    blocks : str or iterable of str, optional
        Addresses such as ``encoder1.0`` or ``refinement.3``, shell wildcards allowed
        (``"decoder1.*"``). Default: all.
    parts : str or iterable of str, optional
        Of ``alpha``, ``beta``, ``gamma``, ``attention``, ``gated``, ``spatial``, ``frequency``,
        ``fused`` and ``output``, wildcards allowed. Default: alpha, beta, gamma, attention and
        fused, as far as the network has them.
    axes : str, optional
        One letter per axis, as for `napari_anyir.restore`.
    index : int or sequence of int, optional
        Which plane of a stack: one number for each axis that is not Y, X or S, in their order.
    model, device, precision, intensity
        As for `napari_anyir.restore`: where no model is named, the kind of the image chooses one,
        and each map says which and why. The intensities of a stack are mapped as a whole.
    reduce : {"mean_abs", "strongest", "pca"}, optional
        Make a picture of each map as soon as it is there, so that little memory is needed: the mean
        absolute value, the strongest channel, or three principal components as red, green, blue.
        Default: all channels.
    interventions : iterable of Intervention
        Changes to the pass; see `napari_anyir.inference.inside.interventions`.
    progress : callable, optional
        Called as ``progress(done, total)`` after each block.
    cancel : object, optional
        Anything with ``is_set()``; looked at before each part of each block.

    Returns
    -------
    dict
        (block, part) to `FeatureMap`, in the order of computation.

    Raises
    ------
    TypeError
        If the image is no array of intensities.
    ValueError
        If the image is a stack and no plane is named, a block or part is unknown, pixels are not
        finite, or the maps would not fit into memory.
    ModelError, FileNotFoundError
        If the model cannot be loaded.
    Cancelled
        If ``cancel.is_set()`` became true.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_anyir
    >>> image = np.random.default_rng(0).integers(0, 255, (30, 41, 3), np.uint8)
    >>> maps = napari_anyir.feature_maps(
    ...     image, blocks=["encoder1.0", "latent.*"], parts=["alpha", "fused"], model="nano"
    ... )
    >>> [found.array.shape for found in maps.values()][:2]
    [(8, 15, 21), (24, 15, 21)]
    """
    reduce = check_reduction(reduce)
    intensity = check_intensity(intensity)
    image, layout, loaded, why = _open(image, axes, model)
    network = loaded.anyir
    chosen = choose_blocks(network, blocks)
    if parts is None:
        shown = choose_parts(
            network, [p for p in DEFAULT_PARTS if p in shown_parts(network.config)]
        )
    else:
        shown = choose_parts(network, parts)
    changes = _check_changes(network, interventions)
    plane = _take_plane(image, layout, index, for_model(intensity, loaded.name))
    height, width = plane.shape[-2:]
    kept = maps_bytes(map_shapes(network, height, width, chosen, shown, reduce).values())
    remedy = "name fewer blocks or parts, or give a smaller part of the image"
    if reduce is None:
        remedy = f"say reduce='mean_abs', {remedy}"
    placement = _place(device, precision)
    _check_memory(network, plane, placement, kept, remedy)
    request = MapRequest(chosen, shown, reduce, changes)
    maps, _ = collect(network, plane, request, placement, progress=progress, cancel=cancel)
    return {key: replace(found, model=loaded.name, chosen=why) for key, found in maps.items()}


@own_state()
def gate_numbers(
    image: Any,
    blocks: str | Iterable[str] | None = None,
    *,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
    **choices: Unpack[PassChoices],
) -> list[GateNumbers]:
    """Table the numbers of gates and fusions: tau_adj (Alg. 1) and lambda (Alg. 2) of each block.

    Parameters
    ----------
    image, blocks, progress, cancel
        As for `feature_maps`.
    **choices
        The keywords of `feature_maps` that say which plane is seen, and by what: axes, index,
        model, device, precision, intensity and interventions.

    Returns
    -------
    list of GateNumbers
        One per block, in the order of computation.

    Raises
    ------
    TypeError, ValueError, ModelError, FileNotFoundError, Cancelled
        As `feature_maps`.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_anyir.inference import gate_numbers
    >>> numbers = gate_numbers(np.zeros((16, 16), np.uint8), "encoder*", model="nano")
    >>> [number.block for number in numbers][:2]
    ['encoder1.0', 'encoder2.0']
    """
    check_keywords("gate_numbers", choices, PassChoices)
    intensity = check_intensity(choices.get("intensity", "auto"))
    model = choices.get("model", DEFAULT)
    image, layout, loaded, why = _open(image, choices.get("axes"), model)
    network = loaded.anyir
    chosen = choose_blocks(network, blocks)
    changes = _check_changes(network, choices.get("interventions", ()))
    plane = _take_plane(image, layout, choices.get("index"), for_model(intensity, loaded.name))
    placement = _place(choices.get("device", "auto"), choices.get("precision", "auto"))
    request = MapRequest(chosen, interventions=changes)
    _, numbers = collect(network, plane, request, placement, progress=progress, cancel=cancel)
    return [replace(number, model=loaded.name, chosen=why) for number in numbers]


def _open(
    image: Any, axes: str | None, model: str | Path | AnyIR
) -> tuple[Any, Layout, LoadedModel, str | None]:
    """Take an image, and the model that is named or that the kind of the image chooses."""
    image = as_array(image)
    check_dtype(image.dtype)
    layout = make_layout(image, axes)
    choice = choose_model(model, image.dtype, colour=layout.colour)
    return image, layout, get_model(choice.model), choice.reason


def _check_changes(
    network: AnyIR, interventions: Iterable[Intervention]
) -> tuple[Intervention, ...]:
    """Refuse what does not fit before anything is computed."""
    changes = tuple(interventions)
    make_observer(network, changes)
    return changes


def _take_plane(
    image: Any, layout: Layout, index: int | Sequence[int] | None, intensity: Intensity
) -> Tensor:
    """Return the plane as (1, 3, H, W) float32 in the network's range."""
    position = _position(layout, index)
    if not math.prod(layout.shape):
        raise ValueError(
            f"The image has no pixels ({' x '.join(map(str, layout.shape))}); give one of at least "
            "1 x 1."
        )
    mapping = find_range(image, layout, intensity)
    plane = to_network(read_plane(image, layout, position), mapping)
    return torch.from_numpy(plane)[None]


def _position(layout: Layout, index: int | Sequence[int] | None) -> tuple[int, ...]:
    """Check the index of a plane."""
    letters = "".join(layout.axes[i] for i in layout.order)[: len(layout.planes)]
    if index is None:
        if layout.count > 1:
            sizes = " x ".join(f"{n} {a}" for n, a in zip(layout.planes, letters, strict=True))
            example = 0 if len(letters) == 1 else (0,) * len(letters)
            raise ValueError(
                f"Feature maps are of one plane, and the image has {layout.count} ({sizes}); name "
                f"one, such as index={example}."
            )
        return (0,) * len(layout.planes)
    numbers = (index,) if isinstance(index, int | np.integer) else tuple(index)
    if len(numbers) != len(layout.planes):
        raise ValueError(
            f"index={index} has {len(numbers)} numbers and the image has {len(layout.planes)} axes "
            f"beside its planes ({letters or 'none'}); give one number for each."
        )
    for number, size, letter in zip(numbers, layout.planes, letters, strict=True):
        if not -size <= number < size:
            raise ValueError(
                f"index={index} lies outside the image, whose axis {letter} has {size} planes; "
                f"choose from 0 to {size - 1}."
            )
    return tuple(int(n) % size for n, size in zip(numbers, layout.planes, strict=True))


def _place(device: str, precision: str) -> Placement:
    target = resolve_device(device)
    return Placement(target, resolve_precision(precision, target))


def _check_memory(
    network: AnyIR, plane: Tensor, placement: Placement, kept: int, remedy: str
) -> None:
    """Refuse what would not fit: the pass, and what is kept of it."""
    height, width = plane.shape[-2:]
    itemsize = PRECISIONS[placement.precision].itemsize
    passing = pass_bytes(network.config, height, width, itemsize)
    check_memory(placement.device, passing, kept, remedy)
