"""Hypothesis: strips give the whole image's numbers, at any size, with any switch."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from napari_anyir import Cancelled
from napari_anyir.inference.exact import maps
from napari_anyir.inference.exact.strips import StripNetwork
from napari_anyir.model import AnyIR, AnyIRConfig, build_model

SMALL = AnyIRConfig(dim=8, blocks=(1, 2, 1, 1), refinement=1)


def _network(config: AnyIRConfig) -> AnyIR:
    """Return a network whose every part matters: no bias, tau or temperature as it began."""
    torch.manual_seed(0)
    network = build_model(config).eval().requires_grad_(False)
    for name, parameter in network.named_parameters():
        if parameter.ndim == 1 or "tau" in name or "temperature" in name or "fusion.weight" in name:
            parameter.add_(torch.randn_like(parameter) * 0.2)
    for name, buffer in network.named_buffers():  # of a batch norm: as after a training
        if name.endswith("running_mean"):
            buffer.normal_(0.1, 0.5)
        elif name.endswith("running_var"):
            buffer.uniform_(0.2, 3)
    return network


def _whole(network: AnyIR, images: Tensor) -> Tensor:
    with torch.inference_mode():
        return network(images)


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut even small images into many windows."""
    monkeypatch.setattr(maps, "window_side", lambda channels: 16)


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize(
    "shape",
    [(1, 3, 1, 1), (1, 3, 1, 30), (2, 3, 50, 41), (1, 3, 9, 77), (1, 3, 96, 64), (3, 3, 40, 40)],
)
@pytest.mark.parametrize("stem", [1, 2])
def test_strips_equal_the_whole_image(shape: tuple[int, ...], stem: int) -> None:
    network = _network(replace(SMALL, stem=stem))
    images = torch.rand(shape, generator=torch.Generator().manual_seed(1))
    assert (StripNetwork(network)(images) - _whole(network, images)).abs().max() < 1e-5


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize(
    "switches",
    [
        {"split": "half"},
        {"gate": "none"},
        {"gate_activation": "sigmoid"},
        {"gate_norm": "batch"},
        {"gate_fractions": (0.25, 0.25, 0.5)},
        {"gate_fractions": (0.5, 0.5, 0.0)},
        {"gate_fractions": (0.5, 0.0, 0.5)},
        {"gate_fractions": (0.0, 0.5, 0.5)},
        {"fusion": "spatial"},
        {"fusion": "frequency"},
        {"fusion": "fixed"},
        {"fusion": "none"},
        {"frequency": "fft"},
        {"repeat": "interleave"},
        {"repeat": "interleave", "frequency": "fft"},
        *({"repeat": "interleave", "fusion": f} for f in ("spatial", "frequency", "fixed", "none")),
        {"repeat": "interleave", "gate_norm": "batch", "gate_activation": "sigmoid"},
        {"heads": (2, 1, 4, 2)},
        {"feed_forward_factor": 1},
        {"stem": 2},
        {"blocks": (0, 1, 0, 2), "refinement": 0},
    ],
    ids=str,
)
def test_every_switch_of_the_network_is_followed(switches: dict[str, object]) -> None:
    network = _network(replace(SMALL, **switches))  # type: ignore[arg-type]
    images = torch.rand(1, 3, 43, 58, generator=torch.Generator().manual_seed(1))
    assert (StripNetwork(network)(images) - _whole(network, images)).abs().max() < 1e-5


@pytest.mark.parametrize("value", [0.0, 0.7])
def test_flat_images(nano: AnyIR, value: float) -> None:
    images = torch.full((1, 3, 40, 72), value)
    assert (StripNetwork(nano)(images) - _whole(nano, images)).abs().max() < 1e-5


def test_the_result_does_not_depend_on_the_threads(nano: AnyIR) -> None:
    images = torch.rand(2, 3, 100, 140, generator=torch.Generator().manual_seed(1))
    network = StripNetwork(nano)
    threads = torch.get_num_threads()
    results = []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            results.append(network(images))
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


def test_features_in_bfloat16_stay_near(nano: AnyIR) -> None:
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    near = StripNetwork(nano, features=torch.bfloat16)(images)
    difference = (near - _whole(nano, images)).abs().max()
    assert 0 < difference < 0.03


@pytest.mark.usefixtures("narrow")
def test_progress_counts_every_window(nano: AnyIR) -> None:
    calls: list[tuple[int, int]] = []
    StripNetwork(nano)(torch.rand(1, 3, 40, 70), progress=lambda *call: calls.append(call))
    done = [call[0] for call in calls]
    assert done == sorted(done)
    assert calls[-1][0] == calls[-1][1]
    assert len({total for _, total in calls}) == 1


@pytest.mark.usefixtures("narrow")
def test_cancelling_in_the_middle(nano: AnyIR) -> None:
    cancel = threading.Event()
    calls: list[int] = []

    def stop(done: int, total: int) -> None:
        calls.append(done)
        if done > total // 4:
            cancel.set()

    threads = threading.active_count()
    with pytest.raises(Cancelled):
        StripNetwork(nano)(torch.rand(1, 3, 64, 64), progress=stop, cancel=cancel)
    assert len(calls) > 1
    assert threading.active_count() == threads


def test_an_error_in_the_callback_ends_the_work(nano: AnyIR) -> None:
    def broken(done: int, total: int) -> None:
        raise KeyError("callback")

    with pytest.raises(KeyError, match="callback"):
        StripNetwork(nano)(torch.rand(1, 3, 64, 64), progress=broken)
