from __future__ import annotations

import pytest
import torch

from napari_anyir.inference.engine import run_plan
from napari_anyir.inference.engine.run_plan import RunPlan, plan_run, strip_bytes, working_precision
from napari_anyir.model import VARIANTS

CPU, CUDA, MPS = torch.device("cpu"), torch.device("cuda"), torch.device("mps")
NANO, TINY = VARIANTS["nano"], VARIANTS["tiny"]


def _free(monkeypatch: pytest.MonkeyPatch, gigabytes: float | None) -> None:
    free = None if gigabytes is None else int(gigabytes * 1e9)
    monkeypatch.setattr(run_plan, "free_bytes", lambda device: free)


def test_the_promised_sizes_fit() -> None:
    assert strip_bytes(TINY, 2048, 2048) <= 2e9
    assert strip_bytes(TINY, 4000, 6000, itemsize=2) <= 6e9


@pytest.mark.parametrize("gigabytes", [10.0, None])
def test_with_room_a_processor_takes_strips(
    monkeypatch: pytest.MonkeyPatch, gigabytes: float | None
) -> None:
    _free(monkeypatch, gigabytes)
    assert plan_run(TINY, (1, 3, 1024, 1024), CPU, "float32", "auto").mode == "strips"


def test_without_room_tiles_that_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    _free(monkeypatch, 2.0)
    plan = plan_run(TINY, (1, 3, 8000, 8000), CPU, "float32", "auto")
    assert plan.mode == "tiles"
    assert plan.tile is not None
    assert strip_bytes(TINY, plan.tile, plan.tile) <= 0.8 * 2e9
    assert plan_run(TINY, (1, 3, 8000, 8000), CPU, "float32", None) == RunPlan(
        "strips", None, "strips"
    )


def test_a_card_takes_the_whole_image_then_strips_then_tiles(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def mode(gigabytes: float) -> str:
        _free(monkeypatch, gigabytes)
        return plan_run(TINY, (1, 3, 2048, 2048), CUDA, "bfloat16", "auto").mode

    assert [mode(80), mode(6), mode(0.9)] == ["whole", "strips", "tiles"]


def test_apple_gpus_take_whole_or_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    _free(monkeypatch, 4)
    assert plan_run(NANO, (1, 3, 512, 512), MPS, "float32", "auto").mode == "whole"
    assert plan_run(NANO, (1, 3, 9000, 9000), MPS, "float32", "auto").inner == "whole"


def test_short_memory_takes_bfloat16_before_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    def chosen(gigabytes: float | None, name: str = "auto", tile: object = "auto") -> str:
        _free(monkeypatch, gigabytes)
        return working_precision(name, TINY, (4000, 6000), CPU, tile)  # type: ignore[arg-type]

    assert [chosen(room) for room in (None, 20, 8, 2)] == [
        "float32",
        "float32",
        "bfloat16",
        "float32",  # tiles, which fit as they are
    ]
    # What the caller decides stays.
    assert chosen(8, "float32") == "float32"
    assert chosen(8, tile=512) == "float32"
    assert chosen(8, tile=None) == "float32"


def test_a_side_length_is_taken_as_a_multiple_of_the_network() -> None:
    assert plan_run(TINY, (1, 3, 500, 500), CPU, "float32", 100).tile == 104
    assert plan_run(NANO, (1, 3, 500, 500), CPU, "float32", 100).tile == 112
    assert plan_run(NANO, (1, 3, 100, 90), CPU, "float32", 100).mode == "strips"


@pytest.mark.parametrize("tile", [0, -8, 31, True, 128.0, "large"])
def test_anything_else_is_refused(tile: object) -> None:
    with pytest.raises(ValueError, match="tile must be 'auto', None or a side length"):
        plan_run(NANO, (1, 3, 500, 500), CPU, "float32", tile)  # type: ignore[arg-type]
