"""The random choice of degradations that a network trains on."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from napari_anyir.degradations._base import Degradation, check_images, luminance
from napari_anyir.degradations._looks import as_faded, as_pastel, as_stored
from napari_anyir.degradations.haze import Haze
from napari_anyir.degradations.jpeg import Jpeg
from napari_anyir.degradations.micrograph import MicrographNoise, StabilisedNoise
from napari_anyir.degradations.mixtures import Clean
from napari_anyir.degradations.noise import GaussianNoise
from napari_anyir.degradations.registry import KINDS, find_kind

DENOISE_SHARES: dict[str, float] = {
    "noise": 0.28,
    "poisson_gaussian": 0.02,
    "camera_noise": 0.13,
    "grain": 0.12,
    "processed_noise": 0.05,
    "micrograph": 0.14,
    "stabilised_noise": 0.08,
    "clean": 0.18,
}
"""Shares for a network that takes noise off and nothing else: 30 % white noise, 30 % noise as
developed photographs have it, 22 % micrographs, 18 % clean."""

TRAINING_SHARES: dict[str, float] = {
    "noise": 0.12,
    "poisson_gaussian": 0.02,
    "camera_noise": 0.05,
    "grain": 0.05,
    "processed_noise": 0.02,
    "micrograph": 0.05,
    "stabilised_noise": 0.02,
    "rain": 0.09,
    "heavy_rain": 0.03,
    "haze": 0.11,
    "motion_blur": 0.09,
    "defocus": 0.02,
    "darkness": 0.11,
    "jpeg": 0.01,
    "mixture": 0.04,
    "clean": 0.17,
}
"""Default shares, for a network that does everything: a third noise, 12 % rain, 11 % each of haze,
blur and darkness, 5 % mixtures and JPEG, 17 % clean."""

TRAINING_PARAMETERS: dict[str, Degradation] = {
    # Rounding, as truncation would teach a network to brighten by half a grey level.
    "noise": GaussianNoise(sigma=(0.0, 55.0), storage="round"),
    # Wide-field images of FMD lie at 0.7 pixels of correlation: well inside what is learnt.
    "micrograph": MicrographNoise(
        scene="random",
        peak=(0.15, 1.0),
        offset=(0.0, 0.1),
        correlation=(0.1, 1.0),
        storage="mixed",
    ),
    # As `intensity="photons"` shows a micrograph to a network.
    "stabilised_noise": StabilisedNoise(
        scene="random",
        power=(0.4, 1.5),
        peak=(0.3, 1.0),
        offset=(0.0, 0.4),
        correlation=(0.1, 1.0),
    ),
    # Two stops of images that are meant to be dark, most of LOL-v1 being darker than that, and two
    # of pale ones, which would else be taken for haze.
    "clean": Clean(
        exposure=(0.25, 4.0), veil=(0.0, 0.3), noise=(0.0, 1.0), scene="random", photographs=0.7
    ),
    # What is nearest lets 0.3 to 0.9 through, RESIDE's rooms 0.57 to 0.9: who saw thick haze
    # only leaves thin haze alone. A veil that clears up somewhere is what distance does to clean
    # photographs as well.
    "haze": Haze(beta=(0.3, 2.0), nearest=(0.05, 0.4)),
    "jpeg": Jpeg(quality=(30.0, 95.0)),
}
"""Kinds that training uses otherwise than by default."""

DARK_CLEAN = Clean(exposure=(0.01, 4.0), veil=(0.0, 0.5), noise=(0.0, 1.0), scene="random")
"""Clean images for a network that is to change neither brightness nor contrast: of any exposure."""

LOOKS: dict[str, float] = {
    # Made grey, and degraded equally in three channels.
    "grey": 0.12,
    # Exposed longer, up to two stops, whatever is done then: a noisy white page is no haze either.
    "pale": 0.2,
    # Seen through haze: exposed shorter, by up to three stops, as rooms are darker than landscapes.
    "dim": 0.4,
    # Seen through haze, rain or in the dark, or clean: as people store photographs.
    "stored": 0.4,
    # In colour and not behind haze: a pale print on tinted paper.
    "pastel": 0.1,
    # In colour and not behind haze: shadows lifted to a colour.
    "faded": 0.1,
}
"""Share of the scenes that look otherwise than a clean photograph does, each where it applies."""

COLOUR_KINDS = ("darkness", "mixture")
"""Kinds that are never grey: a dark grey image stored as RGB is a micrograph more often than a
photograph of the night, and no brightness of it may move."""

STORED_KINDS = ("rain", "heavy_rain", "snow", "haze", "darkness", "mixture", "clean")
"""Kinds whose scene may be soft, grainy and compressed: what is seen through rain, haze or in the
dark is wanted as the camera stored it. Noise and blur are to go, so those scenes stay sharp."""

TINTED_KINDS = (
    "noise",
    "poisson_gaussian",
    "camera_noise",
    "grain",
    "processed_noise",
    "rain",
    "clean",
)
"""Kinds whose scene may be ``pastel`` or ``faded``. Behind haze it would pass for more haze."""

PALE = Clean(exposure=(1.0, 4.0))
"""What is left of a photograph that was exposed longer: its light parts end in white."""

DIM = Clean(exposure=(0.1, 1.0))
"""What is seen behind some of the haze."""


class RandomDegradation:
    """Give each image of a batch a kind drawn at random.

    Parameters
    ----------
    shares : mapping of str to float, optional
        Weight of each kind; they need not sum to 1. By default `TRAINING_SHARES`.
    parameters : mapping of str to Degradation, optional
        Degradations to use instead of a kind's default, by kind. `TRAINING_PARAMETERS` are used
        where none are given for a kind; clean images are `DARK_CLEAN` where no share lightens or
        dehazes.
    looks : mapping of str to float, optional
        Shares of scenes that look otherwise, by name, instead of those of `LOOKS`: 0 for none.

    Raises
    ------
    ValueError
        If a kind or look is unknown, the weights are negative or all zero, or a look is no share.

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
        looks: Mapping[str, float] | None = None,
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
        self.looks = {**LOOKS, **(looks or {})}
        for name, share in self.looks.items():
            if name not in LOOKS:
                raise ValueError(f"unknown look {name!r}: use one of {', '.join(LOOKS)}.")
            if not 0 <= share <= 1:
                raise ValueError(f"{name} must be a share of 0 to 1, not {share!r}.")
        chosen = {**TRAINING_PARAMETERS}
        if not any(shares.get(kind, 0.0) > 0 for kind in ("darkness", "haze", "mixture")):
            chosen["clean"] = DARK_CLEAN
        chosen.update(parameters)
        self.kinds: tuple[str, ...] = tuple(shares)
        self.weights = torch.tensor([float(shares[kind]) for kind in self.kinds])
        self._coloured = torch.tensor([kind in COLOUR_KINDS for kind in self.kinds])
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
            What to restore: ``clean``, its grey version, or a scene where the kind makes one.
        kind_index : Tensor
            Index of each image's kind in ``self.kinds``, (B,) int64.
        """
        check_images(clean, generator)
        kind_index = torch.multinomial(
            self.weights.to(clean.device), clean.shape[0], replacement=True, generator=generator
        )
        drawn_grey = torch.rand(clean.shape[0], generator=generator, device=clean.device)
        grey = (drawn_grey < self.looks["grey"]) & ~self._coloured.to(clean.device)[kind_index]
        grey = grey.view(-1, 1, 1, 1)
        clean = torch.where(grey, luminance(clean), clean)
        clean = _change_some(clean, PALE.target, self.looks["pale"], generator)
        degraded, target = clean.clone(), clean.clone()
        drawn = kind_index.tolist()
        for index in sorted(set(drawn)):
            rows = torch.tensor([i for i, k in enumerate(drawn) if k == index], device=clean.device)
            seen = clean[rows]
            if self.kinds[index] in TINTED_KINDS:
                changed = _change_some(seen, as_faded, self.looks["faded"], generator)
                changed = _change_some(changed, as_pastel, self.looks["pastel"], generator)
                seen = torch.where(grey[rows], seen, changed)
            if self.kinds[index] in STORED_KINDS:
                seen = _change_some(seen, as_stored, self.looks["stored"], generator)
            if self.kinds[index] == "haze":
                seen = _change_some(seen, DIM.target, self.looks["dim"], generator)
            wanted = self.degradations[index].target(seen, generator)
            target[rows] = wanted
            degraded[rows] = self.degradations[index](wanted, generator)
        # One channel of the degraded image on all three, so that noise keeps its strength.
        degraded = torch.where(grey, degraded[:, 1:2], degraded)
        return degraded, torch.where(grey, target[:, 1:2], target), kind_index


def _change_some(
    images: Tensor,
    change: Callable[[Tensor, torch.Generator], Tensor],
    share: float,
    generator: torch.Generator,
) -> Tensor:
    """Change a share of the images; only those that are drawn cost anything."""
    if share <= 0:
        return images
    drawn = torch.rand(images.shape[0], generator=generator, device=images.device)
    rows = (drawn < share).nonzero().flatten()
    if not len(rows):
        return images
    return images.index_copy(0, rows, change(images[rows], generator))
