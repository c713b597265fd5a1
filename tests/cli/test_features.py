"""``anyir features``: files that hold what the library returns."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from skimage.io import imread
from typer.testing import CliRunner

import napari_anyir
from napari_anyir.cli import app
from napari_anyir.files import write_image
from napari_anyir.inference import gate_numbers, switch_off

PHOTO = np.random.default_rng(0).integers(0, 255, (19, 26, 3), np.uint8)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    write_image(path, PHOTO)
    return path


def run(*arguments: object) -> Any:
    """Run ``anyir features`` with the small model."""
    return CliRunner().invoke(app, ["features", *map(str, arguments), "--model", "nano"])


def test_tiffs_hold_the_maps_and_say_where_they_lie(photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = run(photo, "-o", out, "--block", "latent.*", "--reduce", "none", "--no-sheet")
    assert result.exit_code == 0, result.output
    assert "18 maps of 3 blocks of nano in" in result.output
    parts = ["alpha", "beta", "gamma", "attention", "gated", "fused"]
    maps = napari_anyir.feature_maps(PHOTO, "latent.*", parts, model="nano")
    files = {path.name for path in out.glob("*.tif")}
    assert files == {f"{block}-{part}.tif" for block, part in maps}
    for (block, part), found in maps.items():
        with tifffile.TiffFile(out / f"{block}-{part}.tif") as tif:
            np.testing.assert_allclose(tif.asarray(), found.array, rtol=1e-4, atol=1e-5)
            assert tif.series[0].axes == "CYX"
            said = tif.shaped_metadata[0]
        assert (said["scale"], said["offset"], said["part"]) == (16, 7.5, part)


def test_gates_are_tabled(photo: Path, tmp_path: Path) -> None:
    run(photo, "-o", tmp_path / "out", "--block", "encoder1.0", "--part", "fused", "--no-sheet")
    with (tmp_path / "out" / "gates.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    (numbers,) = gate_numbers(PHOTO, "encoder1.0", model="nano")
    np.testing.assert_allclose([float(r["tau_adj"]) for r in rows], numbers.tau_adj, rtol=1e-4)
    assert float(rows[0]["lambda"]) == pytest.approx(numbers.lam)


def test_zarr_holds_the_maps(photo: Path, tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    change = "decoder*:gated=off"
    options = ("--block", "decoder1.0", "--part", "fused", "--no-sheet")
    how = ("--format", "zarr", "--reduce", "pca", "--intervene", change)
    result = run(photo, "-o", tmp_path / "out", *options, *how)
    assert result.exit_code == 0, result.output
    group = zarr.open_group(tmp_path / "out" / "maps.zarr", mode="r")
    assert group.attrs["interventions"] == [change]
    array = group["decoder1.0/fused"]
    (found,) = napari_anyir.feature_maps(
        PHOTO, "decoder1.0", "fused", model="nano", reduce="pca",
        interventions=[switch_off("gated", "decoder*")],
    ).values()  # fmt: skip
    np.testing.assert_allclose(array[...], found.array, atol=1e-3)
    assert array.attrs["reduce"] == "pca"


def test_the_sheet_is_drawn(photo: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    result = run(photo, "-o", tmp_path / "out", "--block", "latent.*")
    assert result.exit_code == 0, result.output
    assert imread(tmp_path / "out" / "sheet.png").std() > 10


def test_without_matplotlib_the_rest_is_written(
    photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    result = run(photo, "-o", tmp_path / "out", "--block", "latent.0", "--part", "fused")
    assert result.exit_code == 0
    assert "No sheet.png" in result.stderr
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "gates.csv",
        "latent.0-fused.tif",
    ]


def test_a_stack_needs_an_index(tmp_path: Path) -> None:
    stack = np.random.default_rng(1).integers(0, 4000, (3, 16, 16)).astype(np.uint16)
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, stack, metadata={"axes": "ZYX"}, imagej=True)
    options = ("--block", "latent.0", "--part", "fused", "--no-sheet")
    refused = run(path, "-o", tmp_path / "one", *options)
    assert refused.exit_code == 1
    assert "name one, such as index=0" in refused.stderr
    result = run(path, "-o", tmp_path / "two", "--index", 2, *options)
    assert result.exit_code == 0, result.output
    (found,) = napari_anyir.feature_maps(
        stack, "latent.0", "fused", axes="ZYX", index=2, model="nano", reduce="mean_abs"
    ).values()
    written = tifffile.imread(tmp_path / "two" / "latent.0-fused.tif")
    np.testing.assert_allclose(np.squeeze(written), found.array[0], rtol=1e-4, atol=1e-5)


def test_nothing_is_replaced_unasked(photo: Path, tmp_path: Path) -> None:
    options = ("--block", "latent.0", "--part", "fused", "--no-sheet")
    assert run(photo, "-o", tmp_path / "out", *options).exit_code == 0
    again = run(photo, "-o", tmp_path / "out", *options)
    assert again.exit_code == 1
    assert "is not empty; name another folder or allow --overwrite" in again.stderr
    assert run(photo, "-o", tmp_path / "out", *options, "--overwrite").exit_code == 0


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--block", "encoder9.0"), "no block 'encoder9.0'"),
        (("--part", "delta"), "no part 'delta'"),
        (("--reduce", "median"), "none of mean_abs"),
        (("--format", "gif"), "none of tif, zarr"),
        (("--index", "x"), "is no number"),
        (("--intervene", "alpha"), "is no intervention"),
    ],
)
def test_nonsense_is_one_sentence(
    photo: Path, tmp_path: Path, options: tuple[str, ...], sentence: str
) -> None:
    result = run(photo, "-o", tmp_path / "out", *options)
    assert result.exit_code in (1, 2)
    assert sentence in " ".join(result.stderr.replace("│", " ").split())
    assert not (tmp_path / "out").exists()
