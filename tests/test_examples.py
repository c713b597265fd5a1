"""Every public function and class shows in its docstring how it is used, by an example that runs.

Public is what a module names in ``__all__``, and everything in the modules of the reference
(docs/reference). The examples of src/ are collected by pytest, those of training/ are run by
test_package.py.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[1]
TREES = (
    (TOP / "src" / "napari_anyir", "napari_anyir"),
    (TOP / "training", "napari_anyir.training"),
)

# The docstring of a command is its help text; its examples stand in docs/, whose blocks are run.
COMMANDS = {
    "adapt", "add", "analyse", "check", "degrade", "demo", "evaluate", "export", "features", "info",
    "list_all", "report", "restore", "train", "verify",
}  # fmt: skip
# What a user sees of a dock is shown in docs/napari.md; an example would open windows, threads.
WINDOWS = {"Dock", "JobDock", "QWidget", "QListWidget"}
ELSEWHERE = {
    "train": "trains: the tutorial of trainers runs it",
    "evaluate": "needs the test sets: tests/training/evaluation makes some",
    "measure_sets": "needs the test sets: tests/training/evaluation makes some",
    "keep_images": "needs a run: tests/training/evaluation makes one",
    "measure_time": "needs the test sets: tests/training/measurement makes some",
    "pixmap": "needs a window",
    "write_pairs": "needs layers: tests/widgets/learn makes them",
    "result_layer": "needs a run: tests/widgets/restore makes one",
    "Batch": "needs files and a log: tests/files/test_batch.py makes them",
    "ClusterBatch": "needs a cluster: tests/test_cluster.py starts one",
    "agree": "needs a cluster: tests/test_cluster.py starts one",
    "places": "needs a cluster: tests/test_cluster.py starts one",
    "Asked": "needs a cluster: tests/test_cluster.py starts one",
    "to_be_seen": "needs a stored page: tests/files/test_meaning.py makes all kinds",
    "to_be_stored": "needs a stored page: tests/files/test_meaning.py makes all kinds",
}

if not (TOP / "pyproject.toml").is_file():
    pytest.skip("the source tree is not here", allow_module_level=True)


def of_the_reference() -> set[str]:
    pages = (TOP / "docs" / "reference").glob("*.md")
    return {
        name
        for page in pages
        for name in re.findall(r"automodule:: (\S+)", page.read_text(encoding="utf-8"))
    }


def exported(module: ast.Module) -> set[str]:
    for node in module.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return set(ast.literal_eval(node.value))
    return set()


def has_example(node: ast.FunctionDef | ast.ClassDef) -> bool:
    if ">>>" in (ast.get_docstring(node) or ""):
        return True
    methods = node.body if isinstance(node, ast.ClassDef) else ()
    return any(has_example(method) for method in methods if isinstance(method, ast.FunctionDef))


def public() -> Iterator[tuple[str, ast.FunctionDef | ast.ClassDef]]:
    """Give (module, definition) of what a user may call."""
    told = of_the_reference()
    for top, package in TREES:
        for path in sorted(top.rglob("*.py")):
            parts = path.relative_to(top).with_suffix("").parts
            name = ".".join((package, *parts)).removesuffix(".__init__")
            module = ast.parse(path.read_text(encoding="utf-8"))
            names = exported(module)
            for node in module.body:
                if not isinstance(node, ast.FunctionDef | ast.ClassDef):
                    continue
                if not node.name.startswith("_") and (node.name in names or name in told):
                    yield name, node


def excused(module: str, node: ast.FunctionDef | ast.ClassDef) -> bool:
    if module.startswith("napari_anyir.cli.") and node.name in COMMANDS:
        return True
    bases = node.bases if isinstance(node, ast.ClassDef) else ()
    return node.name in ELSEWHERE or bool({ast.unparse(base) for base in bases} & WINDOWS)


def test_everything_public_has_an_example() -> None:
    found = list(public())
    assert len(found) > 350
    lacking = [
        f"{module}.{node.name}"
        for module, node in found
        if not has_example(node) and not excused(module, node)
    ]
    assert lacking == []


def test_nothing_is_excused_that_is_not_there_or_has_an_example() -> None:
    by_name: dict[str, list[bool]] = {}
    for _, node in public():
        by_name.setdefault(node.name, []).append(has_example(node))
    for name in ELSEWHERE:
        assert name in by_name
        assert not all(by_name[name]), name
