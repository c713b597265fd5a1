"""The package as others meet it: what an import loads, what is public, what is built."""

from __future__ import annotations

import doctest
import importlib
import importlib.metadata
import json
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import napari_anyir

TOP = Path(__file__).resolve().parents[1]
SOURCE = TOP / "src" / "napari_anyir"
TRAINING = TOP / "training"


def modules_loaded_by(statement: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter holds after a statement."""
    code = (
        f"{statement}\nimport json, sys\nprint(json.dumps([m.split('.')[0] for m in sys.modules]))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    return set(json.loads(run.stdout.splitlines()[-1]))


def source_modules() -> list[tuple[Path, str]]:
    """Return (file, package) of every module in both trees."""
    found = []
    for top, prefix in ((SOURCE, "napari_anyir"), (TRAINING, "napari_anyir.training")):
        for path in sorted(top.rglob("*.py")):
            package = ".".join([prefix, *path.relative_to(top).parent.parts])
            found.append((path, package))
    return found


def data_files(top: Path) -> set[str]:
    """Return the paths, relative to a tree, of what must be in the wheel."""
    return {
        path.relative_to(top).as_posix()
        for path in top.rglob("*")
        if path.is_file()
        and not {"__pycache__", ".ipynb_checkpoints"} & set(path.parts)
        and not path.name.startswith(".")
    }


# --- what an import loads -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "import napari_anyir",
        "import napari_anyir; dir(napari_anyir); napari_anyir.__version__; napari_anyir.ModelError",
    ],
)
def test_import_loads_nothing_heavy(statement: str) -> None:
    heavy = {"torch", "numpy", "skimage", "dask", "napari", "magicgui", "qtpy"}
    heavy |= {"PyQt5", "PyQt6", "PySide2", "PySide6"}
    assert not modules_loaded_by(statement) & heavy


@pytest.mark.slow
def test_restore_needs_neither_qt_nor_napari() -> None:
    loaded = modules_loaded_by("import napari_anyir; napari_anyir.restore; napari_anyir.load_model")
    assert "torch" in loaded
    assert not loaded & {"napari", "qtpy", "PyQt5", "PyQt6", "PySide2", "PySide6"}


# --- what is public -------------------------------------------------------------------------------


def test_every_public_name_resolves_and_is_listed() -> None:
    for name in napari_anyir.__all__:
        assert getattr(napari_anyir, name) is not None
        assert name in dir(napari_anyir)
    assert isinstance(napari_anyir.ModelError("x"), Exception)
    assert isinstance(napari_anyir.Cancelled("x"), Exception)


def test_unknown_attribute_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'restoer'"):
        napari_anyir.restoer  # noqa: B018


def test_version_is_that_of_the_installed_package(repository: Path) -> None:
    assert napari_anyir.__version__ == importlib.metadata.version("napari-anyir")
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "version" in project["dynamic"]


def test_entry_points_are_installed() -> None:
    entry_points = importlib.metadata.distribution("napari-anyir").entry_points
    found = {(point.group, point.name): point.value for point in entry_points}
    assert found["napari.manifest", "napari-anyir"] == "napari_anyir:napari.yaml"
    assert found["console_scripts", "anyir"] == "napari_anyir.cli:main"


def test_base_brings_neither_qt_nor_napari() -> None:
    requirements = importlib.metadata.requires("napari-anyir") or []
    base = " ".join(r for r in requirements if "extra ==" not in r).lower()
    assert "torch" in base
    for name in ("napari", "pyqt", "pyside"):
        assert name not in base


# --- who imports whom -----------------------------------------------------------------------------


def check_imports(top: Path) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("importlinter")
    return subprocess.run(
        [sys.executable, str(top / ".ci" / "check_imports.py")],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_contracts_between_rooms_are_kept(repository: Path) -> None:
    done = check_imports(repository)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "statement"),
    [
        ("src/napari_anyir/model/config.py", "import numpy"),
        ("src/napari_anyir/inference/models.py", "import napari"),
        ("src/napari_anyir/inference/exact/maps.py", "import napari_anyir.inference.engine.tiles"),
        ("src/napari_anyir/widgets/kit/qt.py", "import napari_anyir.training"),
        ("src/napari_anyir/files/plan.py", "import napari_anyir.cli"),
        ("src/napari_anyir/a_room_of_its_own.py", ""),
    ],
)
def test_a_broken_contract_is_found(
    repository: Path, tmp_path: Path, file: str, statement: str
) -> None:
    for folder in ("src", "training", ".ci"):
        leave = shutil.ignore_patterns("__pycache__", "*.safetensors", "*.png", "*.jpg", "*.tif")
        shutil.copytree(repository / folder, tmp_path / folder, ignore=leave)
    shutil.copy(repository / "pyproject.toml", tmp_path)
    path = tmp_path / file
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    path.write_text(f"{before}\n{statement}\n", encoding="utf-8")
    done = check_imports(tmp_path)
    assert done.returncode != 0
    assert "broken" in done.stdout.lower()


# --- what is built --------------------------------------------------------------------------------


def test_listed_packages_are_those_on_disk(repository: Path) -> None:
    setuptools = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
        "setuptools"
    ]
    on_disk = {package for path, package in source_modules() if path.name == "__init__.py"}
    assert set(setuptools["packages"]) == on_disk
    assert len(setuptools["packages"]) == len(on_disk)


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Build (wheel, sdist) from a copy of the tree, so that no build folder is left in it."""
    pytest.importorskip("setuptools", minversion="77.0.3")
    pytest.importorskip("setuptools_scm")
    copy = tmp_path_factory.mktemp("tree")
    out = tmp_path_factory.mktemp("dist")
    leave = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for folder in ("src", "training", "tests", ".ci", "conda"):
        shutil.copytree(TOP / folder, copy / folder, ignore=leave)
    for file in TOP.iterdir():
        if file.is_file():
            shutil.copy(file, copy)
    code = (
        "import sys; from setuptools import build_meta; out = sys.argv[1]; "
        "build_meta.build_sdist(out); build_meta.build_wheel(out)"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(out)],
        cwd=copy,
        check=True,
        capture_output=True,
        timeout=300,
    )
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    return wheel, sdist


def test_wheel_holds_both_trees_and_all_their_data(archives: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(archives[0]) as wheel:
        names = set(wheel.namelist())
    expected = {f"napari_anyir/{name}" for name in data_files(SOURCE)}
    expected |= {f"napari_anyir/training/{name}" for name in data_files(TRAINING)}
    held = {name for name in names if ".dist-info/" not in name}
    assert held == expected
    for name in ("py.typed", "napari.yaml", "training/__init__.py"):
        assert f"napari_anyir/{name}" in held
    assert any(
        name.startswith("napari_anyir/weights/") and name.endswith(".safetensors") for name in held
    )
    assert any(name.startswith("napari_anyir/samples/LICENSES") for name in held)
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_sdist_holds_what_its_tests_need(archives: tuple[Path, Path]) -> None:
    with tarfile.open(archives[1]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    expected = {f"src/napari_anyir/{name}" for name in data_files(SOURCE)}
    expected |= {f"training/{name}" for name in data_files(TRAINING)}
    expected |= {"Makefile", "constraints.txt", "pyproject.toml", "tests/conftest.py", ".ci/run"}
    expected |= {"conda/recipe.yaml"}
    assert expected <= names


def test_archives_fit_a_package_index(archives: tuple[Path, Path]) -> None:
    assert max(archive.stat().st_size for archive in archives) < 60e6


def test_citation_names_the_paper(repository: Path) -> None:
    yaml = pytest.importorskip("yaml")
    citation = yaml.safe_load((repository / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["authors"] == [{"name": "napari-anyir developers"}]
    assert "R0bgCpdDqr" in citation["preferred-citation"]["url"]
    assert len(citation["preferred-citation"]["authors"]) == 10


# --- doctests of the tree that pytest does not collect --------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        ".".join(["napari_anyir.training", *path.relative_to(TRAINING).with_suffix("").parts])
        for path in sorted(TRAINING.rglob("*.py"))
        if path.name != "__init__.py"
    ],
)
def test_examples_in_training(name: str) -> None:
    if name.endswith(".kernels"):
        pytest.importorskip("triton", reason="Triton comes with PyTorch's CUDA builds")
    result = doctest.testmod(
        importlib.import_module(name), optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    )
    assert result.failed == 0
