"""From a layer to its degraded copy: test cases whose truth is known; no Qt."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_anyir.widgets.kit.problems import load_torch
from napari_anyir.widgets.layers import image_layers, regions
from napari_anyir.widgets.layers.contrast import slider_range
from napari_anyir.widgets.layers.layer_order import manner
from napari_anyir.widgets.restore.restore_job import check_layer_axes

if TYPE_CHECKING:
    from napari.components import Dims
    from napari.layers import Image


class KindsJob:
    """A job that describes all degradations; it needs torch, hence a thread.

    Examples
    --------
    >>> KindsJob()(None, None)["noise"]["sigma"]["highest"]
    255.0
    """

    def __str__(self) -> str:
        return "Looking for degradations"

    def __call__(self, progress: Any, cancel: Any) -> dict[str, dict[str, dict[str, Any]]]:
        """Describe them: kind to parameter to its default, limits and unit, or its options."""
        load_torch()
        from napari_anyir.degradations import KINDS, describe

        return {
            # Parts of a mixture are degradations themselves and keep their defaults here.
            kind: {n: d for n, d in describe(kind).items() if "options" in d or "lowest" in d}
            for kind in KINDS
        }


@dataclass(frozen=True)
class DegradationChoice:
    """What happens to an image.

    Parameters
    ----------
    kind, parameters, seed, strength
        As for `DegradeJob`.
    """

    kind: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    strength: float = 1.0


@dataclass(frozen=True)
class DegradeJob:
    """Everything that a degradation needs, and nothing of napari.

    Parameters
    ----------
    data : array
        The clean image.
    axes : str
        Its letters.
    region : Region
        All planes, or the shown one.
    kind : str
        A key of `napari_anyir.degradations.KINDS`.
    parameters : mapping
        Of the kind: a number, a (lowest, highest) pair or an option each.
    seed : int
        Seed of the first plane; the others follow it.
    strength : float
        Share of the degraded image, 0 to 1.
    source : str
        Name of the layer.
    placement : mapping
        Keyword arguments of the layer to come.
    slider : (float, float), optional
        How far the contrast slider of the source goes; a degraded image stays in its range.

    Examples
    --------
    >>> region = regions.Region((0, 0), (8, 8))
    >>> job = DegradeJob(np.full((8, 8), 100, np.uint8), "YX", region, "noise", {"sigma": 20.0})
    >>> float(job(None, None).std()) > 5
    True
    """

    data: Any
    axes: str
    region: regions.Region
    kind: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    strength: float = 1.0
    source: str = "image"
    placement: Mapping[str, Any] = field(default_factory=dict)
    slider: tuple[float, float] | None = None

    def __str__(self) -> str:
        """What napari shows of a running job."""
        return f"Degrading {self.source!r} with {self.kind}"

    __repr__ = __str__

    def __call__(self, progress: Any, cancel: Any) -> np.ndarray[Any, Any]:
        """Degrade plane by plane.

        Parameters
        ----------
        progress : callable or None
            ``progress(done, total)``, in planes.
        cancel : object or None
            Anything with ``is_set()``.

        Returns
        -------
        array
            Of the region's shape and the image's type.

        Raises
        ------
        Cancelled
            If ``cancel.is_set()`` became true.
        ValueError, TypeError
            If the image or a parameter cannot be used.
        """
        load_torch()
        from napari_anyir.degradations import make
        from napari_anyir.degrading import degrade_array

        image = np.asarray(self.data[self.region.slices])
        return degrade_array(
            image,
            make(self.kind, **self.parameters),
            seed=self.seed,
            axes=regions.plane_axes(self.axes, self.region),
            # Without clipping, noise that goes beyond the range would come out of a type's limits.
            intensity=_whole_range(image) if image.size else "dtype",
            strength=self.strength,
            progress=progress,
            cancel=cancel,
        )

    def record(self) -> dict[str, Any]:
        """Plain values that tell how to make the same image again."""
        from napari_anyir import __version__

        return {
            "package": "napari-anyir",
            "version": __version__,
            "degradation": self.kind,
            "parameters": {k: _plain(v) for k, v in self.parameters.items()},
            "seed": self.seed,
            "strength": self.strength,
            "axes": self.axes,
            "source": self.source,
        }


def plan_degradation(
    layer: Image,
    axes: str,
    choice: DegradationChoice,
    dims: Dims | None = None,
) -> DegradeJob:
    """Read from a layer all that its degradation needs.

    Parameters
    ----------
    layer : napari.layers.Image
        The clean image; not kept.
    axes : str
        Its letters.
    choice : DegradationChoice
        What happens to it.
    dims : napari.components.Dims, optional
        The viewer's dimensions, if only the shown plane is to be degraded.

    Returns
    -------
    DegradeJob
        To be called, in any thread.

    Raises
    ------
    ValueError
        If the axes do not fit, or no plane is shown.
    """
    letters = check_layer_axes(layer, axes)
    region = regions.all_pixels(layer) if dims is None else regions.shown_plane(layer, dims)
    return DegradeJob(
        image_layers.pixels(layer),
        letters,
        region,
        choice.kind,
        dict(choice.parameters),
        choice.seed,
        choice.strength,
        layer.name,
        {**regions.placement(layer, letters, region), **manner(layer)},
        None if layer.rgb else slider_range(layer),
    )


def degraded_layer(
    job: DegradeJob, pixels: Any, taken: Collection[str]
) -> tuple[Any, dict[str, Any], str]:
    """Make a new layer of a degraded image.

    Parameters
    ----------
    job : DegradeJob
        What was done.
    pixels : array
        What came out.
    taken : collection of str
        Names of the layers that are there.

    Returns
    -------
    tuple
        (data, keyword arguments, "image"), a napari ``LayerDataTuple``.
    """
    name = image_layers.unique_name(f"{job.source} {job.kind}", taken)
    metadata = {"napari_anyir": job.record()}
    return pixels, {**job.placement, "name": name, "metadata": metadata}, "image"


def parameters_to_text(parameters: Mapping[str, Any]) -> str:
    """Write parameters as a line that people can read and edit in the preferences.

    Parameters
    ----------
    parameters : mapping
        A number, a (lowest, highest) pair or an option each.

    Returns
    -------
    str
        What `parameters_from_text` reads.

    Examples
    --------
    >>> parameters_to_text({"sigma": (5.0, 50.0), "storage": "round"})
    'sigma=5..50; storage=round'
    """
    return "; ".join(
        f"{name}={'..'.join(f'{v:g}' if isinstance(v, float) else str(v) for v in _tuple(value))}"
        for name, value in parameters.items()
    )


def parameters_from_text(text: str) -> dict[str, Any]:
    """Read parameters; what cannot be read is passed over.

    Parameters
    ----------
    text : str
        As from `parameters_to_text`.

    Returns
    -------
    dict
        Name to a pair of numbers or an option.

    Examples
    --------
    >>> parameters_from_text("sigma=5..50; storage=round; nonsense")
    {'sigma': (5.0, 50.0), 'storage': 'round'}
    """
    found: dict[str, Any] = {}
    for part in text.split(";"):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals:
            continue
        ends = value.split("..")
        try:
            found[name] = (float(ends[0]), float(ends[-1]))
        except ValueError:
            found[name] = value
    return found


def _tuple(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _whole_range(image: np.ndarray[Any, Any]) -> str | tuple[float, float]:
    """Choose the mapping to [0, 1]: nothing of the clean image may be cut off by it."""
    low, high = float(image.min()), float(image.max())
    if image.dtype == np.uint8 or (image.dtype.kind == "f" and low >= 0 and high <= 1):
        return "dtype"
    if not (np.isfinite(low) and np.isfinite(high)):
        return "dtype"  # which then says how many pixels are not finite
    return (min(low, 0.0), high) if high > min(low, 0.0) else "dtype"


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
