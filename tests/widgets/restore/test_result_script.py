from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image

from napari_anyir.files import write_image
from napari_anyir.samples import SAMPLES
from napari_anyir.widgets.layers.blending import blend
from napari_anyir.widgets.restore.restore_job import PLANE, RestoreChoices, plan
from napari_anyir.widgets.restore.result_script import Origin, origin, script

NANO = RestoreChoices(model="nano", device="cpu")


def execute(text: str, viewer: ViewerModel | None = None) -> np.ndarray:
    names = {"viewer": viewer}
    exec(compile(text, "script", "exec"), names)
    return names["restored"]


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


@pytest.mark.parametrize("strength", [1.0, 0.35])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_a_script_gives_the_same_pixels_bit_for_bit(viewer, dtype: str, strength: float) -> None:
    noise = np.random.default_rng(0).random((20, 24)) * (1 if dtype == "float32" else 200)
    layer = viewer.add_image(noise.astype(dtype), name='it\'s "noise"')
    job = plan(layer, "YX", settings=NANO)
    done = job(None, None)
    text = script(origin(layer), job, done, strength)
    again = execute(text, viewer)
    np.testing.assert_array_equal(again, blend(done.source, done.pixels, strength))
    assert done.record["sha256"] in text


def test_a_script_of_a_plane_of_a_stack(viewer) -> None:
    pixels = np.random.default_rng(0).integers(0, 4000, (5, 16, 20)).astype("uint16")
    layer = viewer.add_image(pixels, name="stack")
    viewer.dims.set_point(0, 3)
    job = plan(layer, "ZYX", dims=viewer.dims, what=PLANE, settings=NANO)
    done = job(None, None)
    again = execute(script(origin(layer), job, done), viewer)
    np.testing.assert_array_equal(again, done.pixels)


def test_a_script_of_a_file_reads_the_file(viewer, tmp_path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (16, 20)).astype("uint8")
    write_image(tmp_path / "noise.tif", pixels)
    layer = viewer.add_image(pixels, name="noise")
    job = plan(layer, "YX", settings=NANO)
    done = job(None, None)
    text = script(Origin("noise", path=str(tmp_path / "noise.tif")), job, done)
    assert "viewer" not in text
    np.testing.assert_array_equal(execute(text), done.pixels)


def test_a_script_does_not_pass_over_edited_pixels(viewer, tmp_path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (16, 20)).astype("uint8")
    write_image(tmp_path / "noise.tif", pixels)
    job = plan(viewer.add_image(255 - pixels), "YX", settings=NANO)
    text = script(Origin("noise", path=str(tmp_path / "noise.tif")), job, job(None, None))
    with pytest.raises(SystemExit, match="changed"):
        execute(text)


def test_a_script_of_a_sample_reads_the_sample() -> None:
    layer = Image(SAMPLES["noise"].read()[0], rgb=True, name="noise")
    job = plan(layer, "YXS", settings=NANO)
    small = job.data[:16, :16]
    from dataclasses import replace

    done = replace(job, data=small)(None, None)
    text = script(Origin("noise", sample="noise"), job, done)
    assert "SAMPLES['noise'].read()" in text
    compile(text, "script", "exec")
    # The whole sample would take long: its first rows stand for it.
    shortened = text.replace("if zlib", "image = image[:16, :16]\nif zlib")
    np.testing.assert_array_equal(execute(shortened), done.pixels)


def test_a_lazy_layer_stays_lazy_in_its_script(viewer) -> None:
    da = pytest.importorskip("dask.array")
    pixels = np.random.default_rng(0).integers(0, 255, (3, 16, 20)).astype("uint8")
    layer = viewer.add_image(da.from_array(pixels, chunks=(1, 16, 20)), name="lazy")
    job = plan(layer, "ZYX", settings=NANO)
    done = job(None, None)
    again = execute(script(origin(layer), job, done), viewer)
    assert isinstance(done.pixels, da.Array)
    assert isinstance(again, da.Array)
    np.testing.assert_array_equal(again.compute(), done.pixels.compute())
