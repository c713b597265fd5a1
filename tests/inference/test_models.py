"""Networks at hand: loaded once, reloaded when changed, and given back."""

from __future__ import annotations

import gc
import shutil
import weakref
from pathlib import Path

import pytest
import torch

from napari_anyir.errors import ModelError
from napari_anyir.inference import release_models
from napari_anyir.inference.models import KEPT, get_model, hash_weights
from napari_anyir.model import AnyIR, build_model
from napari_anyir.weights.loading import save_network


def test_a_file_is_loaded_once(micro_file: Path) -> None:
    first = get_model(micro_file)
    assert get_model(str(micro_file)) is first
    assert first.name == "micro"


def test_a_changed_file_is_loaded_anew(micro_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    shutil.copyfile(micro_file, path)
    before = get_model(path)
    save_network(build_model("nano"), path)
    after = get_model(path)
    assert after.sha256 != before.sha256
    assert after.network.config.dim == 24


def test_few_are_kept_and_all_can_be_released(micro_file: Path, tmp_path: Path) -> None:
    release_models()
    loaded = []
    for number in range(KEPT + 1):
        path = tmp_path / f"{number}.safetensors"
        shutil.copyfile(micro_file, path)
        loaded.append(weakref.ref(get_model(path).network))
    gc.collect()
    assert [network() is not None for network in loaded] == [False] + [True] * KEPT
    assert release_models() == KEPT
    gc.collect()
    assert all(network() is None for network in loaded)


def test_truncated_weights(micro_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "broken.safetensors"
    path.write_bytes(micro_file.read_bytes()[:5000])
    with pytest.raises(ModelError, match="not a whole checkpoint"):
        get_model(path)


def test_hash_sees_names_and_values(micro: AnyIR) -> None:
    assert hash_weights(micro) == hash_weights(micro)
    other = build_model(micro.config)
    other.load_state_dict(micro.state_dict())
    assert hash_weights(other) == hash_weights(micro)
    with torch.no_grad():
        next(other.parameters()).view(-1)[0] += 1
    assert hash_weights(other) != hash_weights(micro)
