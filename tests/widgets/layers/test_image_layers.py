from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image

from napari_anyir.widgets.layers.image_layers import (
    appearance,
    guess_layer_axes,
    pixels,
    spatial_metadata,
    unique_name,
)

SPATIAL = {
    "scale": (2.0, 0.5, 0.25),
    "translate": (10.0, -3.0, 7.0),
    "rotate": np.array([[1, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]]),
    "shear": (0.1, 0.2, 0.3),
    "affine": np.array([[1, 0, 0, 5], [0, 1, 0.5, 1], [0, 0, 1.5, 2], [0, 0, 0, 1.0]]),
    "units": ("um", "nm", "nm"),
    "axis_labels": ("z", "y", "x"),
}


@pytest.fixture
def placed() -> Image:
    return Image(np.zeros((5, 8, 9), np.uint8), **SPATIAL)


@pytest.mark.parametrize(
    ("shape", "rgb", "labels", "axes"),
    [
        ((8, 9), False, None, "YX"),
        ((3, 8, 9), False, None, "ZYX"),
        ((4, 8, 9), False, None, "ZYX"),
        ((8, 9, 3), True, None, "YXS"),
        ((8, 9, 4), True, None, "YXS"),
        ((8, 9, 3), False, None, "ZYX"),
        ((2, 5, 8, 9), False, None, "TZYX"),
        ((2, 8, 9, 3), True, None, "ZYXS"),
        ((2, 5, 8, 9), False, ("t", "c", "y", "x"), "TCYX"),
        ((5, 8, 9), False, ("Channel", "row", "column"), "CYX"),
        ((2, 8, 9, 3), True, ("t", "y", "x"), "TYXS"),
        ((5, 8, 9), False, ("a", "y", "x"), "ZYX"),
    ],
)
def test_axes_come_from_the_labels_or_the_shape(shape, rgb, labels, axes) -> None:
    layer = Image(np.zeros(shape, np.uint8), rgb=rgb, axis_labels=labels)
    assert guess_layer_axes(layer) == axes


def test_more_axes_than_letters_are_refused_in_a_sentence() -> None:
    with pytest.raises(ValueError, match="more leading axes"):
        guess_layer_axes(Image(np.zeros((2,) * 7, np.uint8)))


@pytest.mark.parametrize("name", sorted(SPATIAL))
def test_every_part_of_the_placement_is_kept(placed: Image, name: str) -> None:
    values = spatial_metadata(placed)
    result = Image(np.zeros((5, 8, 9), np.uint8), **values)
    ours, theirs = getattr(result, name), getattr(placed, name)
    if name == "affine":
        ours, theirs = ours.affine_matrix, theirs.affine_matrix
    if name in ("units", "axis_labels"):
        assert tuple(ours) == tuple(theirs)
    else:
        np.testing.assert_allclose(ours, theirs)


@pytest.mark.parametrize("origin", [(0, 0, 0), (3, 0, 0), (1, 4, 5)])
def test_a_part_lies_where_it_was_cut_out(placed: Image, origin: tuple[int, ...]) -> None:
    part = Image(np.zeros((1, 2, 2), np.uint8), **spatial_metadata(placed, origin=origin))
    for step in [(0, 0, 0), (0, 1, 0), (0, 1, 1)]:
        expected = placed.data_to_world(np.add(origin, step))
        np.testing.assert_allclose(part.data_to_world(step), expected)


def test_samples_are_no_dimension_of_the_result(placed: Image) -> None:
    placed.affine = np.diag([1, 2, 3, 1.0])  # samples are not mixed into rows by a sane affine
    values = spatial_metadata(placed, drop_last=True)
    result = Image(np.zeros((5, 8, 3), np.uint8), rgb=True, **values)
    for point in [(0, 0), (4, 7)]:
        expected = placed.data_to_world((*point, 0))[:2]
        np.testing.assert_allclose(result.data_to_world(point), expected)
    assert tuple(result.axis_labels) == ("z", "y")


@pytest.mark.parametrize(
    ("dtype", "limits"),
    [("uint8", (20, 200)), ("uint16", (300, 4000)), ("float32", (-0.5, 2.5)), ("float64", (0, 1))],
)
def test_contrast_limits_are_those_of_the_source(dtype: str, limits: tuple[float, float]) -> None:
    layer = Image(np.zeros((8, 9), dtype), contrast_limits=limits, colormap="magma", gamma=0.5)
    result = Image(np.zeros((8, 9), dtype), **appearance(layer, rgb=False))
    assert tuple(result.contrast_limits) == limits
    assert result.colormap.name == "magma"
    assert result.gamma == 0.5


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("value", [0, 1])
def test_a_constant_image_gets_limits_that_napari_can_draw(dtype: str, value: int) -> None:
    layer = Image(np.full((8, 9), value, dtype))
    low, high = appearance(layer, rgb=False)["contrast_limits"]
    assert low < high


def test_colour_has_no_contrast_limits() -> None:
    layer = Image(np.zeros((8, 9, 3), np.float32), rgb=True)
    values = appearance(layer, rgb=True)
    assert values["rgb"] is True
    assert "contrast_limits" not in values


def test_the_finest_level_is_restored() -> None:
    layer = Image([np.zeros((16, 16)), np.zeros((8, 8))], multiscale=True)
    assert pixels(layer).shape == (16, 16)


def test_names_are_never_taken_twice() -> None:
    viewer = ViewerModel()
    for _ in range(4):
        name = unique_name("a (nano)", {layer.name for layer in viewer.layers})
        viewer.add_image(np.zeros((4, 4)), name=name)
    names = [layer.name for layer in viewer.layers]
    assert names == ["a (nano)", "a (nano) 2", "a (nano) 3", "a (nano) 4"]
