"""``anyir models``: list, info, verify, add."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import napari_anyir
from napari_anyir.cli import app
from napari_anyir.files import read_image, write_image
from napari_anyir.model import AnyIRConfig, build_model
from napari_anyir.weights import find_model, load_model
from napari_anyir.weights.loading import save_network


@pytest.fixture(autouse=True)
def model_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder for the user's models."""
    folder = tmp_path / "models"
    monkeypatch.setenv("NAPARI_ANYIR_MODELS", str(folder))
    return folder


def run(*arguments: object) -> Any:
    """Run ``anyir models``."""
    return CliRunner().invoke(app, ["models", *map(str, arguments)])


@pytest.mark.parametrize("arguments", [[], ["list"]])
def test_list_names_all_and_the_default(arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    cards = napari_anyir.list_models()
    assert f"{cards[0].name} (default)" in result.stdout
    for card in cards:
        assert f"{card.parameters:,}" in result.stdout


def test_info_prints_the_card() -> None:
    card = napari_anyir.list_models()[0]
    result = run("info")
    assert result.exit_code == 0, result.output
    for fact in (card.name, card.sha256, card.licence, f"{card.parameters:,}"):
        assert str(fact) in result.stdout
    for name in card.measured:
        assert name in result.stdout
    unknown = run("info", "enormous")
    assert unknown.exit_code == 1
    assert unknown.stderr.startswith("Error: Unknown model 'enormous'")


def test_add_verify_and_use(tmp_path: Path, model_folder: Path) -> None:
    source = tmp_path / "mine.safetensors"
    source.write_bytes(find_model("nano").file.read_bytes())
    assert run("add", source, "--name", "my-model").exit_code == 0
    assert "my-model" in run().stdout
    assert "yours" in run().stdout
    result = run("verify", "my-model")
    assert result.exit_code == 0
    assert "as on its card" in result.stdout
    write_image(tmp_path / "a.png", np.zeros((8, 8), np.uint8))
    command = ["restore", tmp_path / "a.png", "-o", tmp_path / "b.png", "-m", "my-model"]
    assert CliRunner().invoke(app, [str(word) for word in command]).exit_code == 0

    again = run("add", source, "--name", "my-model")
    assert again.exit_code == 1
    assert "already a model" in again.stderr

    copy = model_folder / "my-model.safetensors"
    data = bytearray(copy.read_bytes())
    data[-1] ^= 1
    copy.write_bytes(data)
    result = run("verify")
    assert result.exit_code == 1
    assert "damaged or changed" in result.stderr
    assert "nano: " in result.stdout  # the others are still told of


@pytest.mark.parametrize("name", ["Restormer", "SCUNet"])
def test_other_peoples_networks_restore_from_the_shell(
    foreign: Any, name: str, tmp_path: Path
) -> None:
    foreign.save(name, tmp_path / "other.pth")
    assert run("add", tmp_path / "other.pth").exit_code == 0
    assert name in run("info", "other").stdout
    pixels = np.random.default_rng(0).integers(0, 255, (40, 56, 3), np.uint8)
    write_image(tmp_path / "a.png", pixels)
    command = ["restore", tmp_path / "a.png", "-o", tmp_path / "b.png", "-m", "other"]
    done = CliRunner().invoke(app, [*map(str, command), "--device", "cpu"])
    assert done.exit_code == 0, done.output
    expected = napari_anyir.restore(pixels, axes="YXS", model="other", device="cpu")
    np.testing.assert_array_equal(read_image(tmp_path / "b.png").array, expected)
    assert (expected != pixels).any()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "ending", "needs"),
    [
        ("torchscript", "pt", "torch"),
        ("onnx", "onnx", "onnxruntime"),
        ("bioimageio", "zip", "bioimageio.core"),
    ],
)
def test_export_writes_a_file_that_was_run(
    form: str, ending: str, needs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(needs, reason="the extra 'export' is not installed")
    config = AnyIRConfig(dim=8, blocks=(1, 1, 1, 1), refinement=1, heads=(1, 1, 2, 4), stem=2)
    save_network(build_model(config), tmp_path / "half.safetensors")
    monkeypatch.chdir(tmp_path)
    wrong = run("export", tmp_path / "half.safetensors", "--format", form, "-o", "half.txt")
    assert wrong.exit_code == 2
    assert f"must end in .{ending}" in wrong.stderr.replace("\n", " ")
    done = run("export", tmp_path / "half.safetensors", "--format", form)
    assert done.exit_code == 0, done.output
    assert f"Wrote half.{ending}: run at sides from 64 to 513 pixels" in done.stdout
    assert sorted(path.name for path in tmp_path.glob("*half*")) == sorted(
        ["half.safetensors", f"half.{ending}"]
    )


def test_add_refuses_what_is_no_model(tmp_path: Path, model_folder: Path) -> None:
    assert "no checkpoint" in run("add", tmp_path / "nowhere.pth").stderr
    (tmp_path / "text.pth").write_text("no weights")
    result = run("add", tmp_path / "text.pth")
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert not model_folder.exists() or not list(model_folder.iterdir())


def test_add_takes_lightnings_file_names(tmp_path: Path) -> None:
    source = tmp_path / "epoch=78-step=342702.ckpt"
    torch.save({"state_dict": load_model("nano").state_dict(), "epoch": 78}, source)
    result = run("add", source)
    assert result.exit_code == 0, result.output
    assert "epoch=78-step=342702" in run().stdout
    spaced = tmp_path / "my best (2).ckpt"
    spaced.write_bytes(source.read_bytes())
    assert "Added 'my-best-2'" in run("add", spaced).stdout


@pytest.mark.slow
def test_add_asks_for_switches_that_nobody_can_see(tmp_path: Path) -> None:
    source = tmp_path / "bare.pth"
    torch.save(dict(load_model("nano").state_dict()), source)
    refused = run("add", source)
    assert refused.exit_code == 1
    assert "split, gate_activation, repeat" in refused.stderr
    assert run("add", source, "--switches", "nonsense").exit_code == 2
    assert (
        "gate_activation must be"
        in run("add", source, "--switches", "published,gate_activation=x").stderr
    )
    said = run("add", source, "--switches", "published,gate_activation=sigmoid")
    assert said.exit_code == 0, said.output
    assert load_model("bare").config.gate_activation == "sigmoid"
