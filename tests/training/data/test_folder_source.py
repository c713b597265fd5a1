from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.io import imsave

from napari_anyir.training.config import FolderData
from napari_anyir.training.data.crop_source import StepCrops
from napari_anyir.training.data.folder_source import FolderSource

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for index in range(3):
        pixels = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
        imsave(folder / f"{index}.png", pixels, check_contrast=False)
    return folder


def source(root: Path, together: int) -> FolderSource:
    return FolderSource(FolderData(root=root, hold_out=0, together=together), seed=3)


def crops(made: FolderSource, first: int, batch: int, rank: int = 0, world: int = 1):
    return torch.cat(made.batch(StepCrops(first, batch, 16), CPU, rank, world), dim=1)


def test_steps_made_together_are_all_different(root: Path) -> None:
    made = source(root, 4)
    steps = [crops(made, first, 2) for first in range(0, 16, 2)]
    assert all(step.shape == (2, 6, 16, 16) for step in steps)
    assert len({step.numpy().tobytes() for step in steps}) == 8


def test_a_run_that_continues_finds_the_crops_of_its_place(root: Path) -> None:
    unbroken = source(root, 4)
    steps = [crops(unbroken, first, 2) for first in range(0, 12, 2)]
    assert torch.equal(crops(source(root, 4), 10, 2), steps[5])


def test_batches_across_two_pools_hold_the_end_of_one_and_the_start_of_the_next(root: Path) -> None:
    made = source(root, 4)  # of 8 crops each
    across = crops(made, 7, 2)
    assert torch.equal(across[:1], crops(made, 6, 2)[1:])
    assert torch.equal(across[1:], crops(made, 8, 2)[:1])


def test_devices_see_different_crops(root: Path) -> None:
    made = source(root, 2)
    shares = [crops(made, 0, 4, rank, 2) for rank in range(2)]
    assert shares[0].shape[0] == 2
    assert not torch.equal(*shares)


def test_another_size_of_crop_is_another_pool(root: Path) -> None:
    made = source(root, 4)
    crops(made, 0, 2)
    degraded, clean = made.batch(StepCrops(2, 3, 24), CPU, 0, 1)
    assert degraded.shape == clean.shape == (3, 3, 24, 24)
