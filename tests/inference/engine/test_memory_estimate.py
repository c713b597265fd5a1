"""The estimate is held to what a pass really takes, and a lack of memory is one sentence."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import napari_anyir
from napari_anyir.inference import gate_numbers, switch_off
from napari_anyir.inference.engine import memory_estimate
from napari_anyir.inference.engine.memory_estimate import (
    check_memory,
    free_bytes,
    maps_bytes,
    pass_bytes,
)
from napari_anyir.model import AnyIR, AnyIRConfig

CPU = torch.device("cpu")


class Peak(TorchDispatchMode):
    """Counts the bytes of the tensors that are alive at once."""

    def __init__(self) -> None:
        super().__init__()
        self.alive: dict[int, int] = {}
        self.peak = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        result = function(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                storage = leaf.untyped_storage()
                if storage.data_ptr() not in self.alive:
                    self.alive[storage.data_ptr()] = storage.nbytes()
                    weakref.finalize(storage, self.alive.pop, storage.data_ptr(), None)
        self.peak = max(self.peak, sum(self.alive.values()))
        return result


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_the_estimate_is_the_peak_of_an_observed_pass(factor: int) -> None:
    config = AnyIRConfig(
        dim=16, blocks=(1, 1, 1, 1), refinement=1, heads=(1, 1, 1, 1), feed_forward_factor=factor
    )
    network = AnyIR(config).eval().to(memory_format=torch.channels_last)
    x = torch.rand(1, 3, 61, 90).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode(), Peak() as measured:
        network(x, lambda block, part, tensor: tensor)
    assert pass_bytes(config, 61, 90) == pytest.approx(measured.peak, rel=0.08)


def test_maps_take_what_their_shapes_say() -> None:
    image = np.zeros((19, 26), np.uint8)
    maps = napari_anyir.feature_maps(image, "latent.*", model="nano")
    shapes = [found.array.shape for found in maps.values()]
    assert maps_bytes(shapes) == sum(found.array.nbytes for found in maps.values())


def test_free_memory_is_a_sensible_number() -> None:
    free = free_bytes(CPU)
    assert free is None or 1e6 < free < 1e14


def test_a_container_has_no_more_than_its_limit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    texts = {
        "/proc/meminfo": "MemTotal: 100 kB\nMemAvailable: 90000 kB\n",
        "/sys/fs/cgroup/memory.max": "50000000\n",
        "/sys/fs/cgroup/memory.current": "20000000\n",
        "/sys/fs/cgroup/memory.stat": "anon 1\ninactive_file 4000000\n",
        "/proc/self/cgroup": "0::/slurm/job_1/step_0\n",
        "/sys/fs/cgroup/slurm/job_1/memory.max": "max\n",
    }

    def read_text(self: Path, **_: object) -> str:
        if self.as_posix() not in texts:
            raise FileNotFoundError(self)
        return texts[self.as_posix()]

    monkeypatch.setattr(memory_estimate.Path, "read_text", read_text)
    monkeypatch.setattr(memory_estimate, "_address_space_left", lambda: None)
    assert memory_estimate._free_on_linux() == 34_000_000  # files that were read can go
    texts["/sys/fs/cgroup/memory.max"] = "max\n"
    assert memory_estimate._free_on_linux() == 90000 * 1024
    # a job of a cluster is limited by a group of its own, or one above it
    job = "/sys/fs/cgroup/slurm/job_1"
    texts[f"{job}/memory.max"] = "10000000\n"
    texts[f"{job}/memory.current"] = "3000000\n"
    texts[f"{job}/memory.stat"] = "inactive_file 0\n"
    assert memory_estimate._free_on_linux() == 7_000_000
    monkeypatch.setattr(memory_estimate, "_address_space_left", lambda: 5_000_000)
    assert memory_estimate._free_on_linux() == 5_000_000


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="a limit of Unix, counted on Linux")
def test_a_limit_of_the_shell_counts(run_python: Callable[[str], str]) -> None:
    told = run_python(
        "import resource, torch\n"
        "from napari_anyir.inference.engine.memory_estimate import free_bytes\n"
        "resource.setrlimit(resource.RLIMIT_AS, (40 * 10**9, resource.RLIM_INFINITY))\n"
        "pages = int(open('/proc/self/statm').read().split()[0])\n"
        "limit = pages * resource.getpagesize() + 100 * 10**6\n"
        "resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))\n"
        "print(free_bytes(torch.device('cpu')))\n"
    )
    assert 50 * 10**6 < int(told) <= 100 * 10**6


def test_what_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_estimate, "free_bytes", lambda device: 5_000_000)
    check_memory(CPU, 4_000_000, 1_000_000, "wait")
    with pytest.raises(ValueError, match=r"about 6 MB of memory, and 5 MB are free; wait\.$"):
        check_memory(CPU, 4_000_000, 2_000_000, "wait")
    with pytest.raises(ValueError, match=r"about 0\.2 GB on cuda:0"):
        check_memory(torch.device("cuda:0"), 200_000_000, 0, "wait")
    monkeypatch.setattr(memory_estimate, "free_bytes", lambda device: None)
    check_memory(CPU, 10**18, 10**18, "wait")


def test_every_way_in_asks_first(monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.zeros((64, 64), np.uint8)
    monkeypatch.setattr(memory_estimate, "free_bytes", lambda device: 1_000_000)
    with pytest.raises(ValueError, match=r"say reduce='mean_abs', name fewer blocks or parts, or"):
        napari_anyir.feature_maps(image, model="nano")
    with pytest.raises(ValueError, match=r"are free; name fewer blocks"):
        napari_anyir.feature_maps(image, model="nano", reduce="pca")
    for attempt in (
        lambda: gate_numbers(image, model="nano"),
        lambda: napari_anyir.restore(image, model="nano", interventions=[switch_off("beta")]),
    ):
        with pytest.raises(ValueError, match="give a smaller part of the image"):
            attempt()
    # Reducing needs less than keeping all channels.
    monkeypatch.setattr(
        memory_estimate, "free_bytes", lambda device: pass_bytes_of_nano() + 10 * 64 * 64 * 24
    )
    napari_anyir.feature_maps(image, model="nano", reduce="mean_abs")
    with pytest.raises(ValueError, match="reduce='mean_abs'"):
        napari_anyir.feature_maps(image, model="nano")


def pass_bytes_of_nano() -> int:
    from napari_anyir.model import VARIANTS

    return pass_bytes(VARIANTS["nano"], 64, 64)
