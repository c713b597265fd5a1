"""Values that are no light are kept out of the mapping and pass through."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import tifffile

from napari_anyir import restore
from napari_anyir.files import Settings, restore_files
from napari_anyir.inference import restore_with_record
from napari_anyir.inference.arrays.nodata import NoData

RNG = np.random.default_rng(0)
GOOD = RNG.uniform(40, 200, (64, 64)).astype(np.float32)
HIDDEN = np.zeros((64, 64), bool)
HIDDEN[:8, :8] = True
FLOAT32 = float(np.finfo(np.float32).min)


def with_hole(value: float, dtype: Any = np.float32) -> np.ndarray:
    image = GOOD.astype(dtype)
    image[HIDDEN] = value
    return image


def check(result: Any, source: np.ndarray, record: Any) -> None:
    data = np.ma.getdata(np.asanyarray(result))
    np.testing.assert_array_equal(data[HIDDEN], np.ma.getdata(source)[HIDDEN])
    low, high = np.percentile(np.ma.getdata(source)[~HIDDEN], (0.1, 99.9))
    assert record.intensity == pytest.approx((low, high))
    # far from the hole it is what an image without one gives
    plain, _ = restore_with_record(GOOD.astype(source.dtype), model="nano", intensity=(low, high))
    far = np.abs(data.astype(float) - plain)[24:, 24:]
    assert far.max() < 25  # the mean over all pixels, which attention takes, differs a little
    assert np.median(far) < 3


@pytest.mark.parametrize("nodata", [-9999.0, np.nan, np.inf, 0.0, FLOAT32, -1.7e308])
def test_a_number_that_says_nothing(nodata: float) -> None:
    value = max(nodata, FLOAT32) if np.isfinite(nodata) else nodata
    source = with_hole(value)
    result, record = restore_with_record(source, model="nano", nodata=nodata)
    check(result, source, record)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("value", [3.4028234663852886e38, 3.4028230607370965e38])
def test_sentinels_need_no_word(value: float, sign: int) -> None:
    source = with_hole(sign * value)
    result, record = restore_with_record(source, model="nano")
    check(result, source, record)


def test_integers() -> None:
    source = with_hole(-9999, np.int16)
    result, record = restore_with_record(source, model="nano", nodata=-9999)
    check(result, source, record)
    for absurd in (0.5, 1e9, np.nan):  # no pixel can have it
        assert not NoData(absurd).hidden(source).any()


def test_masked_numpy() -> None:
    source = np.ma.masked_array(with_hole(1e6), HIDDEN, fill_value=-1)
    result, record = restore_with_record(source, model="nano")
    assert isinstance(result, np.ma.MaskedArray)
    np.testing.assert_array_equal(result.mask, HIDDEN)
    assert result.fill_value == -1
    check(result, source, record)
    # nothing hidden: the result of a plain array
    plain = restore(GOOD, model="nano")
    np.testing.assert_array_equal(restore(np.ma.masked_array(GOOD), model="nano"), plain)


@pytest.mark.parametrize("chunks", [(64, 64), (30, 64)])
def test_masked_dask_is_as_numpy(chunks: tuple[int, int]) -> None:
    source = np.ma.masked_array(with_hole(1e6), HIDDEN)
    lazy = restore(da.from_array(source, chunks=chunks), model="nano")
    assert isinstance(lazy, da.Array)
    computed = lazy.compute(scheduler="synchronous")
    assert isinstance(computed, np.ma.MaskedArray)
    np.testing.assert_array_equal(computed.mask, HIDDEN)
    np.testing.assert_array_equal(computed.data, restore(source, model="nano").data)


def test_dask_with_a_number() -> None:
    source = with_hole(-9999)
    lazy = restore(da.from_array(source, chunks=(30, 64)), model="nano", nodata=-9999)
    np.testing.assert_array_equal(lazy.compute(), restore(source, model="nano", nodata=-9999))


def test_dask_with_sentinels_says_what_to_do() -> None:
    lazy = restore(da.from_array(with_hole(FLOAT32), chunks=64), model="nano")
    with pytest.raises(ValueError, match="give that number as nodata"):
        lazy.compute()


def test_stacks_colours_and_tiles() -> None:
    stack = np.stack([with_hole(-9999), GOOD, np.full((64, 64), -9999, np.float32)])
    result = restore(stack, axes="ZYX", model="nano", nodata=-9999)
    np.testing.assert_array_equal(result == -9999, stack == -9999)
    colours = np.stack([with_hole(-9999), GOOD, GOOD[::-1]], axis=0)
    result = restore(colours, axes="SYX", model="nano", nodata=-9999, tile=32)
    np.testing.assert_array_equal(result == -9999, colours == -9999)
    assert (restore(np.full((16, 16), -1.0), model="nano", nodata=-1) == -1).all()


def test_other_pixels_that_are_no_numbers_are_refused() -> None:
    source = with_hole(-9999)
    source[40, 40] = np.nan
    with pytest.raises(ValueError, match="1 NaN pixel"):
        restore(source, model="nano", nodata=-9999)


def test_alpha_has_to_be_a_number() -> None:
    image = np.full((16, 16, 4), 0.5, np.float32)
    image[3, 4, 3] = np.nan
    with pytest.raises(ValueError, match="1 NaN pixel"):
        restore(image, model="nano")
    with pytest.raises(ValueError, match="1 NaN pixel"):
        restore(da.from_array(image, chunks=-1), model="nano").compute()
    result = restore(image, model="nano", nodata=np.nan)
    assert np.isnan(result).sum() == 1
    assert np.isnan(result[3, 4, 3])


def test_wrong_nodata() -> None:
    with pytest.raises(TypeError, match="nodata must be a number"):
        restore(GOOD, model="nano", nodata="none")  # type: ignore[arg-type]


@pytest.mark.parametrize("order", [">", "<"])
def test_byte_order_is_kept(order: str) -> None:
    image = (GOOD * 100).astype(f"{order}u2")
    result = restore(image, model="nano")
    assert result.dtype == image.dtype
    lazy = restore(da.from_array(image, chunks=-1), model="nano")
    assert lazy.dtype == image.dtype
    assert lazy.compute().dtype == image.dtype
    np.testing.assert_array_equal(lazy.compute(), result)


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        ("-9999", -9999.0),
        ("-3.4028234663852886e+38", FLOAT32),
        ("-3.40282347e+38", FLOAT32),
        ("nan", np.nan),
        ("-9999,0 ", -9999.0),
    ],
)
def test_files_with_the_tag_of_gdal(tmp_path: Path, tag: str, value: float) -> None:
    source = with_hole(value)
    options: dict[str, Any] = {"metadata": None, "extratags": [(42113, 2, 0, tag, True)]}
    tifffile.imwrite(tmp_path / "a.tif", source, **options)
    run = restore_files([tmp_path / "a.tif"], tmp_path / "b.tif", settings=Settings(model="nano"))
    *_, last = run
    assert last.state == "done", last.message
    with tifffile.TiffFile(tmp_path / "b.tif") as written:
        result = written.asarray()
        assert str(written.pages[0].tags[42113].value).startswith(tag.strip())
    check(result, source, type("Record", (), last.record)())


@pytest.mark.parametrize("tag", ["", "none", "1e9", "-9999"])
def test_tags_that_no_pixel_can_have(tmp_path: Path, tag: str) -> None:
    source = GOOD.astype(np.uint8)
    options: dict[str, Any] = {"metadata": None, "extratags": [(42113, 2, 0, tag, True)]}
    tifffile.imwrite(tmp_path / "a.tif", source, **options)
    run = restore_files([tmp_path / "a.tif"], tmp_path / "b.tif", settings=Settings(model="nano"))
    *_, last = run
    assert last.state == "done", last.message
    np.testing.assert_array_equal(
        tifffile.imread(tmp_path / "b.tif"), restore(source, model="nano")
    )
