"""Tasks: what a worker does for one plane."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_anyir.errors import ModelError
from napari_anyir.inference import restore
from napari_anyir.inference.arrays.intensity import IntensityRange
from napari_anyir.inference.models import get_model
from napari_anyir.inference.recipe import Recipe
from napari_anyir.inference.volumes.plane_tasks import PlaneTask, restore_block, turn

UNIT = IntensityRange(0.0, 1.0, clip=True)


def test_a_block_is_a_plane(micro_file: Path) -> None:
    image = np.random.default_rng(0).random((9, 7, 3)).astype(np.float32)
    task = PlaneTask(Recipe(model=micro_file), get_model(micro_file).sha256)
    task = pickle.loads(pickle.dumps(task))
    result = restore_block(image[None, None], UNIT, task, True)
    assert result.shape == (1, 1, 9, 7, 3)
    np.testing.assert_array_equal(result[0, 0], restore(image, axes="YXS", model=micro_file))


def test_another_model_is_refused(micro_file: Path) -> None:
    task = PlaneTask(Recipe(model=micro_file), "0" * 64)
    with pytest.raises(ModelError, match="another than the caller's"):
        restore_block(np.zeros((8, 8), np.uint8), IntensityRange(0, 255, True), task, False)


def test_no_sample_may_be_nan(micro_file: Path) -> None:
    image = np.zeros((8, 8, 4), np.float32)
    image[..., 3] = np.nan
    task = PlaneTask(Recipe(model=micro_file), get_model(micro_file).sha256)
    with pytest.raises(ValueError, match="plane has 64 NaN pixels;"):
        restore_block(image, UNIT, task, True)
    image[..., 3] = 1
    image[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="plane has 1 NaN pixel;"):
        restore_block(image, UNIT, task, True)


@pytest.mark.parametrize("wish", [None, 1, 2])
def test_threads_of_a_task_are_set_and_given_back(wish: int | None) -> None:
    before = torch.get_num_threads()
    with turn(PlaneTask(Recipe(model="nano"), "", wish)):
        assert torch.get_num_threads() == (before if wish is None else wish)
    assert torch.get_num_threads() == before
