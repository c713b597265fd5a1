"""What docs/architecture.md says of all modules: their names, lengths and signatures."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

LONGEST = 400
LONG = {"training/run/cuda/kernels.py": 560}
"""Modules that stay longer, with their limits; docs/architecture.md says why."""

MOST_PARAMETERS = 6
WIDE = {"restore", "feature_maps", "adapt", "train"}
"""Fronts, whose keywords are the interface."""

KERNELS = "training/run/cuda/kernels.py"
"""Triton's kernels take numbers only, one by one."""


def modules(repository: Path) -> Iterator[tuple[str, str]]:
    for room in ("src", "training"):
        for path in sorted((repository / room).rglob("*.py")):
            yield path.relative_to(repository).as_posix(), path.read_text(encoding="utf-8")


@pytest.fixture
def trees(repository: Path) -> dict[str, ast.Module]:
    return {name: ast.parse(text) for name, text in modules(repository)}


def test_no_class_has_the_name_of_another(trees: dict[str, ast.Module]) -> None:
    places = defaultdict(list)
    for name, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(name)
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_modules_are_small(repository: Path) -> None:
    lengths = {name: text.count("\n") for name, text in modules(repository)}
    assert lengths
    too_long = {n: lines for n, lines in lengths.items() if lines > LONG.get(n, LONGEST)}
    assert too_long == {}
    assert all(lengths[name] > LONGEST for name in LONG), "a module on the list became short"


def test_functions_take_few_parameters(trees: dict[str, ast.Module]) -> None:
    wide = set()
    for name, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                taken = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
                count = len([a for a in taken if a.arg not in ("self", "cls")])
                if count > MOST_PARAMETERS:
                    wide.add((name, node.name))
    assert {name for module, name in wide if module != KERNELS} == WIDE
    assert len(wide) <= 10
