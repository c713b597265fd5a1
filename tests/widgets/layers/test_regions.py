from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_anyir.widgets.layers.regions import (
    Region,
    all_pixels,
    limit,
    plane_axes,
    rectangle,
    shown_plane,
    visible_field,
)


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


def test_the_shown_plane_follows_the_sliders_and_the_scale(viewer: ViewerModel) -> None:
    layer = viewer.add_image(np.zeros((4, 6, 8, 9)), scale=(1, 3, 1, 1), translate=(0, 30, 0, 0))
    viewer.dims.set_point(0, 2)
    viewer.dims.set_point(1, 30 + 3 * 5)
    assert shown_plane(layer, viewer.dims) == Region((2, 5, 0, 0), (3, 6, 8, 9), (2, 3))


def test_the_shown_plane_follows_the_order_of_the_axes(viewer: ViewerModel) -> None:
    layer = viewer.add_image(np.zeros((6, 8, 9)))
    viewer.dims.order = (1, 2, 0)  # X down, Z across, at one Y
    viewer.dims.set_point(1, 5)
    region = shown_plane(layer, viewer.dims)
    assert region == Region((0, 5, 0), (6, 6, 9), (2, 0))
    assert plane_axes("ZYX", region) == "XZY"


def test_a_flat_layer_belongs_to_every_plane_of_a_stack(viewer: ViewerModel) -> None:
    viewer.add_image(np.zeros((6, 8, 9)))
    flat = viewer.add_image(np.zeros((8, 9, 3), np.uint8), rgb=True)
    assert shown_plane(flat, viewer.dims) == Region((0, 0), (8, 9), (0, 1))


def test_a_plane_needs_a_flat_view(viewer: ViewerModel) -> None:
    layer = viewer.add_image(np.zeros((6, 8, 9)))
    viewer.dims.ndisplay = 3
    with pytest.raises(ValueError, match="3-D"):
        shown_plane(layer, viewer.dims)


def test_a_plane_beside_the_layer_is_refused(viewer: ViewerModel) -> None:
    viewer.add_image(np.zeros((20, 8, 9)))
    layer = viewer.add_image(np.zeros((4, 8, 9)))
    viewer.dims.set_point(0, 15)
    with pytest.raises(ValueError, match="outside"):
        shown_plane(layer, viewer.dims)


def test_a_rectangle_is_found_under_scale_and_affine(viewer: ViewerModel) -> None:
    affine = np.array([[0, 2, 1], [2, 0, 3], [0, 0, 1.0]])  # swaps the axes and doubles
    layer = viewer.add_image(np.zeros((40, 60)), scale=(0.5, 0.5), affine=affine)
    corners = [(4, 10), (19, 29)]
    world = [layer.data_to_world(np.array(corner) - 0.5) for corner in corners]
    shapes = viewer.add_shapes([world], shape_type="rectangle")
    assert rectangle(layer, shapes, viewer.dims) == Region((4, 10), (19, 29), (0, 1))


def test_the_selected_rectangle_is_taken_and_cut_at_the_border(viewer: ViewerModel) -> None:
    layer = viewer.add_image(np.zeros((40, 60)))
    shapes = viewer.add_shapes(
        [[(-9, -9), (9.6, 19.6)], [(20, 20), (30, 30)]], shape_type="rectangle"
    )
    shapes.selected_data = {0}
    assert rectangle(layer, shapes, viewer.dims) == Region((0, 0), (10, 20), (0, 1))


def test_a_flat_rectangle_serves_a_stack(viewer: ViewerModel) -> None:
    layer = viewer.add_image(np.zeros((6, 40, 60)), scale=(2, 1, 1))
    shapes = viewer.add_shapes([[(5, 5), (14.5, 24.5)]], shape_type="rectangle")
    viewer.dims.set_point(0, 6)
    assert rectangle(layer, shapes, viewer.dims) == Region((3, 5, 5), (4, 15, 25), (1, 2))


@pytest.mark.parametrize("corners", [[], [[(100, 100), (120, 120)]]])
def test_a_rectangle_that_is_not_there_is_refused(viewer: ViewerModel, corners: list) -> None:
    layer = viewer.add_image(np.zeros((40, 60)))
    shapes = viewer.add_shapes(corners or None, ndim=2, shape_type="rectangle")
    with pytest.raises(ValueError, match=r"draw a rectangle|No pixel"):
        rectangle(layer, shapes, viewer.dims)


def test_the_visible_field_of_a_coarse_level_is_that_of_the_finest(viewer: ViewerModel) -> None:
    levels = [np.zeros((400, 600)), np.zeros((200, 300)), np.zeros((100, 150))]
    layer = viewer.add_image(levels, multiscale=True)
    layer.data_level = 2
    layer.corner_pixels = np.array([[10, 20], [39, 59]])
    assert visible_field(layer, viewer.dims) == Region((40, 80), (160, 240), (0, 1))


def test_all_planes_leave_the_letters_alone(viewer: ViewerModel) -> None:
    layer = viewer.add_image(np.zeros((6, 8, 9)))
    assert plane_axes("TYX", all_pixels(layer)) == "TYX"
    assert all_pixels(layer).shape == (6, 8, 9)


@pytest.mark.parametrize("shape", [(1000, 10), (10, 1000), (333, 777), (50, 50)])
def test_a_preview_is_bounded_and_stays_in_the_middle(shape: tuple[int, int]) -> None:
    region = limit(Region((3, 7), (3 + shape[0], 7 + shape[1]), (0, 1)), 2500)
    assert np.prod(region.shape) <= 2500
    for axis in (0, 1):
        before = region.start[axis] - (3, 7)[axis]
        after = (3, 7)[axis] + shape[axis] - region.stop[axis]
        assert abs(before - after) <= 1
