"""``anyir train``: what a user types, and what the mistakes say."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_anyir.cli import app
from napari_anyir.files import write_image

pytest.importorskip("lightning")

TINY_RUN = ["steps=2", "phases=[{crop: 16, batch: 2}]", "validation.images=0", "warm_up_steps=0"]
SMALL = "network={dim: 4, blocks: [1, 0, 0, 0], refinement: 0, heads: [1, 1, 1, 1]}"


def run(*arguments: object) -> Any:
    """Run ``anyir train`` on the CPU."""
    return CliRunner().invoke(app, ["train", *map(str, arguments)])


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    for name in ("a", "b", "c"):
        image = generator.integers(0, 255, (24, 32, 3), np.uint8)
        write_image(tmp_path / "photos" / f"{name}.png", image)
    return tmp_path / "photos"


def test_one_command_trains_resumes_and_leaves_a_model(tmp_path: Path, photos: Path) -> None:
    (tmp_path / "mine.yaml").write_text(f"base: folder\n{SMALL.replace('=', ': ', 1)}\n")
    out = tmp_path / "out"
    command = ["--config", tmp_path / "mine.yaml", "--data", photos, "--out", out]
    result = run(*command, "--device", "cpu", "--leave-out", "c.png", *TINY_RUN)
    assert result.exit_code == 0, result.output
    assert "2 images; 0 more for validation, 1 left out" in result.stdout
    assert re.search(r"100%  step +2 ", result.stdout)
    assert "--model" in result.stdout.splitlines()[-1]
    result = run("--resume", "--out", out, "--device", "cpu", "steps=3")
    assert result.exit_code == 0, result.output
    assert "Resumes exactly after 2 steps" in result.stdout
    assert re.search(r"step +3 ", result.stdout)
    result = run(*command, *TINY_RUN)
    assert result.exit_code == 1
    assert "holds a run already" in result.stderr


@pytest.mark.slow
def test_fine_tuning_takes_over_the_models_network(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for folder in ("input", "target"):
        for name in ("a", "b"):
            image = generator.integers(0, 255, (24, 32, 3), np.uint8)
            write_image(tmp_path / folder / f"{name}.png", image)
    command = ["--config=pairs", "--data", tmp_path, "--out", tmp_path / "out", "--from=nano"]
    result = run(*command, "--device=cpu", *TINY_RUN, "steps=1", "data.workers=0")
    assert result.exit_code == 0, result.output
    assert "Begins with the weights of 'nano'" in result.stdout
    assert "1,541,427 weights" in result.stdout
    result = run(*command, "network=small")
    assert "another network than network= asks for" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "Name a configuration with --config"),
        (["--config=fldr"], "no configuration 'fldr'; give a .yaml file or one of 3deg"),
        (["--config=folder"], "name the folder of the data with --data"),
        (["--config=folder", "lerning_rate=1"], "unknown key 'lerning_rate'"),
        (["--config=folder", "--data=no-such-folder"], "No folder"),
        (["--config=pairs", "--data=no-such-folder"], "No folder"),
        (["--config=folder", "--from=unknown"], "Unknown model 'unknown'"),
        (["--resume", "--out=no-such-run"], "holds no run"),
        (["--config=folder", "--resume", "--from=nano"], "choose one of them"),
        (["--config=folder", "--device=cuda:99"], "There is no device 'cuda:99'"),
    ],
)
def test_mistakes_are_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == 1
    assert says in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_leaving_out_what_is_not_there(tmp_path: Path, photos: Path) -> None:
    result = run("--config=folder", "--data", photos, "--out", tmp_path / "o", "--leave-out=z.png")
    assert "'z.png' is to be left out, but is not below" in result.stderr


def test_recipes_are_listed() -> None:
    result = CliRunner().invoke(app, ["train", "--list"])
    assert result.exit_code == 0, result.output
    for name in ("3deg", "bundled-tiny", "folder", "pairs", "tab10-fixed"):
        assert name in result.stdout


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "lightning.pytorch", None)
    result = run("--config=folder")
    assert result.exit_code == 1
    assert 'pip install "napari-anyir[training]"' in result.stderr


def test_the_list_of_recipes_needs_neither_torch_nor_lightning(
    run_python: Callable[[str], str],
) -> None:
    told = run_python(
        "import sys\n"
        "from napari_anyir.cli import app\n"
        "try:\n"
        "    app(['train', '--list'])\n"
        "except SystemExit as end:\n"
        "    print('exit', end.code)\n"
        "heavy = {'torch', 'lightning', 'numpy', 'yaml'}\n"
        "print('heavy', sorted(heavy & set(sys.modules)))\n"
    )
    assert "Any folder of clean photographs" in told
    assert "exit 0" in told
    assert "heavy []" in told
