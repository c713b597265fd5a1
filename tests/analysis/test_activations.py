from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from napari_anyir.analysis import channel_activations
from napari_anyir.analysis.activations import SPLITS, split_indices
from napari_anyir.model import AnyIRConfig
from napari_anyir.model.blocks import DAB


def levels(values: list[float]) -> np.ndarray:
    """A map whose channel k has a mean absolute value of values[k], and a mean of zero."""
    signs = np.where(np.indices((4, 6)).sum(0) % 2, 1, -1)
    return np.array(values)[:, None, None] * signs


def test_two_ways_of_splitting(make_maps: Callable) -> None:
    found = channel_activations(make_maps({"output": levels([1, 2, 3, 10])}))
    np.testing.assert_allclose(found.activation, [1, 2, 3, 10])
    assert [side.tolist() for side in found.sides("half")] == [[1, 2], [3, 10]]
    assert [side.tolist() for side in found.sides("skip")] == [[1, 3], [2, 10]]
    assert found.share("half") == pytest.approx(3 / 16)
    assert found.share("skip") == pytest.approx(4 / 16)
    # Sorted pairs (1, 3) and (2, 10), and (1, 2) and (3, 10); the mean activation is 4.
    assert found.distance("half") == pytest.approx(5 / 4)
    assert found.distance("skip") == pytest.approx(4 / 4)
    names, rows = found.table()
    row = dict(zip(names, list(rows)[1], strict=True))
    assert (row["half_split"], row["skip_split"]) == ("attention", "gate")


@pytest.mark.parametrize("split", SPLITS)
def test_indices_are_those_of_the_network(split: str) -> None:
    import torch

    config = AnyIRConfig(dim=8, blocks=(1, 1, 1, 1), refinement=0, heads=(1, 1, 1, 1), split=split)
    channels = torch.arange(8.0).reshape(1, 8, 1, 1)
    sides = DAB(8, 1, config).split(channels)
    for side, indices in zip(sides, split_indices(split, 8), strict=True):
        assert side.flatten().tolist() == indices.tolist()


def test_silent_channels(make_maps: Callable) -> None:
    found = channel_activations(make_maps({"output": np.zeros((4, 3, 3))}))
    assert (found.distance("half"), found.share("skip")) == (0.0, 0.5)


def test_an_odd_number_of_channels_is_refused(make_maps: Callable) -> None:
    with pytest.raises(ValueError, match="'alpha' has 3 channels, which no split can halve"):
        channel_activations(make_maps({"alpha": np.ones((3, 4, 4))}), part="alpha")
