"""Where a result comes from: all that is needed to make it again."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Provenance:
    """How an image was restored.

    A lazy result is described before it is computed: what only its computation can tell is None.

    Parameters
    ----------
    package, version : str
        This package.
    torch : str
        Version of torch.
    model : str
        Name of the model.
    sha256 : str
        Hash of its checkpoint; of its tensors if it came without a file.
    device : str
        Where it was computed, ``"auto"`` for a lazy result that leaves this to its workers.
    precision : str
        Working precision, ``"auto"`` as above.
    threads : int
        Threads of torch; only under interventions do the last bits of a result depend on them.
    mode : str or None
        ``"whole"``, ``"strips"`` (exact, equal to whole but for rounding) or ``"tiles"``.
    tile : int or None
        Side length of tiles in pixels.
    axes : str
        Letters of the axes.
    intensity : tuple of 2 float or None
        The values that became 0 and 1.
    strength : float
        Share of the restored image in the result.
    planes : int
        Planes that were restored.
    seconds : float or None
        Wall-clock time.
    photons : tuple of 2 float or None
        Values per photon, and the variance at the value 0, where the image was mapped by them.
    chosen : str or None
        Why this model, where the kind of the image chose it.
    interventions : tuple of str
        Changes to the network's parts, as ``Intervention.parse`` reads them.

    Examples
    --------
    >>> import json
    >>> import numpy as np
    >>> from napari_anyir.inference import restore_with_record
    >>> restored, record = restore_with_record(np.zeros((8, 8), np.uint8), model="nano")
    >>> record.axes, record.intensity
    ('YX', (0.0, 255.0))
    >>> json.loads(json.dumps(record.to_dict()))["model"]
    'nano'
    """

    package: str
    version: str
    torch: str
    model: str
    sha256: str
    device: str
    precision: str
    threads: int
    mode: str | None
    tile: int | None
    axes: str
    intensity: tuple[float, float] | None
    strength: float
    planes: int
    seconds: float | None
    interventions: tuple[str, ...] = ()
    photons: tuple[float, float] | None = None
    chosen: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON and for ``layer.metadata``.

        Returns
        -------
        dict
            Field names to strings, numbers, lists or None.
        """
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
