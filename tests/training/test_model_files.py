"""Weights and their card are written together."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from napari_anyir.model import AnyIRConfig, build_model
from napari_anyir.training import model_files
from napari_anyir.training.model_files import write_model
from napari_anyir.weights import ModelCard, load_model, verify_model

SMALL = AnyIRConfig(dim=4, blocks=(1, 1, 1, 1), refinement=1, heads=(1, 1, 1, 1))


def test_a_card_vouches_for_the_weights_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    first, second = (write_model(build_model(SMALL), path, summary=s) for s in ("one", "two"))
    assert first.sha256 != second.sha256
    card = ModelCard.read(tmp_path / "mine.json")
    assert (card.name, card.summary, card.file) == ("mine", "two", path)
    assert verify_model(card) == card.sha256 == second.sha256
    assert load_model(path).config == SMALL
    half = write_model(build_model(SMALL), path, dtype=torch.float16, name="other")
    assert half.name == "other"
    assert verify_model(half) == half.sha256


def test_no_card_vouches_for_other_weights_after_a_kill_between_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.safetensors"
    write_model(build_model(SMALL), path)

    def killed(self: ModelCard, path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(model_files.ModelCard, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        write_model(build_model(SMALL), path)
    assert not (tmp_path / "mine.json").exists()
    assert load_model(path).config == SMALL
