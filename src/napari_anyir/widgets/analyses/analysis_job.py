"""The paper's analyses of the shown plane, as a job; no Qt."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_anyir.widgets.feature_maps.feature_maps_job import ALL, MEAN, FeatureMapsJob
from napari_anyir.widgets.kit.problems import load_torch
from napari_anyir.widgets.layers.shown_plane import Intensity, ShownPlane, volume_intensity
from napari_anyir.widgets.network.model_structure import Structure

if TYPE_CHECKING:
    from napari_anyir.analysis.base import Analysis

NONE, SINGLE, SEVERAL = "none", "one", "several"
"""How many blocks an analysis looks at."""


@dataclass(frozen=True)
class Kind:
    """What an analysis needs.

    Parameters
    ----------
    title : str
        What the widget calls it.
    tip : str
        What it shows, in a sentence.
    blocks : str
        `NONE`, `SINGLE` or `SEVERAL`.
    parts : tuple of str
        Parts whose maps it needs; those that the model has not are left out of `SEVERAL`.
    reference : bool
        Whether it needs the truth.
    restored : bool
        Whether it needs the restored image.
    """

    title: str
    tip: str
    blocks: str
    parts: tuple[str, ...] = ()
    reference: bool = False
    restored: bool = False

    def problem(self, structure: Structure) -> str | None:
        """Say in a sentence why a model cannot be analysed so, or return None."""
        lacking = [part for part in self.parts if part not in structure.parts]
        if lacking and self.blocks == SINGLE:
            return f"This model has no {lacking[0]!r}; choose another analysis or model."
        return None


SHEET_PARTS = ("alpha", "beta", "gamma", "attention", "gated", "fused")

KINDS: dict[str, Kind] = {
    "singular_values": Kind(
        "Singular values (Fig. 11)",
        "Over how many directions attention, gated and fused features spread.",
        SINGLE,
        ("attention", "gated", "fused"),
    ),
    "channel_activations": Kind(
        "Channel activations of both splits (Fig. 9)",
        "How strongly the channels are active that half and skip split hand to either branch.",
        SINGLE,
        ("output",),
    ),
    "split_pca_3d": Kind(
        "Both splits in 3-D (Fig. 12)",
        "Principal components of what half and skip split hand to either branch.",
        SINGLE,
        ("output",),
    ),
    "pca_3d": Kind(
        "Attention and gate in 3-D",
        "Principal components of attention and gated features.",
        SINGLE,
        ("attention", "gated"),
    ),
    "t_sne": Kind(
        "t-SNE of attention and gate (Fig. 13)",
        "Attention and gated features, neighbours kept together; takes some seconds.",
        SINGLE,
        ("attention", "gated"),
    ),
    "error_map": Kind(
        "Error beside the gate (Fig. 10)",
        "Where the image is wrong, and where the gate is active.",
        SINGLE,
        ("gated",),
        reference=True,
    ),
    "contact_sheet": Kind(
        "Contact sheet (Fig. 8 and 15)",
        "All parts of the chosen blocks on one sheet, beside the image and its restoration.",
        SEVERAL,
        SHEET_PARTS,
        restored=True,
    ),
    "spectra": Kind(
        "Spectra of input and output",
        "Which spatial frequencies the network changes.",
        NONE,
        restored=True,
    ),
}
"""The analyses of `napari_anyir.analysis`, by the names of their functions."""


@dataclass(frozen=True, eq=False)
class Analysed:
    """What an analysis gave.

    Parameters
    ----------
    analysis : Analysis
        The numbers, which draw and save themselves.
    kind : str
        One of `KINDS`.
    seconds : float
        Wall-clock time.
    """

    analysis: Analysis
    kind: str
    seconds: float


@dataclass(frozen=True)
class AnalysisJob:
    """Everything that an analysis needs, and nothing of napari.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    plane : ShownPlane
        What the network is to see.
    blocks : tuple of str
        Exact names.
    parts : tuple of str
        Parts to ask for.
    model, device : str
        As for `napari_anyir.feature_maps`.
    reference : array, optional
        The truth, of the shape of the plane's whole array.
    """

    kind: str
    plane: ShownPlane
    blocks: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    model: str = "default"
    device: str = "auto"
    reference: Any = None

    def __str__(self) -> str:
        """What napari shows of a running job."""
        return f"Analysing {self.plane.name!r}"

    __repr__ = __str__

    def __call__(self, progress: Any, cancel: Any) -> Analysed:
        """Analyse.

        Parameters
        ----------
        progress : callable or None
            ``progress(done, total)``.
        cancel : object or None
            Anything with ``is_set()``.

        Returns
        -------
        Analysed
            The numbers.

        Raises
        ------
        Cancelled
            If ``cancel.is_set()`` became true.
        ModelError, ValueError, TypeError, FileNotFoundError
            One sentence: what is wrong and what to do.
        """
        load_torch()
        started = time.perf_counter()
        kind = KINDS[self.kind]
        try:
            import matplotlib.figure  # noqa: F401 - drawn later, in the window's thread

            intensity = volume_intensity(self.plane, model=self.model)
            steps = (kind.blocks != NONE) + kind.restored
            given: dict[str, Any] = {}
            if kind.blocks != NONE:
                given["maps"] = self._maps(intensity, _part_of(progress, 0, steps), cancel)
            if kind.restored:
                tell = _part_of(progress, steps - 1, steps)
                given["restored"] = self._restored(intensity, tell, cancel)
            analysis = self._analyse(given, intensity)
        except ImportError as error:  # an extra that is not installed
            from napari_anyir.analysis.base import missing

            text = str(error)
            raise ValueError(text if "pip install" in text else missing("matplotlib")) from error
        return Analysed(analysis, self.kind, time.perf_counter() - started)

    def _maps(self, intensity: Intensity, progress: Any, cancel: Any) -> Mapping[Any, Any]:
        show = MEAN if KINDS[self.kind].blocks == SEVERAL else ALL
        look = FeatureMapsJob(
            self.plane,
            self.blocks,
            self.parts,
            show,
            model=self.model,
            device=self.device,
            intensity=intensity,
        )
        return look(progress, cancel).maps

    def _restored(self, intensity: Intensity, progress: Any, cancel: Any) -> Any:
        from napari_anyir.inference import restore

        return restore(
            self.plane.pixels(),
            axes=self.plane.letters,
            model=self.model,
            device=self.device,
            intensity=intensity,
            progress=progress,
            cancel=cancel,
        )

    def _analyse(self, given: Mapping[str, Any], intensity: Intensity) -> Analysis:
        from napari_anyir import analysis

        make: Callable[..., Analysis] = getattr(analysis, self.kind)
        pixels = self.plane.pixels()
        options: dict[str, Any] = {"intensity": intensity}
        if self.kind == "spectra":
            return make(pixels, given["restored"], **options)
        if self.kind == "contact_sheet":
            return make(given["maps"], pixels, given["restored"], **options)
        if self.kind == "error_map":
            if self.reference is None:
                raise ValueError("Choose a reference: the error is measured against it.")
            return make(pixels, self.plane.take(self.reference), given["maps"], **options)
        return make(given["maps"])


def _part_of(progress: Any, number: int, parts: int) -> Callable[[int, int], None] | None:
    """Report one of several steps as its share of the whole."""
    if progress is None:
        return None

    def tell(done: int, total: int) -> None:
        progress(round(100 * (number + done / max(1, total))), 100 * parts)

    return tell
