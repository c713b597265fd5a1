"""A run over many files: one thread reads ahead, one writes behind, the caller's restores."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_anyir import __version__
from napari_anyir.errors import Cancelled
from napari_anyir.files.batch_items import BatchItem
from napari_anyir.files.batch_settings import FileStatus, Settings
from napari_anyir.files.deferred_array import DeferredArray
from napari_anyir.files.file_errors import as_file_error, sentence
from napari_anyir.files.fitting import fit, listed
from napari_anyir.files.formats import format_of
from napari_anyir.files.image_file import ImageFile, can_be
from napari_anyir.files.images import read_image, write_image
from napari_anyir.files.lazy_arrays import is_lazy
from napari_anyir.files.plan import BatchPlan
from napari_anyir.files.run_lock import RunLock, remove_stale, writable
from napari_anyir.files.run_log import RunLog
from napari_anyir.progress import Cancel

if TYPE_CHECKING:
    from napari_anyir.inference import Provenance
    from napari_anyir.inference.models import LoadedModel


@dataclass(frozen=True)
class _Making:
    """How a result was made: the record, once it is there, notes for the log, and by what."""

    record: Callable[[], Provenance | None]
    notes: str
    software: str


class Batch:
    """The work itself: one thread reads ahead, one writes behind, this one restores."""

    def __init__(
        self,
        plan: BatchPlan,
        log: RunLog,
        settings: Settings,
        progress: Callable[[float, int], None] | None,
        cancel: Cancel | None,
    ) -> None:
        self.plan = plan
        self.log = log
        self.settings = settings
        self.progress = progress
        self.cancel = cancel
        self.computed = 0

    def states(
        self, todo: list[BatchItem], there: list[FileStatus]
    ) -> Generator[FileStatus, None, None]:
        """Do the tasks and tell of every change."""
        yield from there
        for item in todo:
            yield item.status
        self._count(len(there))
        if not todo:
            return
        with writable(self.plan.root):
            self.plan.root.mkdir(parents=True, exist_ok=True)
        try:
            with RunLock(self.plan.root) as lock:
                remove_stale(self.plan.root, {item.job.target.parent for item in todo})
                yield from self._all(todo, lock.name)
        finally:
            with contextlib.suppress(OSError):
                self.plan.root.rmdir()  # only if it is empty: nothing came of the run

    def _all(self, todo: list[BatchItem], run: str) -> Generator[FileStatus, None, None]:
        reader = ThreadPoolExecutor(1, thread_name_prefix="anyir-read")
        writer = ThreadPoolExecutor(1, thread_name_prefix="anyir-write")
        written: Future[FileStatus] | None = None
        try:
            read = reader.submit(_read, todo[0].job.source)
            for number, item in enumerate(todo):
                yield (status := replace(item.status, state="running"))
                try:
                    image, seconds = read.result()
                except Exception as error:  # noqa: BLE001 - one bad file stops nothing
                    image, seconds = None, 0.0
                    status = replace(status, state="failed", message=sentence(error))
                if number + 1 < len(todo):
                    read = reader.submit(_read, todo[number + 1].job.source)
                if image is not None:
                    outcome = self.restored(item, status, image, seconds, run)
                    del image
                    self._count()
                    if written is not None:
                        yield written.result()
                        written = None
                    if isinstance(outcome, FileStatus):
                        status = outcome
                    else:
                        written = writer.submit(outcome)
                        del outcome
                        continue
                else:
                    self._count()
                yield status
            if written is not None:
                yield written.result()
                written = None
        except Cancelled:
            if written is not None:
                yield written.result()
            raise
        finally:
            # A result that is just being written is finished: it is whole, and not done in vain.
            reader.shutdown(cancel_futures=True)
            writer.shutdown()

    def _count(self, files: int = 1) -> None:
        # A file counts once it is computed: it is written while the next one is restored, and a
        # count that waited for that would fall back.
        self.computed += files
        self._tell(0.0)

    def _tell(self, fraction: float) -> None:
        if self.progress is not None:
            self.progress(self.computed + fraction, len(self.plan.jobs))

    def restored(
        self, item: BatchItem, status: FileStatus, image: ImageFile, seconds: float, run: str
    ) -> FileStatus | Callable[[], FileStatus]:
        """Restore one image; return what is left to do for its thread, or how it ended.

        Parameters
        ----------
        item, status
            The file.
        image : ImageFile
            As it was read.
        seconds : float
            That took so long.
        run : str
            Name of the run, from its lock.

        Returns
        -------
        FileStatus or callable
            The end; or what writes the result and returns the end.
        """
        from napari_anyir.inference import guess_axes, restore_into, restore_with_record
        from napari_anyir.inference.model_choice import choose_model
        from napari_anyir.inference.models import get_model

        if self.cancel is not None and self.cancel.is_set():
            raise Cancelled("The restoration was cancelled.")
        start = time.perf_counter()
        if self.settings.axes:
            image = image.named(self.settings.axes)
        array = image.array
        if (nodata := self.settings.nodata) is not None:
            image = replace(image, nodata=nodata if can_be(nodata, array.dtype) else None)
        like = image.without_pixels()
        record: Provenance | None = None
        problem: BaseException | None = None

        def fill(target: Any) -> None:
            nonlocal record, problem
            try:
                record = restore_into(array, target, **options)
            except Exception as error:
                problem = error
                raise

        def spent() -> float:
            return seconds + time.perf_counter() - start

        try:
            axes = image.axes or guess_axes(array.shape, array.dtype)
            options = {
                **self.settings.arguments(),
                "axes": axes,
                "nodata": image.nodata,
                "progress": lambda done, of: self._tell(done / max(1, of)),
                "cancel": self.cancel,
            }
            like = replace(like, axes=axes.upper())
            # What the format cannot hold costs no work.
            with as_file_error(item.job.target, "written"):
                like, notes = fit(format_of(item.job.target), like, tuple(array.shape), array.dtype)
            notes = (*image.notes, *notes)
            if parts := item.job.parts:
                names = ", ".join(part.name for part in parts[:3])
                more = f" and {len(parts) - 3} more" if len(parts) > 3 else ""
                notes = (f"it is one image in several files, with {names}{more}", *notes)
            status = replace(status, message=listed(notes))
            choice = choose_model(self.settings.model, array.dtype, colour="S" in axes.upper())
            software = _software(get_model(choice.model))
            making = _Making(lambda: record, status.message, software)
            if is_lazy(array):
                # Restoring is writing here, plane by plane: that belongs in this thread.
                restored: Any = DeferredArray(array.shape, array.dtype, fill)
                said = self._write(item, restored, like, run, making)
                status = replace(status, state="done", message=said)
                return replace(status, seconds=spent(), record=_plain(record))
            restored, record = restore_with_record(array, **options)
        except Cancelled:
            raise
        except Exception as error:  # noqa: BLE001 - one bad file stops nothing
            message = sentence(problem or error)
            return replace(status, state="failed", message=message, seconds=spent())
        computed = spent()

        def write() -> FileStatus:
            begun = time.perf_counter()
            try:
                said = self._write(item, restored, like, run, making)
            except Exception as error:  # noqa: BLE001 - one bad file stops nothing
                ended = replace(status, state="failed", message=sentence(error))
            else:
                ended = replace(status, state="done", message=said, record=_plain(record))
            return replace(ended, seconds=computed + time.perf_counter() - begun)

        return write

    def _write(
        self,
        item: BatchItem,
        array: Any,
        like: ImageFile,
        run: str,
        making: _Making,
    ) -> str:
        """Write a result and its line in the log; its notes, as one sentence."""
        target = item.job.target
        notes = [making.notes] if making.notes else []

        def note(part: Path) -> None:
            now = datetime.now(UTC).isoformat(timespec="seconds")
            facts = {**item.made_from, "finished": now, "record": _plain(making.record())}
            if making.notes:
                facts["notes"] = making.notes
            try:
                self.log.add(target, part, facts)
            except PermissionError:  # the log of another user; the result is worth more
                notes.append(
                    f"The log '{self.log.path.name}' belongs to somebody else and cannot be "
                    "written, so this result will not be known again."
                )

        write_image(target, array, like, software=making.software, run=run, before=note)
        return " ".join(notes)


def _software(loaded: LoadedModel) -> str:
    """Say in a result's metadata what made it."""
    return f"napari-anyir {__version__}, model {loaded.name} ({loaded.sha256[:12]})"


def _plain(record: Provenance | None) -> dict[str, Any] | None:
    return None if record is None else record.to_dict()


def _read(source: Path) -> tuple[ImageFile, float]:
    start = time.perf_counter()
    return read_image(source), time.perf_counter() - start
