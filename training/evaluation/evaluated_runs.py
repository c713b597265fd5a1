"""One evaluated model on one protocol: what was measured and how, kept beside its scores."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from napari_anyir.model import VARIANTS, AnyIRConfig
from napari_anyir.training.evaluation.examples import NOISE_SEEDS, STORAGES
from napari_anyir.training.evaluation.metrics import ROUNDINGS, SSIMS, check_choice, describe_metric
from napari_anyir.training.evaluation.score_files import FILE as SCORES
from napari_anyir.training.evaluation.score_files import INPUT, OUTPUT, Mean, ScoreFile, means
from napari_anyir.training.paper.protocols import OWN, find_protocol
from napari_anyir.training.writing import write_json
from napari_anyir.weights.card import ANYIR

FILE = "run.json"

AUTHORS = {"gate_norm": "batch", "gate_activation": "sigmoid", "repeat": "interleave"}
"""Switches in which the authors' checkpoints differ from `napari_anyir.model.VARIANTS`."""

COMPLETE = 0.95
"""Share of a set's images with which its mean is held against the paper's: some copies of SOTS
have 492 of 500."""


@dataclass(frozen=True)
class Switches:
    """Everything in which evaluations of the same protocol differ, the protocol's way as default.

    Parameters
    ----------
    ssim : {"uniform", "gaussian"}
        Window of SSIM.
    noise_seed : {"once", "per-image"}
        When the generator of the noise is seeded with 0.
    noise_storage : {"truncate", "round", "none"}
        How noisy values are stored.
    rounding : {"none", "8bit"}
        Whether outputs are rounded to 8 bits before they are measured.
    crop : int or None
        Images are cropped around their centre to a multiple of it.
    tile : int, "auto" or None
        None restores whole images, in exact strips where memory is short.
    precision : str
        Working precision of the network.

    Raises
    ------
    ValueError
        If a value is unknown, or spelt otherwise.

    Examples
    --------
    >>> from napari_anyir.training.evaluation.evaluated_runs import Switches
    >>> Switches(ssim="gaussian").suffix("3deg")
    '-ssim-gaussian'
    """

    ssim: str = "uniform"
    noise_seed: str = "once"
    noise_storage: str = "truncate"
    rounding: str = "none"
    crop: int | None = 16
    tile: int | str | None = None
    precision: str = "float32"

    def __post_init__(self) -> None:
        """Refuse what no switch is."""
        check_choice("ssim", self.ssim, SSIMS)
        check_choice("noise-seed", self.noise_seed, NOISE_SEEDS)
        check_choice("noise-storage", self.noise_storage, STORAGES)
        check_choice("rounding", self.rounding, ROUNDINGS)
        if self.crop is not None and self.crop < 1:
            raise ValueError(f"crop must be at least 1 pixel, or none, not {self.crop}.")

    def suffix(self, protocol: str) -> str:
        """Switches that are not the protocol's way, as part of a folder's name."""
        usual = default_switches(protocol)
        parts = []
        for item in fields(self):
            value = getattr(self, item.name)
            if value != getattr(usual, item.name):
                parts.append(f"-{item.name.replace('_', '-')}-{'none' if value is None else value}")
        return "".join(parts)

    def describe(self) -> str:
        """Say in words how numbers were made; printed beside them."""
        crop = "uncropped" if self.crop is None else f"centre crop to a multiple of {self.crop}"
        tile = "whole images" if self.tile is None else f"tiles: {self.tile}"
        return (
            f"{describe_metric(self.ssim)} Means over images; {crop}; {tile}; {self.precision}; "
            f"{ROUNDINGS[self.rounding]}; {NOISE_SEEDS[self.noise_seed]}, "
            f"{STORAGES[self.noise_storage]}."
        )


def default_switches(protocol: str) -> Switches:
    """How a protocol is measured: as `Switches` says, CDD-11 and one's own pairs uncropped.

    Examples
    --------
    >>> from napari_anyir.training.evaluation.evaluated_runs import default_switches
    >>> default_switches("3deg").crop, default_switches("cdd11").crop
    (16, None)
    """
    return Switches(crop=None) if protocol in ("cdd11", OWN.name) else Switches()


@dataclass(frozen=True)
class Count:
    """Images of a test set.

    Parameters
    ----------
    found : int
        Pairs on disk.
    expected : int or None
        What the protocol counts.

    Examples
    --------
    >>> Count(found=492, expected=500).found
    492
    """

    found: int
    expected: int | None


@dataclass(frozen=True)
class Run:
    """One model on one protocol.

    Parameters
    ----------
    folder : Path
        Where its scores are.
    protocol : str
        Name of the protocol.
    model : str
        Name of the model.
    sha256 : str
        Hash of its weights.
    config : mapping
        Fields of its `napari_anyir.model.AnyIRConfig`, or of a network from elsewhere.
    switches : Switches
        How it was measured.
    counts : mapping of str to Count
        Images of each test set that was found.
    device : str
        Where the network ran last.
    training : mapping
        What the model's card says of its training: recipe, optimiser, share that is done.

    Examples
    --------
    >>> from pathlib import Path
    >>> from napari_anyir.model import VARIANTS
    >>> from napari_anyir.training.evaluation.evaluated_runs import Run
    >>> Run(Path(), "3deg", "mine", "", VARIANTS["tiny"].to_dict()).variant
    'tiny'
    """

    folder: Path
    protocol: str
    model: str
    sha256: str
    config: Mapping[str, Any]
    switches: Switches = field(default_factory=Switches)
    counts: Mapping[str, Count] = field(default_factory=dict)
    device: str = ""
    training: Mapping[str, Any] = field(default_factory=dict)

    @property
    def architecture(self) -> str:
        """Whose network it is: ``"AnyIR"``, or what spandrel calls another."""
        return str(self.config.get("architecture", ANYIR))

    @property
    def variant(self) -> str:
        """Name of the variant of this configuration; empty for an ablation or another size.

        The switches of the authors' own checkpoints are those of the published network, too.
        """
        if not self.ours:
            return ""
        try:
            config = AnyIRConfig.from_dict(self.config)
        except ValueError:  # results on disk may describe their network in part, or not at all
            return ""
        if all(getattr(config, name) == value for name, value in AUTHORS.items()):
            config = replace(config, gate_norm="layer", gate_activation="gelu", repeat="tile")
        return next((name for name, known in VARIANTS.items() if known == config), "")

    @property
    def ours(self) -> bool:
        """Whether the network is AnyIR."""
        return self.architecture == ANYIR

    @property
    def label(self) -> str:
        """What tables call it: the model, and what differs from the default."""
        return f"{self.model}{self.switches.suffix(self.protocol).replace('-', ' ')}"

    def describe(self) -> str:
        """Say in words how numbers were made; printed beside them."""
        switches = self.switches
        if self.protocol != OWN.name:
            return switches.describe()
        tile = "whole images" if switches.tile is None else f"tiles: {switches.tile}"
        return (
            "All planes and colours, full scale 255 for 8-bit images, 1 for floats in [0, 1], and "
            "otherwise the distance between the clean image's extremes; SSIM "
            f"({switches.ssim}): {SSIMS[switches.ssim]}, mean of planes and channels. Means over "
            f"images; {tile}; {switches.precision}; intensities as 'anyir restore' maps them."
        )

    def scores(self) -> ScoreFile:
        """Scores of its images."""
        return ScoreFile(self.folder / SCORES)

    def means(self) -> Mapping[str, Mapping[str, Mean]]:
        """Set to method to means."""
        return means(self.scores().scores)

    def comparable(self, name: str, images: int) -> bool:
        """Whether so many images of a set are enough to hold their mean against the paper's."""
        expected = self.counts[name].expected if name in self.counts else None
        return expected is not None and images >= COMPLETE * expected

    def images(self, name: str, images: int) -> str:
        """How many images, and of how many if not all.

        Examples
        --------
        >>> from pathlib import Path
        >>> from napari_anyir.training.evaluation.evaluated_runs import Count, Run
        >>> run = Run(Path(), "3deg", "mine", "", {}, counts={"Rain100L": Count(25, 100)})
        >>> run.images("Rain100L", 3)
        '3 of 100'
        """
        count = self.counts.get(name)
        whole = None if count is None else count.expected or count.found
        return str(images) if whole in (None, images) else f"{images} of {whole}"

    def write(self) -> None:
        """Write everything but the scores, and the means as the publisher of cards takes them."""
        self.folder.mkdir(parents=True, exist_ok=True)
        values = {**vars(self), "folder": None, "switches": asdict(self.switches)}
        values["counts"] = {name: asdict(count) for name, count in self.counts.items()}
        del values["folder"]
        write_json(self.folder / FILE, values)
        summary = {
            name: {
                method: {
                    "psnr": round(mean.psnr, 2),
                    "ssim": round(mean.ssim, 4),
                    "images": mean.images,
                }
                for method, mean in methods.items()
            }
            for name, methods in self.means().items()
        }
        if summary:
            write_json(self.folder / "summary.json", summary)

    @classmethod
    def read(cls, folder: Path) -> Run:
        """Read what `write` wrote.

        Raises
        ------
        ValueError
            If the folder's ``run.json`` cannot be used.
        """
        path = folder / FILE
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            values["switches"] = Switches(**values["switches"])
            values["counts"] = {n: Count(**count) for n, count in values["counts"].items()}
            return cls(folder=folder, **values)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(
                f"'{path}' does not describe an evaluation ({error}); remove its folder."
            ) from error


TRAINING_FACTS = ("recipe", "optimiser", "finished")
"""What of a card's training goes beside the numbers: the loss and its weight are in the second."""


def trained_as(run: Run) -> str:
    """Name the setting that a run's weights were trained in; empty if their card does not say.

    Examples
    --------
    >>> from pathlib import Path
    >>> from napari_anyir.training.evaluation.evaluated_runs import Run, trained_as
    >>> trained_as(Run(Path(), "3deg", "mine", "", {}, training={"recipe": "tab7-a"}))
    '3deg'
    """
    recipe = str(run.training.get("recipe", ""))
    # The recipes of ablations are those of three degradations with another network.
    return "3deg" if re.match(r"tab\d+-", recipe) else recipe


def training_notes(run: Run) -> list[str]:
    """Say how a run's weights were trained, and whether that is how the protocol has it.

    Examples
    --------
    >>> from pathlib import Path
    >>> from napari_anyir.training.evaluation.evaluated_runs import Run, training_notes
    >>> training_notes(Run(Path(), "5deg", "mine", "", {}, training={"recipe": "3deg"}))[1]
    "5deg is for weights trained as 5deg, and these were trained as '3deg'."
    """
    facts = run.training
    if not facts:
        return []
    told = ", ".join(str(facts[name]) for name in ("recipe", "optimiser") if name in facts)
    notes = [f"Weights: {told}."] if told else []
    protocol = find_protocol(run.protocol)
    needed = protocol.trained_by or (protocol.name if protocol.tasks else None)
    recipe = str(facts.get("recipe", ""))
    if needed and recipe and trained_as(run) != needed:
        notes.append(
            f"{run.protocol} is for weights trained as {needed}, and these were trained as "
            f"'{recipe}'."
        )
    finished = facts.get("finished", 1)
    if isinstance(finished, int | float) and finished < 0.999:
        notes.append(f"The training of these weights is {100 * finished:.0f} % done.")
    return notes


def find_runs(results: Path) -> list[Run]:
    """Find all evaluations below a folder.

    Parameters
    ----------
    results : Path
        Folder that ``anyir evaluate --out`` wrote into.

    Returns
    -------
    list of Run
        By path; empty if there is none.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from napari_anyir.training.evaluation.evaluated_runs import find_runs
    >>> find_runs(pathlib.Path(tempfile.mkdtemp()))
    []
    """
    if not results.is_dir():
        raise FileNotFoundError(
            f"There is no folder '{results}'; name the one that 'anyir evaluate' wrote into."
        )
    return [Run.read(path.parent) for path in sorted(results.rglob(FILE))]


def set_means(run: Run) -> Iterator[tuple[str, Mean, Mean]]:
    """Iterate over the sets of a run that have both an input and an output.

    Yields
    ------
    name : str
        Test set.
    before, after : Mean
        Input and output.
    """
    for name, methods in run.means().items():
        if INPUT in methods and OUTPUT in methods:
            yield name, methods[INPUT], methods[OUTPUT]
