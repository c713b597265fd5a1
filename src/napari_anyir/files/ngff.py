"""What an OME-Zarr says of its image: axes and transformations, NGFF 0.1 to 0.6."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_anyir.errors import ImageFileError
from napari_anyir.files.image_file import full_unit

__all__ = ["Multiscale", "letters_of_names", "read_multiscale"]

_WORDS = {
    "t": "T", "time": "T", "frame": "T",
    "c": "C", "channel": "C", "band": "C",
    "z": "Z", "depth": "Z", "plane": "Z",
    "y": "Y", "height": "Y", "row": "Y",
    "x": "X", "width": "X", "column": "X", "col": "X",
}  # fmt: skip
_BY_TYPE = {"time": "T", "channel": "C"}


@dataclass(frozen=True)
class Multiscale:
    """What one entry of ``multiscales`` says of its full size.

    Parameters
    ----------
    axes : str
        One letter of T, C, Z, Y, X per axis of the array.
    scale, translation : mapping of str to float
        Letter to distance and to the place of the first pixel; places that are zero are left out.
    units : mapping of str to str
        Letter to unit, in full.
    notes : tuple of str
        What could not be taken.

    Examples
    --------
    >>> Multiscale("ZYX", {"Z": 0.5, "Y": 0.1, "X": 0.1}, {}, {"Z": "micrometer"}).notes
    ()
    """

    axes: str
    scale: Mapping[str, float]
    translation: Mapping[str, float]
    units: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_multiscale(described: Mapping[str, Any], ndim: int) -> Multiscale:
    """Read axes and transformations of the full size.

    Parameters
    ----------
    described : mapping
        An entry of ``multiscales``.
    ndim : int
        Number of axes of the array.

    Returns
    -------
    Multiscale
        What it says.

    Raises
    ------
    ImageFileError
        If the axes are not those of an image.

    Examples
    --------
    >>> axes = [{"name": "row", "type": "space"}, {"name": "col", "type": "space"}]
    >>> steps = [{"type": "scale", "scale": [2, 3]}]
    >>> datasets = [{"path": "0", "coordinateTransformations": steps}]
    >>> read_multiscale({"axes": axes, "datasets": datasets}, 2).scale
    {'Y': 2.0, 'X': 3.0}
    """
    level = described["datasets"][0]
    steps = list(level.get("coordinateTransformations") or ())
    systems = described.get("coordinateSystems")
    notes: list[str] = []
    if systems:  # NGFF 0.6: transformations lead from system to system
        axes = _system_of(systems, steps)["axes"]
        if len(systems) > 1:
            notes.append("its other coordinate systems are left out")
    else:
        axes = described.get("axes", list("tczyx")[-ndim:])
        steps += described.get("coordinateTransformations") or ()
    letters = _letters(axes)
    if len(letters) != ndim:
        raise ImageFileError(f"its {len(letters)} axes do not fit its array, which has {ndim}")
    scale, offset = np.ones(ndim), np.zeros(ndim)
    for step in _flat(steps):
        if (known := _diagonal(step, ndim)) is None:
            notes.append(f"its transformation '{step.get('type')}' is left out")
            continue
        scale, offset = known[0] * scale, known[0] * offset + known[1]
    return Multiscale(
        letters,
        dict(zip(letters, scale.tolist(), strict=True)),
        {a: value for a, value in zip(letters, offset.tolist(), strict=True) if value},
        {
            letter: full_unit(str(axis["unit"]))
            for letter, axis in zip(letters, axes, strict=True)
            if isinstance(axis, Mapping) and axis.get("unit")
        },
        tuple(notes),
    )


def letters_of_names(names: Sequence[object]) -> str | None:
    """Letters of axes that have names alone, as arrays of xarray and Zarr 3 have.

    Parameters
    ----------
    names : sequence of str
        One per axis.

    Returns
    -------
    str or None
        None if they do not name all axes of an image.

    Examples
    --------
    >>> letters_of_names(["time", "y", "x"]), letters_of_names(["lat", "lon"])
    ('TYX', None)
    """
    letters = "".join(_WORDS.get(str(name).lower(), "?") for name in names)
    fits = "?" not in letters and len(set(letters)) == len(letters) and {"Y", "X"} <= set(letters)
    return letters if fits else None


def _system_of(systems: Sequence[Mapping[str, Any]], steps: Sequence[Any]) -> Mapping[str, Any]:
    """The coordinate system that the full size is brought into."""
    outputs = [step.get("output") for step in steps if isinstance(step, Mapping)]
    wanted = outputs[-1] if outputs else None
    name = wanted.get("name") if isinstance(wanted, Mapping) else wanted
    return next((system for system in systems if system.get("name") == name), systems[0])


def _letters(axes: Sequence[Any]) -> str:
    """Letters of axes: their type decides where they have one, then their name, then their order.

    Raises
    ------
    ImageFileError
        If two axes are the same, one is unknown, or rows and columns are missing.
    """
    letters: list[str] = []
    for axis in axes:
        told = axis if isinstance(axis, Mapping) else {"name": axis}
        by_name = _WORDS.get(str(told.get("name", "")).lower(), "")
        kind = str(told.get("type") or "").lower()
        if kind in _BY_TYPE:
            letters.append(_BY_TYPE[kind])
        elif kind == "space":
            letters.append(by_name if by_name in ("Z", "Y", "X") else "?")
        else:
            letters.append(by_name)
    # Space axes of other names are, from the last one, columns, rows and planes.
    free = [letter for letter in "XYZ" if letter not in letters]
    for place in reversed(range(len(letters))):
        if letters[place] == "?" and free:
            letters[place] = free.pop(0)
    found = "".join(letters)
    if (
        len(found) != len(letters)
        or "?" in found
        or len(set(found)) != len(found)
        or not {"Y", "X"} <= set(found)
    ):
        names = [axis.get("name") if isinstance(axis, Mapping) else axis for axis in axes]
        raise ImageFileError(f"its axes {names} are not among t, c, z, y, x")
    return found


def _flat(steps: Iterable[Any], depth: int = 0) -> Iterable[Mapping[str, Any]]:
    """Transformations one after the other, sequences taken apart."""
    for step in steps:
        if not isinstance(step, Mapping):
            raise ImageFileError("one of its transformations is none")
        if step.get("type") == "sequence" and depth < 16:
            yield from _flat(step.get("transformations") or (), depth + 1)
        else:
            yield step


def _diagonal(step: Mapping[str, Any], ndim: int) -> tuple[Any, Any] | None:
    """Scale and translation of a transformation; None if it is of another kind."""
    kind = step.get("type")
    one, nothing = np.ones(ndim), np.zeros(ndim)
    if kind == "identity":
        return one, nothing
    if kind not in ("scale", "translation", "affine") or not isinstance(step.get(kind), list):
        return None  # also those whose numbers lie in an array of their own
    values = np.asarray(step[kind], float)
    if not np.isfinite(values).all() or (kind == "scale" and not values.all()):
        return None  # nothing is at no distance from the next
    if kind == "affine":
        if values.shape != (ndim, ndim + 1):
            return None
        linear = values[:, :ndim]
        if (linear - np.diag(np.diag(linear))).any():
            return None
        return np.diag(linear), values[:, ndim]
    if values.shape != (ndim,):
        return None
    return (values, nothing) if kind == "scale" else (one, values)
