"""What a batch is told, and what it tells."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

__all__ = ["Cancel", "FileStatus", "Settings", "State"]

State = Literal["queued", "running", "done", "skipped", "failed"]


class Cancel(Protocol):
    """Anything that can say that the work is to stop, such as a ``threading.Event``."""

    def is_set(self) -> bool:
        """Whether to stop."""
        ...


@dataclass(frozen=True)
class Settings:
    """Arguments of `napari_anyir.restore`, the same for all files.

    Parameters
    ----------
    model, device, precision, tile, intensity, strength
        As for `napari_anyir.restore`.
    axes : str, optional
        Axis letters; default: what each file says.

    Examples
    --------
    >>> Settings(model="nano", strength=0.5).strength
    0.5
    """

    model: str = "default"
    device: str = "auto"
    precision: str = "auto"
    tile: str | int | None = "auto"
    intensity: str | tuple[float, float] = "auto"
    axes: str | None = None
    strength: float = 1.0


@dataclass(frozen=True)
class FileStatus:
    """What has become of a file.

    Parameters
    ----------
    index, total : int
        Number of the file, from 0, and of all files.
    name : str
        Its path below the input folder.
    source, target : Path
        The file and its result.
    state : str
        ``"queued"``, ``"running"``, ``"done"``, ``"skipped"`` (its result was there already) or
        ``"failed"``.
    message : str
        One sentence where the state needs one.
    seconds : float
        Time spent on it: reading, restoring and writing.
    record : dict or None
        How it was restored, once it is done.
    """

    index: int
    total: int
    name: str
    source: Path
    target: Path
    state: State = "queued"
    message: str = ""
    seconds: float = 0.0
    record: dict[str, Any] | None = None
