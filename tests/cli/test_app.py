"""The command as a process: quick help, exit statuses, one sentence per error, Ctrl-C."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import napari_anyir
from napari_anyir.files import read_image, write_image


def anyir(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    command = [sys.executable, "-m", "napari_anyir", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)  # type: ignore[call-overload, no-any-return]


def test_version_and_help() -> None:
    assert anyir("--version").stdout.strip() == f"anyir {napari_anyir.__version__}"
    shown = anyir("--help")
    assert shown.returncode == 0
    for command in ("restore", "models", "demo", "degrade"):
        assert command in shown.stdout


@pytest.mark.parametrize(
    "arguments", [["--help"], ["restore", "--help"], ["degrade", "--help"], ["models", "list"]]
)
def test_help_and_lists_load_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import json, sys, contextlib, io\n"
        "from napari_anyir.cli import app\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        f"    app({arguments!r})\n"
        "print(json.dumps([name.split('.')[0] for name in sys.modules]))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    heavy = {"torch", "numpy", "skimage", "dask", "napari", "qtpy", "tifffile", "PIL"}
    assert not heavy & set(json.loads(run.stdout.splitlines()[-1]))


@pytest.mark.slow
def test_restore_in_a_process(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 255, (20, 24, 3), np.uint8)
    write_image(tmp_path / "a.png", image)
    run = anyir("restore", "a.png", "-o", "b.png", "--model", "nano", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    assert run.stdout.startswith("1 restored in ")
    assert read_image(tmp_path / "b.png").array.shape == (20, 24, 3)


def bad_inputs(folder: Path) -> dict[str, list[object]]:
    """Return, by what is wrong, arguments that must fail."""
    write_image(folder / "good.png", np.zeros((8, 8), np.uint8))
    (folder / "text.png").write_text("no image")
    (folder / "empty.png").touch()
    np.save(folder / "nan.npy", np.full((4, 4), np.nan, np.float32))
    np.save(folder / "void.npy", np.zeros((0,), np.uint8))
    weights = napari_anyir.list_models()[-1].file.read_bytes()
    (folder / "cut.safetensors").write_bytes(weights[: len(weights) // 2])
    (folder / "text.pth").write_text("no weights")
    return {
        "missing file": ["nowhere.png"],
        "missing folder": ["nowhere/"],
        "text named .png": ["text.png"],
        "empty file": ["empty.png"],
        "NaN": ["nan.npy"],
        "array without image": ["void.npy"],
        "wrong axes": ["good.png", "--axes", "TCYX"],
        "unknown axes": ["good.png", "--axes", "YQ"],
        "unknown model": ["good.png", "--model", "enormous"],
        "missing checkpoint": ["good.png", "--model", "nowhere.safetensors"],
        "truncated weights": ["good.png", "--model", "cut.safetensors"],
        "weights that are text": ["good.png", "--model", "text.pth"],
        "no such device": ["good.png", "--device", "cuda:77"],
        "no device at all": ["good.png", "--device", "toaster"],
        "unknown precision": ["good.png", "--precision", "float8"],
        "another extension": ["good.png", "--format", "gif"],
        "missing reference": ["good.png", "--reference", "nowhere.png"],
    }


def test_bad_input_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from napari_anyir.cli import app

    before = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        for what, arguments in bad_inputs(tmp_path).items():
            before = before or {path.name for path in tmp_path.iterdir()}
            command = ["restore", *map(str, arguments), "-o", "out"]
            if "--model" not in command:
                command += ["--model", "nano"]
            result = CliRunner().invoke(app, command)
            assert result.exit_code == 1, (what, result.output)
            assert isinstance(result.exception, SystemExit), what
            lines = result.stderr.splitlines()
            assert len(lines) == 1, (what, lines)
            assert lines[0].startswith(("Error: ", "Failed: ")), (what, lines)
            assert lines[0].endswith("."), (what, lines)
            assert "Traceback" not in result.output, what
            assert {path.name for path in tmp_path.iterdir()} == before, what


@pytest.mark.parametrize(
    "arguments",
    [
        ["restore", "a.png"],
        ["restore", "-o", "out"],
        ["restore", "a.png", "-o", "out", "--tile", "large"],
        ["restore", "a.png", "-o", "out", "--intensity", "loud"],
        ["restore", "a.png", "-o", "out", "--strength", "2"],
        ["restore", "a.png", "-o", "out", "--no-such-option"],
        ["degrade", "a.png", "-o", "out", "--kind", "noise", "--sigma"],
        ["repair"],
    ],
)
def test_wrong_usage_is_status_2(arguments: list[str]) -> None:
    from typer.testing import CliRunner

    from napari_anyir.cli import app

    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


@pytest.mark.slow
def test_bad_input_in_a_process_shows_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no image")
    run = anyir("restore", "text.png", "-o", "out", "--model", "nano", cwd=tmp_path)
    assert run.returncode == 1
    assert run.stderr.splitlines() == [
        "Failed: text.png: 'text.png' cannot be read: its content is not that of an image."
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["text.png"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="a process alone cannot be sent Ctrl-C there")
def test_ctrl_c_leaves_whole_files_and_status_130(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    # Large enough that a busy machine cannot finish them all before the signal is sent.
    for number in range(40):
        write_image(
            tmp_path / "raw" / f"{number:02}.png", rng.integers(0, 255, (88, 88, 3), np.uint8)
        )
    out = tmp_path / "out"
    command = [sys.executable, "-m", "napari_anyir", "restore", "raw", "-o", "out", "-m", "nano"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    until = time.monotonic() + 100
    while len(list(out.glob("*.png"))) < 3 and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert stderr.startswith("Stopped")
    assert len(stderr.splitlines()) == 1
    made = sorted(path.name for path in out.iterdir())
    assert made[-1] == "anyir-log.jsonl"
    assert 3 <= len(made) - 1 < 40
    for name in made[:-1]:
        assert read_image(out / name).array.shape == (88, 88, 3)

    again = anyir("restore", "raw", "-o", "out", "-m", "nano", cwd=tmp_path)
    assert f"{len(made) - 1} there already" in again.stdout
    assert again.returncode == 0
    assert len(list(out.glob("*.png"))) == 40
