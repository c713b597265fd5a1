"""The parameters of a degradation: read from text, and told as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_anyir.degradations import describe

__all__ = ["parameter_rows", "read_parameters"]


def read_parameters(kind: str, texts: Mapping[str, str]) -> dict[str, Any]:
    """Read the parameters of a degradation from text.

    Parameters
    ----------
    kind : str
        A key of `napari_anyir.degradations.KINDS`.
    texts : mapping of str to str
        Name to ``"25"``, to ``"10,50"`` for a range, or to the name of an option.

    Returns
    -------
    dict
        Arguments of `napari_anyir.degradations.make`, which checks their limits.

    Raises
    ------
    ValueError
        If the kind is unknown, or a text is no value of its parameter.

    Examples
    --------
    >>> read_parameters("noise", {"sigma": "10,50", "storage": "round"})
    {'sigma': (10.0, 50.0), 'storage': 'round'}
    """
    known = describe(kind)
    values: dict[str, Any] = {}
    for name, text in texts.items():
        about = known.get(name, {})
        if name in known and not {"options", "lowest"} & set(about):
            raise ValueError(
                f"The part '{name}' of a {kind} cannot be set from a shell; use "
                "napari_anyir.degradations in a script."
            )
        values[name] = text if "options" in about else _numbers(name, text) if about else text
    return values


def _numbers(name: str, text: str) -> float | tuple[float, float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) == 1:
        return numbers[0]
    if len(numbers) == 2:
        return numbers[0], numbers[1]
    raise ValueError(f"--{name} must be a number or LOW,HIGH, not '{text}'.")


def parameter_rows(kind: str) -> list[list[str]]:
    """Parameters of a degradation as rows of a table.

    Parameters
    ----------
    kind : str
        A key of `napari_anyir.degradations.KINDS`.

    Returns
    -------
    list of list of str
        Option, default, what it may be, unit, and where the default comes from.

    Examples
    --------
    >>> parameter_rows("defocus")[0][:4]
    ['--radius', '0.5,4', '0 to 100', 'pixels']
    """
    rows = []
    for name, about in describe(kind).items():
        default = about["default"]
        if "lowest" in about:
            ends = default if isinstance(default, tuple) else (default,)
            value = ",".join(f"{end:g}" for end in ends)
            allowed = f"{about['lowest']:g} to {about['highest']:g}"
        elif "options" in about:
            value, allowed = str(default), ", ".join(about["options"])
        else:
            continue
        rows.append([f"--{name}", value, allowed, about.get("unit", ""), about["source"]])
    return rows
