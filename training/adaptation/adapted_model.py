"""An adapted network as a model of its own: a checkpoint, and a card that says what it is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from napari_anyir.errors import ModelError
from napari_anyir.model import AnyIR
from napari_anyir.places import expanded
from napari_anyir.training.adaptation.method import AdaptationRecord
from napari_anyir.training.model_files import write_model
from napari_anyir.weights import ModelCard, find_model
from napari_anyir.weights.registry import DEFAULT

METHOD = "Neighbor2Neighbor, ended and judged by held-out pixels as in Noise2Self"

CITATIONS = (
    "Neighbor2Neighbor: Self-Supervised Denoising from Single Noisy Images (Huang, CVPR 2021)",
    "Noise2Self: Blind Denoising by Self-Supervision (Batson and Royer, ICML 2019)",
)

LIMITS = (
    "Made for the noise of the images that it was adapted to; on others the original may be better."
)


def check_target(path: str | Path, *, overwrite: bool = False) -> Path:
    """Check where an adapted model is to go, before the work is done.

    Parameters
    ----------
    path : str or Path
        A name that ends in .safetensors; its stem becomes the model's name.
    overwrite : bool
        Whether a model there may be replaced.

    Returns
    -------
    Path
        The same.

    Raises
    ------
    ValueError
        If the name does not fit, or something is there that may not be replaced.

    Examples
    --------
    >>> from napari_anyir.training.adaptation.adapted_model import check_target
    >>> check_target("mine.pt")
    Traceback (most recent call last):
    ValueError: A model is saved as .safetensors, and 'mine.pt' is not; change its ending.
    """
    path = expanded(path)
    if path.suffix != ".safetensors":
        raise ValueError(
            f"A model is saved as .safetensors, and '{path}' is not; change its ending."
        )
    if not re.fullmatch(r"[\w.-]+", path.stem) or path.stem == DEFAULT:
        raise ValueError(
            f"'{path.stem}' cannot name a model; use letters, digits, '.', '-' and '_'."
        )
    beside = path.with_suffix(".json")
    if path.is_dir() or beside.is_dir():
        raise ValueError(f"'{path}' or its card is a folder; choose another name.")
    if not overwrite and path.exists():
        raise ValueError(f"'{path}' exists already; choose another name or allow overwriting.")
    if beside.exists():
        try:
            ours = ModelCard.read(beside).file.name == path.name
        except ModelError:
            ours = False
        if not ours or not overwrite:
            raise ValueError(f"The card would replace '{beside}'; choose another name.")
    return path


def save_adapted(
    network: AnyIR,
    record: AdaptationRecord,
    path: str | Path,
    *,
    images: Sequence[str] = (),
    overwrite: bool = False,
) -> ModelCard:
    """Save an adapted network as ``NAME.safetensors`` with its card ``NAME.json`` beside it.

    `napari_anyir.restore` and ``anyir restore --model`` take the path; `add_model` makes it known
    by name, to napari as well.

    Parameters
    ----------
    network : AnyIR
        From `adapt_with_record`.
    record : AdaptationRecord
        From the same call.
    path : str or Path
        Target, ending in .safetensors; its folder is made if need be.
    images : sequence of str
        Names of the images, for the card.
    overwrite : bool
        Whether a model of that name may be replaced.

    Returns
    -------
    ModelCard
        The card as written.

    Raises
    ------
    ValueError
        As `check_target`.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import numpy as np
    >>> from napari_anyir.training.adaptation.method import adapt_with_record
    >>> from napari_anyir.training.adaptation.adapted_model import save_adapted
    >>> image = np.random.default_rng(0).random((32, 32))
    >>> network, record = adapt_with_record(image, model="nano", steps=1)
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> card = save_adapted(network, record, folder / "mine.safetensors", images=["cells.tif"])
    >>> card.name, card.training["adapted_from"]
    ('mine', 'nano')
    """
    path = check_target(path, overwrite=overwrite)
    origin = _origin(record)
    return write_model(
        network,
        path,
        summary=f"'{record.model}' adapted to {_count(record.planes, 'noisy plane')}."
        if record.kept
        else f"'{record.model}' as it was: adapting did not surely help.",
        licence=origin.licence if origin else "",
        training=_training(record, images),
        limits=" ".join(filter(None, (LIMITS, origin.limits if origin else ""))),
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _origin(record: AdaptationRecord) -> ModelCard | None:
    """Card of the model that was adapted, if it is still there under its name."""
    try:
        card = find_model(record.model)
    except (ModelError, FileNotFoundError):
        return None
    return card if card.sha256 == record.sha256 else None


def _training(record: AdaptationRecord, images: Sequence[str]) -> dict[str, Any]:
    recipe = asdict(record.recipe)
    return {
        "adapted_from": record.model,
        "adapted_from_sha256": record.sha256,
        "method": METHOD,
        "citation": list(CITATIONS),
        "result": str(record),
        "kept": record.kept,
        "images": list(images),
        "planes": record.planes,
        "axes": list(record.axes),
        "intensity": [list(ends) for ends in record.intensity],
        "steps": record.steps,
        "kept_step": record.kept_step,
        "seconds": round(record.seconds, 1),
        "held_out_error_unseen": asdict(record.unseen),
        "held_out_error_from_neighbour": asdict(record.beside),
        "noise_correlation": record.correlation,
        "seed": record.seed,
        "device": record.device,
        "threads": record.threads,
        "recipe": ", ".join(
            f"{name} {value}" if isinstance(value, str) else f"{name} {value:g}"
            for name, value in recipe.items()
        ),
    }
