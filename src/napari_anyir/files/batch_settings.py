"""What a batch is told, and what it tells."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

__all__ = ["FileStatus", "Settings", "State"]

State = Literal["queued", "running", "done", "skipped", "failed"]


@dataclass(frozen=True)
class Settings:
    """Arguments of `napari_anyir.restore`, the same for all files.

    Parameters
    ----------
    model, device, precision, tile, intensity, strength
        As for `napari_anyir.restore`.
    axes : str, optional
        Axis letters; default: what each file says.
    interventions : tuple of str
        Changes to the network, as `napari_anyir.inference.Intervention.parse` reads them.
    nodata : float, optional
        Value that says that there is no value; default: what each file says.

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
    interventions: tuple[str, ...] = ()
    nodata: float | None = None

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of `napari_anyir.restore`.

        Returns
        -------
        dict
            Values as they are, interventions parsed.

        Raises
        ------
        ValueError
            If an intervention cannot be read; one sentence says why.

        Examples
        --------
        >>> Settings(interventions=("*:lambda=0.3",)).arguments()["interventions"][0].action
        0.3
        """
        from napari_anyir.inference.inside.interventions import Intervention

        changes = tuple(Intervention.parse(text) for text in self.interventions)
        return {**asdict(self), "interventions": changes}

    def recorded(self) -> dict[str, Any]:
        """Values by which a log knows a result again.

        Returns
        -------
        dict
            Plain values; interventions and nodata only where there are some, so that results
            which were made before there were any are still known.

        Examples
        --------
        >>> "interventions" in Settings().recorded()
        False
        """
        values = {**asdict(self), "interventions": list(self.interventions)}
        if not self.interventions:
            del values["interventions"]
        if self.nodata is None:
            del values["nodata"]
        else:
            values["nodata"] = str(self.nodata)  # NaN is no JSON, and equals nothing
        return values


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

    Examples
    --------
    >>> FileStatus(0, 2, "a.png", Path("raw/a.png"), Path("out/a.png"), "queued").message
    ''
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
