"""Find models by name or path: those bundled with the package and those that the user added."""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from napari_anyir.errors import ModelError
from napari_anyir.places import expanded, longest_name
from napari_anyir.weights.card import ModelCard

if TYPE_CHECKING:
    import torch

    from napari_anyir.weights.networks import Network

DEFAULT = "default"
"""Stands for the best bundled model: the first name of `PREFERENCE` that is there."""

PREFERENCE = ("nano", "tiny", "small")

BUNDLED = Path(__file__).parent

SUFFIXES = (".safetensors", ".pt", ".pth", ".ckpt")


def user_folder() -> Path:
    """Folder of the models that the user added.

    Returns
    -------
    Path
        ``$NAPARI_ANYIR_MODELS`` if set, else the platform's place for user data. It need not exist.

    Raises
    ------
    ModelError
        If the user has no home, as in some containers, and the variable is not set.

    Examples
    --------
    >>> from napari_anyir.weights import user_folder
    >>> user_folder().name
    'models'
    """
    given = os.environ.get("NAPARI_ANYIR_MODELS")
    if given:
        return Path(given)
    try:
        return Path(platformdirs.user_data_dir("napari-anyir", appauthor=False)) / "models"
    except (RuntimeError, KeyError) as error:
        raise ModelError(
            "There is no home folder for your models; set NAPARI_ANYIR_MODELS to a folder."
        ) from error


def _user_cards() -> tuple[list[ModelCard], dict[Path, str]]:
    """Cards in the user's folder, and what is wrong with the others."""
    cards, broken = [], {}
    try:
        paths = sorted(user_folder().glob("*.json"))
    except (OSError, ModelError):  # another user's home, or none: nothing was added there
        return [], {}
    for path in paths:
        try:
            cards.append(ModelCard.read(path))
        except ModelError as error:
            broken[path] = str(error)
    return cards, broken


def broken_cards() -> dict[Path, str]:
    """Cards in the user's folder that cannot be read; `list_models` passes over them.

    Returns
    -------
    dict of Path to str
        Each with the sentence that says why.

    Examples
    --------
    >>> from napari_anyir.weights.registry import broken_cards
    >>> all("is not a model card" in said for said in broken_cards().values())
    True
    """
    return _user_cards()[1]


def list_models() -> list[ModelCard]:
    """List the models at hand, the default first; no network, no torch.

    Returns
    -------
    list of ModelCard
        Bundled models in order of preference, then the user's by name. Cards that cannot be read
        are passed over; `broken_cards` tells of them.

    Examples
    --------
    >>> import napari_anyir
    >>> "nano" in [card.name for card in napari_anyir.list_models()]
    True
    """
    bundled = {card.name: card for card in map(ModelCard.read, sorted(BUNDLED.glob("*.json")))}
    order = [name for name in PREFERENCE if name in bundled]
    cards = [bundled[name] for name in order + sorted(set(bundled) - set(order))]
    return cards + [card for card in _user_cards()[0] if card.name not in bundled]


def find_model(name_or_path: str | Path = DEFAULT) -> ModelCard:
    """Find one model.

    Parameters
    ----------
    name_or_path : str or Path
        A name that `list_models` shows, ``"default"``, or the path of a checkpoint
        (.safetensors, .pt, .pth or .ckpt), which need not have a card.

    Returns
    -------
    ModelCard
        The card; a file without one gets a card of its name and path.

    Raises
    ------
    FileNotFoundError
        If a path leads nowhere.
    ModelError
        If the name is unknown.

    Examples
    --------
    >>> from napari_anyir.weights import find_model
    >>> find_model("nano").name
    'nano'
    """
    text = str(name_or_path)
    cards = list_models()
    if text == DEFAULT and cards:
        return cards[0]
    for card in cards:
        if card.name == text:
            return card
    for place, said in broken_cards().items():
        if place.stem == text:
            raise ModelError(said)
    path = expanded(name_or_path)
    if len(os.fsencode(path.name)) > longest_name(path.parent) or "\0" in text:
        raise ModelError(
            f"The model '{text[:40]}...' has a longer name than any file; check what was given."
        )
    looks_like_path = path.suffix.lower() in SUFFIXES or len(path.parts) > 1
    if path.is_file():
        beside = path.with_suffix(".json")
        if beside.is_file():
            card = ModelCard.read(beside)
            if card.file.name == path.name:
                return card
        return ModelCard(name=path.stem, file=path, summary="A checkpoint without a card.")
    if looks_like_path:
        raise FileNotFoundError(f"There is no checkpoint '{path}'; check the path.")
    from napari_anyir.model.config import VARIANTS

    hint = (
        " (its network is known, but no weights for it are bundled yet)" if text in VARIANTS else ""
    )
    names = ", ".join(card.name for card in cards) or "none"
    raise ModelError(
        f"Unknown model '{text}'{hint}; models at hand: {names}; or give a checkpoint's path."
    )


@lru_cache(maxsize=64)
def _sha256(path: str, size: int, modified: int) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256(path: Path) -> str:
    """Hash a file; a file that has not changed is read once per process.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    FileNotFoundError
        If it is not there.

    Examples
    --------
    >>> card = find_model("nano")
    >>> sha256(card.file) == card.sha256
    True
    """
    if not path.is_file():
        raise FileNotFoundError(f"The checkpoint '{path}' is missing; install the package again.")
    status = path.stat()
    return _sha256(str(path.resolve()), status.st_size, status.st_mtime_ns)


def verify_model(card: ModelCard) -> str:
    """Compare a checkpoint with the hash on its card.

    Parameters
    ----------
    card : ModelCard
        The model.

    Returns
    -------
    str
        The hash of the file.

    Raises
    ------
    ModelError
        If it is not the one on the card.
    FileNotFoundError
        If the file is missing.

    Examples
    --------
    >>> from napari_anyir.weights import find_model, verify_model
    >>> verify_model(find_model("nano")) == find_model("nano").sha256
    True
    """
    found = sha256(card.file)
    if card.sha256 and found != card.sha256:
        raise ModelError(
            f"The weights of '{card.name}' are damaged or changed: the SHA-256 of "
            f"'{card.file.name}' is {found[:12]}... and its card says {card.sha256[:12]}...; "
            "install or add them again."
        )
    return found


def load_model(name_or_path: str | Path = DEFAULT, device: str | torch.device = "cpu") -> Network:
    """Load a network with its weights.

    Parameters
    ----------
    name_or_path : str or Path
        As for `find_model`.
    device : str or torch.device
        Where the network goes.

    Returns
    -------
    AnyIR or ForeignNetwork
        A `torch.nn.Module` in evaluation mode, float32, from (B, 3, H, W) to the same.

    Raises
    ------
    ModelError
        If the model is unknown, or its file is damaged or does not fit; one sentence says what.
    FileNotFoundError
        If a path leads nowhere.

    Examples
    --------
    >>> import napari_anyir
    >>> napari_anyir.load_model("nano").training
    False
    """
    from napari_anyir.weights.networks import open_network

    card = find_model(name_or_path)
    verify_model(card)
    return open_network(card).to(device)
