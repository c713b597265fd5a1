from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_anyir.widgets.compare import CompareWidget
from napari_anyir.widgets.compare.compare_widget import WIPE
from napari_anyir.widgets.layers.comparison import MeasureJob, difference, symmetric_limits
from napari_anyir.widgets.layers.viewer import camera, grid


@pytest.fixture
def viewer() -> ViewerModel:
    made = ViewerModel()
    clean = np.random.default_rng(0).integers(40, 200, (32, 40)).astype(np.uint8)
    made.add_image(clean, name="photo (clean)", scale=(2, 2), visible=False)
    made.add_image(clean + np.uint8(20), name="photo", scale=(2, 2))
    record = {"napari_anyir": {"source": "photo"}}
    made.add_image(clean + np.uint8(5), name="photo restored", scale=(2, 2), metadata=record)
    return made


@pytest.fixture
def widget(qtbot, viewer) -> CompareWidget:
    made = CompareWidget(viewer)
    qtbot.addWidget(made)
    return made


def test_the_newest_result_its_source_and_the_truth_are_found(widget, viewer, finish) -> None:
    assert widget.before_box.layer.name == "photo"
    assert widget.after_box.layer.name == "photo restored"
    assert widget.reference_box.layer.name == "photo (clean)"
    finish(widget.runner)
    rows = [[widget.table.item(row, c).text() for c in range(3)] for row in range(2)]
    assert [row[0] for row in rows] == ["photo", "photo restored"]
    # A constant error e gives 20 log10(255 / e).
    assert [row[1] for row in rows] == ["22.11", "34.15"]
    assert float(rows[0][2]) < float(rows[1][2]) < 1


def test_the_wipe_shows_the_result_behind_its_edge(widget, viewer) -> None:
    widget.mode_buttons["&Wipe"].click()
    layer = next(item for item in viewer.layers if WIPE in item.metadata)
    after = viewer.layers["photo restored"]
    assert not after.visible
    assert viewer.layers["photo"].visible
    for value in (50, 25, 90):
        widget.wipe_slider.setValue(value)
        edge = 40 * value // 100
        np.testing.assert_array_equal(layer.data, after.data[:, edge:])
        np.testing.assert_allclose(layer.data_to_world((3, 0)), after.data_to_world((3, edge)))
        assert np.shares_memory(layer.data, after.data)
    assert layer not in widget.before_box._layers


def test_ending_puts_everything_back(widget, viewer) -> None:
    names = [layer.name for layer in viewer.layers]
    before = [layer.visible for layer in viewer.layers]
    camera(viewer).zoom, camera(viewer).center = 3.0, (0.0, 10.0, 20.0)
    for button in widget.mode_buttons.values():
        button.click()
        assert button.isChecked()
        if grid(viewer).enabled:
            camera(viewer).zoom = 0.5  # what fits two pictures
        button.click()
        assert not button.isChecked()
        assert [layer.name for layer in viewer.layers] == names
        assert [layer.visible for layer in viewer.layers] == before
        assert not grid(viewer).enabled
        assert camera(viewer).zoom == 3.0
        assert camera(viewer).center == (0.0, 10.0, 20.0)


def test_blink_shows_them_in_turn(widget, viewer, qtbot) -> None:
    widget._blinker.setInterval(20)
    widget.mode_buttons["&Blink"].click()
    after = viewer.layers["photo restored"]
    seen = set()
    qtbot.waitUntil(lambda: seen.add(after.visible) or len(seen) == 2)
    assert viewer.layers["photo"].visible


def test_side_by_side_gives_each_a_cell(widget, viewer) -> None:
    viewer.layers.move(2, 0)  # the two are no neighbours
    widget.mode_buttons["S&ide by side"].click()
    view = grid(viewer)
    assert view.enabled
    visible = [i for i, layer in enumerate(viewer.layers) if layer.visible]
    assert [viewer.layers[i].name for i in visible] == ["photo", "photo restored"]
    assert visible[0] % 2 != visible[1] % 2  # two cells, filled in turn


def test_the_difference_is_signed_and_centred(widget, viewer) -> None:
    widget.difference_button.click()
    layer = viewer.layers[-1]
    assert layer.name == "photo restored − photo"
    np.testing.assert_array_equal(layer.data, -15)
    low, high = layer.contrast_limits
    assert low == -high
    assert layer.colormap.name == "PiYG"
    assert tuple(layer.scale) == (2, 2)


def test_the_difference_of_colours_is_grey(widget, viewer) -> None:
    a = viewer.add_image(np.full((8, 8, 3), 10, np.uint8), rgb=True, name="a")
    b = viewer.add_image(np.full((8, 8, 3), 40, np.uint8), rgb=True, name="b")
    widget.before_box.choose(a)
    widget.after_box.choose(b)
    widget.add_difference()
    np.testing.assert_array_equal(viewer.layers[-1].data, np.full((8, 8), 30))


def test_layers_of_other_sizes_are_refused_in_a_sentence(widget, viewer) -> None:
    other = viewer.add_image(np.zeros((9, 9)), name="other")
    widget.after_box.choose(other)
    widget.set_mode("&Wipe")
    assert "choose two layers of one size" in widget.status_label.text()
    assert not widget.mode_buttons["&Wipe"].isChecked()
    count = len(viewer.layers)
    widget.add_difference()
    assert len(viewer.layers) == count


def test_removing_a_layer_ends_the_comparison(widget, viewer) -> None:
    widget.mode_buttons["&Wipe"].click()
    viewer.layers.remove("photo restored")
    assert not any(WIPE in layer.metadata for layer in viewer.layers)
    assert not widget.mode_buttons["&Wipe"].isChecked()


def test_the_measured_plane_is_the_shown_one(qtbot, finish) -> None:
    viewer = ViewerModel()
    clean = np.random.default_rng(0).integers(40, 200, (3, 16, 20)).astype(np.uint8)
    noisy = clean + np.array([0, 10, 20], np.uint8)[:, None, None]
    viewer.add_image(clean, name="a (clean)")
    viewer.add_image(noisy, name="a")
    viewer.add_image(noisy.copy(), name="b", metadata={"napari_anyir": {"source": "a"}})
    viewer.dims.set_point(0, 0)
    widget = CompareWidget(viewer)
    qtbot.addWidget(widget)
    finish(widget.runner)
    assert widget.table.item(0, 1).text() == "equal"
    viewer.dims.set_point(0, 1)
    finish(widget.runner)
    assert widget.table.item(0, 1).text() == "28.13"


@pytest.mark.parametrize("shape", [(16, 16), (16, 16, 3), (16, 16, 4), (2, 2), (5, 4)])
def test_measures_of_every_shape(shape) -> None:
    reference = np.random.default_rng(0).random(shape)
    psnr, ssim = MeasureJob({"a": reference}, reference)(None, None)["a"]
    assert psnr == float("inf")
    assert np.isnan(ssim) if min(shape[:2]) < 7 else ssim == pytest.approx(1)


def test_unsigned_differences_do_not_wrap() -> None:
    values = difference(np.array([250], np.uint8), np.array([5], np.uint8))
    assert values[0] == -245
    assert symmetric_limits(np.zeros(9)) == (-1.0, 1.0)
