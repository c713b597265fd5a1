from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from napari_anyir.analysis import contact_sheet
from napari_anyir.analysis.contact_sheet import COLUMNS

RNG = np.random.default_rng(0)
PARTS = {"output": RNG.normal(size=(8, 8, 12)), "gated": RNG.normal(size=(4, 8, 12))}


def many(make_maps: Callable, count: int) -> dict:
    return {
        key: found
        for index in range(count)
        for key, found in make_maps(PARTS, f"latent.{index}", 8).items()
    }


def test_pictures_are_reductions_of_the_maps(make_maps: Callable) -> None:
    sheet = contact_sheet(make_maps(PARTS), reduce="mean_abs")
    assert sheet.parts == ("gated", "output")  # the rows of Fig. 15 first
    picture = sheet.pictures["encoder1.0", "gated"]
    np.testing.assert_allclose(picture, np.abs(PARTS["gated"]).mean(0), rtol=1e-5)
    names, rows = sheet.table()
    row = dict(zip(names, next(iter(rows)), strict=True))
    assert row["mean"] == pytest.approx(np.abs(PARTS["output"]).mean(), rel=1e-5)


def test_components_become_colours(make_maps: Callable) -> None:
    sheet = contact_sheet(make_maps(PARTS), parts=["gated"], reduce="pca")
    assert sheet.pictures["encoder1.0", "gated"].shape == (8, 12, 3)
    assert list(sheet.pictures) == [("encoder1.0", "gated")]


def test_maps_that_were_reduced_before_are_taken_as_they_are(make_maps: Callable) -> None:
    reduced = make_maps({"gated": np.ones((1, 8, 8))}, reduce="strongest")
    sheet = contact_sheet(reduced, reduce="strongest")
    assert sheet.pictures["encoder1.0", "gated"].tolist() == np.ones((8, 8)).tolist()
    with pytest.raises(ValueError, match="say reduce='strongest'"):
        contact_sheet(reduced)


def test_input_and_restored_share_one_scale(make_maps: Callable) -> None:
    image = RNG.integers(100, 900, (64, 96)).astype(np.uint16)
    sheet = contact_sheet(make_maps(PARTS), image, image * 2)
    assert list(sheet.images) == ["input", "restored"]
    low, high = np.percentile(image, (0.1, 99.9))
    np.testing.assert_allclose(sheet.images["restored"][..., 0], (image * 2.0 - low) / (high - low))


@pytest.mark.parametrize("count", [1, COLUMNS, COLUMNS + 3])
def test_bands_hold_all_blocks(make_maps: Callable, count: int) -> None:
    pytest.importorskip("matplotlib")
    sheet = contact_sheet(many(make_maps, count))
    figure = sheet.figure()
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == [f"latent.{index}" for index in range(count)]
    assert sum(bool(axes.images) for axes in figure.axes) == 2 * count
    labels = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert labels == ["gated", "output"] * -(-count // COLUMNS)


def test_nonsense_is_refused(make_maps: Callable) -> None:
    with pytest.raises(ValueError, match="There are no maps of alpha"):
        contact_sheet(make_maps(PARTS), parts=["alpha"])
    with pytest.raises(ValueError, match="There are no maps of any part"):
        contact_sheet({})
    with pytest.raises(ValueError, match="'sum' is unknown"):
        contact_sheet(make_maps(PARTS), reduce="sum")
