"""Pixels of a TIFF: read whole, or left in the file and read page by page."""

from __future__ import annotations

import logging
import math
import re
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
from napari_anyir.files.tiff_colours import photometric_of
from napari_anyir.files.tiff_segments import check_segments
from napari_anyir.files.upright import as_stored, check_orientation

__all__ = ["Pages", "complaints", "read_page", "read_series"]


class _Collector(logging.Handler):
    """Keep what one thread logs."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.thread = threading.get_ident()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self.thread:
            self.messages.append(record.getMessage())


@contextmanager
def complaints(level: int = logging.ERROR) -> Iterator[list[str]]:
    """Collect the errors that tifffile logs where it does not raise.

    A file cut off behind its first page is opened as a file of one page, and only the log says so.

    Parameters
    ----------
    level : int
        The least that is collected.

    Yields
    ------
    list of str
        DeferredArray while the block runs.

    Examples
    --------
    >>> with complaints() as heard:
    ...     logging.getLogger("tifffile").error("this page is cut off")
    >>> len(heard)
    1
    """
    collector = _Collector(level)
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

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.tif"
    >>> tifffile.imwrite(path, np.zeros((3, 8, 8), np.uint8))
    >>> with tifffile.TiffFile(path) as file:
    ...     read_series(file.series[0], path).shape
    (3, 8, 8)
    """
    pages = list(series.pages)
    if photometric_of(series.keyframe) != "YCBCR":
        try:
            for page in pages:
                check_segments(page)
            return np.asarray(series.asarray())
        except (ValueError, ImportError, NotImplementedError) as error:
            if not _lacks_codec(error):
                raise
    return np.stack([read_page(page) for page in pages]).reshape(series.shape)


def read_page(page: Any) -> NDArray[Any]:
    """Read the samples of a page as they are stored, but YCbCr as RGB.

    libtiff, through Pillow, knows LZW and JPEG, which tifffile leaves to imagecodecs, and the
    many ways of YCbCr.

    Parameters
    ----------
    page : tifffile.TiffPage or tifffile.TiffFrame
        From an open file.

    Returns
    -------
    numpy.ndarray
        In the shape of the page.

    Raises
    ------
    ImageFileError
        If the compression cannot be undone.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.tif"
    >>> tifffile.imwrite(path, np.full((8, 8), 7, np.uint8))
    >>> with tifffile.TiffFile(path) as file:
    ...     int(read_page(file.pages[0]).max())
    7
    """
    if photometric_of(page.keyframe) == "YCBCR":
        if (array := _with_pillow(page)) is not None:
            return array
        if _name(page.keyframe.compression) not in ("JPEG", "OJPEG"):  # tifffile makes RGB of these
            return _rgb_of(page)
    return _as_tifffile_reads(page)


def _rgb_of(page: Any) -> NDArray[Any]:
    """RGB of YCbCr that every pixel has whole, which not every Pillow reads from a TIFF."""
    tag = page.keyframe.tags.get("YCbCrSubSampling")
    whole = tag is not None and tuple(tag.value) == (1, 1)
    array = _as_tifffile_reads(page) if whole else np.empty(0)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[-1] != 3:
        raise ImageFileError("its colours are YCbCr of an unusual kind; save it as RGB")
    size = array.shape[1], array.shape[0]
    return np.array(Image.frombytes("YCbCr", size, array.tobytes()).convert("RGB"))


def _as_tifffile_reads(page: Any) -> NDArray[Any]:
    """Samples as they are stored, read by Pillow where tifffile lacks the codec."""
    handle = page.parent.filehandle
    closed = handle.closed  # the other files of a set
    if closed:
        handle.open()
    try:
        check_segments(page)
        return np.asarray(page.asarray())
    except (ValueError, ImportError, NotImplementedError) as error:
        if not _lacks_codec(error):
            raise
        if (array := _with_pillow(page)) is None:
            raise ImageFileError(
                f"{_what_needs_it(page.keyframe, error)} one more package; "
                "pip install 'napari-anyir[codecs]'"
            ) from error
        return array
    finally:
        if closed:
            handle.close()


def _lacks_codec(error: Exception) -> bool:
    """Whether a codec is missing, or one that only a younger Python has."""
    text = str(error)
    return isinstance(error, ImportError) or "imagecodecs" in text or "not supported" in text


def _what_needs_it(frame: Any, error: Exception) -> str:
    """What of a page it is that cannot be undone."""
    if "PREDICTOR" in str(error):
        return f"its predictor ({_name(frame.predictor)}) needs"
    if frame.compression == 1:
        return f"its samples of {frame.bitspersample} bits, packed without gaps, need"
    return f"its compression ({_name(frame.compression)}) needs"


def _name(number: Any) -> str:
    """Name of a compression, or its number where tifffile knows no name."""
    return str(getattr(number, "name", number))


def _with_pillow(page: Any) -> NDArray[Any] | None:
    """Samples of a page through libtiff, if Pillow can hold them; as stored, but YCbCr as RGB."""
    frame = page.keyframe
    try:
        with Image.open(page.parent.filehandle.path, formats=("TIFF",)) as image:
            image.seek(page.index)
            # Pillow exchanges black and white where the name of its raw mode ends so.
            raw = str(image.tile[0][3][0]) if image.tile and image.tile[0][3] else ""
            coded = photometric_of(frame) == "YCBCR"
            array = np.array(image.convert("RGB") if coded else image)
    except Exception:  # noqa: BLE001 - whatever Pillow says, the package is the remedy
        return None
    tag = frame.tags.get("Orientation")
    if frame.ndim >= 2 and tag is not None:  # which Pillow has applied
        array = as_stored(array, "YXS"[: array.ndim], check_orientation(tag.value))
    if re.search(r";\d*IR?$", raw):
        array = ~array if array.dtype.kind == "b" else np.invert(array)
    bits = frame.bitspersample
    if bits in (2, 4) and array.dtype == np.uint8 and photometric_of(frame) != "PALETTE":
        array = array // np.uint8(255 // (2**bits - 1))
    array = np.ascontiguousarray(array)
    fits = array.dtype == frame.dtype.newbyteorder("=") and array.shape == frame.shape
    return array if fits else None


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
    omexml : str, optional
        Description of a set of files that stands in a file without pixels.

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
        self,
        path: Path,
        shape: tuple[int, ...],
        page_shape: tuple[int, ...],
        dtype: Any,
        omexml: str | None = None,
    ) -> None:
        self.path = path
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self.omexml = omexml
        self.ndim = len(shape)
        self._stacked = len(shape) - len(page_shape)
        self._file: Any = None
        self._lock = threading.Lock()

    @classmethod
    def of(cls, path: Path, series: Any, omexml: str | None = None) -> Pages | None:
        """Pages of a series; None where pages and axes do not match, as in broken OME-TIFF.

        Parameters
        ----------
        path : Path
            The file.
        series : tifffile.TiffPageSeries
            Its first series.
        omexml : str, optional
            See above.

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
        return cls(path, tuple(series.shape), page, series.dtype, omexml)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (
            self.path,
            self.shape,
            self.shape[self._stacked :],
            self.dtype,
            self.omexml,
        )

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
        with self._lock, complaints():  # one file position for all
            if self._file is None:
                described: dict[str, Any] = {"omexml": self.omexml} if self.omexml else {}
                self._file = tifffile.TiffFile(self.path, **described)
            series = self._file.series[0]
            pages = [read_page(series.pages[int(i)])[inner] for i in np.ravel(wanted)]
        return np.stack(pages).reshape(*np.shape(wanted), *pages[0].shape)
