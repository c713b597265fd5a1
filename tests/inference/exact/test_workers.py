from __future__ import annotations

import threading
import time

import pytest
import torch

from napari_anyir.inference.exact.scratch import Scratch
from napari_anyir.inference.exact.workers import WorkerPool
from napari_anyir.progress import Watch

CPU = torch.device("cpu")


@pytest.mark.parametrize("workers", [1, 3])
def test_every_item_is_done_once_and_each_worker_has_its_memory(workers: int) -> None:
    done: list[int] = []
    busy: set[int] = set()
    clash = []

    def task(item: int, scratch: Scratch) -> None:
        if id(scratch) in busy:
            clash.append(item)
        busy.add(id(scratch))
        time.sleep(0.001)
        busy.discard(id(scratch))
        done.append(item)

    with WorkerPool(CPU, workers) as pool:
        pool.each(range(20), task, Watch(20))
    assert sorted(done) == list(range(20))
    assert not clash


@pytest.mark.parametrize("bands", [[0, 0, 1, 1, 2, 2, 3], [0, 0, 1, 1, 4, 4, 6]])
def test_a_band_waits_for_the_bands_before_the_last(bands: list[int]) -> None:
    finished: set[int] = set()
    early = []

    def task(item: int, scratch: Scratch) -> None:
        early.extend(i for i in range(7) if bands[i] < bands[item] - 1 and i not in finished)
        time.sleep(0.02 if item == 0 else 0.001)  # the first is the slowest
        finished.add(item)

    with WorkerPool(CPU, 3) as pool:
        pool.each(range(7), task, Watch(7), bands)
    assert len(finished) == 7
    assert not early


def test_workers_compute_on_one_thread_and_the_caller_keeps_its_own() -> None:
    threads = torch.get_num_threads()
    seen: list[int] = []
    with WorkerPool(CPU, 2) as pool:
        assert torch.get_num_threads() == threads
        pool.each(range(4), lambda item, scratch: seen.append(torch.get_num_threads()), Watch(4))
    assert seen == [1, 1, 1, 1]
    later: list[int] = []
    thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert later == [threads]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_reaches_the_caller_and_stops_the_rest(workers: int) -> None:
    done: list[int] = []

    def task(item: int, scratch: Scratch) -> None:
        if item == 3:
            raise MemoryError("too large")
        done.append(item)

    with WorkerPool(CPU, workers) as pool, pytest.raises(MemoryError, match="too large"):
        pool.each(range(1000), task, Watch(1000))
    assert len(done) < 100
