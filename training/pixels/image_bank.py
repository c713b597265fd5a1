"""Clean images of all kinds as one bank: photographs in one tensor, deeper ones plane by plane."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor

from napari_anyir.inference.arrays.intensity import Intensity
from napari_anyir.training.pixels.image_planes import is_photograph
from napari_anyir.training.pixels.photos import PhotoBank
from napari_anyir.training.pixels.plane_bank import PlaneBank, open_planes


def split_by_depth(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Tell 8-bit photographs of one plane from all other images, by their headers.

    Parameters
    ----------
    paths : sequence of Path
        Image files.

    Returns
    -------
    photographs, others : list of Path
        Each in order.

    Examples
    --------
    >>> split_by_depth([Path("stack.zarr")])
    ([], [PosixPath('stack.zarr')])
    """
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        plain = list(pool.map(is_photograph, paths))
    return (
        [path for path, one in zip(paths, plain, strict=True) if one],
        [path for path, one in zip(paths, plain, strict=True) if not one],
    )


class ImageBank:
    """Photographs and deeper images, of which crops are drawn by their numbers of pixels.

    Parameters
    ----------
    photos : PhotoBank or None
        8-bit photographs.
    planes : PlaneBank or None
        Everything else.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from napari_anyir.files import write_image
    >>> folder = Path(tempfile.mkdtemp())
    >>> paths = [folder / "photo.png", folder / "deep.tif"]
    >>> for path, dtype in zip(paths, ("uint8", "uint16")):
    ...     _ = write_image(path, np.arange(40 * 50).reshape(40, 50).astype(dtype))
    >>> bank = ImageBank.open(paths, torch.device("cpu"))
    >>> bank.draw(4, 32, torch.Generator().manual_seed(0))[0].shape
    torch.Size([4, 3, 32, 32])
    """

    def __init__(self, photos: PhotoBank | None, planes: PlaneBank | None) -> None:
        self.photos, self.planes = photos, planes
        sizes = [
            0.0 if photos is None else float(photos.chances.double().sum()),
            0.0 if planes is None else float(planes.pixels),
        ]
        self._deep = sizes[1] / sum(sizes)

    @classmethod
    def open(
        cls,
        paths: Sequence[Path],
        device: torch.device,
        intensity: Intensity = "auto",
        axes: str | None = None,
    ) -> ImageBank:
        """Decode images; photographs go to the device.

        Parameters
        ----------
        paths : sequence of Path
            Image files of any kind.
        device : torch.device
            Where crops are made.
        intensity, axes
            As for `napari_anyir.restore`; where they are given, photographs are mapped, too.

        Returns
        -------
        ImageBank
            The bank.

        Raises
        ------
        ValueError
            If a file cannot be used, or there is none.
        """
        plain: list[Path] = []
        deep = list(paths)
        if intensity == "auto" and axes is None:
            plain, deep = split_by_depth(paths)
        photos = PhotoBank(plain, device, os.cpu_count() or 1) if plain or not deep else None
        return cls(photos, PlaneBank(open_planes(deep, intensity, axes)) if deep else None)

    def draw(self, count: int, side: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw square crops, each turned and mirrored at random.

        Parameters
        ----------
        count : int
            Crops B.
        side : int
            In pixels.
        generator : torch.Generator
            Source of randomness, on the bank's device.

        Returns
        -------
        crops : Tensor
            (B, 3, side, side), float32.
        grey : Tensor
            (B,), whether a crop has one colour.
        """
        if self.planes is None and self.photos is not None:
            return self.photos.draw(count, side, generator)
        if self.photos is None and self.planes is not None:
            return self.planes.draw(count, side, generator)
        deep = torch.rand(count, generator=generator, device=generator.device) < self._deep
        crops = torch.empty((count, 3, side, side), device=generator.device)
        grey = torch.empty(count, dtype=torch.bool, device=generator.device)
        for bank, chosen in ((self.photos, ~deep), (self.planes, deep)):
            if bank is not None and (some := int(chosen.sum())):
                crops[chosen], grey[chosen] = bank.draw(some, side, generator)
        return crops, grey
