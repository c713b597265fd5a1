"""Windows of a user's noisy images, as the network sees them, read only when they are wanted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_anyir.inference.arrays.array_layout import as_array, make_layout
from napari_anyir.inference.arrays.axes import Layout
from napari_anyir.inference.arrays.intensity import (
    Intensity,
    IntensityRange,
    check_dtype,
    check_intensity,
)
from napari_anyir.inference.arrays.memory_maps import unmapped
from napari_anyir.inference.arrays.pixels import to_network
from napari_anyir.inference.arrays.plane_reading import find_range
from napari_anyir.training.adaptation.neighbours import held_out

LEAST_SIDE = 32
"""Planes with a shorter side are refused: their halves would be smaller than the network's unit."""

UNIT = 16
"""Sides of windows are multiples of it, so that their halves are multiples of the network's 8."""


@dataclass(frozen=True)
class NoisySource:
    """One array and how it is read; the same three steps as in `napari_anyir.restore`.

    Parameters
    ----------
    image : array
        numpy, dask or zarr.
    layout : Layout
        Where its planes are.
    mapping : IntensityRange
        Which values the network sees as 0 and 1.
    """

    image: Any
    layout: Layout
    mapping: IntensityRange

    @classmethod
    def open(cls, image: Any, axes: str | None, intensity: Intensity) -> NoisySource:
        """Check an array as `napari_anyir.restore` does, and whether it can be learned from.

        Parameters
        ----------
        image, axes, intensity
            As for `napari_anyir.restore`. What is open already is returned as it is.

        Returns
        -------
        NoisySource
            The array with its layout and mapping.

        Raises
        ------
        TypeError, ValueError
            As `napari_anyir.restore`; and if the image is empty or its planes are too small.
        """
        if isinstance(image, NoisySource):
            return image
        image = as_array(image)
        check_dtype(image.dtype)
        layout = make_layout(image, axes)
        if not math.prod(layout.shape):
            raise ValueError("The image has no pixels, so there is nothing to adapt to.")
        height, width = layout.plane_shape[:2]
        if min(height, width) < LEAST_SIDE:
            raise ValueError(
                f"Planes of {height} x {width} pixels are too small to adapt to, which takes at "
                f"least {LEAST_SIDE} x {LEAST_SIDE}; restore them with the model as it is."
            )
        return cls(image, layout, find_range(image, layout, check_intensity(intensity)))

    def read(self, window: NoisyWindow) -> Tensor:
        """Read one window.

        Parameters
        ----------
        window : NoisyWindow
            Where.

        Returns
        -------
        Tensor
            (3, H, W) float32, in the network's range; grey is repeated three times.
        """
        rows = slice(window.top, window.top + window.height)
        index = list(self.layout.index(window.plane, rows))
        index[self.layout.axes.index("X")] = slice(window.left, window.left + window.width)
        values = unmapped(np.asarray(self.image[tuple(index)]))
        plane = values.transpose(self.layout.plane_order)
        return torch.from_numpy(to_network(plane, self.mapping))


@dataclass(frozen=True)
class NoisyWindow:
    """A rectangle of a plane.

    Parameters
    ----------
    source : int
        Number of the array.
    plane : tuple of int
        As from `Layout.indices`.
    top, left, height, width : int
        In pixels.
    """

    source: int
    plane: tuple[int, ...]
    top: int
    left: int
    height: int
    width: int


class NoisyWindows:
    """Draw windows from arrays; large planes are met more often than small ones.

    Only windows are ever in memory, so a stack may be larger than it.

    Parameters
    ----------
    sources : sequence of NoisySource
        At least one.
    generator : torch.Generator
        Source of randomness, on the CPU.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from napari_anyir.training.adaptation.noisy_windows import NoisyWindows, NoisySource
    >>> stack = np.random.default_rng(0).integers(0, 4000, (3, 40, 64), np.uint16)
    >>> draw = torch.Generator().manual_seed(0)
    >>> windows = NoisyWindows([NoisySource.open(stack, "ZYX", "auto")], draw)
    >>> noisy, targets = windows.batch(side=128, pixels=2048, phase=0)
    >>> noisy.shape, targets.shape
    (torch.Size([2, 3, 32, 64]), torch.Size([2, 1, 32, 64]))
    """

    def __init__(self, sources: Sequence[NoisySource], generator: torch.Generator) -> None:
        self.sources = list(sources)
        self._generator = generator
        self._weights = torch.tensor(
            [float(math.prod(s.layout.plane_shape[:2]) * s.layout.count) for s in self.sources]
        )

    def _below(self, limit: int) -> int:
        return int(torch.randint(max(limit, 1), (), generator=self._generator))

    def draw(self, side: int, source: int | None = None) -> NoisyWindow:
        """Draw a window.

        Parameters
        ----------
        side : int
            Its height and width, or the largest multiple of `UNIT` that the plane has.
        source : int, optional
            Number of the array; drawn by its size if it is not given.

        Returns
        -------
        NoisyWindow
            Where it lies.
        """
        if source is None:
            source = int(torch.multinomial(self._weights, 1, generator=self._generator))
        layout = self.sources[source].layout
        rows, columns = layout.plane_shape[:2]
        height, width = (min(side, size // UNIT * UNIT) for size in (rows, columns))
        return NoisyWindow(
            source,
            tuple(self._below(size) for size in layout.planes),
            self._below(rows - height + 1),
            self._below(columns - width + 1),
            height,
            width,
        )

    def spread(self, side: int, pixels: int) -> list[NoisyWindow]:
        """Choose windows that do not overlap, spread over all planes.

        Parameters
        ----------
        side : int
            As for `draw`.
        pixels : int
            How many pixels the windows have together, about; fewer where there are no more.

        Returns
        -------
        list of NoisyWindow
            At least one.
        """
        grids = []
        for source in self.sources:
            rows, columns = source.layout.plane_shape[:2]
            height, width = (min(side, size // UNIT * UNIT) for size in (rows, columns))
            grids.append((*source.layout.planes, rows // height, columns // width))
        ends = np.cumsum([math.prod(grid) for grid in grids])
        first = self.draw(side)
        count = max(1, round(pixels / (first.height * first.width)))
        total = int(ends[-1])
        if total > 10 * count:  # a permutation of a long stack would be as long
            chosen = torch.randint(total, (count,), generator=self._generator).unique().tolist()
        else:
            chosen = torch.randperm(total, generator=self._generator)[:count].tolist()
        windows = []
        for number in sorted(chosen):
            which = int(np.searchsorted(ends, number, side="right"))
            within = number - int(ends[which]) + math.prod(grids[which])
            *plane, row, column = (int(i) for i in np.unravel_index(within, grids[which]))
            rows, columns = self.sources[which].layout.plane_shape[:2]
            height, width = (min(side, size // UNIT * UNIT) for size in (rows, columns))
            # Windows are spaced evenly, so that what the grid leaves over is not always an edge.
            down, right = rows // height, columns // width
            top = row * height + (rows - down * height) * (2 * row + 1) // (2 * down)
            left = column * width + (columns - right * width) * (2 * column + 1) // (2 * right)
            windows.append(NoisyWindow(which, tuple(plane), top, left, height, width))
        return windows

    def batch(self, side: int, pixels: int, phase: int) -> tuple[Tensor, Tensor]:
        """Draw windows of one size for a training step, turned and mirrored at random.

        Parameters
        ----------
        side : int
            As for `draw`.
        pixels : int
            How many pixels the windows have together, about; there are 2 to 8 windows.
        phase : int
            Lattice of the held-out pixels, as for `held_out`.

        Returns
        -------
        noisy : Tensor
            (B, 3, H, W) float32.
        targets : Tensor
            (B, 1, H, W) float32: 0 at held-out pixels, 1 elsewhere.
        """
        first = self.draw(side)
        count = min(max(2, round(pixels / (first.height * first.width))), 8)
        noisy, targets = [], []
        for number in range(count):
            window = first if number == 0 else self.draw(side, first.source)
            both = torch.cat(
                (
                    self.sources[window.source].read(window),
                    (~self.lattice(window, phase)[0]).float(),
                )
            )
            mirrored = [axis for axis in (1, 2) if self._below(2)]
            both = both.flip(mirrored)
            if window.height == window.width and self._below(2):
                both = both.transpose(1, 2)
            noisy.append(both[:3])
            targets.append(both[3:])
        return torch.stack(noisy), torch.stack(targets)

    @staticmethod
    def lattice(window: NoisyWindow, phase: int) -> Tensor:
        """Mark the held-out pixels of a window.

        Parameters
        ----------
        window : NoisyWindow
            Where.
        phase : int
            As for `held_out`.

        Returns
        -------
        Tensor
            (1, 1, H, W) bool.
        """
        return held_out(window.height, window.width, phase, window.top, window.left)
