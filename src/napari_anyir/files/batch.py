"""Restore many files: resumable, in constant memory, with decoding and encoding beside the work."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Unpack

from napari_anyir.files.batch_items import BatchItem, ResultFiles, input_facts, try_settings
from napari_anyir.files.batch_run import Batch
from napari_anyir.files.batch_settings import FileStatus, Settings
from napari_anyir.files.file_errors import is_there, reason
from napari_anyir.files.finding import identity
from napari_anyir.files.plan import make_plan
from napari_anyir.files.run_log import RunLog
from napari_anyir.keywords import check_keywords
from napari_anyir.places import expanded
from napari_anyir.progress import Cancel

__all__ = ["restore_files"]


def restore_files(
    inputs: Sequence[str | Path],
    output: str | Path,
    *,
    settings: Settings | None = None,
    progress: Callable[[float, int], None] | None = None,
    cancel: Cancel | None = None,
    **results: Unpack[ResultFiles],
) -> Generator[FileStatus, None, None]:
    """Restore files and folders, one file after the other.

    While one file is restored, the next is read and the one before is written, so at most two
    inputs and two results are in memory. Each result is written whole or not at all, and
    ``anyir-log.jsonl`` in the output folder tells how it was made. Started again after a kill, or
    with more files, what is there already is skipped: a result counts as there if the file, its
    input, the settings and the model are what the log says.

    Parameters
    ----------
    inputs : sequence of str or Path
        Files, folders (with those inside them) and glob patterns.
    output : str or Path
        A folder; or, for one input file, the name of its result.
    settings : Settings, optional
        How to restore; default: as `napari_anyir.restore` does.
    progress : callable, optional
        Called as ``progress(done, total)`` with the number of files, fractions included.
    cancel : Cancel, optional
        Stops within a file, at the next strip, tile or block.
    **results
        suffix: added to every name, before the extension. extension: format of all results, for
        instance ``".png"``; default: each as its input. overwrite: replace files that exist under
        the names of results and were not made in this way; default: no. cluster: address of a
        dask.distributed scheduler, such as ``"tcp://10.0.0.1:8786"``, whose workers restore the
        files, each one at a time; they need this package, the same models, and the same folders
        under the same names; default: this process.

    Returns
    -------
    generator of FileStatus
        Every change of state of every file; the work is done while it is iterated over. Its
        ``close()`` stops the work and leaves nothing half-written.

    Raises
    ------
    ValueError, TypeError, FileNotFoundError, ModelError
        At once, before any work, if inputs, output, settings or model cannot be used, or if
        results would replace other files and ``overwrite`` is not set.
    Cancelled
        While iterating, after ``cancel.is_set()`` became true.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from napari_anyir.files import write_image
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = write_image(folder / "raw" / "a.png", np.zeros((8, 8), np.uint8))
    >>> run = restore_files([folder / "raw"], folder / "out", settings=Settings(model="nano"))
    >>> [status.state for status in run]
    ['queued', 'running', 'done']
    >>> run = restore_files([folder / "raw"], folder / "out", settings=Settings(model="nano"))
    >>> [status.state for status in run]
    ['skipped']
    """
    check_keywords("restore_files", results, ResultFiles)
    suffix, extension = results.get("suffix", ""), results.get("extension")
    settings = settings or Settings()
    tried = try_settings(settings)
    # Where the kind of each image chooses its model, any of them counts.
    hashes = dict.fromkeys(record.sha256 for record in tried)
    made_with = {
        "settings": {**settings.recorded(), "model": None},
        "sha256": " or ".join(hashes),
    }
    # The log may name results in the input folder, which are no inputs.
    root = expanded(output)
    earlier = {identity(path) for path in RunLog(root).outputs()} if root.is_dir() else set()
    plan = make_plan(inputs, output, suffix=suffix, extension=extension, earlier=earlier)
    log = RunLog(plan.root)
    todo, there = [], []
    taken = []
    for index, job in enumerate(plan.jobs):
        status = FileStatus(index, len(plan.jobs), job.name, job.source, job.target)
        problem, made_from = job.problem, dict(made_with)
        if not problem:
            try:
                made_from |= input_facts(job)
            except Exception as error:  # noqa: BLE001 - one bad entry stops nothing
                problem = f"'{job.source}' cannot be read: {reason(error)}."
        if problem:
            there.append(replace(status, state="failed", message=problem))
        elif log.holds(job.target, made_from):
            there.append(replace(status, state="skipped", message="It is there already."))
        else:
            todo.append(BatchItem(job, status, made_from))
            taken += [job.target] if is_there(job.target) else []
    if taken and not results.get("overwrite", False):
        what = f"'{taken[0]}' exists" if len(taken) == 1 else f"{len(taken)} results exist"
        first = "" if len(taken) == 1 else f" (the first is '{taken[0]}')"
        raise ValueError(
            f"{what} already{first}, made from other data, with other settings or by other "
            "programs; name another folder or allow overwriting (--overwrite)."
        )
    if (cluster := results.get("cluster")) is None:
        return Batch(plan, log, settings, progress, cancel).states(todo, there)
    from napari_anyir.files.cluster_batch import ClusterBatch  # needs the extra

    return ClusterBatch(cluster, plan, log, settings, progress, cancel).states(todo, there)
