"""A batch on a cluster: each file is a task that reads, restores and writes where it runs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_anyir.errors import Cancelled
from napari_anyir.files.batch_items import BatchItem, try_settings
from napari_anyir.files.batch_run import Batch
from napari_anyir.files.batch_settings import FileStatus, Settings
from napari_anyir.files.file_errors import sentence
from napari_anyir.files.images import read_image
from napari_anyir.files.plan import BatchPlan
from napari_anyir.files.run_lock import is_locked
from napari_anyir.files.run_log import RunLog
from napari_anyir.inference.cluster import (
    Asked,
    agree,
    connect,
    from_anywhere,
    one_at_a_time,
    places,
)
from napari_anyir.progress import Cancel

__all__ = ["ClusterBatch"]

LISTEN = 0.5
"""Seconds between two looks at the wish to end."""

PATIENCE = 60.0
"""Seconds in which tasks that were asked to end leave nothing half-written."""


class ClusterBatch(Batch):
    """Restores files on the workers of a cluster, which see the same folders.

    Parameters
    ----------
    address : str
        Of the scheduler.
    plan, log, settings, progress, cancel
        As for `napari_anyir.files.batch_run.Batch`.
    """

    def __init__(
        self,
        address: str,
        plan: BatchPlan,
        log: RunLog,
        settings: Settings,
        progress: Callable[[float, int], None] | None,
        cancel: Cancel | None,
    ) -> None:
        super().__init__(plan, log, settings, progress, cancel)
        self.address = address

    def _all(self, todo: list[BatchItem], run: str) -> Generator[FileStatus, None, None]:
        from distributed import Event

        root = self.plan.root.absolute()
        settings = replace(self.settings, model=from_anywhere(self.settings.model))
        with connect(self.address) as client:
            agree(client, _models_and_folder, settings, root, run)
            ending = Event(f"anyir-end-{run}", client=client)
            working: dict[Any, BatchItem] = {}
            waiting = list(reversed(todo))
            try:
                while working or waiting:
                    while waiting and len(working) < places(client):
                        task = waiting.pop()
                        yield replace(task.status, state="running")
                        future = client.submit(
                            restore_there, root, _absolute(task), settings, run, pure=False
                        )
                        working[future] = task
                    for future in self._ended(client, list(working)):
                        task = working.pop(future)
                        self._count()
                        yield _outcome(future, task)
            finally:
                if working:
                    ending.set()
                    with contextlib.suppress(TimeoutError):
                        _wait(client, list(working), PATIENCE, "ALL_COMPLETED")
                    client.cancel(list(working))

    def _ended(self, client: Any, working: list[Any]) -> list[Any]:
        """Wait until some tasks have ended, or the wish to end is heard."""
        while True:
            if self.cancel is not None and self.cancel.is_set():
                raise Cancelled("The restoration was cancelled.")
            with contextlib.suppress(TimeoutError):
                _wait(client, working, LISTEN, "FIRST_COMPLETED")
            if ended := [future for future in working if future.done()]:
                return ended


def _wait(client: Any, futures: list[Any], timeout: float, until: str) -> None:
    client.sync(_wait_there, futures, timeout, until)


async def _wait_there(futures: list[Any], timeout: float, until: str) -> None:
    from distributed.client import _wait as wait

    await wait(futures, timeout=timeout, return_when=until)


def _absolute(task: BatchItem) -> BatchItem:
    """Name files so that they are found from any folder."""
    job = task.job
    parts = tuple(part.absolute() for part in job.parts)
    job = replace(job, source=job.source.absolute(), target=job.target.absolute(), parts=parts)
    return replace(task, job=job)


def _models_and_folder(settings: Settings, root: Path, run: str) -> tuple[list[str], bool]:
    """Say what a worker would restore with, and whether it sees the folder of the results."""
    return [record.sha256 for record in try_settings(settings)], is_locked(root, run)


def _outcome(future: Any, task: BatchItem) -> FileStatus:
    if future.status == "finished":
        status: FileStatus = future.result()
        return status
    error = future.exception() if future.status == "error" else None
    message = "The worker that restored it was lost." if error is None else sentence(error)
    return replace(task.status, state="failed", message=message)


class _SharedLog(RunLog):
    """A log into which several machines write, one after the other."""

    def add(self, target: Path, part: Path, facts: Any) -> None:
        from distributed import Lock

        with Lock(f"anyir-log-{self.root}"):
            super().add(target, part, facts)


def restore_there(root: Path, task: BatchItem, settings: Settings, run: str) -> FileStatus:
    """Restore one file on a worker.

    Parameters
    ----------
    root : Path
        Output folder, absolute.
    task : BatchItem
        The file, with absolute paths.
    settings : Settings
        How.
    run : str
        Name of the run, from its lock.

    Returns
    -------
    FileStatus
        How it ended, with the status' own paths.
    """
    status = replace(task.status, state="running")
    try:
        image = read_image(task.job.source)
    except Exception as error:  # noqa: BLE001 - one bad file stops nothing
        return replace(status, state="failed", message=sentence(error))
    cancel = Asked(f"anyir-end-{run}")
    batch = Batch(BatchPlan(root, (task.job,)), _SharedLog(root), settings, None, cancel)
    with one_at_a_time():
        outcome = batch.restored(task, status, image, 0.0, run)
    return outcome if isinstance(outcome, FileStatus) else outcome()
