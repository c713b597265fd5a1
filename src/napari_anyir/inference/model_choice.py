"""Which of the bundled models serves an image, where the caller names none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_anyir.weights import DEFAULT, find_model, list_models

if TYPE_CHECKING:  # forms ask for the choice before torch is there
    from napari_anyir.weights.networks import Network

NOISE_ONLY = "denoise"
"""The model that takes noise off and nothing else: brightness, colour and contrast stay."""


class ModelChoice(NamedTuple):
    """A model, and why it was taken.

    Parameters
    ----------
    model : str, Path or network
        For `napari_anyir.load_model`, or a network that is loaded.
    reason : str or None
        Half a sentence for a record or a form; None where the caller chose.

    Examples
    --------
    >>> from napari_anyir.inference.model_choice import ModelChoice
    >>> ModelChoice("tiny", None).model
    'tiny'
    """

    model: str | Path | Network
    reason: str | None


def choose_model(
    model: str | Path | Network, dtype: np.dtype[Any] | type[Any] | str, *, colour: bool
) -> ModelChoice:
    """Take the model that suits an image, unless one is named.

    Grey images, and those with more than 8 bits, are measurements more often than photographs: they
    get the model that takes noise off and keeps intensities. 8-bit colour photographs get the
    first model for everything.

    Parameters
    ----------
    model : str, Path or network
        ``"default"`` leaves the choice to the rule; anything else is returned as it is.
    dtype : numpy.dtype
        Type of the image.
    colour : bool
        Whether its planes have samples (RGB).

    Returns
    -------
    ModelChoice
        The model, with the reason where the rule chose it.

    Raises
    ------
    ModelError
        If there is no model at all.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_anyir.inference.model_choice import choose_model
    >>> choose_model("default", np.uint16, colour=False)
    ModelChoice(model='denoise', reason='the image has one channel')
    >>> choose_model("nano", np.uint16, colour=False)
    ModelChoice(model='nano', reason=None)
    """
    if not isinstance(model, str) or model != DEFAULT:
        return ModelChoice(model, None)
    bits = np.dtype(dtype).itemsize * 8
    if colour and bits == 8:
        return ModelChoice(find_model().name, "the image is an 8-bit colour photograph")
    reason = "the image has one channel" if not colour else f"the image has {bits} bits per value"
    if NOISE_ONLY in {card.name for card in list_models()}:
        return ModelChoice(NOISE_ONLY, reason)
    return ModelChoice(find_model().name, None)


def rule_in_words() -> str:
    """Say which model the rule gives to which kind of image, for a form that has no image yet.

    Returns
    -------
    str
        A sentence.

    Raises
    ------
    ModelError
        If there is no model at all.

    Examples
    --------
    >>> from napari_anyir.inference.model_choice import rule_in_words
    >>> rule_in_words().startswith("denoise where an image has one channel or more than 8 bits, ")
    True
    """
    measured = choose_model(DEFAULT, np.uint16, colour=False).model
    photographed = choose_model(DEFAULT, np.uint8, colour=True).model
    if measured == photographed:
        return f"{measured} for every kind of image."
    return (
        f"{measured} where an image has one channel or more than 8 bits, {photographed} for 8-bit "
        "colour photographs."
    )
