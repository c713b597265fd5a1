"""Sizes that a file claims, checked against its bytes before anything is allocated."""

from __future__ import annotations

import math
from typing import Any

from napari_anyir.errors import ImageFileError
from napari_anyir.files.formats import PICTURES

__all__ = ["check_blocks", "check_claim", "check_pages", "check_picture"]

_LENIENT = 2**26  # bytes that any file may claim: an all but empty picture is no attack
_LARGEST_BLOCK = 2**31  # bytes that must be in memory at once
_LARGEST_TILE = 2**26  # bytes that are never too many, however small the page
_MOST_BLOCKS = 10**7  # a graph of more is not built in minutes

# At most so many bytes come out of one: two bits of deflate hold 258, a code of LZW 4096, ...
_RATIOS = {"NONE": 1, "PACKBITS": 64, "LZW": 4096, "ADOBE_DEFLATE": 1100, "DEFLATE": 1100}
_LARGEST_RATIO = 100_000
# A GIF is read under any picture's name, and Pillow calls a JPEG of several images MPO.
_PICTURES = {"GIF": 4096.0, "MPO": 5000.0} | {
    n: r for held in PICTURES.values() for n, r in held.pillow.items()
}


def check_claim(claimed: int, held: int, ratio: float = math.inf) -> None:
    """Refuse more pixels than a file's bytes can hold.

    Parameters
    ----------
    claimed : int
        Bytes of pixels that the file's head promises.
    held : int
        Bytes of the file.
    ratio : float
        How many bytes of pixels one byte can hold at most, by the compression.

    Raises
    ------
    ImageFileError
        If it promises more, or more than can be in memory.

    Examples
    --------
    >>> check_claim(10_000_000, 5_000)
    >>> check_claim(10**9, 5_000, ratio=1100)
    Traceback (most recent call last):
    ...
    napari_anyir.errors.ImageFileError: it claims 1,000,000,000 bytes of pixels, and its 5,000 ...
    """
    if claimed > _LENIENT + ratio * held:
        raise ImageFileError(
            f"it claims {claimed:,} bytes of pixels, and its {held:,} bytes cannot hold them; it "
            "is damaged or cut off"
        )


def check_picture(kind: str | None, size: tuple[int, int], samples: int, held: int) -> None:
    """Refuse a picture that claims more pixels than its bytes can hold.

    Parameters
    ----------
    kind : str or None
        As Pillow names it.
    size : (int, int)
        Width and height.
    samples : int
        Bytes per pixel.
    held : int
        Bytes of the file.

    Raises
    ------
    ImageFileError
        As `check_claim`.

    Examples
    --------
    >>> check_picture("PNG", (640, 480), 3, 20_000)
    """
    check_claim(math.prod(size) * samples, held, _PICTURES.get(kind or "", math.inf))


def check_pages(series: Any, held: int) -> None:
    """Refuse a TIFF whose pages claim more than the file can hold, or cannot be read one by one.

    Parameters
    ----------
    series : tifffile.TiffPageSeries
        What is to be read.
    held : int
        Bytes of the file, or of all files of a set.

    Raises
    ------
    ImageFileError
        If it claims more.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import tifffile
    >>> from pathlib import Path
    >>> path = Path(tempfile.mkdtemp()) / "a.tif"
    >>> tifffile.imwrite(path, np.zeros((64, 64), np.uint8))
    >>> with tifffile.TiffFile(path) as file:
    ...     check_pages(file.series[0], path.stat().st_size)  # nothing is said
    """
    page = series.keyframe
    name = getattr(page.compression, "name", "")
    # GDAL leaves out strips and tiles that are empty, sometimes all of them.
    there = sum(map(bool, page.databytecounts)) / max(1, len(page.databytecounts))
    ratio = _RATIOS.get(name, _LARGEST_RATIO)
    if page.bitspersample < 8 or page.is_subsampled:  # one byte holds several samples
        ratio *= 8
    check_claim(int(there * series.nbytes), held, ratio)
    check_claim(int(there * page.nbytes), held, ratio)
    tile = math.prod(page.tile) * page.samplesperpixel * page.dtype.itemsize if page.is_tiled else 0
    if tile > _LARGEST_TILE and tile > 4 * page.nbytes:
        raise ImageFileError(
            f"its tiles claim {tile:,} bytes each, and its pages have {page.nbytes:,}; it is "
            "damaged"
        )
    check_blocks(page.nbytes, len(series.pages))


def check_blocks(size: int, count: int) -> None:
    """Refuse blocks that cannot be in memory one at a time, or that are too many to be listed.

    Parameters
    ----------
    size : int
        Bytes of one block: a page, a chunk, a shard.
    count : int
        How many there are.

    Raises
    ------
    ImageFileError
        One sentence with the remedy.

    Examples
    --------
    >>> check_blocks(2**20, 1000)
    >>> check_blocks(2**40, 1)
    Traceback (most recent call last):
    ...
    napari_anyir.errors.ImageFileError: one block of it takes 1,099,511,627,776 bytes, and only ...
    """
    if size > _LARGEST_BLOCK and size > _free():
        raise ImageFileError(
            f"one block of it takes {size:,} bytes, and only {_free():,} bytes of memory are "
            "free; save it in smaller tiles or chunks"
        )
    if count > _MOST_BLOCKS:
        raise ImageFileError(
            f"it has {count:,} blocks, more than can be listed; save it in larger tiles or chunks"
        )


def _free() -> int:
    """Bytes of memory that are free; where the system does not tell, what is always read."""
    import torch

    from napari_anyir.inference.engine.memory_estimate import free_bytes

    free = free_bytes(torch.device("cpu"))
    return _LARGEST_BLOCK if free is None else free
