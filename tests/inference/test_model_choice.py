"""Which model serves an image where nobody names one, and that every way in tells so."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

import napari_anyir
from napari_anyir.files import read_image, write_image
from napari_anyir.files.batch import restore_files
from napari_anyir.files.batch_settings import Settings
from napari_anyir.inference import gate_numbers, restore_with_record
from napari_anyir.inference.model_choice import choose_model
from napari_anyir.weights import list_models

FIRST = list_models()[0].name


@pytest.mark.parametrize(
    ("dtype", "colour", "model", "reason"),
    [
        (np.uint8, True, FIRST, "8-bit colour photograph"),
        (np.uint8, False, "denoise", "one channel"),
        (np.uint16, False, "denoise", "one channel"),
        (np.uint16, True, "denoise", "16 bits"),
        (np.float32, True, "denoise", "32 bits"),
        (">u2", True, "denoise", "16 bits"),
    ],
)
def test_the_kind_of_image_decides(dtype, colour, model, reason):
    choice = choose_model("default", dtype, colour=colour)
    assert choice.model == model
    assert reason in choice.reason


def test_a_named_model_overrules():
    assert choose_model("nano", np.uint16, colour=False) == ("nano", None)


@pytest.mark.parametrize("lazy", [False, True])
def test_every_array_tells_which_and_why(lazy):
    generator = np.random.default_rng(0)
    stack = generator.integers(100, 400, (2, 16, 16), np.uint16)
    photograph = generator.integers(0, 255, (16, 16, 3), np.uint8)
    for image, model in ((stack, "denoise"), (photograph, FIRST)):
        given = da.from_array(image) if lazy else image
        result, record = restore_with_record(given)
        assert record.model == model
        assert "the image" in record.chosen
        assert record.to_dict()["chosen"] == record.chosen
        named, record = restore_with_record(given, model=model)
        assert record.chosen is None
        np.testing.assert_array_equal(np.asarray(result), np.asarray(named))


def test_a_batch_chooses_for_each_file_and_skips_what_is_there(tmp_path):
    generator = np.random.default_rng(0)
    write_image(tmp_path / "in" / "a.tif", generator.integers(90, 400, (20, 20), np.uint16))
    write_image(tmp_path / "in" / "b.png", generator.integers(0, 255, (20, 20, 3), np.uint8))
    run = restore_files([tmp_path / "in"], tmp_path / "out", settings=Settings())
    done = {s.source.name: s.record for s in run if s.state == "done"}
    assert (done["a.tif"]["model"], done["b.png"]["model"]) == ("denoise", FIRST)
    again = restore_files([tmp_path / "in"], tmp_path / "out", settings=Settings())
    assert {status.state for status in again} == {"skipped"}
    expected = napari_anyir.restore(read_image(tmp_path / "in" / "a.tif").array)
    np.testing.assert_array_equal(read_image(tmp_path / "out" / "a.tif").array, expected)


@pytest.mark.parametrize(
    ("shape", "dtype", "model"),
    [
        ((19, 26, 3), np.uint8, FIRST),
        ((19, 26), np.uint8, "denoise"),
        ((2, 19, 26), "u2", "denoise"),
    ],
)
def test_feature_maps_are_of_the_network_that_would_restore(shape, dtype, model):
    image = np.random.default_rng(0).integers(0, 200, shape).astype(dtype)
    _, record = restore_with_record(image)
    where = {"blocks": "latent.0", "index": None if shape[0] == 19 else 1}
    (found,) = napari_anyir.feature_maps(image, parts="fused", **where).values()
    assert (found.model, found.chosen) == (record.model, record.chosen)
    assert found.model == model
    (named,) = napari_anyir.feature_maps(image, parts="fused", model=model, **where).values()
    np.testing.assert_array_equal(found.array, named.array)
    assert (named.model, named.chosen) == (model, None)
    (number,) = gate_numbers(image, **where)
    assert (number.model, number.chosen) == (record.model, record.chosen)
    np.testing.assert_array_equal(number.tau_adj, named.tau_adj)
