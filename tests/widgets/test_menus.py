"""Menus that the documents name are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.window

TOP = Path(__file__).resolve().parents[2]
PATH = re.compile(r"\*((?:File|Layers|Plugins)(?:\s>\s[^*>]+)+)\*")


def menu_paths(menu, above: str) -> set[str]:
    """Every entry of a menu with those above it: ``Plugins > AnyIR > Restore image``."""
    menu.aboutToShow.emit()  # napari fills some menus only then
    paths = set()
    for action in menu.actions():
        text = action.text().replace("&", "").removesuffix(" (AnyIR)")
        paths.add(f"{above} > {text}")
        if action.menu() is not None:
            paths |= menu_paths(action.menu(), f"{above} > {text}")
    return paths


def test_menus_that_the_documents_name_are_there(make_napari_viewer) -> None:
    if not (TOP / "docs").is_dir():
        pytest.skip("the documents are not in the source archive")
    pages = [TOP / "README.md", *sorted((TOP / "docs").glob("*.md"))]
    pages += sorted((TOP / "docs" / "tutorials").glob("*.md"))
    named = {
        (page.name, " ".join(found.split()))
        for page in pages
        if page.is_file()
        for found in PATH.findall(page.read_text(encoding="utf-8"))
    }
    assert len(named) > 5
    window = make_napari_viewer().window._qt_window
    there: set[str] = set()
    for action in window.menuBar().actions():
        there |= menu_paths(action.menu(), action.text().replace("&", ""))
    assert {(page, path) for page, path in named if path not in there} == set()
