"""The random choice of degradations that a network trains on."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from napari_anyir.degradations._base import Degradation, check_images
from napari_anyir.degradations.mixtures import Clean
from napari_anyir.degradations.registry import KINDS, find_kind

TRAINING_SHARES: dict[str, float] = {
    "noise": 0.17,
    "poisson_gaussian": 0.03,
    "micrograph": 0.10,
    "rain": 0.11,
    "heavy_rain": 0.04,
    "haze": 0.15,
    "motion_blur": 0.13,
    "defocus": 0.02,
    "darkness": 0.15,
    "mixture": 0.05,
    "clean": 0.05,
}
"""Default shares: 30 % noise (a third of it grey micrographs), 15 % each of rain, haze, blur and
darkness, 5 % mixtures, 5 % clean."""

TRAINING_PARAMETERS: dict[str, Degradation] = {"clean": Clean(exposure=(0.25, 1.0))}
"""Kinds that training uses otherwise than by default: two stops of clean images that are meant to
be dark, or a network would take them for underexposed. Most of LOL-v1 is darker than that."""


class RandomDegradation:
    """Give each image of a batch a kind drawn at random.

    Parameters
    ----------
    shares : mapping of str to float, optional
        Weight of each kind; they need not sum to 1. By default `TRAINING_SHARES`.
    parameters : mapping of str to Degradation, optional
        Degradations to use instead of a kind's default, by kind. `TRAINING_PARAMETERS` are used
        where none are given for a kind.

    Raises
    ------
    ValueError
        If a kind is unknown or the weights are negative or all zero.

    Examples
    --------
    >>> choose = RandomDegradation({"noise": 0.5, "clean": 0.5})
    >>> clean = torch.rand(4, 3, 16, 16)
    >>> degraded, target, kind = choose(clean, torch.Generator().manual_seed(0))
    >>> degraded.shape, kind.shape
    (torch.Size([4, 3, 16, 16]), torch.Size([4]))
    """

    def __init__(
        self,
        shares: Mapping[str, float] | None = None,
        *,
        parameters: Mapping[str, Degradation] | None = None,
    ) -> None:
        shares = dict(TRAINING_SHARES if shares is None else shares)
        parameters = dict(parameters or {})
        for kind in (*shares, *parameters):
            find_kind(kind)
        for kind in parameters:
            if kind not in shares:
                raise ValueError(f"{kind!r} has parameters but no share: add it to the shares.")
        if not shares or min(shares.values()) < 0 or sum(shares.values()) <= 0:
            raise ValueError("shares must be weights of at least 0, and one of them positive.")
        chosen = {**TRAINING_PARAMETERS, **parameters}
        self.kinds: tuple[str, ...] = tuple(shares)
        self.weights = torch.tensor([float(shares[kind]) for kind in self.kinds])
        self.degradations = [chosen.get(kind) or KINDS[kind]() for kind in self.kinds]

    def __call__(self, clean: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Degrade a batch, image by image of another kind.

        Parameters
        ----------
        clean : Tensor
            Images (B, 3, H, W) in [0, 1].
        generator : torch.Generator
            Source of all randomness, on the device of ``clean``.

        Returns
        -------
        degraded : Tensor
            Images (B, 3, H, W) in [0, 1].
        target : Tensor
            What to restore: ``clean``, or its grey version for micrographs.
        kind_index : Tensor
            Index of each image's kind in ``self.kinds``, (B,) int64.
        """
        check_images(clean, generator)
        kind_index = torch.multinomial(
            self.weights.to(clean.device), clean.shape[0], replacement=True, generator=generator
        )
        degraded, target = clean.clone(), clean.clone()
        drawn = kind_index.tolist()
        for index in sorted(set(drawn)):
            rows = torch.tensor([i for i, k in enumerate(drawn) if k == index], device=clean.device)
            wanted = self.degradations[index].target(clean[rows], generator)
            target[rows] = wanted
            degraded[rows] = self.degradations[index](wanted, generator)
        return degraded, target, kind_index
