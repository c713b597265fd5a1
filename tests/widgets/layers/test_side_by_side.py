from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_anyir.widgets.layers.side_by_side import SideBySide
from napari_anyir.widgets.layers.viewer import camera, grid


@pytest.fixture
def viewer() -> ViewerModel:
    made = ViewerModel()
    for name in "abcdef":
        made.add_image(np.zeros((8, 8)), name=name)
    made.layers["b"].visible = False
    return made


def names(viewer: ViewerModel) -> str:
    return "".join(layer.name for layer in viewer.layers)


def visible(viewer: ViewerModel) -> str:
    return "".join(layer.name for layer in viewer.layers if layer.visible)


@pytest.mark.parametrize(
    ("wanted", "cells"),
    [
        ("e", [(0, 0)]),
        ("da", [(0, 0), (0, 1)]),
        ("fce", [(0, 0), (0, 1), (0, 2)]),
        ("fcea", [(0, 0), (0, 1), (1, 0), (1, 1)]),
        ("fcead", [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]),
    ],
)
def test_cells_are_in_the_order_asked_for(viewer, cell_of, wanted, cells) -> None:
    SideBySide(viewer).begin([viewer.layers[name] for name in wanted])
    assert sorted(visible(viewer)) == sorted(wanted)
    assert [cell_of(viewer, viewer.layers[name]) for name in wanted] == cells


def test_all_is_put_back(viewer) -> None:
    view = grid(viewer)
    view.stride, view.shape = 2, (-1, 2)
    camera(viewer).zoom, camera(viewer).center = 3.0, (0.0, 10.0, 20.0)
    beside = SideBySide(viewer)
    beside.begin([viewer.layers[name] for name in "fc"])
    camera(viewer).zoom = 0.5
    beside.begin([viewer.layers[name] for name in "eac"])
    assert sorted(visible(viewer)) == ["a", "c", "e"]
    viewer.layers.remove("c")
    viewer.add_image(np.zeros((8, 8)), name="new")
    assert beside.active
    beside.end()
    assert not beside.active
    assert (view.enabled, view.stride, tuple(view.shape)) == (False, 2, (-1, 2))
    assert names(viewer) == "abdefnew"
    assert visible(viewer) == "adefnew"
    assert camera(viewer).zoom == 3.0
    assert camera(viewer).center == (0.0, 10.0, 20.0)


def test_the_button_of_napari_ends_it(viewer) -> None:
    ended = []
    beside = SideBySide(viewer, lambda: ended.append(True))
    beside.begin([viewer.layers[name] for name in "fc"])
    grid(viewer).enabled = False
    assert ended == [True]
    assert names(viewer) == "abcdef"
    assert visible(viewer) == "acdef"
    beside.begin([viewer.layers["a"]])
    beside.end()
    assert ended == [True]


def test_a_grid_that_was_there_stays(viewer) -> None:
    grid(viewer).enabled = True
    beside = SideBySide(viewer)
    beside.begin([viewer.layers[name] for name in "fc"])
    beside.end()
    assert grid(viewer).enabled
    beside.begin([viewer.layers[name] for name in "fc"])
    grid(viewer).enabled = False
    assert not grid(viewer).enabled
