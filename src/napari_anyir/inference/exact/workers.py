"""Workers that share the windows of a pass: one thread for each core, each with its own memory.

Each worker computes on a single thread. Two workers on two windows wait for each other once in a
pass; two threads inside each small operation would wait after every one of them.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar

import torch

from napari_anyir.inference.exact.scratch import Scratch
from napari_anyir.progress import Watch

Item = TypeVar("Item")
Answer = TypeVar("Answer")

MOST_WORKERS = 16
"""More than this would wait for Python's interpreter lock."""


class _Pass(Generic[Item]):
    """The items of one pass, handed out in order, to each worker those of its side first."""

    def __init__(
        self,
        items: Sequence[Item],
        task: Callable[[Item, Scratch], None],
        bands: Sequence[int] | None,
        owners: Sequence[int] | None,
        watch: Watch,
    ) -> None:
        self.items, self.task, self.watch = items, task, watch
        self.changed = threading.Condition()
        self.waiting, self.stopped = list(range(len(items))), False
        self.news = threading.Event()
        self.bands = [0] * len(items) if bands is None else bands
        self.owners = owners
        self.open_bands = Counter(self.bands)
        self.first_open, self.last_band = 0, max(self.bands, default=0)

    def _take(self, worker: int) -> int | None:
        """Return an item when one may be begun, or None when there is nothing left to do."""
        with self.changed:
            while self.waiting and not self.stopped:
                # Of the bands before, only the last may still be unfinished; see
                # `napari_anyir.inference.exact.maps.Maps`.
                ready = [i for i in self.waiting if self.bands[i] <= self.first_open + 1]
                if ready:
                    mine = (i for i in ready if self.owners and self.owners[i] == worker)
                    index = next(mine, ready[0])
                    self.waiting.remove(index)
                    return index
                self.changed.wait()
            return None

    def _finish(self, index: int) -> None:
        with self.changed:
            self.watch.done += 1
            self.open_bands[self.bands[index]] -= 1
            while self.first_open < self.last_band and not self.open_bands[self.first_open]:
                self.first_open += 1
                self.changed.notify_all()
        if self.watch.heard:
            self.news.set()

    def stop(self) -> None:
        """Let no item begin any more."""
        with self.changed:
            self.stopped = True
            self.changed.notify_all()

    def drain(self, worker: int, scratch: Scratch) -> None:
        """Do items until there are none left."""
        try:
            with torch.inference_mode():
                while (index := self._take(worker)) is not None:
                    self.watch.check()
                    self.task(self.items[index], scratch)
                    self._finish(index)
        except BaseException:
            self.stop()
            raise


class WorkerPool:
    """A context in which `each` spreads work over the cores.

    Parameters
    ----------
    device : torch.device
        Workers above one only make sense on the CPU.
    workers : int
        Threads. With 1 the calling thread does the work, with all its intra-op threads.
    dtype : torch.dtype
        Of the scratch memory.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.inference.exact.workers import WorkerPool
    >>> from napari_anyir.progress import Watch
    >>> squares = {}
    >>> with WorkerPool(torch.device("cpu"), 2) as pool:
    ...     pool.each(range(4), lambda i, scratch: squares.update({i: i * i}), Watch(4))
    >>> sorted(squares.values())
    [0, 1, 4, 9]
    """

    def __init__(
        self, device: torch.device, workers: int, dtype: torch.dtype = torch.float32
    ) -> None:
        self.workers = max(1, workers)
        self.scratches = [Scratch(device, dtype) for _ in range(self.workers)]
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> WorkerPool:
        if self.workers > 1:
            threads = torch.get_num_threads()
            ready = threading.Barrier(self.workers + 1)

            def prepare() -> None:
                # A thread that has not computed yet takes the number of threads that was last set
                # anywhere, so it is asked first. Setting it also concerns later threads, which
                # is undone below.
                torch.get_num_threads()
                torch.set_num_threads(1)
                ready.wait()

            self._pool = ThreadPoolExecutor(self.workers, "napari-anyir", prepare)
            for _ in range(self.workers):
                self._pool.submit(int)
            ready.wait()
            torch.set_num_threads(threads)
        return self

    def __exit__(self, *error: object) -> None:
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def ask(self, function: Callable[..., Answer], *arguments: object) -> Answer:
        """Let one worker compute something, on its single thread, and return it.

        On the calling thread it would be shared out to OpenMP's threads, and those then spin for
        some milliseconds, waiting for more, on the cores that the workers need.

        Parameters
        ----------
        function : callable
            ``function(*arguments)``.
        *arguments : object
            What it takes.

        Returns
        -------
        object
            What it returns.
        """

        def answer() -> Answer:
            with torch.inference_mode():
                return function(*arguments)

        return answer() if self._pool is None else self._pool.submit(answer).result()

    def each(
        self,
        items: Sequence[Item],
        task: Callable[[Item, Scratch], None],
        watch: Watch,
        bands: Sequence[int] | None = None,
        sides: Sequence[float] | None = None,
    ) -> None:
        """Do a task for each item, and return when all are done.

        Parameters
        ----------
        items : sequence
            Begun in this order, but for ``sides``.
        task : callable
            ``task(item, scratch)``, where no two tasks at a time get the same scratch.
        watch : Watch
            Progress and cancelling.
        bands : sequence of int, optional
            For each item a number, and none less than that of the item before: an item begins when
            all items are done whose number is less by 2 or more.
        sides : sequence of float, optional
            For each item a place in [0, 1). Each worker has a part of that and does the items
            there before it helps the others: so all end a pass at nearly the same time.

        Raises
        ------
        Cancelled
            If the watch says so. Whatever a task raises is raised here; the others are then not
            begun.
        """
        if self._pool is None:
            for item in items:
                watch.check()
                task(item, self.scratches[0])
                watch.done += 1
                watch.tell()
            return
        owners = None if sides is None else [int(side * self.workers) for side in sides]
        work = _Pass(items, task, bands, owners, watch)
        running: list[Future[None]] = [
            self._pool.submit(work.drain, worker, self.scratches[worker])
            for worker in range(min(self.workers, len(items)))
        ]
        for future in running:
            future.add_done_callback(lambda _: work.news.set())
        try:
            # This thread is woken for a reason only: the workers have a core each.
            while not all(future.done() for future in running):
                work.news.wait()
                work.news.clear()
                watch.tell()
        finally:
            work.stop()
            wait(running)
        watch.tell()
        for future in running:
            future.result()
