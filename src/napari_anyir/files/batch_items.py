"""What is known of the files of a batch before they are read, and settings that are tried first."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from napari_anyir.errors import ImageFileError
from napari_anyir.files.batch_settings import FileStatus, Settings
from napari_anyir.files.plan import FileJob
from napari_anyir.files.run_lock import size_and_time

if TYPE_CHECKING:
    from napari_anyir.inference import Provenance

__all__ = ["BatchItem", "ResultFiles", "input_facts", "try_settings"]


class ResultFiles(TypedDict, total=False):
    """Names and formats of results, whether they may replace other files, and who makes them.

    Examples
    --------
    >>> files: ResultFiles = {"suffix": "_restored"}
    >>> files
    {'suffix': '_restored'}
    """

    suffix: str
    extension: str | None
    overwrite: bool
    cluster: str | None


@dataclass(frozen=True)
class BatchItem:
    """A job, its first status, and what its line in the log must say.

    Examples
    --------
    >>> from pathlib import Path
    >>> job = FileJob(Path("raw/a.png"), Path("out/a.png"), "a.png")
    >>> status = FileStatus(0, 1, job.name, job.source, job.target, "queued")
    >>> BatchItem(job, status, {}).status.state
    'queued'
    """

    job: FileJob
    status: FileStatus
    made_from: dict[str, Any]


def try_settings(settings: Settings) -> list[Provenance]:
    """Refuse settings that would fail for every file; return how they are understood.

    They are tried on images of nothing, a photograph and a micrograph: no rule has to be written
    down twice.

    Examples
    --------
    >>> photograph, micrograph = try_settings(Settings(model="nano"))
    >>> photograph.model, micrograph.model
    ('nano', 'nano')
    """
    from napari_anyir.inference import restore_with_record

    nothings = (np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), np.uint16))
    arguments = {**settings.arguments(), "axes": None}
    return [restore_with_record(nothing, **arguments)[1] for nothing in nothings]


def input_facts(job: FileJob) -> dict[str, Any]:
    """Say by what a file is known again: its place, size and time, with those of its parts.

    Raises
    ------
    ImageFileError
        If it is a link to nothing.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> path = Path(tempfile.mkdtemp()) / "a.png"
    >>> path.write_bytes(b"1234")
    4
    >>> input_facts(FileJob(path, path, "a.png"))["input_size"]
    4
    """
    if job.source.is_symlink() and not job.source.exists():
        raise ImageFileError("it is a link to something that is not there")
    sizes, times = zip(*map(size_and_time, (job.source, *job.parts)), strict=True)
    source = os.path.realpath(job.source)  # which bears links to themselves
    return {"input": source, "input_size": sum(sizes), "input_time": max(times)}
