"""What docs/looking-inside.md says is so: its scripts run, and its pictures are there."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from napari_anyir.analysis import __all__ as analyses


def page(repository: Path) -> str:
    return (repository / "docs" / "looking-inside.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_scripts_run(repository, tmp_path, monkeypatch) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", page(repository), re.DOTALL)
    assert len(blocks) == 3
    names: dict[str, object] = {}
    for number, block in enumerate(blocks):
        exec(block, names)
        if number == 0:  # a corner is enough for a test
            names["image"] = np.ascontiguousarray(names["image"][:64, :96])
    assert names["same"] is True
    assert not np.array_equal(names["changed"], names["restored"])
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "singular-values.csv",
        "singular-values.svg",
    ]


def test_pictures_are_there_and_every_analysis_is_told_of(repository) -> None:
    text = page(repository)
    pictures = re.findall(r"!\[.+?\]\((images/.*?)\)", text)
    assert len(pictures) >= 12
    assert all((repository / "docs" / path).is_file() for path in pictures)
    functions = {name for name in analyses if name.islower()}
    assert functions == set(re.findall(r"`analysis\.(\w+)`", text))
