"""Pairs of images of any depth, from disk to a network that restores them better than they were."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_anyir import restore
from napari_anyir.files import write_image
from napari_anyir.training.config_files import read_config
from napari_anyir.training.data.crop_source import StepCrops
from napari_anyir.training.data.data_sources import open_source
from napari_anyir.training.run.train import train
from napari_anyir.weights import load_model

CPU = torch.device("cpu")


def cells(planes: int, side: int, generator: np.random.Generator) -> np.ndarray:
    """Make dark planes with a few bright discs, in counts of a camera."""
    rows, columns = np.mgrid[:side, :side]
    scene = np.full((planes, side, side), 100.0)
    for plane in scene:
        for _ in range(5):
            y, x, radius = *generator.uniform(0, side, 2), generator.uniform(4, 12)
            distance = np.hypot(rows - y, columns - x)
            plane += generator.uniform(500, 2500) / (1 + np.exp(distance - radius))
    return scene


def noisy(clean: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Add the noise of few photons and of a camera."""
    photons = generator.poisson((clean - 100) / 40) * 40 + 100
    return photons + generator.normal(0, 60, clean.shape)


def write_pairs(root: Path, files: int, planes: int = 3, side: int = 96, seed: int = 0) -> None:
    generator = np.random.default_rng(seed)
    for number in range(files):
        clean = cells(planes, side, generator)
        for folder, image in (("input", noisy(clean, generator)), ("target", clean)):
            counts = np.clip(np.rint(image), 0, 65535).astype(np.uint16)
            write_image(root / folder / f"{number}.tif", counts)


def source(root: Path, *overrides: str):
    return open_source(read_config("pairs", ["data.workers=0", *overrides], data={"root": root}))


def test_pairs_share_the_mapping_of_the_degraded_one(tmp_path: Path) -> None:
    write_pairs(tmp_path, 2)
    opened = source(tmp_path, "data.hold_out=0")
    assert opened.items == 6
    assert "2 pairs of 6 planes" in opened.facts["data"]
    loaded = next(iter(opened.loader(lambda: iter([StepCrops(0, 6, 48)]), 0, 1)))
    degraded, clean = opened.batch(loaded, CPU, 0, 1)
    assert degraded.dtype == clean.dtype == torch.float32
    # What is added has no mean, so both have the same level only in the same mapping.
    assert abs(float((degraded - clean).mean())) < 0.01
    assert float((degraded - clean).std()) > 0.02


def test_items_depend_on_seed_and_number_alone(tmp_path: Path) -> None:
    write_pairs(tmp_path, 1)
    first, again = source(tmp_path), source(tmp_path)
    for number in (0, 2, 40):
        for one, other in zip(first.data[number, 32][:2], again.data[number, 32][:2], strict=True):
            assert torch.equal(one, other)
    assert not torch.equal(first.data[0, 32].clean, first.data[len(first.data), 32].clean)
    turned = source(tmp_path, "seed=1")
    assert not torch.equal(first.data[0, 32].clean, turned.data[0, 32].clean)


def test_scales_that_differ_are_told_and_can_be_told_apart(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    generator = np.random.default_rng(0)
    clean = cells(1, 64, generator)
    write_image(tmp_path / "input" / "a.tif", np.rint(clean / 10).astype(np.uint16))
    write_image(tmp_path / "target" / "a.tif", np.rint(clean).astype(np.uint16))
    with caplog.at_level(logging.WARNING, "napari_anyir.training"):
        same = source(tmp_path)
    assert "span another range" in caplog.text
    assert "data.clean_intensity=own" in caplog.text
    caplog.clear()
    own = source(tmp_path, "data.clean_intensity=own")
    assert not caplog.text
    bright = same.data[0, 64].clean.max(), own.data[0, 64].clean.max()
    assert bright[0] > 5
    assert bright[1] < 1.5


def test_partners_of_other_shapes_are_refused(tmp_path: Path) -> None:
    write_image(tmp_path / "input" / "a.tif", np.zeros((3, 20, 20), np.uint16))
    write_image(tmp_path / "target" / "a.tif", np.zeros((2, 20, 20), np.uint16))
    with pytest.raises(ValueError, match=r"is 3 x 20 x 20 but its clean partner .* is 2 x 20 x 20"):
        source(tmp_path)
    write_image(tmp_path / "target" / "a.tif", np.zeros((3, 20, 20, 3), np.uint16))
    with pytest.raises(ValueError, match=r"in colour|pairs must show"):
        source(tmp_path)


def test_ome_names_find_their_partners(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 999, (30, 30)).astype(np.uint16)
    write_image(tmp_path / "input" / "a.ome.tif", image)
    write_image(tmp_path / "target" / "a.tif", image)
    assert source(tmp_path).items == 1


@pytest.mark.slow
def test_a_16_bit_set_trains_and_its_result_beats_the_input(tmp_path: Path) -> None:
    write_pairs(tmp_path / "pairs", 4)
    given = ["steps=40", "warm_up_steps=4", "phases=[{crop: 48, batch: 4}]", "data.workers=0"]
    config = read_config("pairs", given, data={"root": tmp_path / "pairs"})
    start = load_model("nano")
    config = config.model_copy(update={"network": start.config.to_dict()})
    train(config, tmp_path / "run", start=start, device="cpu", say=lambda line: None)
    generator = np.random.default_rng(7)
    clean = cells(2, 96, generator)
    image = np.clip(np.rint(noisy(clean, generator)), 0, 65535).astype(np.uint16)
    weights = tmp_path / "run" / "weights.safetensors"
    restored = restore(image, axes="ZYX", model=weights, device="cpu")
    assert restored.dtype == np.uint16
    errors = [float(np.square(found.astype(float) - clean).mean()) for found in (image, restored)]
    assert errors[1] < errors[0] / 4  # 6 dB
    # and intensities stay where they were
    assert abs(restored.mean() - clean.mean()) < 0.02 * clean.mean()
