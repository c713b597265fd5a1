from __future__ import annotations

import copy
import threading
from dataclasses import replace

import pytest
import torch

from napari_anyir import Cancelled
from napari_anyir.inference.engine.execution import Placement, _run_whole, run
from napari_anyir.model import AnyIR

CPU = Placement(torch.device("cpu"))


def test_it_gives_what_the_network_gives(nano: AnyIR) -> None:
    images = torch.rand(2, 3, 21, 34, generator=torch.Generator().manual_seed(0))
    restored, record = run(nano, images, CPU)
    with torch.inference_mode():
        expected = nano(images)
    assert (restored - expected).abs().max() < 1e-5
    assert (record.device, record.precision) == ("cpu", "float32")
    assert record.seconds > 0


def test_the_model_and_the_images_are_left_alone(nano: AnyIR) -> None:
    model = copy.deepcopy(nano).train()
    before = copy.deepcopy(model.state_dict())
    images = torch.rand(1, 3, 16, 16)
    kept = images.clone()
    run(model, images, replace(CPU, precision="bfloat16"))
    assert model.training
    assert torch.equal(images, kept)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_changed_weights_are_noticed(nano: AnyIR) -> None:
    model = copy.deepcopy(nano)
    images = torch.rand(1, 3, 16, 16)
    first, _ = run(model, images, CPU)
    with torch.no_grad():
        model.output.weight.mul_(2)
    second, _ = run(model, images, CPU)
    assert (second - images).allclose(2 * (first - images), atol=1e-5)


def test_progress_ends_at_its_total(nano: AnyIR) -> None:
    calls: list[tuple[int, int]] = []
    run(nano, torch.rand(1, 3, 8, 8), CPU, progress=lambda *call: calls.append(call))
    assert calls
    assert calls[-1][0] == calls[-1][1]


def test_a_set_event_cancels(nano: AnyIR) -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        run(nano, torch.rand(1, 3, 8, 8), CPU, cancel=cancel)


def test_a_processor_takes_strips_and_a_side_length_tiles(nano: AnyIR) -> None:
    images = torch.rand(1, 3, 80, 100, generator=torch.Generator().manual_seed(0))
    whole, exact = run(nano, images, CPU)
    tiled, record = run(nano, images, replace(CPU, tile=64))
    assert (exact.mode, exact.tile) == ("strips", None)
    assert (record.mode, record.tile) == ("tiles", 64)
    difference = (tiled - whole).abs().max()
    assert difference > 1e-4  # tiles are not exact, and the record says so


def test_float16_stays_near_where_a_card_computes_with_it(nano: AnyIR) -> None:
    images = torch.rand(1, 3, 40, 48, generator=torch.Generator().manual_seed(0))
    exact = _run_whole(nano, images, CPU.device, "float32")

    def error(precision: str) -> float:
        near = _run_whole(nano, images, CPU.device, precision)
        return float((near - exact).square().mean().sqrt())

    # 3 more bits: an eighth of the error.
    assert error("float16") < min(0.001, error("bfloat16") / 4)


@pytest.mark.parametrize("tile", ["auto", 32])
def test_what_overflows_in_float16_is_computed_in_float32(nano: AnyIR, tile: str | int) -> None:
    model = copy.deepcopy(nano)
    with torch.no_grad():
        model.embed.weight.mul_(1e6)
    images = torch.rand(1, 3, 32, 40, generator=torch.Generator().manual_seed(0))
    expected, plain = run(model, images, replace(CPU, tile=tile))
    restored, record = run(model, images, replace(CPU, tile=tile, precision="float16"))
    assert torch.equal(restored, expected)
    assert record.precision == plain.precision == "float32"


def test_nothing_is_computed_again_for_an_image_that_is_not_finite(nano: AnyIR) -> None:
    images = torch.full((1, 3, 16, 16), torch.nan)
    assert run(nano, images, replace(CPU, precision="float16"))[1].precision == "float16"


def test_running_out_of_memory_in_a_tile_is_told(
    nano: AnyIR, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_anyir.inference.exact.strips import StripNetwork

    call = StripNetwork.__call__

    def short(self: StripNetwork, images: torch.Tensor, **options: object) -> torch.Tensor:
        if images.shape[-1] > 64:
            raise MemoryError
        return call(self, images, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(StripNetwork, "__call__", short)
    restored, record = run(nano, torch.rand(1, 3, 128, 136), replace(CPU, tile=128))
    assert record.tile == 64
    assert bool(restored.isfinite().all())
