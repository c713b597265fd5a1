"""``anyir adapt``: noisy files in, a model with its card out, and the files restored by it."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import napari_anyir
from napari_anyir.cli import app
from napari_anyir.files import ImageFile, read_image, write_image
from napari_anyir.job_events import unpack_pixels
from napari_anyir.training.adaptation.method import adapt_with_record
from napari_anyir.weights import find_model, load_model, verify_model
from napari_anyir.weights.loading import save_network

RNG = np.random.default_rng(0)
STACK = RNG.poisson(np.tile(np.linspace(2, 9, 36), (2, 32, 1))).astype(np.uint16)


def run(*arguments: object) -> Any:
    """Run ``anyir adapt`` on the smallest model."""
    return CliRunner().invoke(app, ["adapt", "--model=nano", *map(str, arguments)])


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    path = tmp_path / "cells.tif"
    write_image(path, STACK, ImageFile(STACK, "ZYX", "npy", scale={"Z": 2.0}, units={"Z": "um"}))
    return path


@pytest.mark.slow
def test_model_and_restored_files_are_those_of_the_library(tmp_path: Path, stack: Path) -> None:
    model, out = tmp_path / "mine.safetensors", tmp_path / "out"
    result = run(stack, "-o", model, "--steps=4", "--seed=3", "--restore", out)
    assert result.exit_code == 0, result.output
    network, record = adapt_with_record(STACK, axes="ZYX", model="nano", steps=4, seed=3)
    assert str(record) in result.stdout
    expected = napari_anyir.restore(STACK, axes="ZYX", model=network)
    restored = read_image(out / "cells.tif")
    np.testing.assert_array_equal(restored.array, expected)
    assert (restored.axes, restored.scale["Z"]) == ("ZYX", 2.0)
    card = find_model(model)
    assert verify_model(card) == card.sha256
    assert card.training["images"] == ["cells.tif"]
    assert card.training["adapted_from_sha256"] == find_model("nano").sha256
    assert card.training["steps"] == 4


@pytest.mark.slow
def test_several_files_make_one_model_and_the_same_again(tmp_path: Path, stack: Path) -> None:
    np.save(tmp_path / "other.npy", RNG.random((40, 33)).astype(np.float32))
    found = []
    for name in ("a", "b"):
        model = tmp_path / f"{name}.safetensors"
        command = [stack, tmp_path / "other.npy", "-o", model, "--steps=2"]
        result = run(*command)
        assert result.exit_code == 0, result.output
        assert f"--model {model}" in result.stdout
        found.append(load_model(model).state_dict())
        card = json.loads(model.with_suffix(".json").read_text())
        assert card["training"]["axes"] == ["ZYX", "YX"]
        assert card["training"]["images"] == ["cells.tif", "other.npy"]
    one, two = found
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_a_file_that_cannot_be_read_stops_nothing(tmp_path: Path, stack: Path) -> None:
    bad = tmp_path / "bad.tif"
    bad.write_bytes(stack.read_bytes()[:90])
    empty = tmp_path / "empty.png"
    empty.touch()
    model = tmp_path / "a.safetensors"
    result = run(bad, stack, empty, "-o", model, "--steps=2", "--seed=3")
    assert result.exit_code == 1
    assert find_model(model).training["images"] == ["cells.tif"]
    for name in ("bad.tif", "empty.png"):
        assert f"{name}' cannot be read" in result.stderr
    assert run(bad, empty, "-o", tmp_path / "b.safetensors", "--steps=2").exit_code == 1
    assert not (tmp_path / "b.safetensors").exists()


def test_an_image_that_nothing_can_be_learned_from_stops_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    write_image(folder / "a-small.png", np.zeros((40, 20), np.uint8))
    np.save(folder / "b-nan.npy", np.full((40, 40), np.nan))
    np.save(folder / "c-odd.npy", np.zeros((3, 40, 40), np.uint8))
    write_image(folder / "d-good.tif", STACK, ImageFile(STACK, "ZYX", "npy"))
    model = tmp_path / "a.safetensors"
    result = run(folder, "-o", model, "--steps=2", "--seed=3")
    assert result.exit_code == 1
    training = find_model(model).training
    assert (training["images"], training["axes"]) == (["d-good.tif"], ["ZYX"])
    told = [line for line in result.stderr.splitlines() if line.startswith("Failed")]
    assert len(told) == 3
    for line, name, says in zip(
        told,
        ("a-small.png", "b-nan.npy", "c-odd.npy"),
        ("at least 32 x 32", "NaN", "more than one way"),
        strict=True,
    ):
        assert name in line
        assert says in line


def test_axes_and_intensity_are_taken(tmp_path: Path, stack: Path) -> None:
    model = tmp_path / "mine.safetensors"
    command = [stack, "-o", model, "--steps=1", "--axes=TYX", "--intensity=0,20"]
    assert run(*command).exit_code == 0
    training = find_model(model).training
    assert (training["axes"], training["intensity"]) == (["TYX"], [[0.0, 20.0]])


def test_time_ends_it(tmp_path: Path, stack: Path) -> None:
    result = run(stack, "-o", tmp_path / "mine.safetensors", "--minutes=0.001")
    assert result.exit_code == 0, result.output
    assert find_model(tmp_path / "mine.safetensors").training["steps"] >= 1


@pytest.mark.parametrize(
    ("array", "arguments", "says"),
    [
        (np.zeros((40, 20), np.uint8), ["-o", "a.safetensors"], "at least 32 x 32"),
        (np.full((40, 40), np.nan), ["-o", "a.safetensors"], "NaN"),
        (np.full((40, 40), np.inf), ["-o", "a.safetensors"], "infinite"),
        (np.zeros((40, 40)), ["-o", "a.pt"], "saved as .safetensors"),
        (np.zeros((40, 40)), ["-o", "a.safetensors", "--minutes=0"], "minutes must be"),
        (np.zeros((40, 40)), ["-o", "a.safetensors", "--restore=."], "replace the input"),
        (np.zeros((40, 40)), ["-o", "a.safetensors", "--device=cuda:77"], "cuda"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_leaves_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    array: np.ndarray[Any, Any],
    arguments: list[str],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("in.npy", array)
    result = run("in.npy", *arguments)
    assert result.exit_code == 1
    assert says in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["in.npy"]


def test_models_are_not_replaced_unasked(tmp_path: Path, stack: Path) -> None:
    model = tmp_path / "mine.safetensors"
    assert run(stack, "-o", model, "--steps=1").exit_code == 0
    before = model.read_bytes()
    result = run(stack, "-o", model, "--steps=2")
    assert result.exit_code == 1
    assert "exists already" in result.stderr
    assert model.read_bytes() == before
    assert run(stack, "-o", model, "--steps=2", "--overwrite").exit_code == 0
    assert find_model(model).training["steps"] == 2


def test_help_is_quick() -> None:
    code = (
        "import sys, contextlib, io\n"
        "from napari_anyir.cli import app\n"
        "shown = io.StringIO()\n"
        "with contextlib.redirect_stdout(shown), contextlib.suppress(SystemExit):\n"
        "    app(['adapt', '--help'])\n"
        "print('torch' in sys.modules, 'Neighbor2Neighbor' in shown.getvalue())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_the_loss_is_chosen_and_nothing_else_is_one(tmp_path: Path, stack: Path) -> None:
    model = tmp_path / "mine.safetensors"
    result = run(stack, "-o", model, "--steps=1", "--loss=l1")
    assert result.exit_code == 0, result.output
    assert find_model(model).training["recipe"].endswith("loss l1")
    refused = run(stack, "-o", tmp_path / "other.safetensors", "--steps=1", "--loss=huber")
    assert refused.exit_code == 2
    assert not (tmp_path / "other.safetensors").exists()


# --- for programs ---------------------------------------------------------------------------------


def events(*arguments: object, answer: str | None = None, seconds: float = 300) -> list[Any]:
    """Run the command as another program would, and return the events that it wrote."""
    command = [sys.executable, "-m", "napari_anyir", "adapt", "--model=nano", "--events"]
    with subprocess.Popen(
        [*command, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        found = []
        for line in process.stdout:
            found.append(json.loads(line))
            if answer is not None and found[-1]["event"] == "progress":
                process.stdin.write(answer)
                process.stdin.close()
                answer = None
        process.wait(seconds)
    assert process.returncode == 0
    return found


@pytest.mark.slow
def test_events_tell_looks_previews_and_the_result(tmp_path: Path, stack: Path) -> None:
    found = events(stack, "-o", tmp_path / "mine.safetensors", "--steps=3")
    looks = [event for event in found if event["event"] == "look"]
    assert [look["step"] for look in looks] == [0, 3]
    assert looks[0]["loss"] is None
    assert looks[1]["loss"] > 0
    assert looks[0]["unseen"]["before"] == looks[1]["unseen"]["before"] > 0
    (size, before), (_, after) = (
        unpack_pixels(event)
        for event in [e for e in found if e["event"] == "preview"][-1].values()
        if isinstance(event, dict)
    )
    assert size == (32, 32, 3)  # windows have sides of multiples of 16
    assert len(before) == len(after) == 32 * 32 * 3
    assert before != after
    done = [event["done"] / event["total"] for event in found if event["event"] == "progress"]
    assert done == sorted(done)
    assert done[-1] == 1
    assert found[-1]["event"] == "result"
    assert found[-1]["steps"] == 3
    assert found[-1]["file"] == str(tmp_path / "mine.safetensors")
    assert found[-1]["peak_memory"] is None or found[-1]["peak_memory"] > 1e7


@pytest.mark.slow
@pytest.mark.parametrize("answer", ["stop\n", ""])  # told to end, or the program is gone
def test_a_line_or_the_end_of_the_input_ends_it_with_the_best(
    tmp_path: Path, stack: Path, answer: str
) -> None:
    model = tmp_path / "mine.safetensors"
    found = events(stack, "-o", model, "--minutes=20", answer=answer)
    assert found[-1]["event"] == "result"
    assert found[-1]["seconds"] < 600
    assert load_model(model).config == load_model("nano").config


@pytest.mark.slow
def test_only_a_better_model_is_added_and_a_taken_name_is_told_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAPARI_ANYIR_MODELS", str(tmp_path / "models"))
    noise = tmp_path / "noise.tif"
    write_image(noise, np.full((32, 32), 7, np.uint16))
    result = run(noise, "-o", tmp_path / "flat.safetensors", "--steps=1", "--add")
    assert result.exit_code == 0, result.stderr
    assert "flat" not in {card.name for card in napari_anyir.list_models()}
    y, x = np.mgrid[:160, :160] / 160
    clean = 0.5 + 0.3 * np.sin(9 * x) * np.cos(7 * y) + 0.2 * (np.hypot(x - 0.5, y - 0.5) < 0.3)
    grainy = tmp_path / "grainy.tif"
    write_image(grainy, (np.random.default_rng(1).poisson(clean * 20) / 20).astype(np.float32))
    start = copy.deepcopy(load_model("nano"))
    start.output.weight.data *= 0.5  # takes off half of what it finds
    save_network(start, tmp_path / "half.safetensors")
    options = ["--steps=15", "--intensity=0,1", "--add", f"--model={tmp_path / 'half.safetensors'}"]
    result = run(grainy, "-o", tmp_path / "grain.safetensors", *options)
    assert result.exit_code == 0, result.stderr
    assert "known as 'grain'" in result.stdout
    assert "grain" in {card.name for card in napari_anyir.list_models()}
    result = run(grainy, "-o", tmp_path / "again" / "grain.safetensors", "--steps=1", "--add")
    assert result.exit_code == 1
    assert "There is already a model 'grain'" in result.stderr
