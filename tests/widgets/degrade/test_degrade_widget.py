from __future__ import annotations

import numpy as np
import pytest
import torch
from napari.components import ViewerModel

from napari_anyir.degradations import KINDS, degrade
from napari_anyir.widgets.degrade import DegradeWidget
from napari_anyir.widgets.degrade.degrade_job import (
    DegradationChoice,
    KindsJob,
    degraded_layer,
    plan_degradation,
)


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def widget(qtbot, viewer, finish) -> DegradeWidget:
    made = DegradeWidget(viewer)
    qtbot.addWidget(made)
    made.load()
    finish(made.loader)
    return made


def pixels(shape, dtype) -> np.ndarray:
    values = np.random.default_rng(0).random(shape)
    return (values * (1 if np.dtype(dtype).kind == "f" else 250)).astype(dtype)


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_has_a_form_and_runs(widget, viewer, finish, kind: str) -> None:
    layer = viewer.add_image(pixels((24, 32, 3), "uint8"), rgb=True, name="photo", scale=(2, 2))
    before = layer.data.copy()
    widget.kind_box.setCurrentText(kind)
    widget.run()
    finish(widget.runner)
    result = viewer.layers[-1]
    assert result.name == f"photo {kind}"
    assert result.rgb
    assert result.data.shape == layer.data.shape
    assert result.data.dtype == np.uint8
    assert tuple(result.scale) == (2, 2)
    assert result.metadata["napari_anyir"]["degradation"] == kind
    np.testing.assert_array_equal(layer.data, before)
    assert np.array_equal(result.data, before) == (kind == "clean")


def test_it_is_what_the_package_does(viewer) -> None:
    layer = viewer.add_image(pixels((24, 32, 3), "uint8"), rgb=True)
    job = plan_degradation(
        layer, "YXS", DegradationChoice("noise", {"sigma": 25.0, "storage": "round"}, seed=7)
    )
    image = torch.from_numpy(layer.data / np.float32(255)).permute(2, 0, 1).unsqueeze(0)
    expected = degrade(image, "noise", seed=7, sigma=25.0, storage="round")
    expected = (255 * expected[0].permute(1, 2, 0)).round().numpy().astype(np.uint8)
    np.testing.assert_array_equal(job(None, None), expected)


@pytest.mark.parametrize("dtype", ["uint16", "float32", "int16"])
def test_types_and_ranges_are_kept(viewer, dtype: str) -> None:
    data = pixels((24, 32), dtype)
    layer = viewer.add_image(data)
    job = plan_degradation(layer, "YX", DegradationChoice("noise", {"sigma": 10.0}))
    spoilt = job(None, None)
    assert spoilt.dtype == dtype
    deviation = (spoilt.astype(float) - data).std() / float(data.max())
    assert 0.02 < deviation < 0.06  # 10 of 255 grey levels


def test_the_seed_tells_the_planes_apart_and_repeats(viewer) -> None:
    layer = viewer.add_image(np.full((3, 16, 16), 100, np.uint8))
    first = plan_degradation(layer, "ZYX", DegradationChoice("noise", {"sigma": 20.0}, seed=3))(
        None, None
    )
    again = plan_degradation(layer, "ZYX", DegradationChoice("noise", {"sigma": 20.0}, seed=3))(
        None, None
    )
    other = plan_degradation(layer, "ZYX", DegradationChoice("noise", {"sigma": 20.0}, seed=4))(
        None, None
    )
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first[1], other[0])
    assert not np.array_equal(first[0], first[1])


def test_strength_mixes_with_the_clean_image(viewer) -> None:
    layer = viewer.add_image(np.full((16, 16), 100, np.uint8))
    full, half = (
        plan_degradation(layer, "YX", DegradationChoice("noise", {"sigma": 20.0}, strength=share))(
            None, None
        )
        for share in (1.0, 0.5)
    )
    assert np.abs(half - (100.0 + full) / 2).max() <= 0.5


def test_one_plane_lies_in_its_place(viewer) -> None:
    layer = viewer.add_image(np.full((3, 16, 16), 100, np.uint8), scale=(4, 1, 1))
    viewer.dims.set_point(0, 8)
    job = plan_degradation(layer, "ZYX", DegradationChoice("noise", {}), dims=viewer.dims)
    data, values, _ = degraded_layer(job, job(None, None), set())
    result = viewer.add_image(data, **values)
    assert data.shape == (1, 16, 16)
    np.testing.assert_allclose(result.data_to_world((0, 0, 0)), (8, 0, 0))


def test_the_form_shows_defaults_limits_and_units(widget) -> None:
    described = KindsJob()(None, None)
    for kind, parameters in described.items():
        widget.kind_box.setCurrentText(kind)
        assert list(widget.parameters()) == list(parameters)
        for name, value in widget.parameters().items():
            default = parameters[name]["default"]
            if isinstance(default, str):
                assert value == default
            else:
                np.testing.assert_allclose(value, default, atol=0.05)
                assert widget._fields[name].boxes[0].toolTip()


def test_equal_numbers_fix_a_value(widget) -> None:
    widget.kind_box.setCurrentText("noise")
    for box in widget._fields["sigma"].boxes:
        box.setValue(25)
    assert widget.parameters()["sigma"] == 25.0


def test_pixels_that_are_not_finite_are_refused(viewer) -> None:
    layer = viewer.add_image(np.full((16, 16), np.nan, np.float32), contrast_limits=(0, 1))
    with pytest.raises(ValueError, match="NaN"):
        plan_degradation(layer, "YX", DegradationChoice("noise", {}))(None, None)


def test_a_grey_layer_gets_the_noise_that_was_asked_for(viewer) -> None:
    data = np.full((96, 96), 128, np.uint8)
    layer = viewer.add_image(data)
    spoilt = plan_degradation(layer, "YX", DegradationChoice("noise", {"sigma": 25.0}))(None, None)
    assert 24 < spoilt.std() < 26
