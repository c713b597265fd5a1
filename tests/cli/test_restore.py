"""``anyir restore``: options reach `restore`, and what is printed is true."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from typer.testing import CliRunner

import napari_anyir
from napari_anyir.cli import app
from napari_anyir.files import ImageFile, read_image, write_image
from napari_anyir.inference import Intervention

RNG = np.random.default_rng(0)


def run(*arguments: object) -> Any:
    """Run ``anyir restore`` with the smallest network."""
    return CliRunner().invoke(app, ["restore", *map(str, arguments), "--model", "nano"])


def test_options_reach_the_network(tmp_path: Path) -> None:
    array = RNG.integers(100, 4000, (2, 80, 72), np.uint16)
    write_image(tmp_path / "a.tif", array, ImageFile(array, "ZYX", "npy"))
    result = run(
        tmp_path / "a.tif",
        "-o",
        tmp_path / "b.npy",
        "--axes=tyx",
        "--intensity=100,4000",
        "--strength=0.5",
        "--tile=64",
        "--device=cpu",
        "--precision=float32",
    )
    assert result.exit_code == 0, result.output
    expected = napari_anyir.restore(
        array,
        axes="TYX",
        model="nano",
        intensity=(100, 4000),
        strength=0.5,
        tile=64,
        device="cpu",
        precision="float32",
    )
    np.testing.assert_array_equal(np.load(tmp_path / "b.npy"), expected)
    log = (tmp_path / "anyir-log.jsonl").read_text()
    assert '"strength": 0.5' in log
    assert '"tile": 64' in log


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_that_was_saved_as_rgb_stays_grey(dtype: Any, tmp_path: Path) -> None:
    grey = RNG.poisson(90, (40, 48, 1)).astype(dtype)
    write_image(tmp_path / "a.tif", np.repeat(grey, 3, axis=-1))
    result = run(tmp_path / "a.tif", "-o", tmp_path / "b.tif", "--device=cpu", "--axes=YXS")
    assert result.exit_code == 0, result.output
    restored = read_image(tmp_path / "b.tif").array
    assert restored.shape == (40, 48, 3)
    assert (restored == restored[..., :1]).all()
    assert not np.array_equal(restored[..., :1], grey)


def test_folders_suffix_and_format(tmp_path: Path) -> None:
    for name in ("a.png", "day1/b.png"):
        write_image(tmp_path / "raw" / name, RNG.integers(0, 255, (16, 16), np.uint8))
    result = run(tmp_path / "raw", "-o", tmp_path / "out", "--suffix=_r", "--format=tif")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("2 restored in ")
    assert (tmp_path / "out" / "a_r.tif").is_file()
    assert (tmp_path / "out" / "day1" / "b_r.tif").is_file()
    again = run(tmp_path / "raw", "-o", tmp_path / "out", "--suffix=_r", "--format=tif")
    assert again.stdout.startswith("0 restored, 2 there already")


def test_one_bad_file_is_reported_at_the_end(tmp_path: Path) -> None:
    write_image(tmp_path / "raw" / "a.png", RNG.integers(0, 255, (16, 16), np.uint8))
    (tmp_path / "raw" / "b.png").write_text("no image")
    write_image(tmp_path / "raw" / "c.png", RNG.integers(0, 255, (16, 16), np.uint8))
    result = run(tmp_path / "raw", "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert result.stdout.startswith("2 restored, 1 failed in ")
    assert "b.png" in result.stderr
    assert sorted(path.name for path in (tmp_path / "out").glob("*.png")) == ["a.png", "c.png"]


def test_existing_files_need_overwrite(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", RNG.integers(0, 255, (16, 16), np.uint8))
    write_image(tmp_path / "out" / "a.png", np.zeros((4, 4), np.uint8))
    assert "--overwrite" in run(tmp_path / "a.png", "-o", tmp_path / "out").stderr
    assert read_image(tmp_path / "out" / "a.png").array.shape == (4, 4)
    assert run(tmp_path / "a.png", "-o", tmp_path / "out", "--overwrite").exit_code == 0
    assert read_image(tmp_path / "out" / "a.png").array.shape == (16, 16)


def test_reference_prints_the_numbers_of_scikit_image(tmp_path: Path) -> None:
    clean = np.tile(np.arange(32, dtype=np.uint8) * 8, (32, 1))
    clean = np.stack([clean, clean.T, clean], -1)
    for name in ("a.png", "b.png"):
        noisy = np.clip(clean + RNG.normal(0, 25, clean.shape), 0, 255).astype(np.uint8)
        write_image(tmp_path / "raw" / name, noisy)
        write_image(tmp_path / "clean" / name.replace("png", "tif"), clean)
    result = run(tmp_path / "raw", "-o", tmp_path / "out", "--reference", tmp_path / "clean")
    assert result.exit_code == 0, result.output
    assert "uniform 7 x 7" in result.stdout
    cells = {
        line.split()[0]: line.split()[1:] for line in result.stdout.splitlines() if line.strip()
    }
    sums = np.zeros(4)
    for name in ("a.png", "b.png"):
        row = []
        for folder in ("raw", "out"):
            image = read_image(tmp_path / folder / name).array
            row.append(peak_signal_noise_ratio(clean, image, data_range=255))
            row.append(structural_similarity(clean, image, data_range=255, channel_axis=-1))
        row = [row[0], row[2], row[1], row[3]]
        sums += row
        assert cells[name] == [f"{row[0]:.2f}", f"{row[1]:.2f}", f"{row[2]:.4f}", f"{row[3]:.4f}"]
    mean = sums / 2
    assert cells["mean"][:2] == [f"{mean[0]:.2f}", f"{mean[1]:.2f}"]


def test_a_reference_that_does_not_fit_stops_before_any_work(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        write_image(tmp_path / "raw" / name, RNG.integers(0, 255, (16, 16), np.uint8))
    write_image(tmp_path / "clean" / "a.png", RNG.integers(0, 255, (16, 16), np.uint8))
    for reference, says in (("clean", "no image for 'b.png'"), ("clean/a.png", "one image")):
        result = run(tmp_path / "raw", "-o", tmp_path / "out", "--reference", tmp_path / reference)
        assert result.exit_code == 1
        assert says in result.stderr
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("other", [np.zeros((16, 18), np.uint8), np.zeros((16, 16), np.uint16)])
def test_references_of_another_kind_are_refused(tmp_path: Path, other: Any) -> None:
    write_image(tmp_path / "a.png", RNG.integers(0, 255, (16, 16), np.uint8))
    write_image(tmp_path / "clean.png", other)
    result = run(
        tmp_path / "a.png", "-o", tmp_path / "b.png", "--reference", tmp_path / "clean.png"
    )
    assert result.exit_code == 1
    assert "compare images of one" in result.stderr


def test_interventions_reach_the_network(tmp_path: Path) -> None:
    array = RNG.integers(0, 255, (40, 33, 3), np.uint8)
    write_image(tmp_path / "a.png", array)
    changes = ("encoder1.*:alpha=off", "*:lambda=0.3", "decoder1.0:gated=mean")
    options = [text for change in changes for text in ("--intervene", change)]
    result = run(tmp_path / "a.png", "-o", tmp_path / "b.png", *options, "--device=cpu")
    assert result.exit_code == 0, result.output
    expected = napari_anyir.restore(
        array, model="nano", device="cpu", interventions=[Intervention.parse(c) for c in changes]
    )
    written = read_image(tmp_path / "b.png").array
    np.testing.assert_array_equal(written, expected)
    assert not np.array_equal(written, napari_anyir.restore(array, model="nano", device="cpu"))
    # Another change is another result, which replaces nothing unasked; the same is there already.
    assert (
        run(tmp_path / "a.png", "-o", tmp_path / "b.png", *options, "--device=cpu").stdout[:1]
        == "0"
    )
    other = run(
        tmp_path / "a.png", "-o", tmp_path / "b.png", "--intervene", "*:alpha", "--device=cpu"
    )
    assert "allow overwriting" in other.stderr


def test_results_without_interventions_are_logged_as_before(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", RNG.integers(0, 255, (16, 16), np.uint8))
    assert run(tmp_path / "a.png", "-o", tmp_path / "b.png").exit_code == 0
    line = json.loads((tmp_path / "anyir-log.jsonl").read_text().splitlines()[-1])
    settings = next(value for value in line.values() if isinstance(value, dict) and "tile" in value)
    assert "interventions" not in settings


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("alpha=off", "is no intervention; write block:part=action"),
        ("encoder9.0:alpha=off", "no block 'encoder9.0'"),
        ("*:delta=off", "The part 'delta' cannot be changed"),
        ("*:alpha=loud", "The action 'loud' is unknown"),
        ("*:lambda=off", "give a number"),
    ],
)
def test_a_wrong_intervention_is_one_sentence(tmp_path: Path, change: str, says: str) -> None:
    write_image(tmp_path / "a.png", RNG.integers(0, 255, (16, 16), np.uint8))
    result = run(tmp_path / "a.png", "-o", tmp_path / "out", "--intervene", change)
    assert result.exit_code == 1
    assert says in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "out").exists()


def test_interventions_and_tiles_are_refused_together(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", RNG.integers(0, 255, (16, 16), np.uint8))
    result = run(tmp_path / "a.png", "-o", tmp_path / "out", "--intervene", "*:alpha", "--tile=64")
    assert result.exit_code == 1
    assert "Interventions see whole planes" in " ".join(result.stderr.split())


@pytest.mark.parametrize(("text", "value"), [("-9999", -9999.0), ("nan", np.nan)])
@pytest.mark.parametrize("suffix", [".npy", ".tif"])
def test_pixels_without_a_value_are_named(
    tmp_path: Path, text: str, value: float, suffix: str
) -> None:
    """For files that do not say so themselves; what has no value stays, and is told again."""
    array = np.random.default_rng(2).normal(500, 20, (40, 48)).astype(np.float32)
    array[3:9, 5:20] = value
    write_image(tmp_path / f"a{suffix}", array, ImageFile(array, "YX", "npy"))
    result = run(tmp_path / f"a{suffix}", "-o", tmp_path / "out", "--nodata", text)
    assert result.exit_code == 0, result.output
    restored = read_image(tmp_path / "out" / f"a{suffix}")
    hidden = np.isnan(array) if np.isnan(value) else array == value
    np.testing.assert_array_equal(restored.array[hidden], array[hidden])
    assert 400 < restored.array[~hidden].min() <= restored.array[~hidden].max() < 600
    if suffix == ".tif":
        assert restored.nodata is not None
        np.testing.assert_equal(restored.nodata, value)
    # The same again is known; without the option it is another result.
    assert "1 there already" in run(
        tmp_path / f"a{suffix}", "-o", tmp_path / "out", "--nodata", text
    ).output  # fmt: skip


def test_a_value_that_pixels_cannot_have_changes_nothing(tmp_path: Path) -> None:
    array = np.random.default_rng(2).integers(0, 255, (24, 32), np.uint8)
    write_image(tmp_path / "a.png", array)
    result = run(tmp_path / "a.png", "-o", tmp_path / "b.tif", "--nodata", "-9999")
    assert result.exit_code == 0, result.output
    assert read_image(tmp_path / "b.tif").nodata is None
    expected = napari_anyir.restore(array, axes="YX", model="nano")
    np.testing.assert_array_equal(read_image(tmp_path / "b.tif").array, expected)
