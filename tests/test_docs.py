"""What the documents say is so: their code runs, their commands and pictures are there.

The blocks of a page are run in their order, in one empty folder: Python in one namespace, the shell
in bash. A comment above a block says what else it takes::

    <!-- first: noisy.png, photos/ -->   files that readers have: made by `make_files` below
    <!-- not run: reason -->             its commands are still held to the options that exist
"""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

TOP = Path(__file__).resolve().parents[1]
DOCS = TOP / "docs"
FENCE = re.compile(
    r"(?:^<!-- (?P<mark>not run|first): (?P<words>[^>]*?) -->\n)?"
    r"^```(?P<language>[\w{}.-]*)[^\n]*\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
LANGUAGES = {"python", "sh", "yaml", "toml", "diff", "", "{toctree}", "{include}", "{eval-rst}"}
LINK = re.compile(r"(!?)\[[^\]]*\]\(([^)\s]+)\)")

if not DOCS.is_dir():
    pytest.skip("the documents are not in the source archive", allow_module_level=True)


@dataclass(frozen=True)
class Block:
    """A fenced block: why it is not run (empty if it is), and files that it takes for granted."""

    language: str
    code: str
    why_not: str
    needs: tuple[str, ...]


def all_pages() -> list[Path]:
    pages = [TOP / "README.md", TOP / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
    made = {"_build", "_generated"}
    return [page for page in pages if page.is_file() and not made & set(page.parts)]


def blocks_of(page: Path) -> list[Block]:
    blocks = []
    for found in FENCE.finditer(page.read_text(encoding="utf-8")):
        mark, words = found["mark"], found["words"] or ""
        why_not = words if mark == "not run" else ""
        needs = tuple(words.split(", ")) if mark == "first" else ()
        blocks.append(Block(found["language"], found["code"], why_not, needs))
    return blocks


def name_of(page: Path) -> str:
    return page.relative_to(TOP).as_posix()


# The README tells how to run this very suite; looking-inside.md has a test of its own.
ELSEWHERE = ("README.md", "looking-inside.md")


def with_code(languages: tuple[str, ...]) -> list[Path]:
    return [page for page in all_pages() if any(b.language in languages for b in blocks_of(page))]


# --- what is run ----------------------------------------------------------------------------------


def make_files(folder: Path, names: tuple[str, ...]) -> None:
    """Make what readers have: small pieces of the bundled samples, degraded and clean."""
    import tifffile
    from PIL import Image

    from napari_anyir.samples import SAMPLES

    def piece(sample: str, clean: bool = False) -> Image.Image:
        return Image.fromarray(SAMPLES[sample].read()[clean][:96, :96])

    def folder_of(name: str, clean: bool = False) -> Path:
        made = folder / name
        made.mkdir(parents=True, exist_ok=True)
        for sample in ("noise", "rain"):
            piece(sample, clean).save(made / f"{sample}.png")
        return made

    for name in names:
        path = folder / name
        if name == "cells.tif":
            planes = np.stack([SAMPLES["micrograph"].read()[0][:96, :96]] * 2)
            tifffile.imwrite(path, planes, imagej=True, metadata={"axes": "ZYX"})
        elif name == "PAIRS/":
            folder_of("PAIRS/input")
            folder_of("PAIRS/target", clean=True)
        elif name.endswith("/"):
            folder_of(name, clean=name.isupper())
        elif path.suffix == ".safetensors":
            shutil.copy(TOP / "src" / "napari_anyir" / "weights" / "nano.safetensors", path)
        else:
            piece("rain" if path.stem == "rain" else "noise", path.stem == "clean").save(path)


def run_page(page: Path, folder: Path, environment: dict[str, str]) -> None:
    """Run the blocks of a page as one reader would, from top to bottom."""
    namespace = sys.modules["page"].__dict__
    for block in blocks_of(page):
        if block.why_not:
            continue
        make_files(folder, block.needs)
        if block.language == "python":
            exec(compile(block.code, name_of(page), "exec"), namespace)
        elif block.language == "sh":
            # What it takes to install is held to pyproject.toml below.
            lines = [x for x in block.code.splitlines() if not x.startswith("pip install")]
            done = subprocess.run(
                ["bash", "-euc", "\n".join(lines)],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=600,
                check=False,
            )
            assert done.returncode == 0, f"{block.code}\n{done.stdout}\n{done.stderr}"


@pytest.fixture
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the environment of a shell: this Python first, and models in a folder of its own."""
    models = tmp_path_factory.mktemp("models")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "NAPARI_ANYIR_MODELS": str(models), "MPLBACKEND": "agg"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [page for page in with_code(("python", "sh")) if page.name not in ELSEWHERE],
    ids=name_of,
)
def test_blocks_run(
    page: Path, tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not shutil.which("bash"):
        pytest.skip("there is no bash")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    # Dataclasses look for the module in which they are defined.
    monkeypatch.setitem(sys.modules, "page", types.ModuleType("page"))
    run_page(page, tmp_path, environment)


def test_what_is_not_run_says_why() -> None:
    for page in all_pages():
        for block in blocks_of(page):
            assert block.language in LANGUAGES, name_of(page)
            if block.language == "python":
                compile(block.code, name_of(page), "exec")
            assert not block.why_not or len(block.why_not.split()) >= 3, name_of(page)


# --- commands -------------------------------------------------------------------------------------


def commands(program: str) -> Iterator[tuple[str, list[str]]]:
    """Give (page, arguments) of each call of a program in a block for the shell."""
    for page in with_code(("sh",)):
        for block in blocks_of(page):
            if block.language != "sh":
                continue
            for line in block.code.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                if program in words:
                    yield name_of(page), words[words.index(program) + 1 :]


def test_every_command_has_the_options_that_it_is_given() -> None:
    import typer.main

    from napari_anyir.cli.app import app

    whole = typer.main.get_command(app)
    seen = 0
    for page, words in commands("anyir"):
        command, rest = whole, words
        while hasattr(command, "commands") and rest and rest[0] in command.commands:
            command, rest = command.commands[rest[0]], rest[1:]
        print(f"{page}: anyir {' '.join(words)}")  # for whoever reads the failure
        command.make_context("anyir", list(rest), resilient_parsing=True)
        assert command is not whole or not words
        seen += 1
    assert seen > 40


def test_every_module_that_is_run_is_there() -> None:
    for page, words in commands("python"):
        if words[:1] == ["-m"] and words[1].partition(".")[0] in ("benchmarks", "napari_anyir"):
            benchmarks = TOP.joinpath(*words[1].split(".")).with_suffix(".py").is_file()
            assert benchmarks or importlib.util.find_spec(words[1]), f"{page}: {words[1]}"


def test_every_extra_that_is_installed_is_there() -> None:
    project = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for page, words in commands("pip"):
        for extras in re.findall(r"napari-anyir\[(.*?)\]", " ".join(words)):
            assert set(extras.split(",")) <= set(project["optional-dependencies"]), page


# --- links and pictures ---------------------------------------------------------------------------


@pytest.mark.parametrize("page", all_pages(), ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for _, target in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" not in target and not target.startswith("#"):
            path = page.parent / target.partition("#")[0]
            assert path.exists(), f"{name_of(page)}: {target}"


def test_every_picture_is_shown_and_made_by_a_script() -> None:
    shown = set()
    for page in all_pages():
        for is_picture, target in LINK.findall(page.read_text(encoding="utf-8")):
            if is_picture and "://" not in target:
                shown.add((page.parent / target).resolve())
    there = set((DOCS / "images").iterdir())
    assert there <= shown
    scripts = "".join(path.read_text(encoding="utf-8") for path in DOCS.glob("*.py"))
    for picture in there:
        name = picture.stem.removeprefix("widget-").removeprefix("analysis-")
        kind = name.replace("-", "_")  # analyses are called as their functions
        known = f'"{name}"' in scripts or f'"{picture.name}"' in scripts or kind in scripts
        assert known or kind in vars(importlib.import_module("napari_anyir.analysis")), picture


def test_the_way_of_a_pixel_leads_through_files_that_are_there() -> None:
    spec = importlib.util.spec_from_file_location("figures", DOCS / "figures.py")
    assert spec is not None
    assert spec.loader is not None
    figures = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(figures)
    for _, path, _ in figures.WAY:
        assert (TOP / "src" / "napari_anyir" / path).is_file()


def test_every_page_can_be_found() -> None:
    """The strict build of the site holds it as well; this needs no Sphinx."""
    listed = set()
    for page in all_pages():
        for block in blocks_of(page):
            if block.language == "{toctree}":
                names = re.findall(r"<(.*?)>|^([\w/-]+)$", block.code, re.MULTILINE)
                listed |= {(page.parent / f"{a or b}.md").resolve() for a, b in names}
    wanted = {page for page in all_pages() if DOCS in page.parents and page != DOCS / "index.md"}
    assert wanted <= listed


# --- numbers --------------------------------------------------------------------------------------


def test_tables_of_the_site_have_the_numbers_of_the_files(tmp_path: Path) -> None:
    import napari_anyir

    spec = importlib.util.spec_from_file_location("site_tables", DOCS / "site_tables.py")
    assert spec is not None
    assert spec.loader is not None
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    tables.write(tmp_path)
    text = (tmp_path / "models.md").read_text(encoding="utf-8")
    for card in napari_anyir.list_models():
        if card.name in tables.BUNDLED:
            assert card.sha256 in text
            for name, rows in card.measured.items():
                assert re.search(rf"\| {re.escape(name)} \(.*{rows['output']['psnr']:.2f}", text)
    assert "| strips | 1,024 | 2 |" in (tmp_path / "inference.md").read_text(encoding="utf-8")
