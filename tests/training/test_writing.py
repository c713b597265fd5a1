"""Files are whole or not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_anyir.training.writing import replace_file, write_json, write_text


def test_the_old_file_stays_where_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    write_text(path, "old")

    def fails(temporary: Path) -> None:
        temporary.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        replace_file(path, fails)
    assert path.read_text() == "old"
    assert [file.name for file in path.parent.iterdir()] == ["a.txt"]


def test_nothing_has_the_final_name_before_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.json"

    def write(temporary: Path) -> None:
        temporary.write_text("{}")
        assert temporary.parent == path.parent
        assert not path.exists()

    replace_file(path, write)
    write_json(path, {"b": (1, 2)})
    assert path.read_text() == '{\n  "b": [\n    1,\n    2\n  ]\n}\n'
