"""Protocols and pairs as what a trainer iterates over."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.io import imsave

from napari_anyir.training.config import TrainingConfig
from napari_anyir.training.config_files import read_config
from napari_anyir.training.data.crop_source import StepCrops
from napari_anyir.training.data.data_sources import open_source
from napari_anyir.training.pixels import cache
from napari_anyir.training.pixels.cache import DirectImages, MemoryImages
from napari_anyir.training.run.train import train


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Three images of each set of `3deg`."""
    root = tmp_path_factory.mktemp("sets")
    generator = np.random.default_rng(0)
    for i in range(3):
        for name in (
            f"BSD400/{i}.png",
            f"WED/{i}.bmp",
            f"Rain100L/train/rainy/rain-{i}.png",
            f"Rain100L/train/gt/norain-{i}.png",
            f"RESIDE/OTS/synthetic/part1/{i:04}_0.8_0.04.jpg",
            f"RESIDE/OTS/original/{i:04}.jpg",
        ):
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            imsave(path, generator.integers(0, 255, (40, 40, 3), np.uint8), check_contrast=False)
    return root


def source(root, *overrides, recipe="3deg"):
    return open_source(read_config(recipe, ["data.workers=0", *overrides], data={"root": root}))


def test_an_epoch_of_a_protocol_has_its_items_each_once(sets):
    opened = source(sets)
    assert opened.items == 6 * 9 + 3 * 120 + 3
    assert "denoise 6 images as 54 items" in opened.facts["data"]
    steps = [StepCrops(first, 139, 16) for first in (0, 139, 278)]
    loader = opened.loader(lambda: iter(steps), 0, 1)
    items = [item for batch in loader.batch_sampler for item, side in batch]
    assert sorted(items) == list(range(417))


def test_the_switches_of_a_protocol_reach_its_items_and_the_card(sets):
    opened = source(sets, "data.bsd=false", "data.augmentation=promptir")
    assert opened.items == 3 * 9 + 3 * 120 + 3
    assert opened.facts["switches"] == "without BSD400, turned as in PromptIR"
    assert opened.data.cropping.always
    assert "switches" not in source(sets).facts


def test_crops_have_the_side_and_the_range_of_their_phase(sets):
    opened = source(sets)
    steps = [StepCrops(0, 4, 16), StepCrops(4, 2, 24)]
    batches = [
        opened.batch(loaded, torch.device("cpu"), 0, 1)
        for loaded in opened.loader(lambda: iter(steps), 0, 1)
    ]
    assert [b[0].shape for b in batches] == [(4, 3, 16, 16), (2, 3, 24, 24)]
    for degraded, clean in batches:
        assert degraded.dtype == clean.dtype == torch.float32
        assert 0 <= float(degraded.min()) <= float(degraded.max()) <= 1


def test_two_devices_together_see_what_one_sees(sets):
    opened = source(sets)
    steps = [StepCrops(10, 4, 16)]

    def crops(rank, world):
        (loaded,) = opened.loader(lambda: iter(steps), rank, world)
        return opened.batch(loaded, torch.device("cpu"), rank, world)[0]

    assert torch.equal(crops(0, 1), torch.cat([crops(0, 2), crops(1, 2)]))


def test_validation_is_the_same_each_time_and_no_item_of_the_epoch(sets):
    opened = source(sets)
    first, again = (opened.validation(3, 16) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert first[0].shape == (3, 3, 16, 16)
    assert opened.validation(0, 16) is None


def test_left_out_images_are_in_no_item(sets):
    opened = source(sets, "data.leave_out=[norain-1.png]")
    assert opened.items == 6 * 9 + 2 * 120 + 3
    assert not any("norain-1" in str(path) for path in opened.data.paths())
    with pytest.raises(ValueError, match="'absent' is to be left out, but is not"):
        source(sets, "data.leave_out=[absent]")


def test_noise_is_stored_as_asked(sets):
    only = ["data.protocol=denoise"]
    truncated, rounded = (
        torch.stack([opened.data[i].degraded.float() for i in range(54)])
        for opened in (source(sets, *only), source(sets, *only, "data.noise=round"))
    )
    bias = float((rounded - truncated).mean())
    assert 0.3 < bias < 0.5  # half a grey level, but for what is clipped


def test_what_trains_nothing_is_refused(sets, tmp_path):
    with pytest.raises(ValueError, match="trains nothing: it tests a checkpoint of '3deg'"):
        source(sets, "data.protocol=zeroshot-snow")
    with pytest.raises(ValueError, match="Unknown protocol '4deg'"):
        source(sets, "data.protocol=4deg")
    with pytest.raises(FileNotFoundError, match="lay"):
        source(tmp_path)
    with pytest.raises(ValueError, match="name the folder of the data with --data"):
        open_source(TrainingConfig(steps=1))


def test_devices_of_one_machine_share_its_memory(sets, tmp_path, monkeypatch):
    monkeypatch.setattr(cache.torch.multiprocessing, "get_start_method", lambda: "fork")
    for side in ("input", "target"):
        (tmp_path / side).mkdir()
        for i in range(2):
            imsave(
                tmp_path / side / f"{i}.png", np.zeros((40, 40, 3), np.uint8), check_contrast=False
            )
    for recipe, root in (("3deg", sets), ("pairs", tmp_path)):
        settings = read_config(recipe, ["data.workers=0", "data.images=auto"], data={"root": root})
        needed = cache.decoded_bytes(open_source(settings).data.paths())
        # Room for the decoded images of two processes, not of three.
        monkeypatch.setattr(cache, "free_bytes", lambda device, of=needed: int(2.5 * of / 0.5))
        kept = [type(open_source(settings, processes=n).data.images) for n in (1, 2, 3)]
        assert kept == [MemoryImages, MemoryImages, DirectImages]


def test_a_run_on_several_devices_says_so_to_its_data(sets, tmp_path, monkeypatch):
    asked = []

    def opened(config, processes=1):
        asked.append(processes)
        raise FileNotFoundError("enough")

    monkeypatch.setattr("napari_anyir.training.run.train.open_source", opened)
    settings = read_config("3deg", ["network=nano", "minutes=1"], data={"root": sets})
    for devices in (1, 4):
        with pytest.raises(FileNotFoundError, match="enough"):
            train(settings, tmp_path / "run", device="cpu", devices=devices)
    assert asked == [1, 4]
