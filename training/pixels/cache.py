"""Decoded images: in memory, in one memory-mapped file, or decoded each time anew.

A JPEG costs milliseconds to decode, of which a crop uses a small part. Decoded once, a crop is a
copy of a few rows. Sets that fit are kept in memory; larger ones in a file that the system pages
in as it is needed, and that workers and several training processes share.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, Protocol

import torch
from PIL import Image

from napari_anyir.inference.engine.memory_estimate import free_bytes
from napari_anyir.training.pixels.cache_file import open_cache
from napari_anyir.training.pixels.cropping import Pixels
from napari_anyir.training.pixels.photos import read_all, read_rgb

Mode = Literal["auto", "memory", "file", "decode"]

MEMORY_SHARE = 0.5
"""Of the free memory that decoded images may take."""

_SAMPLE = 200
_log = logging.getLogger("napari_anyir.training")


class Images(Protocol):
    """Where datasets get their pixels from.

    Examples
    --------
    >>> import numpy as np
    >>> class Grey:
    ...     def read(self, path):
    ...         return np.full((8, 8, 3), 128, np.uint8)
    >>> images: Images = Grey()
    >>> images.read(Path("any.png")).shape
    (8, 8, 3)
    """

    def read(self, path: Path) -> Pixels:
        """Return an image (H, W, 3) as uint8; not to be written to."""


class DirectImages:
    """Decodes an image whenever it is asked for.

    Examples
    --------
    >>> import pathlib, tempfile, numpy as np
    >>> from skimage.io import imsave
    >>> from napari_anyir.training.pixels.cache import DirectImages
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "1.png"
    >>> imsave(path, np.zeros((4, 5, 3), np.uint8), check_contrast=False)
    >>> DirectImages().read(path).shape
    (4, 5, 3)
    """

    def read(self, path: Path) -> Pixels:
        """Return an image (H, W, 3) as uint8."""
        return read_rgb(path)


class MemoryImages:
    """All images decoded once, in memory; workers that are forked share it.

    Parameters
    ----------
    paths : iterable of Path
        8-bit image files.
    threads : int
        Threads that decode.

    Raises
    ------
    ValueError
        If a file cannot be used.

    Examples
    --------
    >>> from napari_anyir.training.pixels.cache import MemoryImages
    >>> len(MemoryImages([]).pixels)
    0
    """

    def __init__(self, paths: Iterable[Path], threads: int = 2) -> None:
        paths = list(paths)
        self.pixels: dict[Path, Pixels] = dict(zip(paths, read_all(paths, threads), strict=True))

    def read(self, path: Path) -> Pixels:
        """Return an image (H, W, 3) as uint8.

        Raises
        ------
        KeyError
            If it is none of those that were decoded.
        """
        return self.pixels[path]


def decoded_bytes(paths: Sequence[Path]) -> int:
    """Estimate what images take when they are decoded, from the headers of some of them.

    Parameters
    ----------
    paths : sequence of Path
        Image files.

    Returns
    -------
    int
        Bytes of 8-bit RGB.

    Examples
    --------
    >>> import pathlib, tempfile, numpy as np
    >>> from skimage.io import imsave
    >>> from napari_anyir.training.pixels.cache import decoded_bytes
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "1.png"
    >>> imsave(path, np.zeros((4, 5, 3), np.uint8), check_contrast=False)
    >>> decoded_bytes([path, path])
    120
    """
    if not paths:
        return 0
    step = max(len(paths) // _SAMPLE, 1)
    some = paths[::step]
    total = 0
    for path in some:
        with Image.open(path) as image:
            total += 3 * image.width * image.height
    return total * len(paths) // len(some)


def open_images(
    paths: Iterable[Path],
    *,
    mode: Mode = "auto",
    cache: str | Path | None = None,
    threads: int = 2,
    processes: int = 1,
    free: int | None = None,
) -> Images:
    """Open images in the way that suits their size.

    Parameters
    ----------
    paths : iterable of Path
        Image files.
    mode : {"auto", "memory", "file", "decode"}
        Automatic is memory where the decoded images take at most `MEMORY_SHARE` of what is free;
        otherwise the file ``cache``, where one is named and its disk has room; otherwise decoding
        each time.
    cache : str or Path, optional
        The file to decode into.
    threads : int
        Threads that decode.
    processes : int
        Training processes on this machine, one for each device: each has a memory of its own, but
        they share a file.
    free : int, optional
        Bytes of memory that are free; asked of the system by default.

    Returns
    -------
    Images
        `MemoryImages`, `napari_anyir.training.pixels.cache_file.CachedImages` or `DirectImages`.

    Raises
    ------
    ValueError
        If the mode is unknown, or is "file" and no file is named.

    Examples
    --------
    >>> from napari_anyir.training.pixels.cache import open_images
    >>> type(open_images([], mode="decode")).__name__
    'DirectImages'
    """
    wanted = list(dict.fromkeys(paths))
    if mode not in ("auto", "memory", "file", "decode"):
        raise ValueError(f"Images are kept by auto, memory, file or decode, not {mode!r}.")
    if mode == "file" and cache is None:
        raise ValueError("Name the file that the decoded images go to, or choose another way.")
    if mode == "auto":
        mode = _choose(wanted, None if cache is None else Path(cache), processes, free)
    if mode == "memory":
        return MemoryImages(wanted, threads)
    if mode == "file" and cache is not None:
        return open_cache(cache, wanted, threads)
    return DirectImages()


def _choose(paths: Sequence[Path], cache: Path | None, processes: int, free: int | None) -> Mode:
    needed = decoded_bytes(paths)
    if free is None:
        free = free_bytes(torch.device("cpu"))
    size = f"{needed / 1e9:.1f} GB"
    # Where workers are started anew instead of forked, each would get a copy of its own.
    shared = torch.multiprocessing.get_start_method() == "fork"
    if shared and free is not None and processes * needed <= MEMORY_SHARE * free:
        _log.info("Decoded images: %s, in memory", size)
        return "memory"
    if cache is not None:
        folder = next(parent for parent in cache.absolute().parents if parent.exists())
        if cache.exists() or shutil.disk_usage(folder).free > 1.05 * needed:
            _log.info("Decoded images: %s, in '%s'", size, cache)
            return "file"
        _log.warning("Decoded images take %s, more than is free in '%s'.", size, folder)
    _log.warning(
        "Images are decoded each time anew (%s decoded, too much for the memory); a cache file on "
        "a fast disk loads crops several times as fast.",
        size,
    )
    return "decode"
