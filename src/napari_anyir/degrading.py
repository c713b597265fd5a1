"""Arrays of any kind through a degradation, plane by plane: one way for shell and widget."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import numpy as np
import torch

from napari_anyir.errors import Cancelled
from napari_anyir.inference.arrays.array_layout import make_layout
from napari_anyir.inference.arrays.intensity import Intensity, check_dtype, check_intensity
from napari_anyir.inference.arrays.pixels import from_network, to_network
from napari_anyir.inference.arrays.plane_reading import find_range, read_plane, write_plane
from napari_anyir.keywords import check_keywords

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_anyir.degradations import Degradation
    from napari_anyir.progress import Cancel

__all__ = ["degrade_array"]


class DegradingChoices(TypedDict, total=False):
    """The keywords of `degrade_array` that describe its result.

    Examples
    --------
    >>> choices: DegradingChoices = {"seed": 3}
    >>> choices
    {'seed': 3}
    """

    axes: str | None
    intensity: Intensity
    strength: float


def degrade_array(
    image: Any,
    degradation: Degradation,
    *,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
    cancel: Cancel | None = None,
    **choices: Unpack[DegradingChoices],
) -> NDArray[Any]:
    """Degrade an array.

    Plane number n is degraded with the seed ``seed + n`` and nothing else. Values are mapped to
    [0, 1] as `napari_anyir.restore` maps them, and clipped there. A grey plane becomes three equal
    colours, of which the degraded green one is taken, so that noise keeps its strength.

    Parameters
    ----------
    image : array
        numpy or dask, of any type that can be restored.
    degradation : Degradation
        What happens to it.
    seed : int
        Seed of its first plane.
    progress : callable, optional
        ``progress(done, total)``, in planes.
    cancel : Cancel, optional
        Looked at before each plane.
    **choices
        axes, intensity: as for `napari_anyir.restore`, but that 8 bits are taken as they are, and
        photons refused. strength: share of the degraded image in the result, 1 by default; the
        rest is the clean one.

    Returns
    -------
    numpy.ndarray
        Of the shape and type of ``image``; alpha is kept.

    Raises
    ------
    TypeError, ValueError
        As `napari_anyir.restore`.
    Cancelled
        If ``cancel.is_set()`` became true.

    Examples
    --------
    >>> from napari_anyir.degradations import make
    >>> noisy = degrade_array(np.full((8, 8), 128, np.uint8), make("noise", sigma=25.0), seed=0)
    >>> noisy.shape, noisy.dtype, bool(noisy.std() > 10)
    ((8, 8), dtype('uint8'), True)
    """
    check_keywords("degrade_array", choices, DegradingChoices)
    layout = make_layout(image, choices.get("axes"))
    result = np.empty(layout.shape, check_dtype(image.dtype))
    if not result.size:
        return result
    intensity = check_intensity(choices.get("intensity", "auto"))
    if isinstance(intensity, str) and intensity.startswith("photons"):
        raise ValueError(
            "intensity='photons' fits noise that is there; choose 'auto', 'dtype', 'range' or two "
            "numbers to degrade an image."
        )
    strength = choices.get("strength", 1.0)
    mapping = find_range(image, layout, intensity, stretch=False)
    generator = torch.Generator()
    for number, index in enumerate(layout.indices()):
        if cancel is not None and cancel.is_set():
            raise Cancelled("The degradation was cancelled.")
        plane = read_plane(image, layout, index)
        clean = torch.from_numpy(to_network(plane, mapping)).clamp_(0.0, 1.0).unsqueeze(0)
        generator.manual_seed(seed + number)
        clean = degradation.target(clean, generator)  # a kind may change the content first
        degraded = degradation(clean, generator)[0]
        if plane.ndim == 2:
            degraded = degraded[1].expand(3, -1, -1)
        out = np.empty(plane.shape, result.dtype)
        from_network(degraded.numpy(), plane, mapping, strength, out)
        write_plane(result, layout, index, out)
        if progress is not None:
            progress(number + 1, layout.count)
    return result
