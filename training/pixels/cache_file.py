"""Images decoded once into one memory-mapped file, which many processes read."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from napari_anyir.training.pixels.cropping import Pixels
from napari_anyir.training.pixels.photos import read_all
from napari_anyir.training.writing import replace_file

_MAGIC = b"ANYIRPX1"
_log = logging.getLogger("napari_anyir.training")


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
    >>> from napari_anyir.training.pixels.cache_file import CachedImages
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
    >>> from napari_anyir.training.pixels.cache_file import open_cache
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
    def write(part: Path) -> None:
        with part.open("wb") as stream:
            stream.write(bytes(16))
            rows = []
            fresh = read_all([path for path in wanted if path in stale], threads)
            for path in wanted:
                before = path.stat()  # a source that changes meanwhile counts as changed
                pixels = next(fresh) if path in stale or old is None else old.read(path)
                state = (before.st_size, before.st_mtime_ns)
                rows.append([str(path), *state, stream.tell(), *pixels.shape[:2]])
                stream.write(np.ascontiguousarray(pixels).data)
            end = stream.tell()
            stream.write(json.dumps(rows).encode())
            stream.seek(0)
            stream.write(_MAGIC + end.to_bytes(8, "little"))
        if old is not None:
            del pixels  # may be a view of the file that is to be replaced
            old.close()

    replace_file(file, write)
