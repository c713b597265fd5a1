from __future__ import annotations

import gc
import sys
import threading
import time
import weakref

import numpy as np
import pytest
from napari.utils.notifications import notification_manager
from qtpy.QtCore import QObject

from napari_anyir.errors import Cancelled, ModelError
from napari_anyir.widgets.kit.problems import OUT_OF_MEMORY, TORCH_AFTER_QT, load_torch, sentence
from napari_anyir.widgets.kit.worker import TURN, Runner, ShortTurns


@pytest.fixture
def runner(qtbot) -> Runner:
    parent = QObject()
    made = Runner(parent)
    made.keep = parent
    return made


class Steps:
    """A job of many steps, as the engine has strips."""

    def __init__(self, count: int = 400) -> None:
        self.count = count
        self.done = 0
        self.thread: int | None = None
        self.ended = threading.Event()

    def __call__(self, progress, cancel):
        self.thread = threading.get_ident()
        try:
            for step in range(self.count):
                if cancel.is_set():
                    raise Cancelled("stopped")
                time.sleep(0.005)
                self.done = step + 1
                progress(self.done, self.count)
            return self.done
        finally:
            self.ended.set()


def test_a_job_runs_in_another_thread_and_returns(qtbot, runner: Runner, finish) -> None:
    job, seen, results = Steps(30), [], []
    runner.progressed.connect(lambda done, total: seen.append((done, total)))
    runner.returned.connect(results.append)
    runner.start(job)
    finish(runner)
    assert results == [30]
    assert job.thread != threading.get_ident()
    assert seen == sorted(seen)
    assert seen[-1] == (30, 30)
    assert len(seen) < 30  # not every step repaints the window


def test_cancel_stops_at_the_next_step_and_returns_nothing(qtbot, runner: Runner, finish) -> None:
    job, results, problems = Steps(), [], []
    runner.returned.connect(results.append)
    runner.failed.connect(problems.append)
    runner.start(job)
    qtbot.waitUntil(lambda: job.done > 3)
    runner.stop()
    assert runner.stopping
    asked = job.done
    finish(runner)
    assert job.ended.is_set()
    assert job.done <= asked + 2
    assert not results
    assert not problems


def test_threads_take_short_turns_while_jobs_run_and_only_then(qtbot, finish) -> None:
    parent = QObject()
    runners = [Runner(parent), Runner(parent)]
    before, inside = sys.getswitchinterval(), []

    def look(progress, cancel):
        inside.append(sys.getswitchinterval())
        time.sleep(0.05)
        raise ValueError("This job fails; its turns end all the same.")

    for runner in runners:
        runner.start(look)
    for runner in runners:
        finish(runner)
    assert max(inside) <= TURN < before
    assert sys.getswitchinterval() == before


def test_an_interval_that_another_set_meanwhile_is_kept() -> None:
    before = sys.getswitchinterval()
    try:
        with ShortTurns():
            sys.setswitchinterval(0.002)
        assert sys.getswitchinterval() == pytest.approx(0.002)
    finally:
        sys.setswitchinterval(before)


def test_a_runner_runs_one_job_at_a_time(qtbot, runner: Runner, finish) -> None:
    runner.start(Steps(20))
    with pytest.raises(RuntimeError, match="still running"):
        runner.start(Steps(20))
    finish(runner)


def test_the_job_ends_with_its_widget(qtbot) -> None:
    parent = QObject()
    job = Steps()
    Runner(parent).start(job)
    qtbot.waitUntil(lambda: job.done > 3)
    parent.deleteLater()
    qtbot.waitUntil(job.ended.is_set, timeout=5000)
    assert job.done < job.count


@pytest.mark.slow
def test_a_job_outlives_its_application_without_a_crash(run_python) -> None:
    # The job reports without pause, so that some report is under way when all is deleted.
    code = """
import time
from qtpy.QtWidgets import QApplication, QWidget
application = QApplication([])
from napari_anyir.widgets.kit import worker
worker.REPORT_EVERY = 0
def job(progress, cancel):
    step = 0
    while not cancel.is_set():
        step += 1
        progress(step % 200, 200)
for round in range(10):
    application = QApplication.instance() or QApplication([])
    widget = QWidget()
    worker.Runner(widget).start(job)
    end = time.time() + 0.05
    while time.time() < end:
        application.processEvents()
    del widget, application
print("over")
"""
    assert run_python(code) == "over"


@pytest.mark.parametrize("window", [False, pytest.param(True, marks=pytest.mark.window)])
def test_nothing_of_a_job_is_kept(request, qtbot, runner: Runner, finish, window) -> None:
    if window:  # napari's list of tasks belongs to its window, and keeps all workers
        request.getfixturevalue("make_napari_viewer")()

    class Pixels(np.ndarray):
        pass

    data = np.zeros(10).view(Pixels)
    seen = weakref.ref(data)

    class Job:
        def __init__(self, data) -> None:
            self.data = data

        def __call__(self, progress, cancel) -> int:
            return len(self.data)

    runner.start(Job(data))
    del data
    finish(runner)
    gc.collect()
    assert seen() is None


@pytest.mark.parametrize(
    "error",
    [
        ValueError("The axes do not fit; give three letters."),
        TypeError("An image of type bool is a mask; convert it."),
        FileNotFoundError("There is no checkpoint 'a.pt'; check the path."),
        ModelError("Unknown model 'huge'; models at hand: nano."),
    ],
)
def test_errors_are_shown_as_their_one_sentence(qtbot, runner, finish, error) -> None:
    def job(progress, cancel):
        raise error

    problems: list[str] = []
    runner.failed.connect(problems.append)
    notification_manager.records.clear()
    runner.start(job)
    finish(runner)
    assert problems == [str(error)]
    assert [str(record.message) for record in notification_manager.records] == [str(error)]


def test_lack_of_memory_says_what_to_do() -> None:
    import torch

    assert sentence(MemoryError()) == OUT_OF_MEMORY
    assert sentence(torch.OutOfMemoryError("CUDA out of memory.")) == OUT_OF_MEMORY
    message = "[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: not enough memory: you tried"
    assert sentence(RuntimeError(message)) == OUT_OF_MEMORY
    assert sentence(RuntimeError("something else")) is None


def test_torch_after_qt_on_windows_says_what_to_do(monkeypatch) -> None:
    import builtins

    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == "torch":
            error = OSError("[WinError 1114] A dynamic link library initialization routine failed")
            error.winerror = 1114
            raise error
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ModelError) as caught:
        load_torch()
    assert str(caught.value) == TORCH_AFTER_QT
    assert "import torch, napari" in TORCH_AFTER_QT
