"""Layers of xarray, h5py, zarr and dask just work, or are refused before the run."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from napari.components import ViewerModel

from napari_anyir.widgets.layers.foreign_arrays import BLOCK, as_engine_array
from napari_anyir.widgets.layers.image_layers import guess_layer_axes
from napari_anyir.widgets.restore import RestoreWidget

STACK = np.random.default_rng(0).poisson(90, (3, 24, 32)).astype(np.uint8)


def xarray_of(data):
    return pytest.importorskip("xarray").DataArray(data, dims=("t", "y", "x"))


def h5py_of(folder):
    return pytest.importorskip("h5py").File(folder / "a.h5", "w").create_dataset("a", data=STACK)


def zarr_of(folder):
    zarr = pytest.importorskip("zarr")
    return zarr.create_array(store=str(folder / "a.zarr"), data=STACK, chunks=(1, 24, 32))


class Opened:
    """An array of a reader that nobody here knows."""

    shape, dtype, ndim = STACK.shape, STACK.dtype, 3

    def __getitem__(self, index):
        return STACK[index]


MAKERS = {
    "numpy": lambda folder: STACK,
    "memmap": lambda folder: np.memmap(folder / "m", STACK.dtype, "w+", shape=STACK.shape),
    "dask": lambda folder: da.from_array(STACK, chunks=(1, 24, 32)),
    "xarray": lambda folder: xarray_of(STACK),
    "xarray of dask": lambda folder: xarray_of(da.from_array(STACK, chunks=(1, 24, 32))),
    "h5py": h5py_of,
    "zarr": zarr_of,
    "unknown": lambda folder: Opened(),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_each_is_restored(kind, qtbot, finish, tmp_path) -> None:
    data = MAKERS[kind](tmp_path)
    if kind == "memmap":
        data[:] = STACK
    viewer = ViewerModel()
    layer = viewer.add_image(data, name="a", rgb=False)
    widget = RestoreWidget(viewer)
    qtbot.addWidget(widget)
    widget.form.model_box.setCurrentText("nano")
    widget.form.device_box.setCurrentText("cpu")
    assert widget.form.problem is None
    widget.run()
    finish(widget.runner)
    made = np.asarray(viewer.layers["a (nano)"].data)
    assert made.shape == STACK.shape
    assert made.dtype == STACK.dtype
    assert 0 < np.abs(made[1].astype(float) - STACK[1]).mean() < 60
    assert as_engine_array(layer.data).shape == STACK.shape


def test_dimensions_of_xarray_are_the_axes() -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(xarray_of(STACK))
    assert guess_layer_axes(layer) == "TYX"
    named = viewer.add_image(xarray_of(STACK), axis_labels=("z", "y", "x"))
    assert guess_layer_axes(named) == "ZYX"


def test_what_cannot_be_read_is_refused_before_the_run(qtbot) -> None:
    viewer = ViewerModel()
    viewer.add_image(np.ma.masked_less(STACK, 60), rgb=False)
    widget = RestoreWidget(viewer)
    qtbot.addWidget(widget)
    assert "masked" in (widget.form.problem or "")
    assert not widget.run_button.isEnabled()


def test_a_large_array_without_chunks_is_read_in_parts() -> None:
    class Huge:
        shape, dtype, ndim = (7, 9000, 9000), np.dtype("uint16"), 3

        def __getitem__(self, index):
            return np.zeros(self.shape, self.dtype)[index]

    made = as_engine_array(Huge())
    assert max(np.prod(chunk) for chunk in zip(*(c[:1] for c in made.chunks), strict=True)) <= BLOCK
