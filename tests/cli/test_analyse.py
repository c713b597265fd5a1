"""``anyir analyse``: the paper's figures of an image from a shell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from napari_anyir.cli import app
from napari_anyir.samples import FOLDER, SAMPLES

pytest.importorskip("matplotlib")
RAIN = SAMPLES["rain"]


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["analyse", *map(str, arguments), "--model", "nano"])


@pytest.mark.slow
def test_figures_and_their_numbers_are_written(tmp_path: Path) -> None:
    clean = FOLDER / RAIN.clean
    result = run(FOLDER / RAIN.degraded, "-o", tmp_path, "--reference", clean, "--figure", 9,
                 "--figure", 10, "--figure", 11)  # fmt: skip
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"figure-{number}{suffix}" for number in ("09", "10", "11") for suffix in (".csv", ".png")
    ]
    assert len((tmp_path / "figure-09.csv").read_text().splitlines()) > 8
    assert (tmp_path / "figure-10.png").stat().st_size > 10_000


def test_what_cannot_be_drawn_is_one_sentence(tmp_path: Path) -> None:
    result = run(FOLDER / RAIN.degraded, "-o", tmp_path, "--figure", 10)
    assert result.exit_code == 1
    assert "Figure 10 needs the clean image" in result.stderr
    result = run(FOLDER / RAIN.degraded, "-o", tmp_path, "--figure", 14)
    assert "Figure 14 cannot be made of one image; choose of 9, 10, 11, 12, 13." in result.stderr
    result = run(FOLDER / RAIN.degraded, "-o", tmp_path, "--block", "nowhere", "--figure", 9)
    assert result.exit_code == 1
    assert "nowhere" in result.stderr
    assert not list(tmp_path.iterdir())
