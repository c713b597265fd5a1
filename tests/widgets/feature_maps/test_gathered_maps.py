"""All parts of a block stand in one layer, whose slider says in words what it shows."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_anyir.widgets.feature_maps import FeatureMapsWidget
from napari_anyir.widgets.feature_maps.feature_maps_job import ALL, PCA, SHOWS, is_inside
from napari_anyir.widgets.layers.layer_origins import INSIDE


@pytest.fixture
def viewer() -> ViewerModel:
    made = ViewerModel()
    pixels = np.random.default_rng(0).integers(0, 4000, (4, 24, 32)).astype(np.uint16)
    made.add_image(pixels, name="cells")
    made.dims.set_point(0, 1)
    return made


@pytest.fixture
def widget(qtbot, viewer, finish) -> FeatureMapsWidget:
    made = FeatureMapsWidget(viewer)
    qtbot.addWidget(made)
    made.model_choice.model_box.setCurrentText("nano")
    made.model_choice.device_box.setCurrentText("cpu")
    finish(made.model_choice._reader)
    made.ushape.choose(["encoder1.0", "latent.0"])
    for name, box in made.part_boxes.items():
        box.setChecked(name in ("alpha", "gated", "fused"))
    return made


def look(widget, finish) -> list:
    widget.run()
    finish(widget.runner)
    return [layer for layer in widget._viewer.layers if is_inside(layer)]


def test_there_is_one_layer_for_each_block(widget, viewer, finish) -> None:
    first, second = look(widget, finish)
    assert first.name == "encoder 1.0: alpha (scaled)"
    assert second.name == "latent 0: alpha (scaled)"
    assert first.data.shape[0] == second.data.shape[0] == 3
    assert viewer.layers.selection.active.name == "cells"


def test_the_slider_names_the_part_and_gives_its_contrast(widget, viewer, finish) -> None:
    first, _ = look(widget, finish)
    seen = {}
    for place in range(3):
        viewer.dims.set_point(0, place)
        seen[first.name] = tuple(first.contrast_limits)
    assert list(seen) == [
        "encoder 1.0: alpha (scaled)",
        "encoder 1.0: gated",
        "encoder 1.0: fused",
    ]
    for limits, place in zip(seen.values(), range(3), strict=True):
        low, high = np.percentile(first.data[place], (0.5, 99.5))
        assert limits == pytest.approx((low, high))
    first.name = "mine"
    viewer.dims.set_point(0, 0)
    assert first.name == "mine"


def test_parts_and_the_image_keep_their_place(widget, viewer, finish) -> None:
    widget.gather_box.setChecked(False)
    single = {layer.name: layer for layer in look(widget, finish)}
    alone = single["latent 0: gated"]
    data, scale = alone.data.copy(), alone.scale.copy()
    widget.gather_box.setChecked(True)
    finish(widget.runner)
    _, latent = [layer for layer in viewer.layers if is_inside(layer)]
    np.testing.assert_array_equal(latent.data[1], data)
    np.testing.assert_array_equal(latent.scale[1:], scale)
    widget.gather_box.setChecked(False)
    finish(widget.runner)
    assert {layer.name for layer in viewer.layers if is_inside(layer)} == set(single)


def test_a_group_that_was_removed_does_not_come_back(widget, viewer, finish) -> None:
    look(widget, finish)
    widget.table.remove(widget.table._keys[0])
    widget.gather_box.setChecked(not widget.gather_box.isChecked())
    finish(widget.runner)
    assert {layer.metadata[INSIDE]["block"] for layer in viewer.layers if is_inside(layer)} == {
        "latent.0"
    }


def test_all_channels_of_all_parts_get_one_slider(widget, viewer, finish) -> None:
    widget.show_box.setCurrentIndex(list(SHOWS).index(ALL))
    first, _ = look(widget, finish)
    slices = first.metadata[INSIDE]["slices"]
    assert len(slices) == len(first.data)
    assert {shown["part"] for shown in slices} == {"alpha", "gated", "fused"}
    viewer.dims.set_point(0, 1)
    assert first.name == "encoder 1.0: alpha (scaled), channel 1"


def test_colours_are_gathered_too(widget, finish) -> None:
    widget.show_box.setCurrentIndex(list(SHOWS).index(PCA))
    first, _ = look(widget, finish)
    assert first.rgb
    assert first.data.shape[0] == 3


def test_a_moved_plane_renews_the_layers(widget, viewer, finish, qtbot) -> None:
    widget.timer.setInterval(20)
    first, _ = look(widget, finish)
    before = first.data.copy()
    viewer.dims.set_point(viewer.dims.ndim - 3, 3)
    qtbot.waitUntil(lambda: not np.array_equal(first.data, before), timeout=30_000)
    finish(widget.runner)
    assert len([layer for layer in viewer.layers if is_inside(layer)]) == 2
