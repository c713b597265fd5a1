"""From a layer to a job, and from the job's result to a new layer; no Qt.

`plan` reads everything from the layer at once, in the window's thread; the `RestoreJob` that it
returns holds plain values and runs anywhere; `result_layer` makes what napari adds.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import numpy as np

from napari_anyir.keywords import check_keywords
from napari_anyir.widgets.kit.problems import load_torch
from napari_anyir.widgets.layers import image_layers, regions
from napari_anyir.widgets.layers.blending import blend
from napari_anyir.widgets.layers.contrast import slider_range, span
from napari_anyir.widgets.layers.image_layers import check_layer_axes, describe
from napari_anyir.widgets.layers.layer_order import manner
from napari_anyir.widgets.layers.lazy_results import fill_cache
from napari_anyir.widgets.layers.levels import Change, measure_change
from napari_anyir.widgets.restore.choices import ALL, FIELD, PLANE, RECTANGLE, WHAT, RestoreChoices

if TYPE_CHECKING:
    from napari.components import Dims
    from napari.layers import Image, Shapes

__all__ = [
    "ALL",
    "FIELD",
    "PLANE",
    "RECTANGLE",
    "WHAT",
    "RestoreChoices",
    "RestoreJob",
    "Restored",
    "check_layer_axes",
    "describe",
    "plan",
    "result_layer",
]


@dataclass(frozen=True)
class Restored:
    """Pixels before and after, and how they came about.

    Parameters
    ----------
    source : array
        The restored part of the layer as it was.
    pixels : array
        The same, restored at full strength.
    record : mapping
        Provenance, of plain values.
    arguments : mapping
        What `napari_anyir.restore` was called with, the model by the name that it turned out to
        have; a script that repeats it gives these pixels.
    checksum : int, optional
        CRC-32 of the source's pixels, by which a script knows them again; None if it is lazy.
    slider : (float, float), optional
        How far the contrast slider of the result is to go: over its values and the source's.
    change : Change, optional
        Brightness before and after; None of a lazy result of which nothing is known.

    Examples
    --------
    >>> import numpy as np
    >>> pixels = np.zeros((4, 4), np.uint8)
    >>> Restored(pixels, pixels, {"model": "nano"}).record["model"]
    'nano'
    """

    source: Any
    pixels: Any
    record: Mapping[str, Any]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    checksum: int | None = None
    slider: tuple[float, float] | None = None
    change: Change | None = None


@dataclass(frozen=True)
class RestoreJob:
    """Everything that a restoration needs, and nothing of napari.

    Parameters
    ----------
    data : array
        The layer's array at full resolution: numpy, or lazy (dask, zarr).
    axes : str
        Its letters.
    region : Region
        What to restore of it.
    settings : RestoreChoices
        What the user chose.
    source : str
        Name of the layer.
    placement : mapping
        Keyword arguments of the layer to come.
    compute : bool
        Whether all planes of a lazy array are restored at once, into memory.
    shown : tuple of slice, optional
        What the viewer will draw of a lazy result: it is computed before napari asks for it.
    slider : (float, float), optional
        How far the contrast slider of the source goes.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_anyir.widgets.layers.regions import Region
    >>> job = RestoreJob(np.zeros((8, 8), np.uint8), "YX", Region((0, 0), (8, 8)), source="dark")
    >>> str(job)
    "Restoring 'dark'"
    >>> job(None, None).pixels.shape
    (8, 8)
    """

    data: Any
    axes: str
    region: regions.Region
    settings: RestoreChoices = field(default_factory=RestoreChoices)
    source: str = "image"
    placement: Mapping[str, Any] = field(default_factory=dict)
    compute: bool = False
    shown: tuple[slice, ...] | None = None
    slider: tuple[float, float] | None = None

    def __str__(self) -> str:
        """What napari shows of a running job."""
        return f"Restoring {self.source!r}"

    __repr__ = __str__  # the pixels of `data` would be printed otherwise

    @property
    def letters(self) -> str:
        """Axis letters of the region: the plane that is shown is YX whatever it is in the stack."""
        return regions.plane_axes(self.axes, self.region)

    @property
    def planes(self) -> int:
        """How many planes are restored."""
        picture = [axis for axis, letter in enumerate(self.letters) if letter in "YXS"]
        return math.prod(n for axis, n in enumerate(self.region.shape) if axis not in picture)

    @property
    def steps(self) -> int:
        """How many planes are restored now: of a result that stays lazy, what is shown."""
        lazy = self.region.displayed is None and not isinstance(self.data, np.ndarray)
        return 1 if lazy and not self.compute else self.planes

    @property
    def pixels(self) -> int:
        """Height times width times planes: what the time of a run goes with."""
        picture = [axis for axis, letter in enumerate(self.letters) if letter in "YX"]
        return self.planes * math.prod(self.region.shape[axis] for axis in picture)

    @property
    def plane_size(self) -> tuple[int, int]:
        """Height and width of a plane, in pixels."""
        size = dict(zip(self.letters, self.region.shape, strict=False))
        return size["Y"], size["X"]

    @property
    def kept_bytes(self) -> int:
        """Memory that source and result take while they are looked at; lazy ones take little."""
        if self.steps < self.planes:
            return 0
        samples = int(self.data.shape[-1]) if "S" in self.letters else 1
        return 2 * self.pixels * samples * int(self.data.dtype.itemsize)

    def __call__(self, progress: Callable[[int, int], None] | None, cancel: Any) -> Restored:
        """Restore.

        Parameters
        ----------
        progress : callable or None
            ``progress(done, total)``.
        cancel : object or None
            Anything with ``is_set()``.

        Returns
        -------
        Restored
            Lazy if all planes of a lazy array were asked for and `compute` is off; in memory
            otherwise.

        Raises
        ------
        Cancelled
            If ``cancel.is_set()`` became true.
        ModelError, ValueError, TypeError, FileNotFoundError
            One sentence: what is wrong and what to do.
        """
        load_torch()
        from napari_anyir.inference import restore_into, restore_with_record

        arguments = {"axes": self.letters, **self.settings.arguments()}
        source, whole = self.data, self.region.displayed is None
        if not whole:
            # Only these pixels are read, in this thread, however large the array on disk is.
            source = np.asarray(self.data[self.region.slices])
            arguments["intensity"] = self._intensity()
        lazy = not isinstance(source, np.ndarray)
        watch = {"progress": progress, "cancel": cancel}
        if lazy and self.compute:
            pixels = _empty_like(source)
            record = restore_into(source, pixels, **watch, **arguments)
        elif lazy:
            pixels, record = restore_with_record(source, **arguments)
            if self.shown is not None:
                fill_cache(pixels, self.shown, progress, cancel)
        else:
            pixels, record = restore_with_record(source, **watch, **arguments)
        if record.chosen is not None:
            arguments["model"] = record.model
        return Restored(
            source,
            pixels,
            {
                **record.to_dict(),
                "source": self.source,
                "region": None if whole else [list(self.region.start), list(self.region.stop)],
            },
            arguments,
            None if lazy else zlib.crc32(np.ascontiguousarray(source).data),
            span(source, pixels, known=self.slider),
            measure_change(source, pixels, colour=self.letters.endswith("S"), part=self.shown),
        )

    def _intensity(self) -> str | tuple[float, float]:
        """Choose the mapping of a part: that of its whole volume, so that all parts fit together.

        A volume on disk is not read for it; its parts are mapped one by one unless the user gives
        a range.
        """
        from napari_anyir.inference.arrays.axes import Layout
        from napari_anyir.inference.arrays.intensity import check_intensity, for_model
        from napari_anyir.inference.arrays.plane_reading import find_range
        from napari_anyir.inference.model_choice import choose_model
        from napari_anyir.inference.models import get_model

        wish = self.settings.intensity
        if wish not in ("auto", "range", "photons") or not isinstance(self.data, np.ndarray):
            return wish
        layout = Layout(self.axes, self.data.shape)
        choice = choose_model(self.settings.model, self.data.dtype, colour=layout.colour)
        wish = for_model(check_intensity(wish), get_model(choice.model).name)
        return find_range(self.data, layout, wish).spell()


class PartChoice(TypedDict, total=False):
    """Which part of a layer is restored."""

    what: str
    dims: Dims | None
    shapes: Shapes | None


def plan(
    layer: Image,
    axes: str,
    *,
    settings: RestoreChoices | None = None,
    compute: bool = False,
    **part: Unpack[PartChoice],
) -> RestoreJob:
    """Read from a layer all that its restoration needs.

    Parameters
    ----------
    layer : napari.layers.Image
        The source; not kept.
    axes : str
        Letters of its array.
    settings : RestoreChoices, optional
        What the user chose.
    compute : bool
        Whether all planes of a lazy layer are restored at once.
    **part
        What to restore. what: "all" (by default), "plane", "rectangle" or "field"; dims: the
        viewer's dimensions, needed for all but all planes; shapes: the layer with the rectangle.

    Returns
    -------
    RestoreJob
        To be called, in any thread.

    Raises
    ------
    ValueError
        If the axes do not fit, or the region cannot be found; one sentence says what to do.

    Examples
    --------
    >>> import numpy as np
    >>> from napari.layers import Image
    >>> plan(Image(np.zeros((8, 8), np.uint8), name="dark"), "YX").source
    'dark'
    """
    check_keywords("plan", part, PartChoice)
    what, dims, shapes = part.get("what", ALL), part.get("dims"), part.get("shapes")
    letters = check_layer_axes(layer, axes)
    if what == ALL:
        region = regions.all_pixels(layer)
    elif dims is None:
        raise ValueError("Only a viewer knows what is shown; restore all planes instead.")
    elif what == PLANE:
        region = regions.shown_plane(layer, dims)
    elif what == FIELD:
        region = regions.visible_field(layer, dims)
    elif shapes is None:
        raise ValueError("There is no Shapes layer; add one and draw a rectangle in it.")
    else:
        region = regions.rectangle(layer, shapes, dims)
    return RestoreJob(
        data=image_layers.pixels(layer),
        axes=letters,
        region=region,
        settings=settings or RestoreChoices(),
        source=layer.name,
        placement={**regions.placement(layer, letters, region), **manner(layer)},
        compute=compute,
        shown=_drawn(layer, dims) if what == ALL else None,
        slider=None if layer.rgb else slider_range(layer),
    )


def _drawn(layer: Image, dims: Dims | None) -> tuple[slice, ...] | None:
    """Choose what the viewer will draw: the shown plane, or in 3-D the last dimensions whole."""
    if dims is None:
        return None
    try:
        return regions.shown_plane(layer, dims).slices
    except ValueError:  # the view is in 3-D, or shows no plane of this layer
        return regions.all_pixels(layer).slices if dims.ndisplay == 3 else None


def _empty_like(source: Any) -> np.ndarray[Any, Any]:
    """Make room for a whole result in memory, if there is enough."""
    import torch

    from napari_anyir.inference.engine.memory_estimate import check_memory

    size = math.prod(source.shape) * source.dtype.itemsize
    remedy = "compute planes when they are shown, or use Restore a folder"
    check_memory(torch.device("cpu"), 0, size, remedy)
    return np.empty(source.shape, source.dtype.newbyteorder("="))


def result_layer(
    job: RestoreJob,
    restored: Restored,
    taken: Collection[str],
    strength: float = 1.0,
) -> tuple[Any, dict[str, Any], str]:
    """Make a new layer of a result, named after its source and the model.

    Parameters
    ----------
    job : RestoreJob
        What was done.
    restored : Restored
        What came out.
    taken : collection of str
        Names of the layers that are there; none of them is overwritten.
    strength : float
        Share of the restoration, 0 to 1.

    Returns
    -------
    tuple
        (data, keyword arguments, "image"), a napari ``LayerDataTuple``.
    """
    return (
        blend(restored.source, restored.pixels, strength),
        {
            **job.placement,
            "name": image_layers.unique_name(f"{job.source} ({restored.record['model']})", taken),
            "metadata": {"napari_anyir": {**restored.record, "strength": strength}},
        },
        "image",
    )
