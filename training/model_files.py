"""A network as a model: its weights, and beside them the card that says what they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from napari_anyir.model import AnyIR
from napari_anyir.training.writing import replace_file
from napari_anyir.weights import ModelCard
from napari_anyir.weights.loading import save_network
from napari_anyir.weights.registry import sha256


def write_model(
    network: AnyIR, path: Path, *, dtype: torch.dtype = torch.float32, **facts: Any
) -> ModelCard:
    """Write ``NAME.safetensors`` and ``NAME.json``; a model of that name is replaced.

    Parameters
    ----------
    network : AnyIR
        Its weights.
    path : Path
        Target, ending in .safetensors; its folder is made.
    dtype : torch.dtype
        In which weights are stored; networks are loaded to float32 again.
    **facts
        Other fields of the card; see `ModelCard`. Its name is the file's by default.

    Returns
    -------
    ModelCard
        The card as written.

    Raises
    ------
    OSError
        If the disk is full or gone; old weights stay until the new ones are whole.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from napari_anyir.model import build_model
    >>> from napari_anyir.training.model_files import write_model
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "mine.safetensors"
    >>> card = write_model(build_model("nano"), path, summary="Random weights.")
    >>> card.name, card.parameters
    ('mine', 1541427)
    """
    beside = path.with_suffix(".json")
    digest = ""

    def write(temporary: Path) -> None:
        nonlocal digest
        save_network(network, temporary, dtype)
        digest = sha256(temporary)
        # Between the two renames a card must not vouch for other weights than its own.
        beside.unlink(missing_ok=True)

    replace_file(path, write)
    card = ModelCard(
        **{"name": path.stem, **facts},
        file=path,
        config=network.config.to_dict(),
        size_multiple=network.config.size_multiple,
        sha256=digest,
        parameters=sum(p.numel() for p in network.parameters()),
    )
    card.write(beside)
    return card
