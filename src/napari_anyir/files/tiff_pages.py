"""Pixels of a TIFF: read whole, or left in the file and read page by page."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from napari_anyir.errors import ImageFileError

__all__ = ["Pages", "complaints", "read_series"]


class _Collector(logging.Handler):
    """Keep what one thread logs."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.thread = threading.get_ident()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self.thread:
            self.messages.append(record.getMessage())


@contextmanager
def complaints() -> Iterator[list[str]]:
    """Collect the errors that tifffile logs where it does not raise.

    A file cut off behind its first page is opened as a file of one page, and only the log says so.

    Yields
    ------
    list of str
        Filled while the block runs.
    """
    collector = _Collector()
    logger = logging.getLogger("tifffile")
    logger.addHandler(collector)
    try:
        yield collector.messages
    finally:
        logger.removeHandler(collector)


def read_series(series: Any, path: Path) -> NDArray[Any]:
    """Read all pages of a series.

    Parameters
    ----------
    series : tifffile.TiffPageSeries
        From an open file.
    path : Path
        The file, for Pillow where tifffile lacks the codec.

    Returns
    -------
    numpy.ndarray
        In the shape of the series.

    Raises
    ------
    ImageFileError
        If the compression cannot be undone.
    """
    try:
        return np.asarray(series.asarray())
    except (ValueError, ImportError) as error:  # no codec, or one that a younger Python has
        if isinstance(error, ValueError) and "imagecodecs" not in str(error):
            raise
        pages = [_read_with_pillow(path, page.index, page, error) for page in series.pages]
        return np.stack(pages).reshape(series.shape)


def _name(number: Any) -> str:
    """Name of a compression, or its number where tifffile knows no name."""
    return str(getattr(number, "name", number))


def _read_with_pillow(path: Path, index: int, page: Any, error: Exception) -> NDArray[Any]:
    """Read a page through libtiff, which knows LZW and JPEG, if Pillow can hold its pixels."""
    needs = (
        f"its compression ({_name(page.keyframe.compression)}) needs one more package; "
        "pip install 'napari-anyir[codecs]'"
    )
    try:
        with Image.open(path, formats=("TIFF",)) as image:
            image.seek(index)
            array = np.array(image)
    except Exception:  # noqa: BLE001 - whatever Pillow says, the package is the remedy
        raise ImageFileError(needs) from error
    if array.dtype != page.keyframe.dtype.newbyteorder("=") or array.shape != page.keyframe.shape:
        raise ImageFileError(needs) from error
    return array


class Pages:
    """A series whose pages are read when they are asked for.

    It can be sliced, pickled and sent to another process, which opens the file anew.

    Parameters
    ----------
    path : Path
        The file.
    shape : tuple of int
        Shape of the first series.
    page_shape : tuple of int
        Shape of one page: the last axes of ``shape``.
    dtype : numpy.dtype
        Type of the pixels.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "stack.tif"
    >>> stack = np.arange(24).reshape(2, 3, 4)
    >>> tifffile.imwrite(path, stack, compression="zlib", photometric="minisblack")
    >>> Pages(path, (2, 3, 4), (3, 4), stack.dtype)[1:, 2:].tolist()
    [[[20, 21, 22, 23]]]
    """

    def __init__(
        self, path: Path, shape: tuple[int, ...], page_shape: tuple[int, ...], dtype: Any
    ) -> None:
        self.path = path
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self.ndim = len(shape)
        self._stacked = len(shape) - len(page_shape)
        self._file: Any = None
        self._lock = threading.Lock()

    @classmethod
    def of(cls, path: Path, series: Any) -> Pages | None:
        """Pages of a series; None where pages and axes do not match, as in broken OME-TIFF.

        Parameters
        ----------
        path : Path
            The file.
        series : tifffile.TiffPageSeries
            Its first series.

        Returns
        -------
        Pages or None
            Something that can be sliced.
        """
        page = tuple(series.keyframe.shape)
        stacked = len(series.shape) - len(page)
        if stacked < 0 or tuple(series.shape[stacked:]) != page:
            return None
        if math.prod(series.shape[:stacked]) != len(series.pages) or None in list(series.pages):
            return None
        return cls(path, tuple(series.shape), page, series.dtype)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path, self.shape, self.shape[self._stacked :], self.dtype)

    def __del__(self) -> None:
        if getattr(self, "_file", None) is not None:
            self._file.close()

    def __getitem__(self, index: Any) -> NDArray[Any]:
        index = index if isinstance(index, tuple) else (index,)
        if Ellipsis in index:
            at = index.index(Ellipsis)
            index = (*index[:at], *(slice(None),) * (self.ndim - len(index) + 1), *index[at + 1 :])
        index += (slice(None),) * (self.ndim - len(index))
        stack = self.shape[: self._stacked]
        wanted = np.arange(math.prod(stack)).reshape(stack)[index[: self._stacked]]
        inner = index[self._stacked :]
        with self._lock:  # one file position for all
            if self._file is None:
                self._file = tifffile.TiffFile(self.path)
            series = self._file.series[0]
            pages = [self._read(series.pages[int(i)])[inner] for i in np.ravel(wanted)]
        return np.stack(pages).reshape(*np.shape(wanted), *pages[0].shape)

    def _read(self, page: Any) -> NDArray[Any]:
        try:
            return np.asarray(page.asarray())
        except (ValueError, ImportError) as error:
            if isinstance(error, ValueError) and "imagecodecs" not in str(error):
                raise
            return _read_with_pillow(self.path, page.index, page, error)
