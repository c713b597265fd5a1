"""A folder of files as a job; no Qt. The work is that of `napari_anyir.files.batch`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_anyir.places import expanded
from napari_anyir.widgets.kit.problems import load_torch

if TYPE_CHECKING:
    from napari_anyir.files.batch_settings import Settings


def inputs_of(folder: str | Path, pattern: str) -> list[str]:
    """Name the inputs as the command line takes them.

    Parameters
    ----------
    folder : str or Path
        Where to look, also in the folders below.
    pattern : str
        Patterns of file names, divided by spaces or commas, such as ``"*.tif *.png"``; empty for
        all images.

    Returns
    -------
    list of str
        The folder, or glob patterns below it; the layout of the folders is kept either way.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.

    Examples
    --------
    >>> inputs_of(".", "*.tif, *.png")
    ['**/*.tif', '**/*.png']
    """
    place = expanded(folder)
    if not str(folder).strip() or not place.is_dir():
        raise FileNotFoundError(f"There is no folder '{folder}'; choose a folder with images.")
    wishes = pattern.replace(",", " ").split()
    return [str(place / "**" / wish) for wish in wishes] or [str(place)]


@dataclass(frozen=True)
class BatchJob:
    """Restores many files, as ``anyir restore`` does.

    Parameters
    ----------
    inputs : list of str
        Files, folders and patterns.
    output : str
        A folder.
    settings : Settings
        How to restore.
    overwrite : bool
        Replace files that were not made by an earlier run.
    """

    inputs: list[str]
    output: str
    settings: Settings
    overwrite: bool = False

    def __str__(self) -> str:
        """What napari shows of a running job."""
        return "Restoring a folder"

    def __call__(self, progress: Any, cancel: Any) -> dict[str, int]:
        """Restore.

        Parameters
        ----------
        progress : callable
            ``progress(done, total, status)``: thousandths of files, and what became of a file.
        cancel : object
            Anything with ``is_set()``.

        Returns
        -------
        dict
            State to number of files.

        Raises
        ------
        Cancelled
            If ``cancel.is_set()`` became true; what is finished stays.
        ValueError, TypeError, FileNotFoundError, ModelError
            Before any work, if something cannot be used.
        """
        load_torch()
        from napari_anyir.files.batch import restore_files

        run = restore_files(
            self.inputs,
            self.output,
            settings=self.settings,
            overwrite=self.overwrite,
            progress=lambda done, total: progress(round(1000 * done), 1000 * total, None),
            cancel=cancel,
        )
        counts: dict[str, int] = {}
        for status in run:
            progress(0, 0, status)
            if status.state in ("done", "skipped", "failed"):
                counts[status.state] = counts.get(status.state, 0) + 1
        return counts
