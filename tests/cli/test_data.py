"""``anyir data check``: what is there, what is missing, and an exit status."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from napari_anyir.cli import app


def run(*arguments: object) -> Any:
    """Run ``anyir data check``."""
    return CliRunner().invoke(app, ["data", "check", *map(str, arguments)])


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8)).save(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for number in range(68):
        picture(tmp_path / "CBSD68" / f"{number}.png")
    for split in ("train", "test"):
        picture(tmp_path / "Rain100L" / split / "rainy" / "rain-1.png")
        picture(tmp_path / "Rain100L" / split / "gt" / "norain-1.png")
    return tmp_path


def row(output: str, *starts: str) -> list[str]:
    lines = (line.split() for line in output.splitlines())
    return next(line for line in lines if line[: len(starts)] == list(starts))


def test_check_tells_what_is_there_and_how_to_lay_out_the_rest(root: Path) -> None:
    result = run(root)
    assert result.exit_code == 0, result.output
    assert row(result.stdout, "CBSD68", "test")[2:4] == ["68", "68"]
    found = row(result.stdout, "Rain100L", "train")
    assert found[2:5] == ["1", "200", "differs"]
    assert found[5].endswith("Rain100L/train")
    assert "- LOL-v1 (test): ROOT/LOL-v1/eval15/low" in result.stdout
    assert "- Rain100L (train)" not in result.stdout
    assert row(result.stdout, "derain")[1:3] == ["120", "24,000"]
    assert row(result.stdout, "3deg")[-3:] == ["4", "of", "5"]
    # what the table says is not logged beside it
    assert not result.stderr
    assert logging.getLogger("napari_anyir.training").level == logging.NOTSET


def test_check_exits_1_if_nothing_is_found(tmp_path: Path) -> None:
    picture(tmp_path / "holiday" / "1.png")
    result = run(tmp_path)
    assert result.exit_code == 1
    assert "None of the known sets is below" in result.stderr
    assert "- Urban100 (test): ROOT/Urban100/*.png" in result.stdout
    absent = run(tmp_path / "absent")
    assert absent.exit_code == 1
    assert absent.stderr.startswith("Error: No folder")


def test_one_protocol_must_be_complete_enough_to_run(root: Path) -> None:
    result = run(root, "--protocol", "derain")
    assert result.exit_code == 0, result.output
    assert "CBSD68" not in result.stdout
    assert run(root, "--protocol", "3deg").exit_code == 1
    (root / "Rain100L" / "train" / "gt" / "norain-1.png").unlink()
    broken = run(root, "--protocol", "derain")
    assert broken.exit_code == 1
    assert "has rainy but no partner folder gt or norain or target with images" in broken.stdout
    unknown = run(root, "--protocol", "9deg")
    assert unknown.exit_code == 1
    assert "known are 3deg" in unknown.stderr


def test_traps_are_printed(root: Path) -> None:
    picture(root / "GoPro" / "train" / "blur_gamma" / "1.png")
    picture(root / "GoPro" / "train" / "sharp" / "1.png")
    picture(root / "RESIDE" / "synthetic" / "part1" / "1_1_0.1.jpg")
    picture(root / "RESIDE" / "original" / "1.jpg")
    output = run(root).stdout
    assert "blur_gamma but no blur" in output
    assert "Parts 2, 3, 4 are missing" in output


def test_real_sets_for_development_can_all_be_tested(shared: Path) -> None:
    result = run(shared / "dev", "--protocol", "dev")
    assert result.exit_code == 0, result.output
    assert row(result.stdout, "dev")[-3:] == ["7", "of", "7"]
    assert "(train)" not in result.stdout
