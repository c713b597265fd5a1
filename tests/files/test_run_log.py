"""The log: what counts as made already."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from napari_anyir.files.run_log import LOG_NAME, RunLog

FACTS = {"input": "a", "input_time": 5, "settings": {"intensity": (0.0, 1.0)}}


@pytest.fixture
def result(tmp_path: Path) -> Path:
    """Return a result that the log tells of."""
    path = tmp_path / "deep" / "a.png"
    path.parent.mkdir()
    path.write_bytes(b"result")
    RunLog(tmp_path).add(path, path, {**FACTS, "seconds": 1.0})
    return path


def test_a_result_is_known_again(tmp_path: Path, result: Path) -> None:
    log = RunLog(tmp_path)
    assert log.holds(result, FACTS)
    assert not log.holds(result, {**FACTS, "input_time": 6})
    assert not log.holds(result, {**FACTS, "sha256": "new"})
    assert not log.holds(result.with_name("b.png"), FACTS)
    assert [path.resolve() for path in log.outputs()] == [result.resolve()]


def test_a_changed_or_missing_result_does_not_count(tmp_path: Path, result: Path) -> None:
    result.write_bytes(b"edited")
    os.utime(result, ns=(0, 1))
    assert not RunLog(tmp_path).holds(result, FACTS)
    result.unlink()
    assert not RunLog(tmp_path).holds(result, FACTS)


def test_cut_off_lines_harm_nothing(tmp_path: Path, result: Path) -> None:
    path = tmp_path / LOG_NAME
    with path.open("a") as file:
        file.write('{"output": "b.png", "outp')
    log = RunLog(tmp_path)
    assert log.holds(result, FACTS)
    other = tmp_path / "c.png"
    other.touch()
    log.add(other, other, FACTS)
    again = RunLog(tmp_path)
    assert again.holds(other, FACTS)
    assert again.holds(result, FACTS)


def test_the_last_line_counts(tmp_path: Path, result: Path) -> None:
    RunLog(tmp_path).add(result, result, {**FACTS, "input_time": 9})
    assert not RunLog(tmp_path).holds(result, FACTS)
    assert RunLog(tmp_path).holds(result, {**FACTS, "input_time": 9})
    lines = (tmp_path / LOG_NAME).read_text().splitlines()
    assert [json.loads(line)["output"] for line in lines] == ["deep/a.png"] * 2
