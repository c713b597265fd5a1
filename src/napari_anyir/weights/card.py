"""What is known of a model: a small frozen description, kept as JSON beside its weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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
            values = json.loads(path.read_text(encoding="utf-8"))
            return cls(**{**values, "file": path.parent / values["file"]})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(
                f"'{path}' is not a model card ({error}); remove or mend it."
            ) from error

    def write(self, path: Path) -> None:
        """Write the card as JSON.

        Parameters
        ----------
        path : Path
            Where; the checkpoint must lie in the same folder.
        """
        values = {**vars(self), "file": self.file.name}
        temporary = path.with_name(path.name + ".part")
        temporary.write_text(json.dumps(values, indent=2, default=dict) + "\n", encoding="utf-8")
        temporary.replace(path)
