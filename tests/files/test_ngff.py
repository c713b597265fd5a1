"""OME-Zarr 0.1 to 0.6: axes by type and name, transformations, several images, what is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_anyir.files import ImageFile, Settings, read_image, restore_files, write_image
from napari_anyir.files.ngff import read_multiscale

zarr = pytest.importorskip("zarr", minversion="3.0")

RNG = np.random.default_rng(0)
STACK = RNG.integers(0, 60000, (2, 3, 4, 20, 30), np.uint16)  # t, c, z, y, x
TYPES = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}


def axes_of(names: str) -> list[dict[str, str]]:
    return [{"name": name, "type": TYPES[name]} for name in names]


def make(path: Path, multiscale: dict[str, Any], array: np.ndarray, *, form: int = 2) -> Path:
    group = zarr.open_group(path, mode="w", zarr_format=form)
    group.create_array("0", shape=array.shape, dtype=array.dtype, chunks=array.shape)[...] = array
    multiscale = {"datasets": [{"path": "0"}], **multiscale}
    version = multiscale.get("version", "")
    described: dict[str, Any] = {"multiscales": [multiscale]}
    group.attrs.update({"ome": {"version": version, **described}} if form == 3 else described)
    return path


@pytest.mark.parametrize("version", ["0.1", "0.2", ""])
def test_no_axes_are_tczyx(tmp_path: Path, version: str) -> None:
    image = read_image(make(tmp_path / "a.zarr", {"version": version}, STACK))
    assert image.axes == "TCZYX"
    np.testing.assert_array_equal(image.array, STACK)


def test_axes_are_names(tmp_path: Path) -> None:
    multiscale = {"version": "0.3", "axes": ["c", "y", "x"]}
    assert read_image(make(tmp_path / "a.zarr", multiscale, STACK[0, :, 0])).axes == "CYX"


@pytest.mark.parametrize(
    ("axes", "letters"),
    [
        ([{"name": "time", "type": "time"}, *axes_of("yx")], "TYX"),
        ([{"name": "x", "type": "channel"}, *axes_of("yx")], "CYX"),
        ([{"name": "z", "type": "time"}, *axes_of("yx")], "TYX"),
        ([{"name": "a", "type": "space"}, {"name": "b", "type": "space"}], "YX"),
        ([{"name": n, "type": "space"} for n in ("depth", "lat", "lon")], "ZYX"),
        ([{"name": n, "type": "space"} for n in ("x", "y", "z")], "XYZ"),
        ([{"name": "C"}, {"name": "Y"}, {"name": "X"}], "CYX"),
        (["y", "x", "c"], "YXC"),
    ],
)
def test_types_decide_before_names(axes: list[Any], letters: str) -> None:
    described = {"axes": axes, "datasets": [{"path": "0"}]}
    assert read_multiscale(described, len(letters)).axes == letters


@pytest.mark.parametrize(
    "axes",
    [
        [{"name": "t", "type": "time"}, {"name": "u", "type": "time"}, *axes_of("yx")],
        [{"name": "q", "type": "array"}, *axes_of("yx")],
        [{"name": n, "type": "space"} for n in "abcd"],
        axes_of("tc"),
    ],
)
def test_axes_that_are_none_of_an_image(axes: list[Any]) -> None:
    with pytest.raises(ValueError, match="its axes"):
        read_multiscale({"axes": axes, "datasets": [{"path": "0"}]}, len(axes))
    with pytest.raises(ValueError, match="do not fit"):
        read_multiscale({"axes": axes_of("yx"), "datasets": [{"path": "0"}]}, 3)


SCALE = {"type": "scale", "scale": [1, 2, 0.5, 0.25]}
MOVE = {"type": "translation", "translation": [0, 0, 5, 6]}


@pytest.mark.parametrize(
    ("steps", "translation"),
    [
        ([SCALE], {}),
        ([SCALE, MOVE], {"Y": 5.0, "X": 6.0}),
        ([MOVE, SCALE], {"Y": 2.5, "X": 1.5}),
        ([{"type": "sequence", "transformations": [SCALE, MOVE]}], {"Y": 5.0, "X": 6.0}),
        (
            [{"type": "sequence", "transformations": [
                {"type": "identity"}, {"type": "sequence", "transformations": [SCALE]}, MOVE]}],
            {"Y": 5.0, "X": 6.0},
        ),
        (
            [{"type": "affine", "affine": [
                [1, 0, 0, 0, 0], [0, 2, 0, 0, 0], [0, 0, 0.5, 0, 5], [0, 0, 0, 0.25, 6]]}],
            {"Y": 5.0, "X": 6.0},
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("version", ["0.4", "0.5", "0.6"])
def test_transformations(
    tmp_path: Path, version: str, steps: list[Any], translation: dict[str, float]
) -> None:
    array = STACK[:, 0]
    steps = [{**step, "input": {"path": "0"}, "output": {"name": "w"}} for step in steps]
    multiscale: dict[str, Any] = {"version": version, "name": "cells"}
    multiscale["datasets"] = [{"path": "0", "coordinateTransformations": steps}]
    if version == "0.6":
        multiscale["coordinateSystems"] = [{"name": "w", "axes": axes_of("tzyx")}]
    else:
        multiscale["axes"] = axes_of("tzyx")
    path = make(tmp_path / "a.zarr", multiscale, array, form=2 if version == "0.4" else 3)
    image = read_image(path)
    assert image.axes == "TZYX"
    assert image.scale == {"T": 1.0, "Z": 2.0, "Y": 0.5, "X": 0.25}
    assert image.metadata["translation"] == translation
    assert image.notes == (("its version 0.6 is written as 0.5",) if version == "0.6" else ())
    again = read_image(write_image(tmp_path / "b.zarr", image.array, image))
    assert (again.axes, again.scale) == (image.axes, image.scale)
    assert again.metadata["translation"] == translation
    np.testing.assert_array_equal(again.array, array)


@pytest.mark.parametrize(
    "step",
    [
        {"type": "rotation", "rotation": [[0, 1], [1, 0]]},
        {"type": "affine", "affine": [[1, 1, 0], [0, 1, 0]]},
        {"type": "scale", "path": "scale"},
        {"type": "scale", "scale": [1, 2, 3]},
        {"type": "mapAxis", "mapAxis": {"x": "y", "y": "x"}},
    ],
)
def test_other_transformations_are_told(step: dict[str, Any]) -> None:
    datasets = [{"path": "0", "coordinateTransformations": [step]}]
    found = read_multiscale({"axes": axes_of("yx"), "datasets": datasets}, 2)
    assert found.scale == {"Y": 1.0, "X": 1.0}
    assert found.notes == (f"its transformation '{step['type']}' is left out",)


def test_what_is_not_kept_is_told(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=3)
    plane = STACK[0, 0, 0]
    options = {"shape": plane.shape, "dtype": plane.dtype, "chunks": (10, 10), "shards": (20, 30)}
    group.create_array("0", **options)[...] = plane
    group.create_group("labels")
    multiscale = {"axes": axes_of("yx"), "datasets": [{"path": "0"}]}
    group.attrs["ome"] = {"version": "0.5", "multiscales": [multiscale, multiscale]}
    image = read_image(tmp_path / "a.zarr")
    np.testing.assert_array_equal(image.array, plane)
    text = " ".join(image.notes)
    assert all(word in text for word in ("labels", "shards", "of its 2 multiscales"))
    run = restore_files(
        [tmp_path / "a.zarr"], tmp_path / "b.zarr", settings=Settings(model="nano", strength=0)
    )
    *_, last = run
    assert last.state == "done"
    assert "labels" in last.message


@pytest.mark.parametrize("known", [True, False])
def test_one_of_several_images_can_be_named(tmp_path: Path, known: bool) -> None:
    outer = zarr.open_group(tmp_path / "many.ome.zarr", mode="w", zarr_format=2)
    if known:
        outer.attrs["bioformats2raw.layout"] = 3
    planes = {}
    for n in range(2):
        planes[str(n)] = STACK[n, 0, 0]
        multiscale = {"version": "0.4", "axes": axes_of("yx")}
        make(tmp_path / "many.ome.zarr" / str(n), multiscale, planes[str(n)])
    with pytest.raises(ValueError, match="it holds 2 images; name one of them, such as") as caught:
        read_image(tmp_path / "many.ome.zarr")
    advised = Path(str(caught.value).rsplit("'", 2)[1])
    np.testing.assert_array_equal(read_image(advised).array, planes["0"])
    settings = Settings(model="nano", strength=0)
    named = [tmp_path / "many.ome.zarr" / n for n in planes]
    states = [status.state for status in restore_files(named, tmp_path / "out", settings=settings)]
    assert states.count("done") == 2
    for n, plane in planes.items():
        result = read_image(tmp_path / "out" / f"many_{n}.ome.zarr")
        np.testing.assert_array_equal(result.array, plane)


def test_arrays_that_name_their_axes(tmp_path: Path) -> None:
    array = STACK[:, 0, 0]
    options = {"data": array, "dimension_names": ["time", "y", "x"], "attributes": {"gain": 2}}
    zarr.create_array(tmp_path / "a.zarr", **options)
    image = read_image(tmp_path / "a.zarr")
    assert image.axes == "TYX"
    again = zarr.open(write_image(tmp_path / "b.zarr", image.array, image), mode="r")
    assert list(again.metadata.dimension_names) == ["time", "y", "x"]
    assert again.attrs.asdict() == {"gain": 2}
    old = zarr.create_array(tmp_path / "c.zarr", data=array, zarr_format=2)
    old.attrs["_ARRAY_DIMENSIONS"] = ["z", "y", "x"]
    image = read_image(tmp_path / "c.zarr")
    assert image.axes == "ZYX"
    again = zarr.open(write_image(tmp_path / "d.zarr", image.array, image), mode="r")
    assert again.metadata.zarr_format == 2


def test_metadata_of_other_formats_comes_back(tmp_path: Path) -> None:
    plane = STACK[0, 0, 0]
    metadata = {"icc_profile": b"\0p", "exif": b"Exif\0\0x", "xmp": b"<x/>", "text": {"Title": "µ"}}
    like = ImageFile(plane, "YX", "png", metadata=metadata, nodata=float("nan"))
    image = read_image(write_image(tmp_path / "a.zarr", plane, like))
    assert {name: image.metadata[name] for name in metadata} == metadata
    assert image.nodata is not None
    assert np.isnan(image.nodata)


def test_a_scale_of_zero_is_none(tmp_path: Path) -> None:
    step = {"type": "scale", "scale": [1, 0.5, 0, 0]}
    multiscale: dict[str, Any] = {"version": "0.4", "axes": axes_of("tzyx")}
    multiscale["datasets"] = [{"path": "0", "coordinateTransformations": [step]}]
    image = read_image(make(tmp_path / "a.zarr", multiscale, STACK[:, 0], form=2))
    assert set(image.scale.values()) == {1.0}
    assert "its transformation 'scale' is left out" in image.notes


def test_no_level(tmp_path: Path) -> None:
    multiscale: dict[str, Any] = {"version": "0.4", "axes": axes_of("tzyx"), "datasets": []}
    path = make(tmp_path / "a.zarr", multiscale, STACK[:, 0], form=2)
    with pytest.raises(ValueError, match="name no level"):
        read_image(path)
