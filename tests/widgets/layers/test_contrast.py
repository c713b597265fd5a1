"""How far the contrast sliders of results go."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from napari.components import ViewerModel

from napari_anyir.widgets.degrade import DegradeWidget
from napari_anyir.widgets.layers.contrast import slider_range, span, widen_slider
from napari_anyir.widgets.restore import RestoreWidget


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def widget(qtbot, viewer) -> RestoreWidget:
    made = RestoreWidget(viewer)
    qtbot.addWidget(made)
    made.form.model_box.setCurrentText("nano")
    made.form.device_box.setCurrentText("cpu")
    return made


def narrow(viewer: ViewerModel, dtype: str):
    """Add a layer whose limits, and the ends of whose slider, are narrower than its values."""
    values = np.random.default_rng(0).random((24, 32))
    pixels = (values * {"uint8": 200, "uint16": 4000, "float32": 2.5}[dtype]).astype(dtype)
    low, high = (float(value) for value in np.percentile(pixels, (30, 70)))
    layer = viewer.add_image(pixels, name="photo", contrast_limits=(low, high))
    assert layer.contrast_limits_range == [low, high]
    return layer


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_a_result_can_be_drawn_with_all_its_values(widget, viewer, finish, dtype: str) -> None:
    source = narrow(viewer, dtype)
    widget.run()
    finish(widget.runner)
    result = viewer.layers["photo (nano)"]
    low, high = result.contrast_limits_range
    if dtype == "uint8":
        assert (low, high) == (0, 255)
    else:
        assert low == min(source.data.min(), result.data.min())
        assert high == max(source.data.max(), result.data.max())
    assert tuple(result.contrast_limits) == tuple(source.contrast_limits)
    assert source.contrast_limits_range == list(source.contrast_limits)


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_a_wider_slider_of_the_source_is_kept(widget, viewer, finish, dtype: str) -> None:
    source = narrow(viewer, dtype)
    source.contrast_limits_range = (-9.0, 60000.0)
    widget.run()
    finish(widget.runner)
    assert viewer.layers["photo (nano)"].contrast_limits_range == [-9.0, 60000.0]


def test_a_lazy_result_keeps_the_slider_of_its_source_and_is_not_read(
    widget, viewer, finish
) -> None:
    lazy = da.zeros((4, 16, 16), chunks=(1, 16, 16), dtype="uint16")
    source = viewer.add_image(lazy, name="photo", contrast_limits=(10, 20))
    source.contrast_limits_range = (0, 500)
    widget.run()
    finish(widget.runner)
    assert viewer.layers["photo (nano)"].contrast_limits_range == [0, 500]


def test_a_degraded_image_too(qtbot, viewer, finish) -> None:
    narrow(viewer, "uint8")
    made = DegradeWidget(viewer)
    qtbot.addWidget(made)
    made.load()
    finish(made.loader)
    made.kind_box.setCurrentText("noise")
    made.run()
    finish(made.runner)
    assert viewer.layers["photo noise"].contrast_limits_range == [0, 255]


def test_spans_and_sliders() -> None:
    viewer = ViewerModel()
    colour = viewer.add_image(np.zeros((8, 8, 3), np.uint8), rgb=True)
    before = colour.contrast_limits_range
    widen_slider(colour, (0.0, 9.0))
    assert colour.contrast_limits_range == before
    assert slider_range(viewer.add_image(np.zeros((8, 8), np.uint8))) == (0.0, 255.0)
    assert span() is None
    assert span(np.zeros((0, 3)), da.ones(3)) is None
    assert span(np.array([np.inf, 1.0]), known=(2.0, 3.0)) == (2.0, 3.0)
    assert span(np.array([-1, 4], np.int16), np.array([7])) == (-1.0, 7.0)
