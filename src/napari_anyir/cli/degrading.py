"""Arrays of any kind through a degradation, plane by plane, and its parameters from text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_anyir.degradations import Degradation, describe
from napari_anyir.inference.arrays import make_layout
from napari_anyir.inference.intensity import check_dtype, check_intensity
from napari_anyir.inference.pixels import from_network, to_network
from napari_anyir.inference.planes import find_range, read_plane, write_plane

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["degrade_array", "parameter_rows", "read_parameters"]


def degrade_array(
    image: Any,
    degradation: Degradation,
    *,
    seed: int,
    axes: str | None = None,
    intensity: Any = "auto",
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
    axes, intensity
        As for `napari_anyir.restore`.

    Returns
    -------
    numpy.ndarray
        Of the shape and type of ``image``; alpha is kept.

    Raises
    ------
    TypeError, ValueError
        As `napari_anyir.restore`.

    Examples
    --------
    >>> from napari_anyir.degradations import make
    >>> noisy = degrade_array(np.full((8, 8), 128, np.uint8), make("noise", sigma=25.0), seed=0)
    >>> noisy.shape, noisy.dtype, bool(noisy.std() > 10)
    ((8, 8), dtype('uint8'), True)
    """
    layout = make_layout(image, axes)
    result = np.empty(layout.shape, check_dtype(image.dtype))
    if not result.size:
        return result
    mapping = find_range(image, layout, check_intensity(intensity))
    generator = torch.Generator()
    for number, index in enumerate(layout.indices()):
        plane = read_plane(image, layout, index)
        clean = torch.from_numpy(to_network(plane, mapping)).clamp_(0.0, 1.0).unsqueeze(0)
        generator.manual_seed(seed + number)
        clean = degradation.target(clean, generator)  # a kind may change the content first
        degraded = degradation(clean, generator)[0]
        if plane.ndim == 2:
            degraded = degraded[1].expand(3, -1, -1)
        out = np.empty(plane.shape, result.dtype)
        from_network(degraded.numpy(), plane, mapping, 1.0, out)
        write_plane(result, layout, index, out)
    return result


def read_parameters(kind: str, texts: Mapping[str, str]) -> dict[str, Any]:
    """Read the parameters of a degradation from text.

    Parameters
    ----------
    kind : str
        A key of `napari_anyir.degradations.KINDS`.
    texts : mapping of str to str
        Name to ``"25"``, to ``"10,50"`` for a range, or to the name of an option.

    Returns
    -------
    dict
        Arguments of `napari_anyir.degradations.make`, which checks their limits.

    Raises
    ------
    ValueError
        If the kind is unknown, or a text is no value of its parameter.

    Examples
    --------
    >>> read_parameters("noise", {"sigma": "10,50", "storage": "round"})
    {'sigma': (10.0, 50.0), 'storage': 'round'}
    """
    known = describe(kind)
    values: dict[str, Any] = {}
    for name, text in texts.items():
        about = known.get(name, {})
        if name in known and not {"options", "lowest"} & set(about):
            raise ValueError(
                f"The part '{name}' of a {kind} cannot be set from a shell; use "
                "napari_anyir.degradations in a script."
            )
        values[name] = text if "options" in about else _numbers(name, text) if about else text
    return values


def _numbers(name: str, text: str) -> float | tuple[float, float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) == 1:
        return numbers[0]
    if len(numbers) == 2:
        return numbers[0], numbers[1]
    raise ValueError(f"--{name} must be a number or LOW,HIGH, not '{text}'.")


def parameter_rows(kind: str) -> list[list[str]]:
    """Parameters of a degradation as rows of a table.

    Parameters
    ----------
    kind : str
        A key of `napari_anyir.degradations.KINDS`.

    Returns
    -------
    list of list of str
        Option, default, what it may be, unit, and where the default comes from.

    Examples
    --------
    >>> parameter_rows("defocus")[0][:4]
    ['--radius', '0.5,4', '0 to 100', 'pixels']
    """
    rows = []
    for name, about in describe(kind).items():
        default = about["default"]
        if "lowest" in about:
            ends = default if isinstance(default, tuple) else (default,)
            value = ",".join(f"{end:g}" for end in ends)
            allowed = f"{about['lowest']:g} to {about['highest']:g}"
        elif "options" in about:
            value, allowed = str(default), ", ".join(about["options"])
        else:
            continue
        rows.append([f"--{name}", value, allowed, about.get("unit", ""), about["source"]])
    return rows
