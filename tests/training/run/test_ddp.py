"""Two processes on the CPU train one network together."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.io import imsave

from napari_anyir.training.config import TrainingConfig
from napari_anyir.training.data.crop_source import StepCrops
from napari_anyir.training.data.folder_source import FolderSource
from napari_anyir.training.data.set_source import pair_source

PROGRAM = Path(__file__).with_name("two_processes.py")
SMALL = {"dim": 4, "blocks": [1, 0, 0, 0], "refinement": 0, "heads": [1, 1, 1, 1]}


@pytest.fixture
def root(tmp_path):
    generator = np.random.default_rng(0)
    for folder in ("input", "target"):
        (tmp_path / folder).mkdir()
        for index in range(8):
            image = generator.integers(0, 255, (20, 24, 3), np.uint8)
            imsave(tmp_path / folder / f"{index}.png", image, check_contrast=False)
    return tmp_path


def config(root, source, **values):
    data = {"source": source, "root": root}
    if source == "pairs":
        data |= {"workers": 0, "hold_out": 0}
    settings = {
        "network": SMALL,
        "data": data,
        "phases": [{"crop": 16, "batch": 4}],
        "validation": {"images": 0},
        "average": 0.9,
    }
    return TrainingConfig.model_validate(settings | values)


def test_devices_get_different_items_and_together_each_once(root):
    source = pair_source(config(root, "pairs", epochs=1).data, seed=0)
    steps = [StepCrops(0, 4, 16), StepCrops(4, 4, 16)]
    seen = []
    for rank in (0, 1):
        loader = source.loader(lambda: iter(steps), rank, 2)
        seen.append({item % 8 for batch in loader.batch_sampler for item, _ in batch})
    assert not seen[0] & seen[1]
    assert seen[0] | seen[1] == set(range(8))


def test_devices_crop_differently_and_the_same_again(root):
    source = FolderSource(config(root, "folder", steps=1).data, seed=0)
    device = torch.device("cpu")
    first, again, second = (
        source.batch(StepCrops(0, 8, 16), device, rank, 2)[1] for rank in (0, 0, 1)
    )
    assert len(first) == 4
    assert torch.equal(first, again)
    assert not any(torch.equal(a, b) for a in first for b in second)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="not every Windows torch has a rendezvous")
@pytest.mark.parametrize("fractions", [None, (0.0, 0.5, 0.5)])
def test_two_processes_see_every_item_once_and_agree(root, fractions):
    """A run of one epoch in four steps, started as a user's is."""
    # Without alpha (Tab. 8) some weights get no gradient, for which devices must not wait.
    network = SMALL if fractions is None else SMALL | {"gate_fractions": fractions}
    settings = root / "run.yaml"
    settings.write_text(config(root, "pairs", network=network, epochs=1).to_yaml())
    run = subprocess.run(
        [sys.executable, str(PROGRAM), str(root), str(settings)],
        capture_output=True,
        text=True,
        timeout=240,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert run.returncode == 0, run.stderr
    told = [json.loads((root / f"told-{rank}.json").read_text()) for rank in (0, 1)]
    crops = [process["crops"] for process in told]
    assert [len(crops[rank]) for rank in (0, 1)] == [4, 4]
    assert len(set(crops[0] + crops[1])) == 8
    assert told[0]["weights"] == told[1]["weights"]
    assert [process["seen"] for process in told] == [8, 8]  # all crops, not only its own
    assert (root / "run" / "state.ckpt").is_file()
