"""From the shown plane to feature maps, and from these to layers; no Qt."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_anyir.widgets.feature_maps.map_names import block_in_words, map_in_words
from napari_anyir.widgets.kit.problems import load_torch
from napari_anyir.widgets.layers import image_layers
from napari_anyir.widgets.layers.comparison import symmetric_limits
from napari_anyir.widgets.layers.layer_origins import INSIDE
from napari_anyir.widgets.layers.shown_plane import (
    Intensity,
    ShownPlane,
    model_of_plane,
    volume_intensity,
)

if TYPE_CHECKING:
    from napari_anyir.inference import FeatureMap
    from napari_anyir.model import AnyIR

MEAN, STRONGEST, PCA, ONE, ALL = "mean_abs", "strongest", "pca", "one", "all"

SHOWS = {
    MEAN: "Mean absolute value",
    STRONGEST: "Strongest channel",
    PCA: "Three components as colours",
    ONE: "One channel",
    ALL: "All channels, with a slider",
}
"""How the channels of a map become a picture, and what the widget calls it."""


@dataclass(frozen=True, eq=False)
class Looked:
    """What a look gave.

    Parameters
    ----------
    maps : mapping
        (block, part) to `FeatureMap`.
    intensity : str or (float, float)
        The mapping of the volume, so that the next look need not search it again.
    record : mapping
        Model, hash, version and device, for the layers' metadata.
    notes : tuple of str
        Sentences on what could not be shown.
    seconds : float
        Wall-clock time.
    """

    maps: Mapping[tuple[str, str], FeatureMap]
    intensity: Intensity
    record: Mapping[str, Any]
    notes: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class FeatureMapsJob:
    """Everything that a look needs, and nothing of napari.

    Parameters
    ----------
    plane : ShownPlane
        What the network is to see.
    blocks, parts : tuple of str
        Exact names.
    show : str
        One of `SHOWS`.
    channel : int
        Which channel, from 0, if one is to be shown.
    model, device : str
        As for `napari_anyir.feature_maps`.
    intensity : str or (float, float)
        As for `napari_anyir.feature_maps`; ``"auto"`` is that of the whole volume.
    """

    plane: ShownPlane
    blocks: tuple[str, ...]
    parts: tuple[str, ...]
    show: str = MEAN
    channel: int = 0
    model: str = "default"
    device: str = "auto"
    intensity: Intensity = "auto"

    def __str__(self) -> str:
        """What napari shows of a running job."""
        return f"Looking inside at {self.plane.name!r}"

    __repr__ = __str__

    def __call__(self, progress: Any, cancel: Any) -> Looked:
        """Look.

        Parameters
        ----------
        progress : callable or None
            ``progress(done, total)``, in blocks.
        cancel : object or None
            Anything with ``is_set()``.

        Returns
        -------
        Looked
            The maps.

        Raises
        ------
        Cancelled
            If ``cancel.is_set()`` became true.
        ModelError, ValueError, TypeError, FileNotFoundError
            One sentence: what is wrong and what to do.
        """
        load_torch()
        from napari_anyir import __version__
        from napari_anyir.inference import feature_maps
        from napari_anyir.inference.engine.device import resolve_device
        from napari_anyir.inference.models import get_model

        started = time.perf_counter()
        if not self.blocks:
            raise ValueError("No block is chosen; click one in the picture.")
        if not self.parts:
            raise ValueError("No part is ticked; tick at least one.")
        choice = model_of_plane(self.plane, self.model)
        loaded = get_model(choice.model)
        self._check_room(loaded.anyir)
        intensity = volume_intensity(self.plane, self.intensity, self.model)
        maps: Mapping[tuple[str, str], FeatureMap] = feature_maps(
            self.plane.pixels(),
            self.blocks,
            self.parts,
            axes=self.plane.letters,
            model=self.model,
            device=self.device,
            intensity=intensity,
            reduce=None if self.show in (ONE, ALL) else self.show,  # type: ignore[arg-type]
            progress=progress,
            cancel=cancel,
        )
        notes = []
        if self.show == ONE:
            short = {k: m for k, m in maps.items() if m.array.shape[0] <= self.channel}
            notes = [
                f"{part} of {block} has {found.channels} channels, so no channel {self.channel}."
                for (block, part), found in short.items()
            ]
            maps = {key: found for key, found in maps.items() if key not in short}
            if not maps:
                raise ValueError(f"{notes[0]} Choose a smaller number.")
        record = {
            "package": "napari-anyir",
            "version": __version__,
            "model": loaded.name,
            "sha256": loaded.sha256,
            "chosen": choice.reason,
            "device": str(resolve_device(self.device)),
            "intensity": intensity if isinstance(intensity, str) else list(intensity),
            "source": self.plane.name,
            "plane": [list(self.plane.region.start), list(self.plane.region.stop)],
        }
        return Looked(maps, intensity, record, tuple(notes), time.perf_counter() - started)

    def _check_room(self, network: AnyIR) -> None:
        """Refuse what would not fit, in the widget's words, before a pixel is read."""
        from napari_anyir.inference.engine.device import (
            PRECISIONS,
            resolve_device,
            resolve_precision,
        )
        from napari_anyir.inference.engine.memory_estimate import (
            check_memory,
            maps_bytes,
            pass_bytes,
        )
        from napari_anyir.inference.inside.collecting import map_shapes

        height, width = (self.plane.region.shape[axis] for axis in self.plane.displayed)
        reduce: Any = None if self.show in (ONE, ALL) else self.show
        shapes = map_shapes(network, height, width, self.blocks, self.parts, reduce)
        device = resolve_device(self.device)
        itemsize = PRECISIONS[resolve_precision("auto", device)].itemsize
        less = "" if reduce else f"show '{SHOWS[MEAN]}', "
        check_memory(
            device,
            pass_bytes(network.config, height, width, itemsize),
            maps_bytes(shapes.values()),
            f"{less}choose fewer blocks or parts, or crop the image",
        )


@dataclass(frozen=True, eq=False)
class MapLayer:
    """A layer to be: its pixels, how it is made, and by what it is known again.

    Parameters
    ----------
    data : ndarray
        Pixels.
    options : dict
        Keyword arguments of a napari image layer.
    key : tuple of str
        (source, block, part).
    """

    data: np.ndarray[Any, Any]
    options: dict[str, Any] = field(repr=False)
    key: tuple[str, str, str]


def map_layers(job: FeatureMapsJob, looked: Looked) -> list[MapLayer]:
    """Make layers of the maps, each lying over what it was computed from.

    Parameters
    ----------
    job : FeatureMapsJob
        What was asked for.
    looked : Looked
        What came out.

    Returns
    -------
    list of MapLayer
        In the order of computation.
    """
    layers = []
    for (block, part), found in looked.maps.items():
        array = found.array
        if job.show == ONE:
            array = array[job.channel : job.channel + 1]
        rgb, stack = job.show == PCA, job.show == ALL
        data = job.plane.back(np.moveaxis(array, 0, -1) if rgb or stack else array[0])
        if stack:
            data = np.ascontiguousarray(np.moveaxis(data, -1, 0))
        place = job.plane.overlay(found.scale, found.offset, channels=stack)
        inside = {
            **looked.record,
            "group": group_name(job.plane.name, block),
            "tag": job.plane.tag,
            "block": block,
            "part": part,
            "show": job.show,
            "channel": job.channel if job.show == ONE else None,
            "channels": found.channels,
            "scale": found.scale,
            "tau_adj": found.tau_adj.tolist(),
            "lambda": found.lam,
        }
        options = {
            "name": map_in_words(block, part, inside["channel"]),
            "metadata": {INSIDE: inside},
            "rgb": rgb,
            "interpolation2d": "nearest",
            **place,
            **({} if rgb else _look(data, signed=job.show != MEAN)),
        }
        layers.append(MapLayer(data, options, (job.plane.tag, block, part)))
    return layers


def _look(data: np.ndarray[Any, Any], *, signed: bool) -> dict[str, Any]:
    """Contrast of a map: around 0 where it has signs."""
    if signed:
        return {"colormap": "PiYG", "contrast_limits": symmetric_limits(data)}
    low, high = (float(value) for value in np.percentile(data, (0.5, 99.5)))
    return {"colormap": "magma", "contrast_limits": (low, high if high > low else low + 1)}


def group_name(source: str, block: str) -> str:
    """Name of the group of a block's layers."""
    return f"{block_in_words(block)} of {source}"


def is_inside(layer: Any) -> bool:
    """Whether a layer shows a feature map."""
    return INSIDE in layer.metadata


def key_of(layer: Any) -> tuple[str, str, str]:
    """Source, block and part by which a layer of a map is known again."""
    inside = layer.metadata[INSIDE]
    return inside["tag"], inside["block"], inside["part"]


def groups_of(layers: Iterable[Any]) -> dict[tuple[str, str], list[Any]]:
    """Find the groups among layers.

    Parameters
    ----------
    layers : iterable of napari.layers.Layer
        The viewer's.

    Returns
    -------
    dict
        (source, block) to its layers, in the order of the list.
    """
    found: dict[tuple[str, str], list[Any]] = {}
    for layer in layers:
        if is_inside(layer):
            found.setdefault(key_of(layer)[:2], []).append(layer)
    return found


def update_layer(layer: Any, made: MapLayer) -> bool:
    """Show a newer map of the same part in a layer that is there.

    Parameters
    ----------
    layer : napari.layers.Image
        The layer; its visibility, opacity and blending stay.
    made : MapLayer
        What it is to show.

    Returns
    -------
    bool
        False if it is of another kind (colours, or a slider of channels), and must be replaced.
    """
    before, after = layer.metadata[INSIDE], made.options["metadata"][INSIDE]
    if layer.rgb != made.options["rgb"] or layer.ndim != len(made.options["scale"]):
        return False
    if before["show"] != after["show"] and "colormap" in made.options:
        layer.colormap = made.options["colormap"]
    if "slices" in before and layer.name == before["shown_name"]:
        layer.name = made.options["name"]  # its place on the slider is found again afterwards
    elif (before["show"], before["channel"]) != (after["show"], after["channel"]):
        layer.name = made.options["name"]
    layer.data = made.data
    for name in ("scale", "translate", "rotate", "shear", "affine"):
        setattr(layer, name, made.options[name])
    if "contrast_limits" in made.options:
        layer.contrast_limits = made.options["contrast_limits"]
    layer.metadata = made.options["metadata"]
    return True


def free_name(made: MapLayer, taken: Collection[str]) -> dict[str, Any]:
    """Keyword arguments of a new layer under a name that no layer has."""
    return {**made.options, "name": image_layers.unique_name(made.options["name"], taken)}
