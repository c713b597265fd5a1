"""The feature maps of a run, one for each level, and the windows in which they are worked on."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from napari_anyir.inference.exact.fast_dab import HALO
from napari_anyir.inference.exact.windows import Window
from napari_anyir.model import AnyIRConfig
from napari_anyir.model.config import LEVELS

WIDER = 4
"""Width of a window over its height."""

_SIDE_MULTIPLE = 8


def window_side(channels: int) -> int:
    """Height of a window that keeps a worker's memory near the cache.

    Parameters
    ----------
    channels : int
        Of the level.

    Returns
    -------
    int
        Pixels of the level, a multiple of 8.

    Examples
    --------
    >>> [window_side(channels) for channels in (28, 56, 112)]
    [88, 64, 40]
    """
    # Measured on two cores of 1 MB of L2 cache each and 32 MB of L3 together; the cost is flat
    # within 5 % from half to twice the area. Below, halos cost; above, the features of a window
    # leave the cache.
    if channels <= 32:
        return 88
    return 64 if channels <= 64 else 40


def _cut(size: int, side: int) -> list[tuple[int, int]]:
    """Cut a length into equal parts near ``side``: (start, length) each."""
    # Small levels are cut as well, though their halos cost more: there are several cores.
    parts = max(1 if size < 32 else 2, round(size / side))
    step = -(-size // (parts * _SIDE_MULTIPLE)) * _SIDE_MULTIPLE
    return [(start, min(step, size - start)) for start in range(0, size, step)]


def cut_windows(height: int, width: int, side: int) -> list[Window]:
    """Cut a level into windows, row by row, that are wider than high.

    Low bands need few spare rows; see `spare_rows`. The shape hardly matters to the speed.

    They depend on the sizes only, never on the number of threads or the memory: the same image
    gives the same bits everywhere.

    Parameters
    ----------
    height, width : int
        Of the level.
    side : int
        Height to come near to.

    Returns
    -------
    list of Window
        They cover the level once.

    Examples
    --------
    >>> from napari_anyir.inference.exact.maps import cut_windows
    >>> [(w.top, w.left, w.height, w.width) for w in cut_windows(24, 136, 64)]
    [(0, 0, 24, 72), (0, 72, 24, 64)]
    """
    return [
        Window(top, left, rows, columns, height, width)
        for top, rows in _cut(height, side)
        for left, columns in _cut(width, WIDER * side)
    ]


class Maps:
    """The features of one level, worked on in place.

    A block reads its input up to 4 pixels around a window while other windows already hold their
    output. So the map has some rows more than the image: the input lies at one end, and the output
    is written to the other end, from there on. A window's output then lands on rows whose input no
    later window needs, if at most two neighbouring bands of windows are worked on at a time. The
    next block goes the other way.

    Parameters
    ----------
    channels, height, width : int
        Of the level.
    side : int
        Height of the windows.
    device : torch.device
        Where.
    dtype : torch.dtype
        In which the features are kept.
    """

    def __init__(
        self,
        channels: int,
        height: int,
        width: int,
        *,
        side: int,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self.height, self.width = height, width
        self.windows = cut_windows(height, width, side)
        self.slack = spare_rows(height, side)
        self.memory = torch.empty(channels, height + self.slack, width, device=device, dtype=dtype)
        self.at_end = False

    def planes(self, first: int = 0, last: int | None = None) -> Tensor:
        """Return the features (channels, height, width) as they lie now."""
        start = self.slack if self.at_end else 0
        return self.memory[first:last, start : start + self.height]

    def other_end(self, first: int = 0, last: int | None = None) -> Tensor:
        """Return where the next block's output goes."""
        start = 0 if self.at_end else self.slack
        return self.memory[first:last, start : start + self.height]

    def swap(self) -> None:
        """Take the output as the features."""
        self.at_end = not self.at_end

    def order(self) -> tuple[list[Window], list[int]]:
        """Return the windows in the order of the next block, and the band of each."""
        windows = self.windows if self.at_end else self.windows[::-1]
        bands, band = [], -1
        top = None
        for window in windows:
            if window.top != top:
                top, band = window.top, band + 1
            bands.append(band)
        return windows, bands


def spare_rows(height: int, side: int) -> int:
    """Rows that a map of a level has beyond those of the image.

    Parameters
    ----------
    height : int
        Of the level.
    side : int
        Height of its windows.

    Returns
    -------
    int
        Two bands and a halo, or the whole height where that is less.

    Examples
    --------
    >>> spare_rows(1000, 88) < 200, spare_rows(50, 88)
    (True, 50)
    """
    tallest = _cut(height, side)[0][1]
    return min(2 * tallest + HALO, height)


def level_shapes(
    config: AnyIRConfig, height: int, width: int
) -> Sequence[tuple[int, int, int, int]]:
    """Shapes of the maps of the four levels.

    Level 1 has room for both halves of the decoder's concatenation from the start.

    Parameters
    ----------
    config : AnyIRConfig
        Of the network.
    height, width : int
        Of the padded image.

    Returns
    -------
    sequence of (channels, height, width, side)
        For each level.

    Examples
    --------
    >>> from napari_anyir.model import VARIANTS
    >>> [shape[:3] for shape in level_shapes(VARIANTS["nano"], 64, 96)]
    [(48, 32, 48), (48, 16, 24), (96, 8, 12), (192, 4, 6)]
    """
    widest = {
        stage.level: (stage.channels, stage.scale)
        for stage in sorted(config.stages(), key=lambda stage: stage.channels)
    }
    return [
        (channels, height // scale, width // scale, window_side(channels))
        for channels, scale in (widest[level] for level in range(LEVELS))
    ]
