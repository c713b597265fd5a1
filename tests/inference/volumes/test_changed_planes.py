"""`restore(..., interventions=[...])`: the same pixels path, with a changed network."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

import napari_anyir
from napari_anyir import Cancelled
from napari_anyir.inference import Intervention, restore_with_record, set_lambda, switch_off
from napari_anyir.inference.inside.interventions import make_observer
from napari_anyir.inference.inside.network_parts import block_scales
from napari_anyir.model import AnyIR, AnyIRConfig

IMAGE = np.random.default_rng(0).integers(0, 256, (19, 26, 3), np.uint8)
CHANGES = [switch_off("gated", "decoder*"), set_lambda(0.9, "latent.*")]


@pytest.fixture(scope="module")
def net() -> AnyIR:
    torch.manual_seed(0)
    config = AnyIRConfig(dim=8, blocks=(1, 1, 1, 1), refinement=1, heads=(1, 1, 1, 1))
    return AnyIR(config).eval().requires_grad_(False)


def test_the_result_is_that_of_the_changed_network(net: AnyIR) -> None:
    x = torch.from_numpy(IMAGE.astype(np.float32) / 255).permute(2, 0, 1)[None]
    with torch.inference_mode():
        expected = net(x, make_observer(net, CHANGES))[0].permute(1, 2, 0).numpy()
    floats = IMAGE.astype(np.float32) / 255
    found = napari_anyir.restore(floats, model=net, interventions=CHANGES)
    np.testing.assert_allclose(found, expected.clip(0, 1), atol=2e-5)
    assert np.abs(found - napari_anyir.restore(floats, model=net)).max() > 1e-3


def test_no_change_is_the_plain_result(net: AnyIR) -> None:
    plain = napari_anyir.restore(IMAGE, model=net)
    np.testing.assert_array_equal(napari_anyir.restore(IMAGE, model=net, interventions=[]), plain)


def test_lambda_as_it_is_changes_nothing(net: AnyIR) -> None:
    floats = IMAGE.astype(np.float32) / 255
    same = napari_anyir.restore(floats, model=net, interventions=[set_lambda(0.5)])
    np.testing.assert_allclose(same, napari_anyir.restore(floats, model=net), atol=2e-5)


def test_the_record_names_them(net: AnyIR) -> None:
    _, record = restore_with_record(IMAGE, model=net, interventions=CHANGES)
    assert record.mode == "whole"
    assert record.interventions == ("decoder*:gated=off", "latent.*:lambda=0.9")
    assert [Intervention.parse(text) for text in record.interventions] == CHANGES
    assert record.to_dict()["interventions"] == list(record.interventions)
    assert restore_with_record(IMAGE, model=net)[1].interventions == ()


def test_stacks_and_lazy_arrays_take_them(net: AnyIR) -> None:
    da = pytest.importorskip("dask.array")
    stack = np.random.default_rng(1).integers(0, 256, (2, 19, 26), np.uint8)
    expected = [napari_anyir.restore(p, model=net, interventions=CHANGES) for p in stack]
    found = napari_anyir.restore(stack, model=net, axes="ZYX", interventions=CHANGES)
    np.testing.assert_array_equal(found, expected)
    lazy = da.from_array(stack, chunks=(1, 19, 26))
    lazily = napari_anyir.restore(lazy, model=net, axes="ZYX", interventions=CHANGES)
    np.testing.assert_array_equal(lazily.compute(scheduler="sync"), expected)


def test_progress_counts_blocks_and_cancel_stops(net: AnyIR) -> None:
    steps: list[tuple[int, int]] = []
    cancel = threading.Event()
    napari_anyir.restore(
        IMAGE, model=net, interventions=CHANGES, progress=lambda *step: steps.append(step)
    )
    count = len(block_scales(net))
    assert steps == [(done, count) for done in range(1, count + 1)]

    def stop(done: int, total: int) -> None:
        cancel.set()

    with pytest.raises(Cancelled):
        napari_anyir.restore(IMAGE, model=net, interventions=CHANGES, progress=stop, cancel=cancel)


def test_nonsense_is_refused(net: AnyIR) -> None:
    da = pytest.importorskip("dask.array")
    for image in (IMAGE, da.from_array(IMAGE)):
        with pytest.raises(ValueError, match="no block 'encoder9"):
            napari_anyir.restore(image, model=net, interventions=[switch_off("beta", "encoder9*")])
        with pytest.raises(TypeError, match="not str"):
            napari_anyir.restore(image, model=net, interventions=["*:beta=off"])
        with pytest.raises(ValueError, match="tile=64 would cut them"):
            napari_anyir.restore(image, model=net, interventions=CHANGES, tile=64)
    with pytest.raises(ValueError, match="no block 'encoder9"):
        napari_anyir.restore(
            IMAGE, model=net, strength=0, interventions=[switch_off("beta", "encoder9*")]
        )
