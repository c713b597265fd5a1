"""What a release needs: a version from the tags, and metadata that agree with each other."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

# What conda-forge calls otherwise than the package index does.
CONDA_NAMES = {"torch": "pytorch", "dask": "dask-core", "Pillow": "pillow"}


def project(repository: Path) -> dict[str, Any]:
    return tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def read_yaml(path: Path) -> Any:
    return pytest.importorskip("yaml").safe_load(path.read_text(encoding="utf-8"))


# --- the version ----------------------------------------------------------------------------------


@pytest.fixture
def clone(repository: Path, tmp_path: Path) -> Path:
    """Return a fresh repository with our pyproject.toml and one commit, without a tag."""
    pytest.importorskip("setuptools_scm")
    if not shutil.which("git"):
        pytest.skip("git is not here")
    shutil.copy(repository / "pyproject.toml", tmp_path)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    commit(tmp_path, "Begin")
    return tmp_path


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


def commit(folder: Path, message: str) -> None:
    name = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    git(folder, *name, "commit", "--quiet", "--allow-empty", "-m", message)


def version_of(folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "setuptools_scm"],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def test_a_clone_without_tags_has_a_version_before_the_first(clone: Path) -> None:
    found = Version(version_of(clone))
    assert found.is_devrelease
    assert found < Version("0.1.0")
    assert re.fullmatch(r"g[0-9a-f]+", found.local or "")


def test_a_tag_is_the_version_and_what_follows_is_later(clone: Path) -> None:
    git(clone, "tag", "v0.1.0")
    assert version_of(clone) == "0.1.0"
    commit(clone, "Go on")
    later = Version(version_of(clone))
    assert later > Version("0.1.0")
    assert later.is_devrelease


def test_a_copy_without_git_has_a_version(repository: Path, tmp_path: Path) -> None:
    pytest.importorskip("setuptools_scm")
    shutil.copy(repository / "pyproject.toml", tmp_path)
    assert Version(version_of(tmp_path)) < Version("0.1.0")


@pytest.mark.parametrize(("tag", "later"), [(None, False), ("v0.2.0", False), ("v0.2.0", True)])
def test_an_archive_has_the_version_of_its_tag_or_one_before_the_first(
    repository: Path, clone: Path, tmp_path_factory: pytest.TempPathFactory, tag: str, later: bool
) -> None:
    for name in (".git_archival.txt", ".gitattributes"):
        if not (repository / name).is_file():
            pytest.skip(f"{name} is not in the source archive")
        shutil.copy(repository / name, clone)
    git(clone, "add", ".")
    commit(clone, "Let archives tell")
    if tag:
        git(clone, "tag", tag)
    if later:
        commit(clone, "Go on")
    archive = tmp_path_factory.mktemp("archive")
    git(clone, "archive", "--output", str(archive / "a.zip"), "HEAD")
    shutil.unpack_archive(archive / "a.zip", archive)
    found = Version(version_of(archive))
    if tag is None:
        assert found == Version("0.1.0.dev0")
    else:
        assert found == Version("0.2.0") if not later else found > Version("0.2.0")


# --- metadata that agree --------------------------------------------------------------------------


def test_the_conda_recipe_asks_for_what_the_wheel_asks_for(repository: Path) -> None:
    recipe = read_yaml(repository / "conda" / "recipe.yaml")
    asked = {}
    for text in project(repository)["dependencies"]:
        requirement = Requirement(text)
        asked[CONDA_NAMES.get(requirement.name, requirement.name)] = str(requirement.specifier)
    given = dict(line.split(" ", 1) for line in recipe["requirements"]["run"])
    assert given.pop("python") == ">=${{ python_min }}"
    assert given == asked
    wanted = project(repository)["requires-python"]
    assert wanted == f">={recipe['context']['python_min']}"


def test_the_conda_recipe_builds_with_what_the_wheel_is_built_with(repository: Path) -> None:
    text = (repository / "pyproject.toml").read_text(encoding="utf-8")
    needed = {
        (requirement.name, str(requirement.specifier))
        for requirement in map(Requirement, tomllib.loads(text)["build-system"]["requires"])
    }
    host = read_yaml(repository / "conda" / "recipe.yaml")["requirements"]["host"]
    assert needed <= {tuple(line.split(" ", 1)) for line in host if " " in line}


def test_the_tested_pythons_are_those_that_are_named(repository: Path) -> None:
    workflow = repository / ".github" / "workflows" / "test_and_deploy.yml"
    if not workflow.is_file():
        pytest.skip("the workflows are not in the source archive")
    matrix = read_yaml(workflow)["jobs"]["test"]["strategy"]["matrix"]
    prefix = "Programming Language :: Python :: 3."
    named = [
        line.rpartition(" ")[2] for line in project(repository)["classifiers"] if prefix in line
    ]
    assert matrix["python-version"] == named == ["3.11", "3.12", "3.13"]


def test_classifiers_are_known(repository: Path) -> None:
    known = pytest.importorskip("trove_classifiers").classifiers
    assert set(project(repository)["classifiers"]) <= known


def test_links_lead_to_one_repository(repository: Path) -> None:
    urls = project(repository)["urls"]
    assert {"Homepage", "Documentation", "Source", "Issues", "Changelog"} <= set(urls)
    for name in ("Documentation", "Issues", "Changelog"):
        assert urls[name].startswith(urls["Source"])
    assert read_yaml(repository / "conda" / "recipe.yaml")["about"]["repository"] == urls["Source"]


def test_the_hub_s_page_names_every_widget(repository: Path) -> None:
    page = repository / ".napari-hub" / "DESCRIPTION.md"
    if not page.is_file():
        pytest.skip("the hub's page is not in the source archive")
    manifest = read_yaml(repository / "src" / "napari_anyir" / "napari.yaml")
    rows = re.findall(r"^\| ([^|]+?) \|", page.read_text(encoding="utf-8"), re.MULTILINE)
    for widget in manifest["contributions"]["widgets"]:
        assert widget["display_name"].partition(" (")[0] in rows
