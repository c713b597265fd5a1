"""What a training run is made of: one YAML file, validated, with unknown keys as errors."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from napari_anyir.degradations import KINDS
from napari_anyir.model import AnyIRConfig
from napari_anyir.model.config import VARIANTS

RECIPES = Path(__file__).parent / "recipes"
"""Ready configurations, which can be named without their path."""


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

    start: float = Field(0.0, ge=0, lt=1)
    """Fraction of the run at which it begins."""
    crop: int = Field(128, ge=8)
    """Side of the crops in pixels."""
    batch: int = Field(32, ge=1)
    """Crops per step, over all devices together."""


class FolderData(_Section):
    """A folder of clean photographs, kept on the device and degraded there."""

    source: Literal["folder"] = "folder"
    root: Path | None = None
    """Where the data lie; ``--data`` sets it."""
    shares: dict[str, Annotated[float, Field(ge=0)]] | None = None
    """Weight of each degradation; by default `napari_anyir.degradations.TRAINING_SHARES`."""
    leave_out: list[str] = []
    """Names of photographs that are not used at all."""
    hold_out: int = Field(8, ge=0)
    """Photographs kept for validation, spread over the sorted list."""

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
    workers: int | None = Field(None, ge=0)
    """Processes per device that read images; 0 reads between the steps, null leaves one processor
    to the training."""
    images: Literal["auto", "memory", "file", "decode"] = "auto"
    """Where decoded images are kept; see `napari_anyir.training.cache`."""
    cache: Path | None = None
    """File for decoded images that do not fit into memory."""


class ProtocolData(_StoredData):
    """The training sets of a setting of the paper."""

    source: Literal["protocol"]
    protocol: str
    """Name of the setting, for instance ``3deg``."""
    noise: Literal["truncate", "round"] = "truncate"
    """How noisy pixels become 8-bit numbers: cut off as in the paper's code, or rounded."""


class PairData(_StoredData):
    """Two folders of images with equal names."""

    source: Literal["pairs"]
    degraded: str = "input"
    """Folder of the degraded images, below the root."""
    clean: str = "target"
    """Folder of the clean images, below the root."""
    hold_out: int = Field(4, ge=0)
    """Pairs kept for validation, spread over the sorted list."""


class Optimiser(_Section):
    """AdamW."""

    learning_rate: float = Field(2e-4, gt=0)
    """Peak rate."""
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = Field(0.01, ge=0)
    clip: float | None = Field(None, gt=0)
    """Largest norm of the gradient; null does not clip."""


class Validation(_Section):
    """Images on which the run is watched."""

    minutes: float = Field(10.0, gt=0)
    """Time between two validations; one more comes at the end."""
    images: int = Field(8, ge=0)
    """Crops that are restored each time; 0 is no validation."""
    crop: int = Field(128, ge=8)
    """Their side in pixels."""


class TrainingConfig(_Section):
    """A training run.

    Parameters are the keys of the file; ``docs/training.md`` explains each.

    Raises
    ------
    pydantic.ValidationError
        If a key is unknown or a value out of range; `read_config` makes one sentence of it.

    Examples
    --------
    >>> from napari_anyir.training.config import TrainingConfig
    >>> TrainingConfig(minutes=10, network="nano").network_config.dim
    16
    """

    name: str = "custom"
    network: dict[str, Any] = {"variant": "tiny"}
    data: FolderData | ProtocolData | PairData = Field(
        default_factory=FolderData, discriminator="source"
    )
    epochs: float | None = Field(None, gt=0)
    steps: int | None = Field(None, ge=1)
    minutes: float | None = Field(None, gt=0)
    warm_up_epochs: float = Field(0.0, ge=0)
    warm_up_steps: int = Field(0, ge=0)
    phases: tuple[Phase, ...] = (Phase(),)
    optimiser: Optimiser = Optimiser()
    fourier_weight: float = Field(0.1, ge=0)
    average: float = Field(0.0, ge=0, lt=1)
    precision: Literal["auto", "32-true", "bf16-mixed"] = "auto"
    channels_last: bool = True
    compile: bool = False
    seed: int = Field(0, ge=0)
    save_minutes: float = Field(1.0, gt=0)
    report_seconds: float = Field(60.0, gt=0)
    log_steps: int = Field(20, ge=1)
    validation: Validation = Validation()

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, values: Any) -> Any:
        return _expand(values) if isinstance(values, Mapping) else values

    @model_validator(mode="after")
    def _consistent(self) -> TrainingConfig:
        lengths = [n for n in ("epochs", "steps", "minutes") if getattr(self, n) is not None]
        if len(lengths) != 1:
            given = " and ".join(lengths) or "none of them"
            raise ValueError(f"give one of epochs, steps and minutes, not {given}")
        if self.warm_up_epochs and self.warm_up_steps:
            raise ValueError("give one of warm_up_epochs and warm_up_steps, not both")
        if self.data.source == "folder" and (self.epochs or self.warm_up_epochs):
            raise ValueError(
                "photographs are cropped at random and have no epochs; give steps or minutes, and "
                "warm_up_steps"
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
        if variant not in VARIANTS:
            raise ValueError(f"unknown network '{variant}'; known are {', '.join(VARIANTS)}")
        return AnyIRConfig.from_dict(VARIANTS[variant].to_dict() | fields)

    def to_yaml(self) -> str:
        """Return the run as a file that `read_config` reads back to the same run."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


def _expand(values: Mapping[str, Any]) -> dict[str, Any]:
    """Write short forms in full: ``network: tiny`` names a variant."""
    expanded = dict(values)
    if isinstance(expanded.get("network"), str):
        expanded["network"] = {"variant": expanded["network"]}
    return expanded


def list_recipes() -> list[str]:
    """Name the configurations that come with the package.

    Examples
    --------
    >>> from napari_anyir.training.config import list_recipes
    >>> "3deg" in list_recipes()
    True
    """
    return sorted(path.stem for path in RECIPES.glob("*.yaml"))


def _read_yaml(name_or_path: str | Path) -> tuple[dict[str, Any], str]:
    """Read a recipe or a file, with what it is based on merged below it."""
    path = Path(name_or_path)
    if path.suffix.lower() in {".yaml", ".yml"} and path.is_file():
        shown = str(name_or_path)
    elif (RECIPES / f"{path.with_suffix('') if path.suffix == '.yaml' else path}.yaml").is_file():
        path = RECIPES / f"{path.stem if path.suffix == '.yaml' else path}.yaml"
        shown = path.stem
    else:
        raise FileNotFoundError(
            f"There is no configuration '{name_or_path}'; give a .yaml file or one of "
            f"{', '.join(list_recipes())}."
        )
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{shown} is not a YAML file ({reason}); mend it.") from error
    if not isinstance(values, dict):
        raise ValueError(f"{shown} must hold keys and values, such as 'network: tiny'.")
    values = _expand(values)
    values.setdefault("name", path.stem)
    base = values.pop("base", None)
    if base is None:
        return values, shown
    if not isinstance(base, str) or base not in list_recipes() or base == path.stem:
        raise ValueError(f"{shown}: base must be one of {', '.join(list_recipes())}, not {base!r}.")
    return _merge(_read_yaml(base)[0], values), shown


_LENGTHS = ("epochs", "steps", "minutes")
_WARM_UPS = ("warm_up_epochs", "warm_up_steps")


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one configuration over another, key by key; another length or source replaces."""
    merged = dict(below)
    for group in (_LENGTHS, _WARM_UPS):
        if any(name in above for name in group):
            for name in group:
                merged.pop(name, None)
    for key, value in above.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            replaced = key == "data" and value.get("source", old.get("source")) != old.get("source")
            merged[key] = value if replaced else _merge(old, value)
        else:
            merged[key] = value
    return merged


def _override(values: dict[str, Any], text: str) -> dict[str, Any]:
    """Apply ``optimiser.learning_rate=1e-3`` or ``phases.0.batch=16``."""
    name, equals, content = text.partition("=")
    if not equals or not name:
        raise ValueError(f"'{text}' is no override; write key=value, for instance seed=1.")
    try:
        value = yaml.safe_load(content)
    except yaml.YAMLError as error:
        raise ValueError(f"The value of '{text}' cannot be read; quote it.") from error
    parts = name.split(".")
    if len(parts) > 1 and parts[1].isdecimal() and isinstance(values.get(parts[0]), list):
        rows = [dict(row) for row in values[parts[0]]]
        if int(parts[1]) >= len(rows) or len(parts) != 3:
            raise ValueError(f"'{text}': {parts[0]} has the entries 0 to {len(rows) - 1}.")
        rows[int(parts[1])][parts[2]] = value
        return {**values, parts[0]: rows}
    nested: Any = value
    for part in reversed(parts):
        nested = {part: nested}
    return _merge(values, _expand(nested))


def read_config(
    name_or_path: str | Path, overrides: Iterable[str] = (), **values: Any
) -> TrainingConfig:
    """Read a recipe by name or a file by path.

    Parameters
    ----------
    name_or_path : str or Path
        One of `list_recipes`, or a YAML file. Its key ``base`` names a recipe to start from.
    overrides : iterable of str
        ``key=value``, with dots for what is nested.
    values
        More overrides, already read; those that are None are left out.

    Returns
    -------
    TrainingConfig
        The run.

    Raises
    ------
    FileNotFoundError
        If there is no such file or recipe.
    ValueError
        If a key is unknown or a value wrong: one sentence, with the nearest known key.

    Examples
    --------
    >>> from napari_anyir.training.config import read_config
    >>> read_config("3deg", ["optimiser.learning_rate=1e-4"]).optimiser.learning_rate
    0.0001
    >>> read_config("3deg", ["lerning_rate=1"])
    Traceback (most recent call last):
    ValueError: 3deg: unknown key 'lerning_rate'; known are average, channels_last, ...
    """
    content, shown = _read_yaml(name_or_path)
    return _validated(content, shown, overrides, values)


def change_config(
    config: TrainingConfig, overrides: Iterable[str] = (), **values: Any
) -> TrainingConfig:
    """Change a configuration that was read before; see `read_config`.

    Examples
    --------
    >>> from napari_anyir.training.config import change_config, read_config
    >>> change_config(read_config("3deg"), ["steps=100"]).epochs is None
    True
    """
    return _validated(config.model_dump(mode="json"), config.name, overrides, values)


def _validated(
    content: dict[str, Any], shown: str, overrides: Iterable[str], values: Mapping[str, Any]
) -> TrainingConfig:
    for text in overrides:
        content = _override(content, text)
    content = _merge(content, {k: v for k, v in values.items() if v is not None})
    try:
        return TrainingConfig.model_validate(content)
    except ValidationError as error:
        raise ValueError(f"{shown}: {_sentence(error)}") from error


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    # A union puts the chosen member's tag into the place; users never wrote it.
    place = [str(p) for p in first["loc"] if p not in ("folder", "protocol", "pairs")]
    if first["loc"] and first["loc"][-1] == "protocol":
        place.append("protocol")
    if first["type"] == "extra_forbidden":
        known = _known_keys(first["loc"])
        near = difflib.get_close_matches(place[-1], known, 1)
        hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(known)}."
        return f"unknown key '{'.'.join(place)}'; {hint}"
    message = first["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    value = first["input"]
    got = f", not {value!r}" if isinstance(value, (str, int, float)) else ""
    message = (message + got).rstrip(".")
    return f"{'.'.join(place)}: {message}." if place else f"{message}."


def _known_keys(place: tuple[int | str, ...]) -> list[str]:
    sections: dict[str, type[BaseModel]] = {
        "phases": Phase,
        "optimiser": Optimiser,
        "validation": Validation,
        "folder": FolderData,
        "protocol": ProtocolData,
        "pairs": PairData,
    }
    section = next((sections[str(p)] for p in reversed(place[:-1]) if p in sections), None)
    return sorted((section or TrainingConfig).model_fields)
