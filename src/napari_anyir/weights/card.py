"""What is known of a model: a small frozen description, kept as JSON beside its weights."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from napari_anyir.atomic_writing import write_json
from napari_anyir.errors import ModelError

ANYIR = "AnyIR"
"""The architecture of this package's own networks."""


def not_anyir(name: str, architecture: str) -> str:
    """Say in a sentence that a model can restore and nothing more.

    Parameters
    ----------
    name, architecture : str
        Of the model.

    Returns
    -------
    str
        For a `napari_anyir.ModelError` of what looks into the blocks of AnyIR.

    Examples
    --------
    >>> from napari_anyir.weights.card import not_anyir
    >>> not_anyir("mine", "SCUNet").split(";")[0]
    "'mine' is a SCUNet network, and this knows AnyIR only"
    """
    return (
        f"'{name}' is a {architecture} network, and this knows AnyIR only; choose an AnyIR model, "
        "such as nano."
    )


_LARGEST = 2**24  # bytes of a card; the bundled ones have a few thousand
_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("name", "file", "summary", "sha256", "licence", "limits", "tiling"), (str,)),
    "architecture": (str,),
    **dict.fromkeys(("config", "training", "measured"), (dict,)),
    "parameters": (int, type(None)),
    "size_multiple": (int,),
    "half_precision": (bool,),
}


def is_model_name(name: str) -> bool:
    """Whether a name can be typed on a command line and given to a file on every system.

    Parameters
    ----------
    name : str
        Letters, digits and ``. - _ = +``; neither hidden nor like an option.

    Returns
    -------
    bool
        True if so.

    Examples
    --------
    >>> from napari_anyir.weights.card import is_model_name
    >>> [is_model_name(name) for name in ("my-net.v2", "..", "-x", ".x", "a/b", "x" * 200)]
    [True, False, False, False, False, False]
    """
    return len(name.encode()) <= 100 and bool(re.fullmatch(r"\w([\w.=+-]*[\w=+])?", name))


def _checked(values: Any) -> dict[str, Any]:
    """Refuse what no reader of a card expects; sizes and names are used as they are."""
    if not isinstance(values, dict):
        raise TypeError("it holds no keys and values")
    for key, value in values.items():
        if key not in _TYPES:
            raise ValueError(f"{str(key)[:40]!r} is no entry of a card")
        if not isinstance(value, _TYPES[key]) or (
            isinstance(value, bool) and bool not in _TYPES[key]
        ):
            raise TypeError(f"{key!r} is of the wrong type")
    name = values["file"]
    inside = name == PurePosixPath(name).name == PureWindowsPath(name).name
    if not inside or name in ("", ".", "..") or "\0" in name:
        raise ValueError("its 'file' must be a name in the same folder, without a path")
    if not 0 < len(values["name"]) <= 100 or not values["name"].isprintable():
        raise ValueError("its 'name' must be a short text on one line")
    if not re.fullmatch("([0-9a-f]{64})?", values.get("sha256", "")):
        raise ValueError("its 'sha256' must be 64 hexadecimal digits")
    if not all(isinstance(scores, dict) for scores in values.get("measured", {}).values()):
        raise TypeError("its 'measured' must hold numbers by test set")
    return values


@dataclass(frozen=True)
class ModelCard:
    """A model and what was measured of it.

    Parameters
    ----------
    name : str
        What users type.
    file : Path
        The checkpoint.
    summary : str
        One line: what the model does, and for whom.
    config : mapping
        Fields of `napari_anyir.model.AnyIRConfig`, or of a `ForeignConfig` for another
        architecture; empty when only the tensors can tell.
    sha256 : str
        Hash of the checkpoint, hexadecimal; empty for a file without a card.
    licence : str
        SPDX expression of the weights.
    parameters : int, optional
        Number of weights.
    training : mapping
        Data, degradations, steps, crops, hours, hardware, sources and their licences.
    measured : mapping
        Test set to its numbers: PSNR in dB and SSIM of the input and of the output.
    limits : str
        Where the model fails, in plain words.
    size_multiple : int
        Height and width are padded to a multiple of it by the network itself.
    half_precision : bool
        Whether float16 keeps the results within 0.02 dB; bfloat16 does not.
    tiling : str
        Advice: the network looks at all pixels, so the whole image is best.
    architecture : str
        ``"AnyIR"``, or which of the networks that spandrel knows.

    Examples
    --------
    >>> import napari_anyir
    >>> card = napari_anyir.list_models()[0]
    >>> card.licence
    'BSD-3-Clause'
    """

    name: str
    file: Path
    summary: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    sha256: str = ""
    licence: str = ""
    parameters: int | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    measured: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    limits: str = ""
    size_multiple: int = 8
    half_precision: bool = True
    tiling: str = "Attention and gates see all pixels: whole images or exact strips are best."
    architecture: str = ANYIR

    @classmethod
    def read(cls, path: Path) -> ModelCard:
        """Read a card; its checkpoint is named relative to it.

        Parameters
        ----------
        path : Path
            A JSON file.

        Returns
        -------
        ModelCard
            The card, with the full path of the checkpoint.

        Raises
        ------
        ModelError
            If the file is no card.
        """
        try:
            if not path.is_file() or path.stat().st_size > _LARGEST:
                raise ValueError("it is no file, or larger than any card")
            values = _checked(json.loads(path.read_text(encoding="utf-8")))
            return cls(**{**values, "file": path.parent / values["file"]})
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            said = "it lacks " + str(error) if isinstance(error, KeyError) else error
            raise ModelError(
                f"'{path}' is not a model card ({said}); remove or mend it."
            ) from error

    def write(self, path: Path) -> None:
        """Write the card as JSON.

        Parameters
        ----------
        path : Path
            Where; the checkpoint must lie in the same folder.
        """
        values = {**vars(self), "file": self.file.name}
        write_json(path, values)
