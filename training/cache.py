"""Decoded images: in memory, in one memory-mapped file, or decoded each time anew.

A JPEG costs milliseconds to decode, of which a crop uses a small part. Decoded once, a crop is a
copy of a few rows. Sets that fit are kept in memory; larger ones in a file that the system pages
in as it is needed, and that workers and several training processes share.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from PIL import Image

from napari_anyir.inference.room import free_bytes
from napari_anyir.training.photos import read_rgb

Pixels = NDArray[np.uint8]
Mode = Literal["auto", "memory", "file", "decode"]

MEMORY_SHARE = 0.5
"""Of the free memory that decoded images may take."""

_MAGIC = b"ANYIRPX1"
_SAMPLE = 200
_log = logging.getLogger("napari_anyir.training")


class Images(Protocol):
    """Where datasets get their pixels from."""

    def read(self, path: Path) -> Pixels:
        """Return an image (H, W, 3) as uint8; not to be written to."""


class DirectImages:
    """Decodes an image whenever it is asked for.

    Examples
    --------
    >>> import pathlib, tempfile, numpy as np
    >>> from skimage.io import imsave
    >>> from napari_anyir.training.cache import DirectImages
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
    >>> from napari_anyir.training.cache import MemoryImages
    >>> len(MemoryImages([]).pixels)
    0
    """

    def __init__(self, paths: Iterable[Path], threads: int = 2) -> None:
        self.pixels: dict[Path, Pixels] = dict(_decoded(paths, threads))

    def read(self, path: Path) -> Pixels:
        """Return an image (H, W, 3) as uint8.

        Raises
        ------
        KeyError
            If it is none of those that were decoded.
        """
        return self.pixels[path]


def _decoded(paths: Iterable[Path], threads: int) -> Iterator[tuple[Path, Pixels]]:
    """Decode in threads, in order, never more than a few images ahead of who takes them."""
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[tuple[Path, Future[Pixels]]] = deque()
        for path in paths:
            waiting.append((path, pool.submit(read_rgb, path)))
            if len(waiting) > 4 * threads:
                first, pixels = waiting.popleft()
                yield first, pixels.result()
        for first, pixels in waiting:
            yield first, pixels.result()


@dataclass(frozen=True)
class _Entry:
    """Where an image is in the file, and the state of its source when it was decoded."""

    size: int
    modified: int
    offset: int
    height: int
    width: int

    @property
    def bytes(self) -> int:
        return 3 * self.height * self.width


class CachedImages:
    """Images decoded once into one memory-mapped file.

    The file holds pixels one image after the other, and an index of path, size and time of change
    of each source. A source that changed since is stale: `open_cache` decodes it anew.

    Parameters
    ----------
    file : Path
        As `open_cache` wrote it.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no cache, or not whole.

    Examples
    --------
    >>> from pathlib import Path
    >>> from napari_anyir.training.cache import CachedImages
    >>> CachedImages(Path("no-such-file"))
    Traceback (most recent call last):
    FileNotFoundError: There is no cache 'no-such-file'.
    """

    def __init__(self, file: Path) -> None:
        self.file = Path(file)
        if not self.file.is_file():
            raise FileNotFoundError(f"There is no cache '{self.file}'.")
        self._index = self._read_index()
        self._map = self._open()

    def _read_index(self) -> dict[str, _Entry]:
        damaged = f"'{self.file}' is no whole cache of images; delete it, it is made anew."
        with self.file.open("rb") as stream:
            head = stream.read(16)
            if len(head) < 16 or head[:8] != _MAGIC:
                raise ValueError(damaged)
            offset = int.from_bytes(head[8:], "little")
            stream.seek(offset)
            try:
                rows = json.loads(stream.read())
            except ValueError as error:
                raise ValueError(damaged) from error
        return {path: _Entry(*numbers) for path, *numbers in rows}

    def _open(self) -> np.memmap[Any, np.dtype[np.uint8]]:
        return np.memmap(self.file, np.uint8, "r")

    def __getstate__(self) -> dict[str, Any]:
        """Leave the map out: a worker that is started anew opens the file, it gets no copy."""
        return {"file": self.file, "_index": self._index}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Open the file in this process."""
        self.__dict__.update(state)
        self._map = self._open()

    def close(self) -> None:
        """Let go of the file, which Windows does not replace while it is mapped."""
        del self._map

    def __len__(self) -> int:
        """Count the images."""
        return len(self._index)

    def stale(self, paths: Iterable[Path]) -> list[Path]:
        """List the images that are not in it, or changed since they were decoded."""
        return [path for path in paths if not self._is_fresh(path)]

    def fresh(self) -> list[Path]:
        """List the images in it whose files are still as they were."""
        paths = map(Path, self._index)
        return [path for path in paths if path.is_file() and self._is_fresh(path)]

    def _is_fresh(self, path: Path) -> bool:
        entry = self._index.get(str(path))
        if entry is None:
            return False
        status = path.stat()
        return (entry.size, entry.modified) == (status.st_size, status.st_mtime_ns)

    def read(self, path: Path) -> Pixels:
        """Return an image (H, W, 3) as uint8, as a view of the file.

        Raises
        ------
        KeyError
            If it is not in the cache.
        """
        entry = self._index[str(path)]
        flat = self._map[entry.offset : entry.offset + entry.bytes]
        return np.asarray(flat).reshape(entry.height, entry.width, 3)


def open_cache(file: str | Path, paths: Iterable[Path], threads: int = 2) -> CachedImages:
    """Open a cache that holds some images as they are now; make or renew it where needed.

    What is fresh is copied from the file that is there, the rest decoded. The new file is written
    beside it and renamed, so that there is never half a cache; of several processes one writes and
    the others wait.

    Parameters
    ----------
    file : str or Path
        Where it lies; its folder is made.
    paths : iterable of Path
        Images.
    threads : int
        Threads that decode.

    Returns
    -------
    CachedImages
        The cache, in which no image of these is stale.

    Raises
    ------
    OSError
        If the disk is too small for it; nothing is left behind.
    ValueError
        If an image cannot be used.

    Examples
    --------
    >>> import pathlib, tempfile, numpy as np
    >>> from skimage.io import imsave
    >>> from napari_anyir.training.cache import open_cache
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> imsave(folder / "1.png", np.full((4, 5, 3), 7, np.uint8), check_contrast=False)
    >>> int(open_cache(folder / "pixels.cache", [folder / "1.png"]).read(folder / "1.png").max())
    7
    """
    file = Path(file)
    wanted = list(dict.fromkeys(paths))
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{file}.lock"):
        old = None
        if file.exists():
            try:
                old = CachedImages(file)
            except ValueError:
                _log.warning("'%s' is damaged and is made anew.", file)
        stale = wanted if old is None else old.stale(wanted)
        if old is not None and not stale:
            return old
        # Those of another protocol that shares the file stay in it.
        wanted = list(dict.fromkeys([*wanted, *(old.fresh() if old else ())]))
        _log.info("Decoding %d of %d images into '%s'", len(stale), len(wanted), file)
        _write(file, wanted, set(stale), old, threads)
    return CachedImages(file)


def _write(
    file: Path, wanted: Sequence[Path], stale: set[Path], old: CachedImages | None, threads: int
) -> None:
    part = file.with_name(f"{file.name}.part")
    try:
        with part.open("wb") as stream:
            stream.write(bytes(16))
            rows = []
            fresh = _decoded([path for path in wanted if path in stale], threads)
            pixels: Pixels | None
            for path in wanted:
                before = path.stat()  # a source that changes meanwhile counts as changed
                pixels = next(fresh)[1] if path in stale or old is None else old.read(path)
                state = (before.st_size, before.st_mtime_ns)
                rows.append([str(path), *state, stream.tell(), *pixels.shape[:2]])
                stream.write(np.ascontiguousarray(pixels).data)
            end = stream.tell()
            stream.write(json.dumps(rows).encode())
            stream.seek(0)
            stream.write(_MAGIC + end.to_bytes(8, "little"))
            stream.flush()
            os.fsync(stream.fileno())
        if old is not None:
            pixels = None
            old.close()
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


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
    >>> from napari_anyir.training.cache import decoded_bytes
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
        `MemoryImages`, `CachedImages` or `DirectImages`.

    Raises
    ------
    ValueError
        If the mode is unknown, or is "file" and no file is named.

    Examples
    --------
    >>> from napari_anyir.training.cache import open_images
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
