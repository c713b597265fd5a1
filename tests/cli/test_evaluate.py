"""``anyir evaluate``: a table of ours, the paper's and the difference, and files to go on from."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner, Result

pytest.importorskip("yaml")

from napari_anyir.cli import app
from napari_anyir.cli.evaluate import parse_crop
from napari_anyir.weights import add_model


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "Rain100L" / "test"
    generator = np.random.default_rng(0)
    for part, name in (("rainy", "rain-{}.png"), ("norain", "norain-{}.png")):
        (folder / part).mkdir(parents=True)
        for number in (1, 2):
            pixels = generator.integers(60, 190, (33, 40, 3), np.uint8)
            Image.fromarray(pixels).save(folder / part / name.format(number))
    return tmp_path / "data"


def run(root: Path, *more: str) -> Result:
    start = ["evaluate", "--data", str(root), "--out", str(root.parent / "out"), "--model", "nano"]
    return CliRunner().invoke(app, [*start, "--device", "cpu", *more])


def test_table_and_files(root: Path) -> None:
    result = run(root, "--protocol", "derain", "--limit", "1", "--images")
    assert result.exit_code == 0, result.output
    line = next(line for line in result.stdout.splitlines() if "Rain100L" in line)
    assert "1 of 100" in line
    assert "37.99" in line  # Tab. 9
    assert "SSIM (uniform): uniform 7 x 7 window" in result.stdout.replace("\n", " ")
    folder = root.parent / "out" / "derain" / "nano"
    assert {path.name for path in folder.iterdir()} >= {"per-image.csv", "means.csv", "table.md"}
    assert len(list((folder / "images").rglob("*.png"))) == 1
    rows = list(csv.DictReader((folder / "per-image.csv").open()))
    assert [row["method"] for row in rows] == ["input", "output"]
    assert f"{float(rows[1]['psnr']):.2f}" in line
    # a second call goes on
    assert run(root, "--protocol", "derain").exit_code == 0
    rows = list(csv.DictReader((folder / "per-image.csv").open()))
    assert [row["image"] for row in rows] == ["rain-1", "rain-1", "rain-2", "rain-2"]


def test_missing_sets_are_one_sentence_and_none_is_status_1(root: Path) -> None:
    result = run(root, "--protocol", "3deg", "--limit", "1")
    assert result.exit_code == 0, result.output
    (line,) = (line for line in result.stdout.splitlines() if line.startswith("Skipped"))
    assert "SOTS outdoor, CBSD68 sigma 15, CBSD68 sigma 25, CBSD68 sigma 50;" in line
    result = run(root, "--protocol", "zeroshot-snow")
    assert result.exit_code == 1
    assert "CSD" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--protocol", "3DEG"], "Unknown protocol '3DEG'"),
        (["--protocol", "derain", "--ssim", "Gaussian"], "did you mean 'gaussian'"),
        (["--protocol", "derain", "--only", "GoPro"], "its sets are Rain100L"),
        (["--protocol", "derain", "--device", "cuda:77"], "cuda:77"),
    ],
)
def test_wrong_options_are_one_sentence(root: Path, options: list[str], said: str) -> None:
    result = run(root, *options)
    assert result.exit_code == 1
    assert said in result.stderr


def test_crop_option(root: Path) -> None:
    assert parse_crop("8") == 8
    with pytest.raises(typer.BadParameter, match="none or a number"):
        parse_crop("16px")
    for crop, height in (("16", "32"), ("none", "33")):
        out = root.parent / f"crop-{crop}"
        result = run(root, "--protocol", "derain", "--limit", "1", "--crop", crop, "-o", str(out))
        assert result.exit_code == 0, result.output
        (table,) = out.rglob("per-image.csv")
        assert {row["height"] for row in csv.DictReader(table.open())} == {height}


def test_other_networks_stand_beside_ours(
    root: Path, foreign: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAPARI_ANYIR_MODELS", str(root.parent / "models"))
    foreign.save("Restormer", root.parent / "restormer.pth")
    add_model(root.parent / "restormer.pth")
    result = run(root, "--protocol", "derain", "--model", "restormer", "--images")
    assert result.exit_code == 0, result.output
    folder = root.parent / "out" / "derain"
    lines = (folder / "side-by-side.md").read_text().splitlines()
    assert lines[0] == (
        "| set | images | PSNR in | PSNR nano | PSNR restormer | SSIM nano | SSIM restormer |"
    )
    cells = lines[2].split(" | ")
    for column, model in ((3, "nano"), (4, "restormer")):
        rows = list(csv.DictReader((folder / model / "per-image.csv").open()))
        mean = np.mean([float(row["psnr"]) for row in rows if row["method"] == "output"])
        assert cells[column] == f"{mean:.2f}"
    assert "restormer: a Restormer network." in lines
    # A paper's row of AnyIR has no place beside another network.
    assert "paper" not in (folder / "restormer" / "table.md").read_text()
    report = CliRunner().invoke(
        app,
        ["report", "-r", str(root.parent / "out"), "-o", str(root.parent / "report")],
    )
    assert report.exit_code == 0, report.output
    # Both methods on the same images, with a part enlarged, here and in the report.
    pictures = sorted((folder / "side-by-side").glob("*.png"))
    assert [path.name for path in pictures] == ["Rain100L-rain-1.png", "Rain100L-rain-2.png"]
    with Image.open(pictures[0]) as opened:
        assert opened.width > 4 * 250  # degraded, two methods, clean
        reds = np.asarray(opened.convert("RGB")).reshape(-1, 3)
    assert (reds == (0xD6, 0x27, 0x28)).all(1).sum() > 100  # the frames
    page = (root.parent / "report" / "report.md").read_text()
    assert page.count("derain, Rain100L, rain-1 (as Fig. 5, 6, 16).") == 2
