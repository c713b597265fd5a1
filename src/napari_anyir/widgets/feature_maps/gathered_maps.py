"""All maps of a block in one layer with a slider, so that they do not flood the list; no Qt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from napari_anyir.widgets.feature_maps.feature_maps_job import ALL, MapLayer
from napari_anyir.widgets.feature_maps.map_names import map_in_words
from napari_anyir.widgets.layers.image_layers import unique_name
from napari_anyir.widgets.layers.layer_origins import INSIDE
from napari_anyir.widgets.layers.shown_plane import with_channels

TOGETHER = "together"
"""The part that a layer of all parts is known by."""

PLACE = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")


def gather(made: Sequence[MapLayer]) -> list[MapLayer]:
    """Put the maps of each block into one layer.

    Parameters
    ----------
    made : sequence of MapLayer
        One for each part, as `map_layers` makes them.

    Returns
    -------
    list of MapLayer
        One for each block. Along its first axis lie the parts, or all channels of all parts; what
        each place shows, and with which contrast, stands in its metadata under ``slices``. Maps of
        a block that differ in size stay by themselves.
    """
    blocks: dict[tuple[str, str], list[MapLayer]] = {}
    for item in made:
        blocks.setdefault(item.key[:2], []).append(item)
    gathered = []
    for items in blocks.values():
        stacks = [_with_slider(item) for item in items]
        same = {(stack[0].shape[1:], str(stack[0].dtype)) for stack in stacks}
        gathered += [_together(items, stacks)] if len(same) == 1 else items
    return gathered


Stack = tuple[np.ndarray[Any, Any], dict[str, Any], list[dict[str, Any]]]


def _with_slider(item: MapLayer) -> Stack:
    """Pixels with an axis of places, where they lie, and what each place shows."""
    inside, options = item.options["metadata"][INSIDE], item.options
    look = {key: options[key] for key in ("contrast_limits", "colormap") if key in options}
    place = {key: options[key] for key in PLACE}
    if inside["show"] == ALL:
        shown = [{"part": inside["part"], "channel": n, **look} for n in range(len(item.data))]
        return item.data, place, shown
    shown = [{"part": inside["part"], "channel": inside["channel"], **look}]
    return item.data[np.newaxis], with_channels(place), shown


def _together(items: Sequence[MapLayer], stacks: Sequence[Stack]) -> MapLayer:
    first = items[0]
    slices = [place for stack in stacks for place in stack[2]]
    inside = {
        **first.options["metadata"][INSIDE],
        "part": TOGETHER,
        "slices": slices,
        "shown_name": "",
    }
    data = np.concatenate([stack[0] for stack in stacks])
    options = {**first.options, **stacks[0][1], "metadata": {INSIDE: inside}}
    options["name"] = inside["shown_name"] = name_of(inside, 0)
    return MapLayer(data, options, (*first.key[:2], TOGETHER))


def name_of(inside: dict[str, Any], place: int) -> str:
    """Say in words what a place of the slider shows."""
    shown = inside["slices"][place]
    return map_in_words(inside["block"], shown["part"], shown["channel"])


def show_place(layer: Any, point: Sequence[float], taken: Sequence[str]) -> None:
    """Give a layer the contrast and the name of the map that its slider stands at.

    Parameters
    ----------
    layer : napari.layers.Image
        Of all parts of a block; any other is left alone.
    point : sequence of float
        Where the viewer's sliders stand.
    taken : sequence of str
        Names of the other layers.
    """
    inside = layer.metadata.get(INSIDE, {})
    slices = inside.get("slices")
    if not slices or len(point) < layer.ndim:
        return
    place = min(len(slices) - 1, max(0, round(float(point[len(point) - layer.ndim]))))
    shown = slices[place]
    if "contrast_limits" in shown and tuple(layer.contrast_limits) != shown["contrast_limits"]:
        layer.contrast_limits_range = shown["contrast_limits"]
        layer.contrast_limits = shown["contrast_limits"]
    if layer.name == inside["shown_name"]:  # nobody has given it another
        name = unique_name(name_of(inside, place), taken)
        if name != layer.name:
            layer.name = inside["shown_name"] = name
