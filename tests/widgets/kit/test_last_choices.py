from __future__ import annotations

import json
from pathlib import Path

import pytest

from napari_anyir.widgets.kit import last_choices


@pytest.fixture
def older_napari(monkeypatch, tmp_path) -> Path:
    """Return the file that serves a napari without settings of plugins."""
    path = tmp_path / "config" / "napari-anyir.json"
    monkeypatch.setattr(last_choices, "_napari_section", lambda section: None)
    monkeypatch.setattr(last_choices, "_file", lambda: path)
    return path


def test_an_older_napari_gets_a_file(older_napari: Path) -> None:
    assert last_choices.load("restore") == {}
    last_choices.save("restore", {"model": "nano", "tile": "512 pixels"})
    last_choices.save("restore", {"model": "tiny"})
    last_choices.save("degrade", {"kind": "rain"})
    assert last_choices.load("restore") == {"model": "tiny", "tile": "512 pixels"}
    assert last_choices.load("degrade") == {"kind": "rain"}
    assert set(json.loads(older_napari.read_text())) == {"restore", "degrade"}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"restore": 3}'])
def test_a_damaged_file_stops_nobody(older_napari: Path, content: str) -> None:
    older_napari.parent.mkdir()
    older_napari.write_text(content)
    assert last_choices.load("restore") == {}
    last_choices.save("restore", {"model": "nano"})
    assert last_choices.load("restore") == {"model": "nano"}


def test_a_folder_that_cannot_be_written_stops_nobody(older_napari: Path) -> None:
    older_napari.parent.write_text("a file where the folder should be")
    last_choices.save("restore", {"model": "nano"})
    assert last_choices.load("restore") == {}


@pytest.mark.parametrize("error", [KeyError("getpwuid"), RuntimeError("no home"), OSError(13, "x")])
def test_napari_without_a_home_in_its_preferences_stops_nobody(
    monkeypatch, error: Exception
) -> None:
    """As in containers, and as for a user whose home belongs to another."""
    import napari.settings
    import platformdirs

    from napari_anyir.widgets.restore import estimate

    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(napari.settings, "get_settings", fails)
    monkeypatch.setattr(napari.settings, "get_plugin_settings", fails, raising=False)
    monkeypatch.setattr(platformdirs, "user_config_dir", fails)
    last_choices.save("restore", {"model": "nano"})
    assert last_choices.load("restore") == {}
    assert last_choices.beside("speeds") is None
    way = estimate.Way("nano", "0" * 64, "cpu", "float32", "auto", 1)
    estimate.learn(way, 10**7, 3.0)
    assert estimate.expected_seconds(way, 10**7) is None


def test_a_link_beside_the_file_is_not_written_through(older_napari: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    older_napari.parent.mkdir()
    older_napari.with_name(older_napari.name + ".part").symlink_to(precious)
    older_napari.symlink_to(precious)
    last_choices.save("restore", {"model": "nano"})
    assert precious.read_text() == "precious"
    assert last_choices.load("restore") == {"model": "nano"}


def test_a_newer_napari_keeps_them_in_its_preferences() -> None:
    pytest.importorskip("napari", "0.9.0")
    section = last_choices._napari_section("restore")
    if section is None:
        pytest.skip("the plugin is not registered with this napari")
    before = last_choices.load("restore")
    assert set(before) >= {"model", "device", "precision", "tile", "intensity", "what"}
    try:
        last_choices.save("restore", {"device": "cpu", "unknown": 1})
        assert last_choices.load("restore")["device"] == "cpu"
    finally:
        last_choices.save("restore", before)
