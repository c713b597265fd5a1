"""Every degradation by its name, and one function to apply any of them."""

from __future__ import annotations

from dataclasses import fields
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from napari_anyir.degradations._base import Degradation, check_images
from napari_anyir.degradations.kinds import CLASSES

KINDS: dict[str, type[Degradation]] = {
    kind: getattr(import_module(f"napari_anyir.degradations.{module}"), name)
    for kind, (module, name) in CLASSES.items()
}
"""Every degradation by its name."""


def find_kind(kind: str) -> type[Degradation]:
    """Class of a degradation by its name.

    Parameters
    ----------
    kind : str
        A key of `KINDS`.

    Returns
    -------
    type of Degradation
        The class.

    Raises
    ------
    ValueError
        If there is no such kind.

    Examples
    --------
    >>> find_kind("rain").__name__
    'Rain'
    """
    if kind not in KINDS:
        raise ValueError(f"unknown degradation {kind!r}: use one of {', '.join(KINDS)}.")
    return KINDS[kind]


def make(kind: str, **parameters: Any) -> Degradation:
    """Build a degradation from its name and parameters.

    Parameters
    ----------
    kind : str
        A key of `KINDS`.
    **parameters
        Parameters of its class: numbers or (lowest, highest) ranges, or named options.

    Returns
    -------
    Degradation
        The degradation.

    Raises
    ------
    ValueError
        If the kind or a parameter is unknown, or a value lies outside its limits.

    Examples
    --------
    >>> make("noise", sigma=25).sigma
    25.0
    """
    cls = find_kind(kind)
    known = [item.name for item in fields(cls)]
    for name in parameters:
        if name not in known:
            raise ValueError(
                f"{kind} has no parameter {name!r}: its parameters are {', '.join(known)}."
            )
    return cls(**parameters)


def describe(kind: str) -> dict[str, dict[str, Any]]:
    """Parameters of a degradation, as a form or a help text needs them.

    Parameters
    ----------
    kind : str
        A key of `KINDS`.

    Returns
    -------
    dict
        By parameter: ``default`` and ``source``, and ``lowest``, ``highest``, ``unit``, ``log`` of
        a number or ``options`` of a name. Parts of a mixture have only ``default``.

    Raises
    ------
    ValueError
        If there is no such kind.

    Examples
    --------
    >>> describe("noise")["sigma"]["default"], describe("noise")["sigma"]["highest"]
    ((0.0, 50.0), 255.0)
    """
    return {
        item.name: {"default": item.default, **item.metadata} for item in fields(find_kind(kind))
    }


def degrade(images: Tensor, kind: str, *, seed: int = 0, **parameters: Any) -> Tensor:
    """Degrade images reproducibly.

    Image number i is degraded with the seed ``seed + i`` and nothing else: what happens to it does
    not depend on the other images, so a batch and a loop give the same result. A kind that changes
    the content (``micrograph``) does so first; `Degradation.target` has the clean counterpart.

    Parameters
    ----------
    images : Tensor
        Clean images (B, 3, H, W), floating point, in [0, 1].
    kind : str
        A key of `KINDS`.
    seed : int
        Seed of the first image, at least 0.
    **parameters
        Parameters of the degradation: numbers or (lowest, highest) ranges, or named options.

    Returns
    -------
    Tensor
        Degraded images (B, 3, H, W) in [0, 1], of the type and on the device of ``images``.

    Raises
    ------
    TypeError
        If ``images`` is not a floating-point tensor.
    ValueError
        If the kind or a parameter is unknown, a value lies outside its limits, the seed is
        negative, or the images do not lie in [0, 1].

    Examples
    --------
    >>> images = torch.full((2, 3, 16, 16), 0.5)
    >>> noisy = degrade(images, "noise", seed=3, sigma=25.0)
    >>> bool((noisy[1:] == degrade(images[1:], "noise", seed=4, sigma=25.0)).all())
    True
    """
    degradation = make(kind, **parameters)
    check_images(images)
    if seed < 0:
        raise ValueError(f"seed must be at least 0, not {seed}.")
    low, high = float(images.amin()), float(images.amax())
    if not (low >= 0.0 and high <= 1.0):
        raise ValueError(
            f"images must lie in [0, 1], not in [{low:g}, {high:g}]: scale them first."
        )
    generator = torch.Generator(images.device)
    degraded = torch.empty_like(images)
    for index, image in enumerate(images):
        generator.manual_seed(seed + index)
        clean = degradation.target(image.unsqueeze(0).float(), generator)
        degraded[index] = degradation(clean, generator)[0]
    return degraded
