"""What the host program has set: the same result, or a sentence that names the argument."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch

import napari_anyir
from napari_anyir.inference import release_models

GREY = np.random.default_rng(0).integers(0, 255, (40, 48), np.uint8)


@contextmanager
def _default(setter: Callable[[Any], None], value: Any, before: Any) -> Iterator[None]:
    setter(value)
    try:
        yield
    finally:
        setter(before)


STATES: dict[str, Callable[[], Any]] = {
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "float64": lambda: _default(torch.set_default_dtype, torch.float64, torch.float32),
    "float16": lambda: _default(torch.set_default_dtype, torch.float16, torch.float32),
    "meta device": lambda: torch.device("meta"),
    "default device": lambda: _default(torch.set_default_device, "meta", None),
    "inference mode": lambda: torch.inference_mode(),
    "no grad": lambda: torch.no_grad(),
    "grad": lambda: torch.enable_grad(),
    "deterministic": lambda: _default(torch.use_deterministic_algorithms, True, False),
    "matmul": lambda: _default(torch.set_float32_matmul_precision, "medium", "highest"),
    "numpy raises": lambda: np.errstate(all="raise"),
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("tile", ["auto", 32])
def test_the_result_is_the_same(state: str, tile: str | int) -> None:
    plain = napari_anyir.restore(GREY, model="nano", tile=tile)
    release_models()  # so that the network is built in that state, too
    with STATES[state]():
        inside = napari_anyir.restore(GREY, model="nano", tile=tile)
    assert np.array_equal(plain, inside)
    assert np.array_equal(plain, napari_anyir.restore(GREY, model="nano", tile=tile))


@pytest.mark.parametrize("state", STATES)
def test_lazy_results_are_the_same(state: str) -> None:
    da = pytest.importorskip("dask.array")
    plain = napari_anyir.restore(GREY, model="nano")
    release_models()
    with STATES[state]():
        lazy = napari_anyir.restore(da.from_array(GREY, chunks=32), model="nano")
        assert np.array_equal(plain, lazy.compute(scheduler="synchronous"))


def test_small_values_and_numpy_set_to_raise() -> None:
    image = GREY / 255.0
    image[0, 0] = 1e-300
    with np.errstate(all="raise"):
        assert napari_anyir.restore(image, model="nano").dtype == np.float64
        assert np.geterr()["under"] == "raise"


def test_nothing_of_the_host_is_changed() -> None:
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002 - the global state is what is looked at
    before = (
        torch.get_rng_state(), np.random.get_state()[1].tolist(), np.geterr(),  # noqa: NPY002
        torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled(),
        torch.get_float32_matmul_precision(), torch.backends.cudnn.benchmark,
    )  # fmt: skip
    napari_anyir.restore(GREY, model="nano")
    after = (
        torch.get_rng_state(), np.random.get_state()[1].tolist(), np.geterr(),  # noqa: NPY002
        torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled(),
        torch.get_float32_matmul_precision(), torch.backends.cudnn.benchmark,
    )  # fmt: skip
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]


def test_another_thread_gets_the_same() -> None:
    plain, found = napari_anyir.restore(GREY, model="nano"), []
    with torch.autocast("cpu", dtype=torch.bfloat16), np.errstate(all="raise"):
        thread = threading.Thread(
            target=lambda: found.append(napari_anyir.restore(GREY, model="nano"))
        )
        thread.start()
        thread.join()
    assert np.array_equal(plain, found[0])


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [">u2", "<u2", ">f4", ">f8", "u1"])
def test_byte_order_and_memory_order_are_kept(order: Any, dtype: str) -> None:
    image = np.asarray(GREY.astype(dtype), order=order)
    restored = napari_anyir.restore(image, model="nano")
    assert restored.dtype == image.dtype
    assert restored.flags.f_contiguous == image.flags.f_contiguous
    native = napari_anyir.restore(
        np.ascontiguousarray(image, image.dtype.newbyteorder("=")), model="nano"
    )
    assert np.array_equal(restored, native)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("interventions", None),
        ("interventions", 5),
        ("interventions", "encoder1.0:alpha=off"),
        ("interventions", [5]),
        ("precision", ["auto"]),
        ("precision", {}),
        ("precision", None),
        ("precision", 5),
        ("device", ["cpu"]),
        ("device", 5),
        ("tile", [64]),
        ("tile", 64.5),
        ("tile", {}),
        ("strength", "1"),
        ("strength", None),
        ("strength", float("nan")),
        ("strength", [1]),
        ("intensity", {}),
        ("intensity", None),
        ("intensity", np.zeros((2, 2))),
        ("axes", 5),
        ("axes", ["Y", "X"]),
        ("model", None),
        ("model", 5),
        ("model", ["nano"]),
        ("model", "x" * 5000),
        ("progress", 5),
        ("cancel", 5),
    ],
    ids=lambda value: str(value)[:20],
)
def test_arguments_of_a_wrong_kind_are_told_by_name(argument: str, value: object) -> None:
    with pytest.raises((ValueError, TypeError, napari_anyir.ModelError)) as caught:
        napari_anyir.restore(GREY, **{"model": "nano", argument: value})
    assert argument in str(caught.value)
    assert "unhashable" not in str(caught.value)
    assert "\n" not in str(caught.value)
