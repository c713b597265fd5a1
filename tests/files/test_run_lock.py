"""Whole files or none, and leftovers of killed runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from napari_anyir.atomic_writing import atomic_write
from napari_anyir.files.run_lock import RunLock, remove_stale, size_and_time


def test_an_error_keeps_the_old_file_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def interrupted() -> None:
        with atomic_write(path) as part:
            part.write_text("half")
            assert path.read_text() == "old"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_before_sees_what_the_target_will_be(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    seen = []
    with atomic_write(path, before=lambda part: seen.append(size_and_time(part))) as part:
        part.write_text("whole")
        assert not path.exists()
    assert seen == [size_and_time(path)]


def test_only_leftovers_of_dead_runs_go(tmp_path: Path) -> None:
    code = (
        "import sys, os; from pathlib import Path\n"
        "from napari_anyir.files.run_lock import RunLock\n"
        "root = Path(sys.argv[1]); lock = RunLock(root).__enter__()\n"
        "(root / f'.anyir-{lock.name}-0dead.png').touch(); os._exit(1)\n"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path], check=False, timeout=60)
    other = (tmp_path / "notes.txt").touch()
    assert other is None
    with RunLock(tmp_path) as alive:
        mine = tmp_path / f".anyir-{alive.name}-0alive.png"
        mine.touch()
        assert remove_stale(tmp_path, [tmp_path]) == 1
        assert mine.exists()
        mine.unlink()
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_folders_count_all_their_files(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a").write_bytes(b"12")
    before = size_and_time(tmp_path)
    (tmp_path / "deep" / "b").write_bytes(b"345")
    assert size_and_time(tmp_path)[0] == before[0] + 3 == 5
