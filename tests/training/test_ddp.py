"""Two processes on the CPU train one network together."""

from __future__ import annotations

import multiprocessing
import sys

import numpy as np
import pytest
import torch
from skimage.io import imsave

from napari_anyir.training.config import TrainingConfig
from napari_anyir.training.draws import Draw
from napari_anyir.training.folder_source import FolderSource
from napari_anyir.training.module import RestorationModule
from napari_anyir.training.set_source import SetSource, pair_source
from napari_anyir.training.train import train

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
    steps = [Draw(0, 4, 16), Draw(4, 4, 16)]
    seen = []
    for rank in (0, 1):
        loader = source.loader(lambda: iter(steps), rank, 2)
        seen.append({item % 8 for batch in loader.batch_sampler for item, _ in batch})
    assert not seen[0] & seen[1]
    assert seen[0] | seen[1] == set(range(8))


def test_devices_crop_differently_and_the_same_again(root):
    source = FolderSource(config(root, "folder", steps=1).data, seed=0)
    device = torch.device("cpu")
    first, again, second = (source.batch(Draw(0, 8, 16), device, rank, 2)[1] for rank in (0, 0, 1))
    assert len(first) == 4
    assert torch.equal(first, again)
    assert not any(torch.equal(a, b) for a in first for b in second)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="forks")
@pytest.mark.parametrize("fractions", [None, (0.0, 0.5, 0.5)])
def test_two_processes_see_every_item_once_and_agree(root, fractions, monkeypatch):
    """A run of one epoch in four steps: items are told to the test by a queue."""
    told = multiprocessing.get_context("fork").SimpleQueue()
    batch, end = SetSource.batch, RestorationModule.on_train_end

    def watched(self, loaded, device, rank, world):
        told.put(("crops", rank, loaded.clean.flatten(1).sum(1).tolist()))
        return batch(self, loaded, device, rank, world)

    def ended(self):
        weights = torch.cat([p.detach().flatten() for p in self.network.parameters()])
        told.put(("end", self.global_rank, (float(weights.double().sum()), self.position.seen)))
        end(self)

    monkeypatch.setattr(SetSource, "batch", watched)
    monkeypatch.setattr(RestorationModule, "on_train_end", ended)
    # Without alpha (Tab. 8) some weights get no gradient, for which devices must not wait.
    network = SMALL if fractions is None else SMALL | {"gate_fractions": fractions}
    settings = config(root, "pairs", network=network, epochs=1)
    train(
        settings,
        root / "run",
        device="cpu",
        devices=2,
        strategy="ddp_fork",
        say=lambda line: None,
    )
    crops, ends = {0: [], 1: []}, {}
    while not told.empty():
        kind, rank, value = told.get()
        if kind == "crops":
            crops[rank] += value
        else:
            ends[rank] = value
    assert [len(crops[rank]) for rank in (0, 1)] == [4, 4]
    assert len(set(crops[0] + crops[1])) == 8
    assert ends[0] == ends[1]  # the same weights on both, and all eight crops counted
    assert ends[0][1] == 8
    assert (root / "run" / "state.ckpt").is_file()
