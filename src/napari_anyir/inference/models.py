"""Networks that were loaded once and are kept at hand, and a way to give their memory back."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import torch

from napari_anyir.model import AnyIR
from napari_anyir.weights import find_model, load_model, verify_model
from napari_anyir.weights.foreign import ForeignNetwork
from napari_anyir.weights.networks import Network, only_anyir

KEPT = 2
"""Networks kept: the one in use and the one before it."""


@dataclass(frozen=True)
class LoadedModel:
    """A network, and what its results are to be told by.

    Parameters
    ----------
    network : AnyIR or ForeignNetwork
        In evaluation mode.
    name : str
        Its card's name, or ``"custom"`` for a network that the caller made.
    sha256 : str
        Hash of its file, or of its tensors.

    Examples
    --------
    >>> from napari_anyir.model import build_model
    >>> network = build_model("nano").eval()
    >>> loaded = LoadedModel(network, "custom", hash_weights(network))
    >>> loaded.anyir is network
    True
    """

    network: Network
    name: str
    sha256: str

    @property
    def anyir(self) -> AnyIR:
        """The network, for what looks into its blocks.

        Raises
        ------
        ModelError
            If it is another network, which can restore and nothing more.
        """
        return only_anyir(self.network, self.name)


_kept: OrderedDict[tuple[Path, str], LoadedModel] = OrderedDict()
_lock = threading.Lock()


def hash_weights(network: Network) -> str:
    """Hash a network's tensors, names and values.

    Parameters
    ----------
    network : AnyIR or ForeignNetwork
        The network.

    Returns
    -------
    str
        SHA-256, 64 hexadecimal digits.

    Examples
    --------
    >>> import napari_anyir
    >>> network = napari_anyir.load_model("nano")
    >>> hash_weights(network) == hash_weights(napari_anyir.load_model("nano"))
    True
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        plain = tensor.detach().cpu().contiguous()
        digest.update(plain.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def get_model(model: str | Path | Network) -> LoadedModel:
    """Load a model, or take it from those kept.

    Parameters
    ----------
    model : str, Path or AnyIR
        A name that `napari_anyir.list_models` shows, a checkpoint's path, or a network.

    Returns
    -------
    LoadedModel
        A changed checkpoint is loaded anew.

    Raises
    ------
    TypeError
        If ``model`` is something else.
    ModelError, FileNotFoundError
        As `napari_anyir.load_model`.

    Examples
    --------
    >>> from napari_anyir.inference.models import get_model
    >>> get_model("nano") is get_model("nano")
    True
    """
    if isinstance(model, AnyIR | ForeignNetwork):
        return LoadedModel(model, "custom", hash_weights(model))
    if not isinstance(model, str | os.PathLike):
        raise TypeError(
            f"model must be a name, a checkpoint's path or a network of load_model, not "
            f"{type(model).__name__}."
        )
    card = find_model(model)
    key = (card.file.resolve(), verify_model(card))
    with _lock:
        if key not in _kept:
            path = model if isinstance(model, str) else Path(model)
            _kept[key] = LoadedModel(load_model(path), card.name, key[1])
        _kept.move_to_end(key)
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
        return _kept[key]


def release_models() -> int:
    """Forget the networks that `restore` keeps, and give their memory back to the device.

    The next call of `restore` loads what it needs again.

    Returns
    -------
    int
        How many networks were forgotten.

    Examples
    --------
    >>> from napari_anyir.inference import release_models
    >>> from napari_anyir.inference.models import get_model
    >>> loaded = get_model("nano")
    >>> release_models() >= 1, release_models()
    (True, 0)
    """
    with _lock:
        count = len(_kept)
        _kept.clear()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()
    return count
