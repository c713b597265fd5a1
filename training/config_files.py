"""Configurations by name or path: recipes, files built on them, and changes to both."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from napari_anyir.training.config import (
    LONGEST_WARM_UP,
    Checkpoints,
    EarlyStopping,
    FolderData,
    Optimiser,
    PairData,
    Phase,
    ProtocolData,
    TrainingConfig,
    Validation,
    expand,
)
from napari_anyir.training.recipe_names import RECIPES, list_recipes

__all__ = ["change_config", "list_recipes", "read_config"]


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
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{shown} is not a YAML file ({reason}); mend it.") from error
    if not isinstance(values, dict):
        raise ValueError(f"{shown} must hold keys and values, such as 'network: tiny'.")
    values = expand(values)
    values.setdefault("name", path.stem)
    base = values.pop("base", None)
    if base is None:
        return values, shown
    if not isinstance(base, str) or base not in list_recipes() or base == path.stem:
        raise ValueError(f"{shown}: base must be one of {', '.join(list_recipes())}, not {base!r}.")
    return _merge(_read_yaml(base)[0], values), shown


_LENGTHS = ("epochs", "steps", "minutes")
_WARM_UPS = ("warm_up_epochs", "warm_up_steps", "warm_up_share")


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one configuration over another, key by key; another length or source replaces."""
    merged = dict(below)
    if any(above.get(name) for name in ("steps", "minutes")) and below.get("epochs"):
        # Fifteen epochs would never be over in an hour: the warm-up keeps its share of the run.
        epochs = merged.pop("warm_up_epochs", 0)
        if epochs:
            merged["warm_up_share"] = float(epochs) / float(below["epochs"])
    if (steps := above.get("steps")) and not any(name in above for name in _WARM_UPS):
        merged = _rescaled(merged, steps)
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


def _rescaled(below: dict[str, Any], steps: Any) -> dict[str, Any]:
    """Shorten a warm-up in steps with the run, where it would take more than a tenth of it.

    It keeps its share of a run in steps, and takes a tenth of one that had another length.
    """
    warm, before = below.get("warm_up_steps"), below.get("steps")
    if not isinstance(warm, int) or not isinstance(steps, int) or warm <= LONGEST_WARM_UP * steps:
        return below
    share = warm / before if isinstance(before, int) and before > warm else LONGEST_WARM_UP
    kept = {name: value for name, value in below.items() if name not in _WARM_UPS}
    return kept | {"warm_up_share": share}


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
    return _merge(values, expand(nested))


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
    >>> from napari_anyir.training.config_files import read_config
    >>> read_config("3deg", ["optimiser.learning_rate=1e-4"]).optimiser.learning_rate
    0.0001
    >>> read_config("3deg", ["lerning_rate=1"])
    Traceback (most recent call last):
    ValueError: 3deg: unknown key 'lerning_rate'; known are accumulate, average, ...
    """
    content, shown = _read_yaml(name_or_path)
    return _validated(content, shown, overrides, values)


def change_config(
    config: TrainingConfig, overrides: Iterable[str] = (), **values: Any
) -> TrainingConfig:
    """Change a configuration that was read before; see `read_config`.

    Examples
    --------
    >>> from napari_anyir.training.config_files import change_config, read_config
    >>> change_config(read_config("3deg"), ["steps=100"]).epochs is None
    True
    """
    return _validated(config.model_dump(mode="json"), config.name, overrides, values)


def _validated(
    content: dict[str, Any], shown: str, overrides: Iterable[str], values: Mapping[str, Any]
) -> TrainingConfig:
    try:
        # Lengths first: a warm-up that is asked for holds, whatever the order.
        for text in sorted(overrides, key=lambda text: text.partition("=")[0] not in _LENGTHS):
            content = _override(content, text)
        content = _merge(content, {k: v for k, v in values.items() if v is not None})
        return TrainingConfig.model_validate(content)
    except ValidationError as error:
        raise ValueError(f"{shown}: {_sentence(error)}") from error
    except (TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"{shown} holds a value of the wrong kind ({error}); mend it.") from error


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
        "checkpoints": Checkpoints,
        "early_stopping": EarlyStopping,
        "folder": FolderData,
        "protocol": ProtocolData,
        "pairs": PairData,
    }
    section = next((sections[str(p)] for p in reversed(place[:-1]) if p in sections), None)
    return sorted((section or TrainingConfig).model_fields)
