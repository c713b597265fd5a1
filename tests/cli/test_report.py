"""``anyir report``: tables from results on disk, measurements on request, and no idle options."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

pytest.importorskip("yaml")

from napari_anyir.cli import app


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["report", *arguments])


def test_report_of_an_empty_folder_says_not_run(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    result = run("--results", str(tmp_path / "results"), "-o", str(tmp_path / "out"))
    assert result.exit_code == 0, result.output
    assert "report.html" in result.stdout
    assert "not run" in (tmp_path / "out" / "report.md").read_text()
    assert (tmp_path / "out" / "pictures" / "samples.png").is_file()


@pytest.mark.slow
def test_measurements_are_live(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "CBSD68"
    folder.mkdir(parents=True)
    Image.fromarray(np.full((33, 40, 3), 90, np.uint8)).save(folder / "a.png")
    results, out = tmp_path / "results", tmp_path / "out"
    options = ["--measure", "time", "--measure", "samples", "--model", "nano", "--device", "cpu"]
    result = run("-r", str(results), "-o", str(out), *options, "--data", str(tmp_path / "data"))
    assert result.exit_code == 0, result.output
    text = (out / "report.md").read_text()
    assert "nano network alone (s)" in text
    assert "1 of 68" in text
    assert "| darkness | 32 |" in text
    assert {path.name for path in results.iterdir()} == {"timing.json", "samples.json"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--measure", "time"], "needs --data"),
        (["--model", "nano"], "--model has no effect"),
        (["--limit", "3", "--measure", "samples"], "--limit has no effect"),
        (["--measure", "speed"], "complexity"),
    ],
)
def test_options_that_would_be_ignored_are_refused(options: list[str], said: str) -> None:
    result = run(*options)
    assert result.exit_code == 2
    assert said in result.stderr


def test_no_results_are_one_sentence(tmp_path: Path) -> None:
    result = run("--results", str(tmp_path / "none"), "-o", str(tmp_path / "out"))
    assert result.exit_code == 1
    assert "anyir evaluate" in result.stderr
