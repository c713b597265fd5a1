"""Lazy layers: nothing goes through the network in the window's thread unless the user agrees."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.settings import get_settings

import napari_anyir
from napari_anyir.errors import Cancelled
from napari_anyir.widgets.layers.lazy_results import add_result, fill_cache
from napari_anyir.widgets.restore import RestoreWidget
from napari_anyir.widgets.restore.restore_job import RestoreChoices, plan

da = pytest.importorskip("dask.array")

PIXELS = np.random.default_rng(0).integers(0, 255, (6, 16, 20)).astype(np.uint8)


def counted(read: list[int]):
    """Return PIXELS as a dask array that notes which planes are read."""

    def look(block, block_info=None):
        read.append(block_info[0]["array-location"][0][0])
        return block

    lazy = da.from_array(PIXELS, chunks=(1, 16, 20))
    return lazy.map_blocks(look, dtype="uint8", meta=np.empty((0, 0, 0), "uint8"))


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def widget(qtbot, viewer: ViewerModel) -> RestoreWidget:
    made = RestoreWidget(viewer)
    qtbot.addWidget(made)
    made.form.model_box.setCurrentText("nano")
    made.form.device_box.setCurrentText("cpu")
    return made


def test_the_shown_plane_is_in_napari_s_cache_before_the_layer_is_added(viewer) -> None:
    read: list[int] = []
    layer = viewer.add_image(counted(read), contrast_limits=(0, 255))
    viewer.dims.set_point(0, 4)
    settings = RestoreChoices(model="nano", device="cpu", intensity="dtype")
    job = plan(layer, "ZYX", dims=viewer.dims, settings=settings)
    restored = job(None, None)
    assert set(read) <= {0, 2, 4}  # those that napari showed of the source
    read.clear()
    result = add_result(viewer, restored.pixels, {"contrast_limits": (0, 255)})
    assert read == []
    assert result.data is restored.pixels
    expected = napari_anyir.restore(
        PIXELS, axes="ZYX", model="nano", device="cpu", intensity="dtype"
    )
    np.testing.assert_array_equal(np.asarray(result._slice.image.raw), expected[4])


def test_in_3d_all_that_is_drawn_is_computed_before(viewer) -> None:
    layer = viewer.add_image(counted([]), contrast_limits=(0, 255))
    viewer.dims.ndisplay = 3
    job = plan(layer, "ZYX", dims=viewer.dims, settings=RestoreChoices(model="nano", device="cpu"))
    assert job.shown == (slice(0, 6), slice(0, 16), slice(0, 20))


def test_filling_the_cache_can_be_watched_and_stopped() -> None:
    read: list[int] = []
    array, steps = counted(read), []
    whole = tuple(slice(0, n) for n in array.shape)
    fill_cache(array, whole, lambda done, total: steps.append((done, total)))
    assert steps == [(n, 6) for n in range(1, 7)]

    class Stop:
        def is_set(self) -> bool:
            return len(steps) >= 8

    with pytest.raises(Cancelled):
        fill_cache(array, whole, lambda done, total: steps.append((done, total)), Stop())
    assert steps[6:] == [(1, 6), (2, 6)]


def test_the_result_can_be_computed_at_once(widget, viewer, finish) -> None:
    viewer.add_image(counted([]), contrast_limits=(0, 255), name="lazy")
    assert not widget.form.when_box.isHidden()
    assert "shown plane" in widget.form._duration(1)
    widget.form.when_box.setCurrentIndex(1)
    assert widget.form.free_box.isHidden()
    widget.run()
    finish(widget.runner)
    result = viewer.layers["lazy (nano)"].data
    assert isinstance(result, np.ndarray)
    expected = napari_anyir.restore(PIXELS, axes="ZYX", model="nano", device="cpu")
    np.testing.assert_array_equal(result, expected)


def test_a_result_that_does_not_fit_is_refused_with_the_remedy(viewer) -> None:
    vast = da.zeros((10**6, 4096, 4096), chunks=(1, 4096, 4096), dtype="uint8")
    layer = viewer.add_image(vast, contrast_limits=(0, 255))
    job = plan(layer, "ZYX", settings=RestoreChoices(model="nano", device="cpu"), compute=True)
    with pytest.raises(ValueError, match="compute planes when they are shown"):
        job(None, None)


def test_only_lazy_layers_are_asked_about(widget, viewer) -> None:
    viewer.add_image(PIXELS, name="here")
    assert widget.form.when_box.isHidden()
    assert widget.form.free_box.isHidden()
    lazy = viewer.add_image(counted([]), contrast_limits=(0, 255))
    widget.form.layer_box.choose(lazy)
    assert not widget.form.when_box.isHidden()
    widget.form.what_box.setCurrentIndex(1)  # one plane: read and restored in the worker
    assert widget.form.when_box.isHidden()


def test_napari_s_own_setting_keeps_the_window_free(widget, viewer) -> None:
    viewer.add_image(counted([]), contrast_limits=(0, 255))
    before = get_settings().experimental.async_
    try:
        widget.form.free_box.setChecked(True)
        assert get_settings().experimental.async_
        widget.form.free_box.setChecked(False)
        assert not get_settings().experimental.async_
    finally:
        get_settings().experimental.async_ = before
