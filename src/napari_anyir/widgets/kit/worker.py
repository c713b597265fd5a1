"""Run a job in a thread: progress out, cancel in, nothing left behind.

A job is a plain callable ``job(progress, cancel)`` that knows neither Qt nor napari; tests call it
as it is. `Runner` is the only thing that puts one into a thread.
"""

from __future__ import annotations

import sys
import threading
import time
from contextlib import suppress
from typing import Any, Protocol

from napari.qt.threading import GeneratorWorkerSignals, WorkerBase, create_worker
from napari.utils.notifications import notification_manager, show_error
from qtpy.QtCore import QCoreApplication, QObject, QThreadPool

from napari_anyir.errors import Cancelled
from napari_anyir.widgets.kit.problems import sentence
from napari_anyir.widgets.kit.qt import Signal


class Job(Protocol):
    """What a dock has done in a thread: a callable that knows neither Qt nor napari.

    It holds plain values, read in the window's thread, so that it runs anywhere and a test calls
    it as it is. ``str(job)`` says what it does, for the dock's line and for napari.
    """

    def __call__(self, progress: Any, cancel: Any, /) -> Any:
        """Do the work.

        Parameters
        ----------
        progress : callable or None
            ``progress(done, total)`` in steps, or ``progress(0, 0, news)`` for anything else.
        cancel : Cancel or None
            To be asked at every step; `napari_anyir.Cancelled` is raised when it is set.

        Returns
        -------
        object
            What the dock is handed.
        """
        ...


REPORT_EVERY = 0.2
"""Seconds between two reports: every one makes the whole window paint itself, canvas included."""


TURN = 0.0005
"""Seconds after which a thread of Python must give way to another, while a job runs.

Python's own 0.005 suits threads that rarely meet. A window that paints itself asks for its turn ten
times and more, and a job that computes many small strips asks again after each: both then wait for
most of the time. Shorter turns made a restoration on one core three times as fast and halved the
gaps in the window's answers (``benchmarks/responsiveness.py``).
"""


class ShortTurns:
    """A context in which threads of Python take turns quickly; several may be entered at once.

    Examples
    --------
    >>> import sys
    >>> before = sys.getswitchinterval()
    >>> with ShortTurns():
    ...     inside = sys.getswitchinterval()
    >>> inside <= TURN, sys.getswitchinterval() == before
    (True, True)
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before = self._ours = 0.0

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._before = sys.getswitchinterval()
                sys.setswitchinterval(min(TURN, self._before))
                self._ours = sys.getswitchinterval()

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            # Whoever has set another interval meanwhile keeps it.
            if not self._inside and sys.getswitchinterval() == self._ours:
                sys.setswitchinterval(self._before)


_SHORT_TURNS = ShortTurns()


class Ticket:
    """What napari is told of a job: its name, and not the job itself.

    napari's list of tasks keeps every worker and what it was made of until napari is closed, and
    with a job it would keep the pixels of layers that were deleted long ago.

    Parameters
    ----------
    job : callable
        ``job(progress, cancel)``.

    Examples
    --------
    >>> ticket = Ticket(print)
    >>> ticket.take() is print, ticket.take()
    (True, None)
    """

    def __init__(self, job: Job) -> None:
        self._job: Job | None = job
        self._name = str(job)

    def __str__(self) -> str:
        """Return the job's name."""
        return self._name

    __repr__ = __str__

    def take(self) -> Job | None:
        """Return the job, once; after that nothing of it is left here."""
        job, self._job = self._job, None
        return job


class JobWorker(WorkerBase):
    """A worker whose job can be stopped between two of its steps.

    napari's own generator workers stop at a ``yield``, which a job inside the network never
    reaches; here the job itself asks `is_set` at every strip.

    Parameters
    ----------
    ticket : Ticket
        Of the job; its name is what napari shows when it is closed in mid-run.
    """

    def __init__(self, ticket: Ticket) -> None:
        super().__init__(SignalsClass=GeneratorWorkerSignals)
        # With the application, every object of Qt that Python owns is deleted, also one that a
        # thread is just emitting from, which ends the process. The pool owns this one, and the
        # application waits for the pool.
        self.signals.setParent(QThreadPool.globalInstance())
        self._ticket = ticket
        self._reported = 0.0

    def run(self) -> None:
        """Run the job and tell how it ended; called by Qt in the thread."""
        # The signals are Python's again before the very last of them is sent, and may go with the
        # application; an exception here would end the process with a crash.
        with suppress(RuntimeError):
            super().run()

    def work(self) -> Any:
        """Run the job; called by Qt in the thread."""
        job = self._ticket.take()
        if job is None or self.abort_requested:
            self.aborted.emit()
            return None
        try:
            with _SHORT_TURNS:
                return job(self._report, self)
        except Cancelled:
            self.quit()
            self.aborted.emit()
            return None

    def is_set(self) -> bool:
        """Whether the job is to stop: what the engine asks at every strip."""
        return bool(self.abort_requested)

    def _report(self, done: int, total: int, news: Any = None) -> None:
        now = time.monotonic()
        if news is not None:
            self.yielded.emit((None, news))
        elif done >= total or now - self._reported >= REPORT_EVERY:
            self._reported = now
            self.yielded.emit(((done, total), None))


class Runner(QObject):
    """Runs one job at a time for a widget, and stops it when the widget or napari goes.

    Parameters
    ----------
    parent : QObject
        The widget; the job is stopped when it is destroyed.

    Attributes
    ----------
    progressed : Signal
        ``(done, total)`` of the running job.
    told : Signal
        News of the running job other than a count, such as what became of a file.
    returned : Signal
        What the job returned.
    failed : Signal
        One sentence: what is wrong and what to do. It has been shown as a notification.
    finished : Signal
        Emitted last, whatever happened.
    """

    progressed = Signal(int, int)
    told = Signal(object)
    returned = Signal(object)
    failed = Signal(str)
    finished = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._worker: JobWorker | None = None
        application = QCoreApplication.instance()
        if application is not None:  # docks do not always get a close event when napari quits
            application.aboutToQuit.connect(self._wait)

    @property
    def running(self) -> bool:
        """Whether a job is under way, also one that was told to stop and has not yet."""
        return self._worker is not None

    @property
    def stopping(self) -> bool:
        """Whether the job was told to stop."""
        return self._worker is not None and self._worker.is_set()

    def start(self, job: Job) -> None:
        """Start a job; one that still runs is an error of the caller."""
        if self._worker is not None:
            raise RuntimeError("A job is still running; stop it first.")
        # Errors are shown by `_errored`: raising them again would show a traceback to the user.
        worker = create_worker(Ticket(job), _worker_class=JobWorker, _ignore_errors=True)
        worker.yielded.connect(self._yielded)
        worker.returned.connect(self._returned)
        worker.errored.connect(self._errored)
        worker.finished.connect(self._finished)
        self.destroyed.connect(worker.quit)
        self._worker = worker
        worker.start()

    def stop(self) -> None:
        """Ask the job to stop at its next step; `finished` tells when it has."""
        if self._worker is not None:
            self._worker.quit()

    def _yielded(self, report: tuple[tuple[int, int] | None, Any]) -> None:
        step, news = report
        if news is not None:
            self.told.emit(news)
        elif step is not None and not self.stopping:
            self.progressed.emit(*step)

    def _returned(self, result: Any) -> None:
        if not self.stopping:
            self.returned.emit(result)

    def _errored(self, error: Exception) -> None:
        if self.stopping:
            return
        text = sentence(error)
        if text is None:  # not foreseen: let napari show all that is known of it
            notification_manager.receive_error(type(error), error, error.__traceback__)
            text = f"{type(error).__name__}: {error}"
        else:
            show_error(text)
        self.failed.emit(text)

    def _finished(self) -> None:
        if self._worker is not None:
            self.destroyed.disconnect(self._worker.quit)
            self._worker.signals.setParent(None)  # Python's again, and gone with the worker
        self._worker = None
        self.finished.emit()

    def _wait(self) -> None:
        """Stop, and give the last strip time to end before Python is taken down."""
        if self._worker is not None:
            self._worker.quit()
            wait_for_threads()


def wait_for_threads(seconds: float = 60.0) -> None:
    """Wait until no job runs any more; Python must not be taken down under one.

    Qt's own waiting holds Python's lock in some bindings (PySide6), and a job that waits for that
    lock would never end: looks now and then, and lets others have their turn in between.

    Parameters
    ----------
    seconds : float
        After so long it waits no more.

    Examples
    --------
    >>> wait_for_threads(0.1)
    """
    pool = QThreadPool.globalInstance()
    end = time.monotonic() + seconds
    while pool is not None and not pool.waitForDone(0) and time.monotonic() < end:
        time.sleep(0.02)
