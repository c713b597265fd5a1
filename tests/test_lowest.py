"""The environment `lowest` of tox has the lowest version that each dependency declares."""

from __future__ import annotations

import configparser
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

TOP = Path(__file__).resolve().parents[1]


def test_lowest_is_what_is_declared() -> None:
    if not (TOP / "tox.ini").is_file():
        pytest.skip("the tests stand alone")
    project = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = [*project["dependencies"], *project["optional-dependencies"]["ome"]]
    config = configparser.ConfigParser(interpolation=None)
    config.read(TOP / "tox.ini", encoding="utf-8")
    lines = config["testenv:lowest"]["deps"].split()
    installed = {
        Requirement(line).name.lower(): next(iter(Requirement(line).specifier)).version
        for line in lines
        if "==" in line
    }
    for requirement in map(Requirement, declared):
        (lowest,) = (s.version for s in requirement.specifier if s.operator == ">=")
        assert Version(installed[requirement.name.lower()]) == Version(lowest), requirement
