"""Trials of the network with parts switched off: a job, its numbers and its layers; no Qt."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_anyir.errors import Cancelled
from napari_anyir.inference.image_quality import full_scale
from napari_anyir.widgets.kit.problems import load_torch
from napari_anyir.widgets.layers import image_layers
from napari_anyir.widgets.layers.comparison import difference, symmetric_limits
from napari_anyir.widgets.layers.layer_origins import DIFFERENCE, WHAT_IF
from napari_anyir.widgets.layers.shown_plane import Intensity, ShownPlane, volume_intensity
from napari_anyir.widgets.restore.result_script import Origin, reading

if TYPE_CHECKING:
    from napari.layers import Image

SWITCHES = {
    "alpha": "α′ off: the gate sees beta alone",
    "beta": "β off: the gate sees alpha alone",
    "gamma": "γ off: the gate is shut",
    "tau_adj": "τ_adj off: alpha is no longer made stronger or weaker for this image",
    "attention": "A off: no channel attention",
    "gated": "G off: no gated branch",
    "spatial": "F_s off: no spatial branch in the fusion",
    "frequency": "F_f off: no frequency branch in the fusion",
}
"""What can be switched off, and what that does."""

Changes = tuple[str, ...]
"""Interventions as text, such as ``encoder1.*:alpha=off``."""


def changes_of(
    patterns: Sequence[str], parts: Iterable[str], action: str = "off", lam: float | None = None
) -> Changes:
    """Write interventions for blocks and parts.

    Parameters
    ----------
    patterns : sequence of str
        Blocks, wildcards allowed.
    parts : iterable of str
        Parts to change.
    action : {"off", "mean"}
        What to do to them.
    lam : float, optional
        What to set lambda to.

    Returns
    -------
    tuple of str
        As `napari_anyir.inference.Intervention.parse` reads them.

    Examples
    --------
    >>> changes_of(["encoder1.*", "latent.0"], ["alpha"], lam=0.5)[1:3]
    ('latent.0:alpha=off', 'encoder1.*:lambda=0.5')
    """
    changes = [f"{pattern}:{part}={action}" for part in parts for pattern in patterns]
    if lam is not None:
        changes += [f"{pattern}:lambda={lam:g}" for pattern in patterns]
    return tuple(changes)


def psnr(values: Any, reference: Any) -> float:
    """Peak signal-to-noise ratio in dB; infinite if nothing differs, alpha left out.

    Parameters
    ----------
    values, reference : ndarray
        (Y, X) or (Y, X, S); the span of values is the reference's.

    Returns
    -------
    float
        10 log10(span^2 / mean square error).

    Examples
    --------
    >>> round(psnr(np.zeros((4, 4)), np.full((4, 4), 0.1)), 6)
    20.0
    """
    one, other = (np.asarray(array, dtype=np.float64) for array in (values, reference))
    if one.ndim == 3:
        one, other = one[..., :3], other[..., :3]
    error = float(np.square(one - other).mean())
    truth = np.asarray(reference)
    span = full_scale([truth], truth.dtype)
    return math.inf if error == 0 else 10 * math.log10(span**2 / error)


@dataclass(frozen=True, eq=False)
class Trial:
    """What one set of changes gave.

    Parameters
    ----------
    changes : tuple of str
        The interventions.
    pixels : ndarray
        The plane, restored with them.
    against_untouched : float
        PSNR in dB against the restoration without changes: large means that little changed.
    psnr : float, optional
        PSNR in dB against the reference.
    gain : float, optional
        That less the PSNR of the untouched restoration, in dB.
    record : mapping
        Provenance.
    """

    changes: Changes
    pixels: np.ndarray[Any, Any]
    against_untouched: float
    psnr: float | None
    gain: float | None
    record: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a run of trials gave.

    Parameters
    ----------
    untouched : ndarray
        The plane, restored without changes.
    psnr : float, optional
        Its PSNR against the reference.
    intensity : str or (float, float)
        The mapping of the volume.
    trials : tuple of Trial
        One for each set of changes.
    """

    untouched: np.ndarray[Any, Any]
    psnr: float | None
    intensity: Intensity
    trials: tuple[Trial, ...]


@dataclass(frozen=True)
class WhatIfJob:
    """Everything that trials need, and nothing of napari.

    Parameters
    ----------
    plane : ShownPlane
        What is restored.
    trials : tuple of tuple of str
        Sets of interventions.
    model, device : str
        As for `napari_anyir.restore`.
    reference : array, optional
        The truth, of the shape of the plane's whole array.
    look : mapping
        How the result is to look.
    untouched : ndarray, optional
        The restoration without changes where it is known already.
    intensity : str or (float, float)
        As for `napari_anyir.restore`; ``"auto"`` is that of the whole volume.
    """

    plane: ShownPlane
    trials: tuple[Changes, ...]
    model: str = "default"
    device: str = "auto"
    reference: Any = None
    look: Mapping[str, Any] = field(default_factory=dict)
    untouched: Any = None
    intensity: Intensity = "auto"

    def __str__(self) -> str:
        """What napari shows of a running job."""
        return f"Asking what if, of {self.plane.name!r}"

    __repr__ = __str__

    def __call__(self, progress: Any, cancel: Any) -> Outcome:
        """Restore without changes, then with each set of them.

        Parameters
        ----------
        progress : callable or None
            ``progress(done, total)``.
        cancel : object or None
            Anything with ``is_set()``.

        Returns
        -------
        Outcome
            Pixels and numbers.

        Raises
        ------
        Cancelled
            If ``cancel.is_set()`` became true.
        ModelError, ValueError, TypeError, FileNotFoundError
            One sentence: what is wrong and what to do.
        """
        load_torch()
        from napari_anyir.inference import Intervention, restore_with_record

        sets = [[Intervention.parse(text) for text in changes] for changes in self.trials]
        intensity = volume_intensity(self.plane, self.intensity, self.model)
        pixels = self.plane.pixels()
        truth = None if self.reference is None else self.plane.take(self.reference)
        runs = len(sets) + (self.untouched is None)
        done = 0

        def run(changes: list[Intervention]) -> tuple[Any, Mapping[str, Any]]:
            nonlocal done
            if cancel is not None and cancel.is_set():
                raise Cancelled("The trials were cancelled.")

            def tell(step: int, steps: int) -> None:
                if progress is not None:
                    progress(round(100 * (done + step / max(1, steps))), 100 * runs)

            result, record = restore_with_record(
                pixels,
                axes=self.plane.letters,
                model=self.model,
                device=self.device,
                intensity=intensity,
                interventions=changes,
                progress=tell,
                cancel=cancel,
            )
            done += 1
            return result, record.to_dict()

        untouched = run([])[0] if self.untouched is None else self.untouched
        base = None if truth is None else psnr(untouched, truth)
        trials = []
        for changes, interventions in zip(self.trials, sets, strict=True):
            result, record = run(interventions)
            score = None if truth is None else psnr(result, truth)
            gain = None if score is None or base is None else _less(score, base)
            trials.append(Trial(changes, result, psnr(result, untouched), score, gain, record))
        return Outcome(untouched, base, intensity, tuple(trials))


def _less(one: float, other: float) -> float:
    return 0.0 if one == other else one - other


def trial_layers(job: WhatIfJob, outcome: Outcome, trial: Trial) -> list[dict[str, Any]]:
    """Make layers of a trial: the restored plane, and what the changes did to it.

    Parameters
    ----------
    job : WhatIfJob
        What was asked for.
    outcome : Outcome
        What came out.
    trial : Trial
        One of its trials.

    Returns
    -------
    list of dict
        Keyword arguments of image layers, pixels among them.
    """
    place = job.plane.overlay()
    change = difference(outcome.untouched, trial.pixels)
    if job.plane.rgb:
        change = change[..., :3].mean(axis=-1)
    record = {
        **trial.record,
        "source": job.plane.name,
        "region": [list(job.plane.region.start), list(job.plane.region.stop)],
    }
    return [
        {
            "data": job.plane.back(trial.pixels),
            "name": f"{job.plane.name} what-if",
            "metadata": {WHAT_IF: (job.plane.tag, "restored"), "napari_anyir": record},
            **job.look,
            **place,
        },
        {
            "data": job.plane.back(change),
            "name": f"{job.plane.name} what-if − restored",
            "metadata": {
                WHAT_IF: (job.plane.tag, "difference"),
                DIFFERENCE: (f"{job.plane.name} what-if", f"{job.plane.name} restored"),
                "changes": trial.changes,
            },
            "rgb": False,
            "colormap": "PiYG",
            "contrast_limits": symmetric_limits(change),
            **place,
        },
    ]


def appearance(layer: Image) -> dict[str, Any]:
    """How a trial is to look: as its source does."""
    return image_layers.appearance(layer, rgb=bool(layer.rgb))


def what_if_script(where: Origin, job: WhatIfJob, trial: Trial, intensity: Intensity) -> str:
    """Write Python that makes a trial again.

    Parameters
    ----------
    where : Origin
        Of the source.
    job : WhatIfJob
        What was done.
    trial : Trial
        What came out.
    intensity : str or (float, float)
        The mapping that was used.

    Returns
    -------
    str
        A script; it leaves pixels in ``restored`` and ``changed``.
    """
    plane = job.plane
    index = ", ".join(f"{part.start}:{part.stop}" for part in plane.region.slices)
    down, across = plane.displayed
    kept = (down, across, plane.ndim) if plane.rgb else (down, across)
    order = [*(axis for axis in range(plane.ndim + plane.rgb) if axis not in kept), *kept]
    lines = [
        f'"""What if, of {plane.name!r}: {", ".join(trial.changes)}."""',
        "",
        "import numpy as np",
        "",
        "import napari_anyir",
        "from napari_anyir.inference import Intervention",
        "",
        *reading(where),
        f"plane = np.asarray(image[{index}]).transpose({order})",
        f"plane = plane.reshape(plane.shape[-{len(kept)}:])",
        f"changes = {list(trial.changes)!r}",
        "options = {",
        f'    "axes": {plane.letters!r},',
        f'    "model": {job.model!r},',
        f'    "device": {job.device!r},',
        f'    "intensity": {intensity!r},',
        "}",
        "restored = napari_anyir.restore(plane, **options)",
        "interventions = [Intervention.parse(text) for text in changes]",
        "changed = napari_anyir.restore(plane, **options, interventions=interventions)",
    ]
    return "\n".join([*lines, ""])
