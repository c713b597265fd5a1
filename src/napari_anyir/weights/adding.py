"""Add a checkpoint to the user's models: loaded first, copied as safetensors, with a card."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_anyir.atomic_writing import atomic_write
from napari_anyir.errors import ModelError
from napari_anyir.places import expanded
from napari_anyir.weights.card import ModelCard, is_model_name
from napari_anyir.weights.registry import (
    DEFAULT,
    find_model,
    list_models,
    sha256,
    user_folder,
    verify_model,
)

if TYPE_CHECKING:
    from napari_anyir.weights.networks import Network

_PART = r"[\w.=+-]+"  # "epoch=78-step=342702" is how Lightning names a file


def check_new_name(name: str) -> str:
    """Check a name for a model that is to be added, and return it.

    Parameters
    ----------
    name : str
        Letters, digits, ``.``, ``-``, ``_``, ``=`` and ``+``.

    Raises
    ------
    ModelError
        If it is taken or not allowed.

    Examples
    --------
    >>> from napari_anyir.weights import check_new_name
    >>> check_new_name("my-noise")
    'my-noise'
    >>> check_new_name("nano")
    Traceback (most recent call last):
    napari_anyir.errors.ModelError: There is already a model 'nano'; choose another name.
    """
    if not is_model_name(name) or name == DEFAULT:
        raise ModelError(
            f"'{name}' cannot name a model; use letters, digits, '.', '-', '_', '=' and '+', and "
            "begin with a letter or a digit."
        )
    if name in {known.name for known in list_models()}:
        raise ModelError(f"There is already a model '{name}'; choose another name.")
    return name


def add_model(
    path: str | Path, name: str | None = None, config: Mapping[str, Any] | None = None
) -> ModelCard:
    """Copy a checkpoint into the user's folder, as safetensors, with a card.

    Parameters
    ----------
    path : str or Path
        A checkpoint; it is loaded first, so that only one that works is added.
    name : str, optional
        Name to call it by: letters, digits, ``.``, ``-``, ``_``, ``=`` and ``+``. Default: the
        file's stem, with hyphens for all else.
    config : mapping, optional
        Fields of `napari_anyir.model.AnyIRConfig` that the file does not say.

    Returns
    -------
    ModelCard
        The new card.

    Raises
    ------
    ModelError
        If the name is taken or not allowed, the checkpoint does not fit, or its hash is not that of
        the card beside it.
    FileNotFoundError
        If the file is not there.

    Examples
    --------
    >>> import os, tempfile
    >>> os.environ["NAPARI_ANYIR_MODELS"] = tempfile.mkdtemp()
    >>> add_model(find_model("nano").file, "mine").name
    'mine'
    >>> [card.name for card in list_models() if card.name == "mine"]
    ['mine']
    >>> del os.environ["NAPARI_ANYIR_MODELS"]
    """
    from napari_anyir.weights.networks import copy_network

    path = expanded(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no checkpoint '{path}'; check the path.")
    card = find_model(path)
    verify_model(card)  # its card's licence, scores and summary belong to the weights of that hash
    if config:
        card = replace(card, config={**card.config, **config})
    if name is None:
        name = "-".join(re.findall(_PART, path.stem)).strip(".-")
    name = check_new_name(name)
    folder = user_folder()
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{name}.safetensors"
    with atomic_write(target) as temporary:
        network = copy_network(card, temporary)
    values = {
        **vars(card),
        **_facts(network),
        "name": name,
        "file": target,
        "sha256": sha256(target),
        "parameters": sum(p.numel() for p in network.parameters()),
    }
    if not card.sha256:
        values["summary"] = f"{values['architecture']}, added from '{path.name}'."
    added = ModelCard(**values)
    added.write(folder / f"{name}.json")
    return added


def _facts(network: Network) -> dict[str, Any]:
    """Return what a network says of itself for its card."""
    from napari_anyir.model import AnyIRConfig

    config = network.config
    if isinstance(config, AnyIRConfig):
        return {"config": config.to_dict(), "size_multiple": config.size_multiple}
    return {
        "config": config.to_dict(),
        "architecture": config.architecture,
        "size_multiple": config.size_multiple,
        "half_precision": config.half,
        "tiling": "Whole images where memory allows; how it bears tiles is not known here.",
        "limits": "Not an AnyIR network: it restores, but what looks inside knows AnyIR only.",
    }
