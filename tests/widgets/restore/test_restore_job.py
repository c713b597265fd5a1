from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
from napari.components import ViewerModel

import napari_anyir
from napari_anyir.errors import Cancelled, ModelError
from napari_anyir.widgets.restore.restore_job import (
    FIELD,
    PLANE,
    RECTANGLE,
    RestoreChoices,
    check_layer_axes,
    plan,
    result_layer,
)

NANO = RestoreChoices(model="nano", device="cpu")


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def noise() -> np.random.Generator:
    return np.random.default_rng(0)


def restore_into(viewer: ViewerModel, job, strength: float = 1.0):
    names = {layer.name for layer in viewer.layers}
    data, values, kind = result_layer(job, job(None, None), names, strength)
    assert kind == "image"
    return viewer.add_image(data, **values)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_a_result_is_what_a_script_gives(viewer: ViewerModel, noise, dtype: str) -> None:
    pixels = (noise.random((24, 32)) * (1 if dtype[0] == "f" else 200)).astype(dtype)
    layer = viewer.add_image(pixels.copy())
    result = restore_into(viewer, plan(layer, "YX", settings=NANO))
    assert result.data.dtype == dtype
    expected = napari_anyir.restore(pixels, axes="YX", model="nano", device="cpu")
    np.testing.assert_array_equal(result.data, expected)
    np.testing.assert_array_equal(layer.data, pixels)
    assert tuple(result.contrast_limits) == tuple(layer.contrast_limits)


@pytest.mark.parametrize("samples", [3, 4])
def test_colour_stays_colour(viewer: ViewerModel, noise, samples: int) -> None:
    layer = viewer.add_image(noise.integers(0, 255, (30, 30, samples), np.uint8), rgb=True)
    result = restore_into(viewer, plan(layer, "YXS", settings=NANO))
    assert result.rgb
    assert result.data.shape == (30, 30, samples)


def test_samples_that_napari_took_for_an_axis_become_colour(viewer: ViewerModel, noise) -> None:
    pixels = noise.integers(0, 255, (16, 20, 3), np.uint8)
    layer = viewer.add_image(pixels, rgb=False, scale=(2, 3, 1))
    result = restore_into(viewer, plan(layer, "YXS", settings=NANO))
    assert result.rgb
    assert tuple(result.scale) == (2, 3)


def test_results_overwrite_no_layer(viewer: ViewerModel, noise) -> None:
    layer = viewer.add_image(noise.integers(0, 255, (16, 16), np.uint8), name="coins")
    results = [restore_into(viewer, plan(layer, "YX", settings=NANO)) for _ in range(2)]
    assert [layer.name for layer in viewer.layers] == [
        "coins",
        "coins (nano)",
        "coins (nano) 2",
    ]
    assert results[0] is not results[1]


def test_the_record_says_how_it_was_done(viewer: ViewerModel, noise) -> None:
    layer = viewer.add_image(noise.integers(0, 255, (16, 16), np.uint8), name="coins")
    result = restore_into(viewer, plan(layer, "YX", settings=NANO), strength=0.5)
    record = result.metadata["napari_anyir"]
    card = next(card for card in napari_anyir.list_models() if card.name == "nano")
    assert record["model"] == "nano"
    assert record["sha256"] == card.sha256
    assert record["version"] == napari_anyir.__version__
    assert record["source"] == "coins"
    assert record["axes"] == "YX"
    assert record["device"] == "cpu"
    assert record["strength"] == 0.5
    assert record["seconds"] > 0
    assert set(record) >= {"precision", "tile", "intensity", "region"}


def test_half_strength_lies_between(viewer: ViewerModel, noise) -> None:
    layer = viewer.add_image(noise.integers(0, 255, (16, 16), np.uint8))
    job = plan(layer, "YX", settings=NANO)
    full = job(None, None).pixels.astype(float)
    half = restore_into(viewer, job, strength=0.5).data
    assert np.abs(half - (layer.data + full) / 2).max() <= 0.5


def test_a_plane_is_that_plane_of_the_whole_stack(viewer: ViewerModel, noise) -> None:
    pixels = noise.integers(100, 4000, (4, 16, 20)).astype(np.uint16)
    layer = viewer.add_image(pixels, scale=(5, 1, 1), translate=(100, 0, 0))
    viewer.dims.set_point(0, 110)
    plane = restore_into(viewer, plan(layer, "ZYX", dims=viewer.dims, what=PLANE, settings=NANO))
    full = restore_into(viewer, plan(layer, "ZYX", settings=NANO))
    assert plane.data.shape == (1, 16, 20)
    # The same mapping of intensities for every plane of a volume, or planes would not fit together.
    np.testing.assert_array_equal(plane.data[0], full.data[2])
    np.testing.assert_allclose(plane.data_to_world((0, 3, 4)), layer.data_to_world((2, 3, 4)))
    assert plane.metadata["napari_anyir"]["region"] == [[2, 0, 0], [3, 16, 20]]


def test_another_plane_than_yx_is_restored_as_it_is_shown(viewer: ViewerModel, noise) -> None:
    pixels = noise.integers(0, 255, (12, 16, 20)).astype(np.uint8)
    layer = viewer.add_image(pixels)
    viewer.dims.order = (1, 0, 2)
    viewer.dims.set_point(1, 7)
    result = restore_into(viewer, plan(layer, "ZYX", dims=viewer.dims, what=PLANE, settings=NANO))
    assert result.data.shape == (12, 1, 20)
    expected = napari_anyir.restore(pixels[:, 7], axes="YX", model="nano", device="cpu")
    np.testing.assert_array_equal(result.data[:, 0], expected)


def test_a_rectangle_lies_over_its_source(viewer: ViewerModel, noise) -> None:
    layer = viewer.add_image(noise.integers(0, 255, (40, 50), np.uint8), scale=(2, 2), rotate=30)
    corners = layer.data_to_world((7.6, 9.6)), layer.data_to_world((7.6, 29.4))
    corners += layer.data_to_world((31.4, 29.4)), layer.data_to_world((31.4, 9.6))
    shapes = viewer.add_shapes([np.array(corners)], shape_type="polygon")
    job = plan(layer, "YX", dims=viewer.dims, what=RECTANGLE, shapes=shapes, settings=NANO)
    result = restore_into(viewer, job)
    assert job.region.start == (8, 10)
    assert result.data.shape == (24, 20)
    np.testing.assert_allclose(result.data_to_world((0, 0)), layer.data_to_world((8, 10)))


def test_the_visible_field_of_a_multiscale_layer_is_restored_finely(
    viewer: ViewerModel, noise
) -> None:
    fine = noise.integers(0, 255, (64, 64), np.uint8)
    layer = viewer.add_image([fine, fine[::4, ::4]], multiscale=True)
    layer.data_level = 1
    layer.corner_pixels = np.array([[2, 3], [5, 7]])
    result = restore_into(viewer, plan(layer, "YX", dims=viewer.dims, what=FIELD, settings=NANO))
    assert result.data.shape == (16, 20)
    np.testing.assert_allclose(result.data_to_world((0, 0)), layer.data_to_world((8, 12)))


def test_progress_rises_to_its_end(viewer: ViewerModel, noise) -> None:
    layer = viewer.add_image(noise.integers(0, 255, (3, 16, 16), np.uint8))
    steps: list[tuple[int, int]] = []
    plan(layer, "ZYX", settings=NANO)(lambda done, total: steps.append((done, total)), None)
    assert steps == sorted(steps)
    assert steps[-1][0] == steps[-1][1] >= 3


def test_cancel_stops_before_the_next_plane(viewer: ViewerModel, noise) -> None:
    layer = viewer.add_image(noise.integers(0, 255, (5, 16, 16), np.uint8))
    cancel = threading.Event()
    steps: list[int] = []

    def stop_at_once(done: int, total: int) -> None:
        steps.append(done)
        cancel.set()

    with pytest.raises(Cancelled):
        plan(layer, "ZYX", settings=NANO)(stop_at_once, cancel)
    assert len(steps) == 1


@pytest.mark.parametrize(
    ("axes", "words"),
    [("YX", "2 axes"), ("ZZX", "twice"), ("ZQX", "unknown letter"), ("TZX", "lacks Y")],
)
def test_wrong_axes_are_refused_in_a_sentence(viewer: ViewerModel, axes: str, words: str) -> None:
    layer = viewer.add_image(np.zeros((5, 8, 8)))
    with pytest.raises(ValueError, match=words):
        plan(layer, axes)


@pytest.mark.parametrize("axes", ["YXC", "SYX"])
def test_a_colour_layer_ends_with_samples(viewer: ViewerModel, axes: str) -> None:
    layer = viewer.add_image(np.zeros((3, 8, 3), np.uint8), rgb=True)
    with pytest.raises(ValueError, match="end the axes with S"):
        check_layer_axes(layer, axes)


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        (replace(NANO, model="huge"), ModelError, "huge"),
        (replace(NANO, device="cuda:63"), ValueError, "cuda:63"),
        (replace(NANO, intensity=(5.0, 5.0)), ValueError, "no range"),
    ],
)
def test_what_cannot_be_done_is_said(viewer: ViewerModel, settings, error, words: str) -> None:
    layer = viewer.add_image(np.zeros((8, 8), np.uint8))
    with pytest.raises(error, match=words):
        plan(layer, "YX", settings=settings)(None, None)


def test_planning_copies_no_pixels(viewer: ViewerModel) -> None:
    layer = viewer.add_image(np.zeros((8, 8), np.uint8))
    job = plan(layer, "YX")
    assert job.data is layer.data
    assert "0, 0" not in repr(job)
