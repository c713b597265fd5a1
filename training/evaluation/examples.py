"""The images of a test set: cropped, and noisy by one stream of numbers that nothing can shift.

In the lineage the noise comes from one generator that is seeded once: image by image in sorted
order, sigma 15, then 25, then 50. The numbers of an image therefore depend on all images before
it. Here those are drawn as well when an image is left out, so that a part of a set, or a run that
goes on, is measured on the same noise as the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from napari_anyir.training.evaluation.metrics import Image
from napari_anyir.training.pixels.photos import read_rgb
from napari_anyir.training.sets.pairing import Pair

NOISE_SEEDS: dict[str, str] = {
    "once": "noise seed 0 once per run",
    "per-image": "noise seed 0 for every image",
}
"""When the generator of the noise is seeded, the default first."""

STORAGES: dict[str, str] = {
    "truncate": "noisy images truncated to 8 bits",
    "round": "noisy images rounded to 8 bits",
    "none": "noisy images clipped and not quantised",
}
"""How noisy values are stored, the default first; truncation darkens by half a grey level."""


@dataclass(frozen=True)
class Example:
    """One image of a test set.

    Parameters
    ----------
    name : str
        Unique within its set.
    degraded, clean : numpy.ndarray or Deep
        (H, W, 3), float32 in [0, 1]; or, of pairs of one's own, the pixels of their files.

    Examples
    --------
    >>> import numpy as np
    >>> clean = np.zeros((8, 9, 3), np.float32)
    >>> Example("1.png", clean + 0.1, clean).degraded.shape
    (8, 9, 3)
    """

    name: str
    degraded: Any
    clean: Any


def centre_crop(image: NDArray[Any], multiple: int | None = 16) -> NDArray[Any]:
    """Crop (H, W, 3) around its centre to a multiple in height and width.

    Parameters
    ----------
    image : numpy.ndarray
        (H, W, ...).
    multiple : int or None
        None leaves the image as it is.

    Returns
    -------
    numpy.ndarray
        A view.

    Raises
    ------
    ValueError
        If nothing would be left.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_anyir.training.evaluation.examples import centre_crop
    >>> centre_crop(np.zeros((321, 481, 3))).shape
    (320, 480, 3)
    """
    height, width = image.shape[:2]
    rows, columns = cropped_size(height, width, multiple)
    top, left = (height - rows) // 2, (width - columns) // 2
    return image[top : top + rows, left : left + columns]


def cropped_size(height: int, width: int, multiple: int | None) -> tuple[int, int]:
    """Size that `centre_crop` leaves.

    Examples
    --------
    >>> from napari_anyir.training.evaluation.examples import cropped_size
    >>> cropped_size(400, 600, 16)
    (400, 592)
    """
    if multiple is None:
        return height, width
    rows, columns = height - height % multiple, width - width % multiple
    if not rows or not columns:
        raise ValueError(
            f"An image of {height} x {width} pixels has no crop of a multiple of {multiple}; "
            "leave it out, or do not crop."
        )
    return rows, columns


class NoiseStream:
    """White Gaussian noise of the protocols, from numpy's legacy generator as in the lineage.

    Parameters
    ----------
    seeding : str
        A key of `NOISE_SEEDS`.
    storage : str
        A key of `STORAGES`.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_anyir.training.evaluation.examples import NoiseStream
    >>> clean = np.full((4, 4, 3), 128, np.uint8)
    >>> first = NoiseStream().add(clean, 25)
    >>> stream = NoiseStream()
    >>> stream.skip(clean.shape)
    >>> bool((stream.add(clean, 25) == first).all())
    False
    """

    def __init__(self, seeding: str = "once", storage: str = "truncate") -> None:
        self._seeding = seeding
        self._storage = storage
        self._generator = np.random.RandomState(0)

    def _draw(self, shape: tuple[int, ...]) -> NDArray[np.float64]:
        if self._seeding == "per-image":
            self._generator = np.random.RandomState(0)
        return self._generator.randn(*shape)

    def skip(self, shape: tuple[int, ...]) -> None:
        """Draw the noise of an image that is not wanted."""
        if self._seeding == "once":
            self._draw(shape)

    def add(self, clean: NDArray[np.uint8], sigma: float) -> Image:
        """Add noise to an image.

        Parameters
        ----------
        clean : numpy.ndarray
            (H, W, 3), uint8.
        sigma : float
            Standard deviation in grey levels.

        Returns
        -------
        numpy.ndarray
            (H, W, 3), float32 in [0, 1].
        """
        noisy = np.clip(clean + self._draw(clean.shape) * sigma, 0, 255)
        if self._storage == "truncate":
            noisy = np.floor(noisy)
        elif self._storage == "round":
            noisy = np.rint(noisy)
        return noisy.astype(np.float32) / np.float32(255)


def size_of(path: Path) -> tuple[int, int]:
    """Height and width of an image file, from its header.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np
    >>> from skimage.io import imsave
    >>> from napari_anyir.training.evaluation.examples import size_of
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.png"
    >>> imsave(path, np.zeros((4, 5), np.uint8), check_contrast=False)
    >>> size_of(path)
    (4, 5)
    """
    with Pillow.open(path) as image:
        return image.height, image.width


def read_examples(
    pairs: Sequence[Pair],
    sigma: float | None,
    stream: NoiseStream,
    *,
    crop: int | None = 16,
    wanted: Iterable[str] | None = None,
) -> Iterator[Example]:
    """Read the images of a set, one at a time.

    Parameters
    ----------
    pairs : sequence of Pair
        In the order of the protocol.
    sigma : float or None
        Noise to add, in grey levels; None where the degraded images are stored.
    stream : NoiseStream
        Where the noise comes from; it moves on by all of ``pairs``, wanted or not.
    crop : int or None
        Images are cropped around their centre to a multiple of it, before noise is added.
    wanted : iterable of str, optional
        Names of the images to read; by default all.

    Yields
    ------
    Example
        The wanted images.

    Raises
    ------
    ValueError
        If a degraded image and its clean one differ in size, or a degraded one is missing.
    """
    names = {pair.name for pair in pairs} if wanted is None else set(wanted)
    for pair in pairs:
        if pair.name not in names:
            if sigma is not None:
                stream.skip((*cropped_size(*size_of(pair.clean), crop), 3))
            continue
        clean = centre_crop(read_rgb(pair.clean), crop)
        if sigma is not None:
            degraded = stream.add(clean, sigma)
        elif pair.degraded is None:
            raise ValueError(f"'{pair.clean}' has no degraded image, and no noise is to be added.")
        else:
            stored = read_rgb(pair.degraded)
            degraded = _unit(centre_crop(stored, crop))
            if stored.shape[:2] != size_of(pair.clean):
                raise ValueError(
                    f"'{pair.degraded}' has {stored.shape[0]} x {stored.shape[1]} pixels and its "
                    f"clean image {' x '.join(map(str, size_of(pair.clean)))}; pair images of one "
                    "size."
                )
        yield Example(pair.name, degraded, _unit(clean))


def _unit(image: NDArray[np.uint8]) -> Image:
    return image.astype(np.float32) / np.float32(255)
