"""Files of any depth as a bank of clean planes, from which crops are drawn."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from napari_anyir.files.images import LAZY_ABOVE
from napari_anyir.inference.arrays.intensity import Intensity
from napari_anyir.inference.engine.memory_estimate import free_bytes
from napari_anyir.training.pixels.image_planes import PlaneFile

LEAST_SPAN = 0.6
"""Share of the network's range that a clean plane spans at least once it is to be degraded."""

MEMORY_SHARE = 0.5
"""Of the free memory that pixels may take; what is beyond stays in the files."""

_log = logging.getLogger("napari_anyir.training")


def open_planes(
    paths: Iterable[Path], intensity: Intensity = "auto", axes: str | None = None
) -> list[PlaneFile]:
    """Open files as planes: in memory, as far as it suffices.

    Parameters
    ----------
    paths : iterable of Path
        Image files.
    intensity, axes
        As for `PlaneFile.open`.

    Returns
    -------
    list of PlaneFile
        One for each, in order.

    Raises
    ------
    FileNotFoundError, ValueError
        If one cannot be used.

    Examples
    --------
    >>> open_planes([])
    []
    """
    free = free_bytes(torch.device("cpu"))
    room = LAZY_ABOVE if free is None else int(MEMORY_SHARE * free)
    opened = []
    for path in paths:
        file = PlaneFile.open(path, intensity, axes=axes, lazy_above=min(LAZY_ABOVE, max(room, 0)))
        opened.append(file)
        room -= 0 if hasattr(file.image, "dask") else file.image.nbytes
    if any(hasattr(file.image, "dask") for file in opened):
        _log.warning("Some images are too large for the memory and are read crop by crop.")
    return opened


class PlaneBank:
    """Planes of any depth, cropped where something is.

    Parameters
    ----------
    files : list of PlaneFile
        As `open_planes` gives them.

    Examples
    --------
    >>> import tempfile
    >>> from napari_anyir.files import write_image
    >>> path = Path(tempfile.mkdtemp()) / "stack.tif"
    >>> stack = np.linspace(100, 900, 3 * 40 * 50).astype(np.uint16).reshape(3, 40, 50)
    >>> bank = PlaneBank(open_planes([write_image(path, stack)]))
    >>> crops, grey = bank.draw(2, 32, torch.Generator().manual_seed(0))
    >>> crops.shape, grey.tolist()
    (torch.Size([2, 3, 32, 32]), [True, True])
    """

    def __init__(self, files: list[PlaneFile]) -> None:
        self.files = files
        self.planes = [(file, plane) for file in files for plane in range(len(file))]
        sizes = [float(np.prod(file.size)) for file, _ in self.planes]
        self.chances = torch.tensor(sizes, dtype=torch.float64)

    def __len__(self) -> int:
        """Count the planes."""
        return len(self.planes)

    @property
    def pixels(self) -> int:
        """Pixels of all planes."""
        return int(self.chances.sum())

    def draw(self, count: int, side: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw square crops, each turned and mirrored at random.

        Parameters
        ----------
        count : int
            Crops B.
        side : int
            In pixels; smaller planes are extended by reflection.
        generator : torch.Generator
            Source of randomness; crops are put on its device.

        Returns
        -------
        crops : Tensor
            (B, 3, side, side), float32, mapped as the engine maps these files, and then into a
            part of the range, as a noisy file has it.
        grey : Tensor
            (B,), whether a crop has one colour.
        """
        device = generator.device
        seed = torch.randint(2**62, (1,), generator=generator, device=device)
        numbers = np.random.default_rng(int(seed))
        chances = self.chances.numpy() / self.chances.sum().item()
        crops = np.empty((count, 3, side, side), np.float32)
        grey = np.empty(count, bool)
        for at in range(count):
            file, plane = self.planes[int(numbers.choice(len(self.planes), p=chances))]
            crop = file.crop(plane, *file.place(plane, side, numbers), side)
            symmetry = int(numbers.integers(8))
            crop = np.rot90(crop[:, :, ::-1] if symmetry > 3 else crop, symmetry % 4, axes=(1, 2))
            # The mapping of a noisy file spans its noise, too: what is clean lies well inside, or
            # noise added to a background of 0 would be cut off at 0, as in no file that is deep.
            span = numbers.uniform(LEAST_SPAN, 1)
            crops[at], grey[at] = numbers.uniform(0, 1 - span) + span * crop, file.grey
        return torch.from_numpy(crops).to(device), torch.from_numpy(grey).to(device)
