"""Feature maps with known contents: the analyses need no network."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from napari_anyir.inference import FeatureMap

MakeMaps = Callable[..., dict[tuple[str, str], FeatureMap]]


@pytest.fixture(scope="session")
def make_maps() -> MakeMaps:
    """Return a function from {part: array} to what `feature_maps` would return."""

    def make(
        parts: dict[str, np.ndarray],
        block: str = "encoder1.0",
        scale: int = 1,
        reduce: str | None = None,
    ) -> dict[tuple[str, str], FeatureMap]:
        none = np.zeros(0, np.float32)
        return {
            (block, part): FeatureMap(
                block, part, array.astype(np.float32), scale, array.shape[0], reduce, none, 0.5
            )
            for part, array in parts.items()
        }

    return make
