"""What a training run is made of: one YAML file, validated, with unknown keys as errors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from napari_anyir.degradations import DENOISE_SHARES, KINDS
from napari_anyir.model import AnyIRConfig
from napari_anyir.model.config import VARIANTS

LONGEST_WARM_UP = 0.1
"""Share of a run by the clock after which the warm-up ends, however few steps were taken; that of a
run that becomes shorter ends there, too."""

HELD_OUT = 8
"""Crops to validate on by default."""

MOST_SHOWN = 64
"""Images of a folder for validation of which a crop is restored by default."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Phase(_Section):
    """A part of the run: from when on, how large the crops, how many per step.

    Examples
    --------
    >>> from napari_anyir.training.config import Phase
    >>> Phase(start=0.8, crop=192, batch=28).crop
    192
    """

    start: float = Field(default=0.0, ge=0, lt=1)
    """Fraction of the run at which it begins."""
    crop: int = Field(default=128, ge=8)
    """Side of the crops in pixels."""
    batch: int = Field(default=32, ge=1)
    """Crops per step, over all devices together."""


IntensityChoice = Literal["auto", "dtype", "range"] | tuple[float, float]
"""As for `napari_anyir.restore`."""


def _check_range(intensity: IntensityChoice) -> IntensityChoice:
    if isinstance(intensity, tuple) and not intensity[0] < intensity[1]:
        raise ValueError("intensity must be auto, dtype, range or two numbers, the lower first")
    return intensity


class FolderData(_Section):
    """A folder of clean images, kept on the device and degraded there.

    Examples
    --------
    >>> FolderData(root="photos", hold_out=4).source
    'folder'
    """

    source: Literal["folder"] = "folder"
    root: Path | None = None
    """Where the data lie; ``--data`` sets it."""
    shares: dict[str, Annotated[float, Field(ge=0)]] | None = None
    """Weight of each degradation, or ``denoise`` for `napari_anyir.degradations.DENOISE_SHARES`;
    by default `napari_anyir.degradations.TRAINING_SHARES`."""
    leave_out: list[str] = []
    """Names of photographs that are not used at all."""
    hold_out: int = Field(default=8, ge=0)
    """Photographs kept for validation, spread over the sorted list."""
    together: int = Field(default=1, ge=1)
    """Steps whose crops are degraded at once: a card spends less time on starting small tasks."""
    intensity: Annotated[IntensityChoice, AfterValidator(_check_range)] = "auto"
    """Values that the network sees as 0 and 1: for each file as `napari_anyir.restore` has it."""
    axes: str | None = None
    """Letters of the axes where files do not say, or say wrong."""

    @field_validator("shares", mode="before")
    @classmethod
    def _named(cls, shares: Any) -> Any:
        return DENOISE_SHARES if shares == "denoise" else shares

    @field_validator("shares")
    @classmethod
    def _known(cls, shares: dict[str, float] | None) -> dict[str, float] | None:
        for kind in shares or {}:
            if kind not in KINDS:
                raise ValueError(f"unknown degradation '{kind}'; known are {', '.join(KINDS)}")
        return shares


class _StoredData(_Section):
    root: Path | None = None
    """Where the data lie; ``--data`` sets it."""
    leave_out: list[str] = []
    """Names of files that are not used at all."""
    rotations: bool = False
    """Also turn crops by quarters; mirroring is always on."""
    workers: int | None = Field(default=None, ge=0)
    """Processes per device that read images; 0 reads between the steps, null leaves one processor
    to the training."""
    images: Literal["auto", "memory", "file", "decode"] = "auto"
    """Where decoded images are kept; see `napari_anyir.training.pixels.cache`."""
    cache: Path | None = None
    """File for decoded images that do not fit into memory."""


class ProtocolData(_StoredData):
    """The training sets of a setting of the paper.

    Examples
    --------
    >>> ProtocolData(source="protocol", protocol="3deg").noise
    'truncate'
    """

    source: Literal["protocol"]
    protocol: str
    """Name of the setting, for instance ``3deg``."""
    noise: Literal["truncate", "round"] = "truncate"
    """How noisy pixels become 8-bit numbers: cut off as in the paper's code, or rounded."""
    bsd: bool = True
    """Whether BSD400 takes part beside WED; in the runs of the paper's authors it does not."""
    augmentation: Literal["flips", "promptir"] = "flips"
    """Mirrored as the paper says, or one of the seven symmetries that are not the identity."""
    draw: Literal["epoch", "random"] = "epoch"
    """CDD-11: each pair six times in an epoch, or folder and pair at random for each item."""

    @model_validator(mode="after")
    def _one_augmentation(self) -> ProtocolData:
        if self.augmentation == "promptir" and self.rotations:
            raise ValueError(
                "rotations belong to augmentation=flips; promptir turns by quarters anyway"
            )
        return self


class PairData(_StoredData):
    """Two folders of images with equal names.

    Examples
    --------
    >>> PairData(source="pairs", root="PAIRS").degraded
    'input'
    """

    source: Literal["pairs"]
    degraded: str = "input"
    """Folder of the degraded images, below the root."""
    clean: str = "target"
    """Folder of the clean images, below the root."""
    hold_out: int = Field(default=4, ge=0)
    """Pairs kept for validation, spread over the sorted list."""
    intensity: Annotated[IntensityChoice, AfterValidator(_check_range)] = "auto"
    """Values of the degraded images that the network sees as 0 and 1."""
    clean_intensity: Literal["same", "own"] = "same"
    """Mapping of the clean images: their partners', or their own where scales differ."""
    axes: str | None = None
    """Letters of the axes where files do not say, or say wrong."""


class Optimiser(_Section):
    """How gradients become steps.

    Examples
    --------
    >>> Optimiser(method="muon").learning_rate
    0.0002
    """

    method: Literal["adamw", "muon"] = "adamw"
    """``muon`` needs fewer steps; see `napari_anyir.training.run.muon`."""
    learning_rate: float = Field(default=2e-4, gt=0)
    """Peak rate."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Of AdamW."""
    weight_decay: float = Field(default=0.01, ge=0)
    clip: float | None = Field(default=None, gt=0)
    """Largest norm of the gradient; null does not clip."""


class Validation(_Section):
    """Images on which the run is watched."""

    minutes: float = Field(default=10.0, gt=0)
    """Time between two validations; one more comes at the end."""
    steps: int | None = Field(default=None, ge=1)
    """Steps between two validations, instead of the time."""
    images: int | None = Field(default=None, ge=0)
    """Crops that are restored each time; 0 is no validation, null `HELD_OUT` of them, or one of
    each image in the folder, `MOST_SHOWN` at most."""
    crop: int = Field(default=128, ge=8)
    """Their side in pixels."""
    folder: Path | None = None
    """Images of one's own to validate on: clean ones where clean ones are trained on, otherwise
    pairs in two folders named as those of the training data. Nothing else is held out then."""

    @field_validator("folder")
    @classmethod
    def _from_anywhere(cls, folder: Path | None) -> Path | None:
        """A run is continued from wherever the command is given."""
        return None if folder is None else folder.expanduser().absolute()

    def count(self, there: int | None = None) -> int:
        """Crops to restore.

        Parameters
        ----------
        there : int, optional
            Images in the folder for validation, where there is one.

        Examples
        --------
        >>> from napari_anyir.training.config import Validation
        >>> Validation().count(), Validation().count(30), Validation(images=0).count(30)
        (8, 30, 0)
        """
        if self.images is not None:
            return self.images
        return HELD_OUT if there is None else min(there, MOST_SHOWN)


class Checkpoints(_Section):
    """Weights that stay beside the last ones: numbered; the best always do.

    Examples
    --------
    >>> Checkpoints(every=1000).keep
    5
    """

    every: int | None = Field(default=None, ge=1)
    """Steps between two of them; null keeps none."""
    keep: int | None = Field(default=5, ge=1)
    """The newest so many stay; null keeps all."""


class EarlyStopping(_Section):
    """End a run that no longer becomes better on what is held out.

    Examples
    --------
    >>> EarlyStopping(patience=3).min_delta
    0.0
    """

    patience: int = Field(default=10, ge=1)
    """Validations in a row without a better PSNR after which the run ends."""
    min_delta: float = Field(default=0.0, ge=0)
    """Gain in dB that counts as better."""


class TrainingConfig(_Section):
    """A training run.

    Parameters are the keys of the file; ``docs/training.md`` explains each.

    Raises
    ------
    pydantic.ValidationError
        If a key is unknown or a value out of range; `napari_anyir.training.config_files` makes a
        sentence of it.

    Examples
    --------
    >>> from napari_anyir.training.config import TrainingConfig
    >>> TrainingConfig(minutes=10, network="nano").network_config.dim
    24
    """

    name: str = "custom"
    network: dict[str, Any] = {"variant": "tiny"}
    data: FolderData | ProtocolData | PairData = Field(default=FolderData(), discriminator="source")
    epochs: float | None = Field(default=None, gt=0)
    steps: int | None = Field(default=None, ge=1)
    minutes: float | None = Field(default=None, gt=0)
    warm_up_epochs: float = Field(default=0.0, ge=0)
    warm_up_steps: int = Field(default=0, ge=0)
    warm_up_share: float = Field(default=0.0, ge=0, lt=1)
    phases: tuple[Phase, ...] = (Phase(),)
    optimiser: Optimiser = Optimiser()
    accumulate: int = Field(default=1, ge=1)
    fourier_weight: float = Field(default=0.1, ge=0)
    average: float = Field(default=0.0, ge=0, lt=1)
    precision: Literal["auto", "32-true", "bf16-mixed"] = "auto"
    channels_last: bool = True
    compile: bool = False
    planes: Literal["auto", "never"] = "auto"
    seed: int = Field(default=0, ge=0)
    save_minutes: float = Field(default=1.0, gt=0)
    report_seconds: float = Field(default=60.0, gt=0)
    log_steps: int = Field(default=20, ge=1)
    validation: Validation = Validation()
    checkpoints: Checkpoints = Checkpoints()
    early_stopping: EarlyStopping | None = None
    loggers: tuple[Literal["csv", "tensorboard", "wandb"], ...] = ("csv", "tensorboard")

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, values: Any) -> Any:
        return expand(values) if isinstance(values, Mapping) else values

    @model_validator(mode="after")
    def _consistent(self) -> TrainingConfig:
        lengths = [n for n in ("epochs", "steps", "minutes") if getattr(self, n) is not None]
        if len(lengths) != 1:
            given = " and ".join(lengths) or "none of them"
            raise ValueError(f"give one of epochs, steps and minutes, not {given}")
        if bool(self.warm_up_epochs) + bool(self.warm_up_steps) + bool(self.warm_up_share) > 1:
            raise ValueError("give one of warm_up_epochs, warm_up_steps and warm_up_share")
        for unit in ("epochs", "steps"):
            whole, part = getattr(self, unit), getattr(self, f"warm_up_{unit}")
            if whole is not None and part and part >= whole:
                raise ValueError(f"warm_up_{unit} must be less than {unit}, and {part:g} is not")
        if self.data.source == "folder" and (self.epochs or self.warm_up_epochs):
            raise ValueError(
                "photographs are cropped at random and have no epochs; give steps or minutes, and "
                "warm_up_steps"
            )
        for phase in self.phases:
            if phase.batch % self.accumulate:
                raise ValueError(
                    f"a batch of {phase.batch} crops cannot be taken in {self.accumulate} equal "
                    "parts; choose a batch that accumulate divides"
                )
        if not re.fullmatch(r"\w([\w .=+-]*[\w=+])?", self.name) or len(self.name.encode()) > 100:
            raise ValueError(
                "name becomes a folder in runs/; use letters, digits, spaces and '. - _ = +', and "
                f"begin with a letter or a digit, unlike {self.name[:60]!r}"
            )
        starts = [phase.start for phase in self.phases]
        if not starts or starts[0] != 0 or starts != sorted(set(starts)):
            raise ValueError("phases must start at 0 and each later than the one before")
        self.network_config  # noqa: B018 - raises for a network that cannot be built
        return self

    @property
    def network_config(self) -> AnyIRConfig:
        """Sizes and switches of the network.

        Raises
        ------
        ValueError
            If the variant is unknown or a field is.
        """
        fields = dict(self.network)
        variant = fields.pop("variant", None)
        if variant is None:
            return AnyIRConfig.from_dict(fields)
        if not isinstance(variant, str) or variant not in VARIANTS:
            raise ValueError(f"unknown network {variant!r}; known are {', '.join(VARIANTS)}")
        return AnyIRConfig.from_dict(VARIANTS[variant].to_dict() | fields)

    def to_yaml(self) -> str:
        """Return the run as a file that `read_config` reads back to the same run."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


def expand(values: Mapping[str, Any]) -> dict[str, Any]:
    """Write short forms in full: ``network: tiny`` names a variant.

    Examples
    --------
    >>> from napari_anyir.training.config import expand
    >>> expand({"network": "tiny"})
    {'network': {'variant': 'tiny'}}
    """
    expanded = dict(values)
    if isinstance(expanded.get("network"), str):
        expanded["network"] = {"variant": expanded["network"]}
    return expanded
