"""A run becomes a model of the package."""

from __future__ import annotations

import json

import pytest
import torch

from napari_anyir.model import AnyIRConfig, build_model
from napari_anyir.training.publish import main, publish, read_sources
from napari_anyir.weights import load_model, verify_model
from napari_anyir.weights.loading import save_network

SMALL = AnyIRConfig(dim=4, blocks=(1, 1, 1, 1), refinement=1, heads=(1, 1, 1, 1))


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    save_network(build_model(SMALL), folder / "weights.safetensors")
    facts = {"training": {"steps": 7, "recipe": "folder"}}
    (folder / "weights.json").write_text(
        json.dumps({"name": "run", "file": "weights.safetensors", **facts})
    )
    return folder


def test_weights_are_halved_and_the_card_takes_over_what_the_run_knows(run, tmp_path):
    card = publish(run, "mine", folder=tmp_path, training={"licence_of_data": "CC0"})
    assert card.training == {"steps": 7, "recipe": "folder", "licence_of_data": "CC0"}
    assert verify_model(card) == card.sha256
    half = load_model(tmp_path / "mine.safetensors")
    full = load_model(run / "weights.safetensors")
    assert half.config == SMALL
    assert card.file.stat().st_size < 0.6 * (run / "weights.safetensors").stat().st_size
    image = torch.rand(1, 3, 16, 16)
    assert (half(image) - full(image)).abs().max() < 5e-3
    assert not list(tmp_path.glob("*.part"))


def test_a_model_of_ones_own_says_what_it_does(run, tmp_path):
    main([str(run), "mine", "--folder", str(tmp_path), "--summary", "Takes dust off."])
    assert json.loads((tmp_path / "mine.json").read_text())["summary"] == "Takes dust off."


def test_a_folder_without_weights_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="no weights"):
        publish(tmp_path, "mine", folder=tmp_path)


def test_sources_are_counted(tmp_path):
    table = tmp_path / "sources.tsv"
    table.write_text('file\tsource\tlicence\na\tX\tCC0\nb\tX\tCC0\nc\tY\t"free"\n')
    assert read_sources(table) == ["2 photographs: X (CC0)", '1 photographs: Y ("free")']
