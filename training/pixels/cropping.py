"""Crops of 8-bit images, the same of a degraded and a clean one, and the noise of the protocols."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Storage = Literal["truncate", "round"]


@dataclass(frozen=True)
class Cropping:
    """How a crop is cut out of an image and turned.

    Parameters
    ----------
    side : int
        Side in pixels; smaller images are extended by reflection.
    multiple : int
        Images are first cropped around their centre to a multiple of this; 1 leaves them whole.
    flips : bool
        Mirror at random, horizontally and vertically, as the paper does.
    rotations : bool
        Also turn by 90 degrees at random, as the codes before it do.
    always : bool
        Instead of both: one of the seven symmetries of the square that are not the identity, as
        in PromptIR and the codes after it. No crop is ever shown as it is.

    Raises
    ------
    ValueError
        If a size is not positive, or two ways of turning are asked for.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_anyir.training.pixels.cropping import Cropping
    >>> crop, = Cropping(16)(np.random.default_rng(0), np.zeros((20, 40, 3), np.uint8))
    >>> crop.shape
    (16, 16, 3)
    """

    side: int = 128
    multiple: int = 16
    flips: bool = True
    rotations: bool = False
    always: bool = False

    def __post_init__(self) -> None:
        """Refuse sizes that make no crop, and two ways of turning."""
        if self.side < 1 or self.multiple < 1:
            raise ValueError("Sides of crops and their multiple are positive numbers of pixels.")
        if self.always and self.rotations:
            raise ValueError(
                "rotations belong to the augmentation by flips; the other one turns anyway."
            )

    def __call__(
        self, generator: np.random.Generator, *images: Pixels, side: int | None = None
    ) -> tuple[Pixels, ...]:
        """Cut the same place out of images of one size (H, W, 3), and turn it the same way.

        Returns
        -------
        tuple of numpy.ndarray
            (side, side, 3) uint8, views where nothing had to be extended.
        """
        side = side or self.side
        height, width = images[0].shape[:2]
        # An image below the multiple has no multiple in it; it is taken whole.
        rows = height - height % self.multiple or height
        columns = width - width % self.multiple or width
        top, left = (height - rows) // 2, (width - columns) // 2
        top += int(generator.integers(max(rows - side, 0) + 1))
        left += int(generator.integers(max(columns - side, 0) + 1))
        high, wide = min(side, rows), min(side, columns)
        crops = [image[top : top + high, left : left + wide] for image in images]
        if high < side or wide < side:
            missing = ((0, side - high), (0, side - wide), (0, 0))
            crops = [np.pad(crop, missing, mode="reflect") for crop in crops]
        if self.always:
            symmetry = int(generator.integers(1, 8))
            turns, mirrored = symmetry % 4, [symmetry // 4, 0]
        else:
            turns = int(generator.integers(4)) if self.rotations else 0
            mirrored = generator.integers(2, size=2).tolist() if self.flips else [0, 0]
        for number in range(len(crops)):
            crop = crops[number]
            if mirrored[0]:
                crop = crop[::-1]
            if mirrored[1]:
                crop = crop[:, ::-1]
            crops[number] = np.rot90(crop, turns)
        return tuple(crops)


def add_noise(
    clean: Pixels, sigma: float, generator: np.random.Generator, storage: Storage = "truncate"
) -> Pixels:
    """Add the noise of the protocol: ``clip(x + N(0, sigma), 0, 255)`` as 8 bits.

    Truncation, the protocol's way, darkens by about half a grey level; rounding does not.

    Parameters
    ----------
    clean : numpy.ndarray
        uint8 of any shape.
    sigma : float
        Standard deviation in grey levels.
    generator : numpy.random.Generator
        Source of the noise.
    storage : {"truncate", "round"}
        How a value becomes a whole grey level.

    Returns
    -------
    numpy.ndarray
        uint8, as ``clean``.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_anyir.training.pixels.cropping import add_noise
    >>> grey = np.full((64, 64, 3), 128, np.uint8)
    >>> noisy = add_noise(grey, 25, np.random.default_rng(0))
    >>> round(float(noisy.std())), float(noisy.mean()) < 128
    (25, True)
    """
    noisy = generator.standard_normal(clean.shape, dtype=np.float32)
    noisy *= np.float32(sigma)
    noisy += clean
    if storage == "round":
        np.rint(noisy, out=noisy)
    return np.clip(noisy, 0, 255, out=noisy).astype(np.uint8)
