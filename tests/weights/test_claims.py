"""What a checkpoint claims is compared with what it holds before anything is built."""

import json
import pickle
import time

import pytest
import torch
from safetensors.torch import save_file

from napari_anyir import ModelError, load_model

NANO = {"dim": 16, "blocks": [1, 2, 2, 3], "refinement": 2, "feed_forward_factor": 1}


@pytest.mark.parametrize(
    "claim",
    [
        {"dim": 10**6},
        {"dim": 4096},
        {"dim": 10**400},
        {"blocks": [10**7, 0, 0, 0]},
        {"blocks": [4096, 4096, 4096, 4096]},
        {"refinement": "x"},
        {"refinement": 4000},
        {"dim": 16.5},
        {"dim": None},
        {"dim": True},
        {"blocks": 5},
        {"blocks": "1223"},
        {"blocks": [[1], 1, 1, 1]},
        {"heads": [10**9, 1, 1, 1]},
        {"heads": None},
        {"gate_fractions": ["a", "b", "c"]},
        {"gate_fractions": [float("nan"), 0.5, 0.5]},
        {"gate_fractions": 5},
        {"gate": ["none"]},
        {"unknown": 1},
    ],
    ids=lambda claim: str(claim)[:40],
)
def test_configurations_that_do_not_fit(tmp_path, claim):
    path = tmp_path / "a.safetensors"
    save_file({"embed.weight": torch.zeros(1)}, path, {"config": json.dumps(NANO | claim)})
    start = time.monotonic()
    with pytest.raises(ModelError) as caught:
        load_model(path)
    assert time.monotonic() - start < 30
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["[", "[]", "5", "[" * 100000, "null"])
def test_configurations_that_are_none(tmp_path, text):
    path = tmp_path / "a.safetensors"
    save_file({"embed.weight": torch.zeros(1)}, path, {"config": text})
    with pytest.raises(ModelError):
        load_model(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x",
        b"root:x:0:0:root:/root:/bin/bash\n",
        b"PK\x03\x04" + b"\0" * 60,
        pickle.dumps([1]),
    ],
    ids=lambda content: str(content[:8]),
)
@pytest.mark.parametrize("suffix", [".pt", ".ckpt", ".safetensors"])
def test_files_that_are_no_checkpoints(tmp_path, content, suffix):
    path = tmp_path / f"junk{suffix}"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="checkpoint"):
        load_model(path)


def test_whole_floats_are_whole_numbers(tmp_path, monkeypatch):
    from napari_anyir.model import AnyIRConfig

    assert AnyIRConfig(dim=16.0, blocks=(1.0, 1, 1, 1), refinement=0).blocks == (1, 1, 1, 1)
