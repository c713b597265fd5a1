"""A checkpoint of any network that can restore: AnyIR's own, or one that spandrel knows."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from napari_anyir.errors import ModelError
from napari_anyir.model import AnyIR
from napari_anyir.weights.card import ANYIR, ModelCard, not_anyir
from napari_anyir.weights.foreign import ForeignNetwork, build_foreign
from napari_anyir.weights.loading import (
    load_network,
    read_checkpoint,
    read_tensors,
    save_network,
    strip_prefixes,
)

Network = AnyIR | ForeignNetwork
"""What restores images (B, 3, H, W); ``network.config`` says what it takes."""


def open_network(card: ModelCard) -> Network:
    """Build the network of a card, or of a file that has none, and fill in its weights.

    Parameters
    ----------
    card : ModelCard
        The model; its hash is not checked here.

    Returns
    -------
    AnyIR or ForeignNetwork
        In evaluation mode, on the CPU, float32.

    Raises
    ------
    ModelError
        If the file is damaged, or nobody knows its network.

    Examples
    --------
    >>> from napari_anyir.weights import find_model
    >>> from napari_anyir.weights.networks import open_network
    >>> type(open_network(find_model("nano"))).__name__
    'AnyIR'
    """
    if card.architecture == ANYIR and (card.config or _is_anyir(card.file)):
        return load_network(card)
    return _open_foreign(card)[0]


def _is_anyir(path: Path) -> bool:
    """Tell whether a file is of AnyIR: by its names, or by a configuration of ours in it."""
    tensors, config = read_checkpoint(path)
    return bool(config) or "embed.weight" in tensors


def _open_foreign(card: ModelCard) -> tuple[ForeignNetwork, Mapping[str, Tensor]]:
    """Build a network from elsewhere, and return it with the tensors that it was known by."""
    tensors, _ = read_tensors(card.file)
    if bad := next((n for n, t in tensors.items() if not bool(torch.isfinite(t).all())), None):
        raise ModelError(
            f"'{card.file.name}' holds NaN or infinite weights in '{bad}'; get it again."
        )
    known = card.config if card.architecture != ANYIR else None
    try:
        return build_foreign(tensors, card.file.name, known), tensors
    except ModelError:
        # As the file has them first: some networks have a part called "model".
        stripped = strip_prefixes(tensors)
        if stripped.keys() == tensors.keys():
            raise
        return build_foreign(stripped, card.file.name, known), stripped


def only_anyir(network: Network, name: str) -> AnyIR:
    """Return a network if it is AnyIR, for what knows its blocks.

    Parameters
    ----------
    network : AnyIR or ForeignNetwork
        Any.
    name : str
        What its user calls it.

    Returns
    -------
    AnyIR
        The same.

    Raises
    ------
    ModelError
        If it is another, which can restore and nothing more.

    Examples
    --------
    >>> import napari_anyir
    >>> network = napari_anyir.load_model("nano")
    >>> only_anyir(network, "nano") is network
    True
    """
    if isinstance(network, AnyIR):
        return network
    raise ModelError(not_anyir(name, network.config.architecture))


def copy_network(card: ModelCard, target: Path) -> Network:
    """Write the weights of a card as safetensors, after they were loaded.

    Parameters
    ----------
    card : ModelCard
        The model.
    target : Path
        The new file.

    Returns
    -------
    AnyIR or ForeignNetwork
        The network.

    Raises
    ------
    ModelError
        As `open_network`; nothing is written then.

    Examples
    --------
    >>> import tempfile
    >>> from napari_anyir.weights import find_model
    >>> target = Path(tempfile.mkdtemp()) / "copy.safetensors"
    >>> copy_network(find_model("nano"), target).config.dim
    24
    >>> target.is_file()
    True
    """
    if card.architecture == ANYIR and (card.config or _is_anyir(card.file)):
        network = load_network(card)
        if card.file.suffix.lower() == ".safetensors":
            shutil.copyfile(card.file, target)
        else:
            save_network(network, target)
        return network
    foreign, tensors = _open_foreign(card)
    plain = {name: tensor.clone().contiguous() for name, tensor in tensors.items()}
    save_file(plain, target, {"format": "pt", "architecture": foreign.config.architecture})
    target.chmod(0o644)
    return foreign
