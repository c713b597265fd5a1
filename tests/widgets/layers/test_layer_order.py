from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_anyir.widgets.layers.layer_order import add_above, manner
from napari_anyir.widgets.layers.levels import measure_change
from napari_anyir.widgets.layers.side_by_side import SideBySide

MADE_OF_A = {"napari_anyir": {"source": "a"}}


@pytest.fixture
def viewer() -> ViewerModel:
    made = ViewerModel()
    for name in ("a", "b"):
        made.add_image(np.ones((8, 8)), name=name)
    return made


def add(viewer: ViewerModel, name: str) -> None:
    source = viewer.layers["a"]
    values = {"name": name, "metadata": MADE_OF_A, **manner(source)}
    add_above(viewer, source, np.ones((8, 8)), values)


def test_results_lie_above_their_source_the_newest_on_top(viewer) -> None:
    add(viewer, "a (nano)")
    add(viewer, "a (nano) 2")
    assert [layer.name for layer in viewer.layers] == ["a", "a (nano)", "a (nano) 2", "b"]


def test_they_mix_as_their_source_does(viewer) -> None:
    source = viewer.layers["a"]
    source.blending, source.opacity = "translucent_no_depth", 0.4
    add(viewer, "r")
    result = viewer.layers["r"]
    assert (result.blending, result.opacity, result.visible) == ("translucent_no_depth", 0.4, True)
    source.visible = False
    add(viewer, "s")
    assert not viewer.layers["s"].visible


def test_where_blending_sums_the_result_stands_in_for_its_source(viewer) -> None:
    source = viewer.layers["a"]
    source.blending = "additive"
    add(viewer, "r")
    assert viewer.layers["r"].visible
    assert not source.visible
    add(viewer, "s")  # the source is hidden for its results' sake, and not by anybody
    assert viewer.layers["s"].visible


def test_a_source_that_is_gone_is_no_hindrance(viewer) -> None:
    source = viewer.layers["a"]
    viewer.layers.remove(source)
    add_above(viewer, source, np.ones((8, 8)), {"name": "r"})
    assert viewer.layers[-1].name == "r"


def test_cells_of_the_grid_carry_names(viewer) -> None:
    if not hasattr(viewer.layers["a"], "name_overlay"):
        pytest.skip("this napari writes no names on the canvas")
    viewer.layers["b"].name_overlay.visible = True  # somebody has switched it on
    beside = SideBySide(viewer)
    beside.begin(list(viewer.layers))
    assert all(layer.name_overlay.visible for layer in viewer.layers)
    beside.end()
    assert [layer.name_overlay.visible for layer in viewer.layers] == [False, True]


def test_levels_are_those_of_all_pixels() -> None:
    random = np.random.default_rng(0)
    before = random.poisson(200, (5, 900, 1100)).astype(np.uint16)
    after = (before * 1.03).astype(np.uint16)
    change = measure_change(before, after)
    assert change is not None
    assert change.before.mean == pytest.approx(before.mean(), rel=1e-9)
    assert change.before.low == pytest.approx(np.percentile(before, 1), abs=1)
    assert change.after.high == pytest.approx(np.percentile(after, 99), abs=1)
    assert "risen by 2.7 %" in change.warning() or "risen by 2.8 %" in change.warning()
    assert change.at(0.5).warning() == ""
    same = measure_change(before, before)
    assert same is not None
    assert same.warning() == ""


def test_alpha_is_no_brightness() -> None:
    picture = np.zeros((8, 8, 4), np.uint8)
    picture[..., 3] = 255
    change = measure_change(picture, picture, colour=True)
    assert change is not None
    assert change.before.mean == 0


def test_of_a_lazy_result_the_known_part_is_measured() -> None:
    import dask.array as da

    before = da.from_array(np.arange(32.0).reshape(2, 4, 4), chunks=(1, 4, 4))
    assert measure_change(before, before + 1) is None
    change = measure_change(before, before + 1, part=(slice(1, 2),))
    assert change is not None
    assert (change.before.mean, change.after.mean) == (23.5, 24.5)
    assert change.part == "of the shown plane"
