"""One path for pixels: script, dask, zarr, shell and window give the same image, bit for bit."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
from typer.testing import CliRunner

import napari_anyir
from napari_anyir.cli import app
from napari_anyir.files import ImageFile, batch_run, read_image, write_image

OPTIONS: dict[str, Any] = {"model": "nano", "device": "cpu"}


@pytest.fixture(scope="module")
def movie() -> np.ndarray:
    """Return (T, C, Y, X) of uint16 whose planes have ranges of their own."""
    bright = np.array([[300, 5000], [600, 30000]])[..., None, None]
    return (np.random.default_rng(0).random((2, 2, 40, 33)) * bright).astype(np.uint16)


@pytest.fixture(scope="module")
def expected(movie: np.ndarray) -> np.ndarray:
    """Return what a script gets for the numpy array."""
    restored = napari_anyir.restore(movie, axes="TCYX", **OPTIONS)
    assert not np.array_equal(restored, movie)
    return restored


def test_dask(movie: np.ndarray, expected: np.ndarray) -> None:
    lazy = napari_anyir.restore(da.from_array(movie, chunks=(1, 2, 16, 33)), axes="TCYX", **OPTIONS)
    np.testing.assert_array_equal(lazy.compute(), expected)


def test_zarr(movie: np.ndarray, expected: np.ndarray, tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    array = zarr.open_array(
        tmp_path / "movie.zarr", mode="w", shape=movie.shape, chunks=(1, 1, 16, 16), dtype="u2"
    )
    array[:] = movie
    lazy = napari_anyir.restore(array, axes="TCYX", **OPTIONS)
    np.testing.assert_array_equal(lazy.compute(), expected)


@pytest.mark.parametrize("name", ["movie.tif", "movie.npy", "movie.ome.zarr"])
@pytest.mark.parametrize("lazily", [False, True])
def test_shell(
    movie: np.ndarray,
    expected: np.ndarray,
    tmp_path: Path,
    name: str,
    lazily: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if name.endswith("zarr"):
        pytest.importorskip("zarr")
    if lazily:  # as it is done with large files
        monkeypatch.setattr(batch_run, "read_image", partial(read_image, lazy_above=0))
    write_image(tmp_path / name, movie, ImageFile(movie, "TCYX", "npy"))
    # .npy has no axes of its own; the others are read as they were written
    axes = ["--axes=TCYX"] if name.endswith("npy") else []
    files = [str(tmp_path / name), "-o", str(tmp_path / f"out-{name}")]
    result = CliRunner().invoke(app, ["restore", *files, *axes, "--model=nano", "--device=cpu"])
    assert result.exit_code == 0, result.output
    restored = np.asarray(read_image(tmp_path / f"out-{name}").array)
    assert restored.dtype == np.uint16
    np.testing.assert_array_equal(restored.reshape(movie.shape), expected)


@pytest.mark.qt
@pytest.mark.parametrize("lazily", [False, True])
def test_window(movie: np.ndarray, expected: np.ndarray, lazily: bool) -> None:
    components = pytest.importorskip("napari.components")
    from napari_anyir.widgets.restore.restore_job import RestoreChoices, plan

    layer = components.ViewerModel().add_image(da.from_array(movie) if lazily else movie)
    job = plan(layer, "TCYX", settings=RestoreChoices(**OPTIONS))
    np.testing.assert_array_equal(np.asarray(job(None, None).pixels), expected)
