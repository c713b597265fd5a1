"""Strips and tiles of a TIFF, looked at before they are decoded."""

from __future__ import annotations

import io
import math
import warnings
from typing import Any

from PIL import Image

from napari_anyir.errors import ImageFileError
from napari_anyir.files.packed import check_packed
from napari_anyir.files.picture_heads import claimed_pixels

__all__ = ["check_segments"]

_SLACK = 2**20  # bytes, or pixels, by which a strip or tile may be larger than it should be
_PACKED = {"ADOBE_DEFLATE": "zlib", "DEFLATE": "zlib", "LZMA": "lzma", "ZSTD": "zstd"}
_PACKED |= {"ZSTD_DEPRECATED": "zstd"}
# Whole pictures, whose own heads say how large they are, and are believed by their decoders.
_PICTURES = {
    "JPEG", "ALT_JPEG", "JPEG_LOSSY", "JPEG2000", "JPEG_2000_LOSSY", "APERIO_JP2000_RGB",
    "APERIO_JP2000_YCBC", "WEBP", "WEBP_DEPRECATED", "PNG", "JPEGXL", "JPEGXL_DNG", "JPEGXR",
    "JPEGXR_NDPI", "LERC",
}  # fmt: skip
_FORMATS = ("JPEG", "JPEG2000", "PNG", "WEBP")
_REVERSED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))


def check_segments(page: Any) -> None:
    """Refuse a page one of whose strips or tiles becomes more than the page has.

    Parameters
    ----------
    page : tifffile.TiffPage or tifffile.TiffFrame
        From an open file, whose position is moved.

    Raises
    ------
    ImageFileError
        A reason, in words.
    Exception
        What decoders raise at damaged bytes.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import tifffile
    >>> from pathlib import Path
    >>> path = Path(tempfile.mkdtemp()) / "a.tif"
    >>> tifffile.imwrite(path, np.zeros((64, 64), np.uint8), compression="zlib")
    >>> with tifffile.TiffFile(path) as file:
    ...     check_segments(file.pages[0])  # nothing is said
    """
    handle = page.parent.filehandle
    held = handle.size
    if (most := max(page.databytecounts, default=0)) > held:  # Python makes room before it reads
        raise ImageFileError(
            f"a piece of it claims {most:,} bytes, and the file has {held:,}; it is damaged or cut "
            "off"
        )
    frame = page.keyframe
    name = str(getattr(frame.compression, "name", frame.compression))
    if name not in _PACKED and name not in _PICTURES:
        return
    tile = math.prod(frame.tile) * frame.samplesperpixel if frame.is_tiled else 0
    pixels = max(math.prod(frame.shape), tile)
    closed = handle.closed  # the other files of a set
    if closed:
        handle.open()
    try:
        for place, size in zip(page.dataoffsets, page.databytecounts, strict=False):
            if place and size:
                handle.seek(place)
                _check(name, handle.read(size), frame, pixels)
    finally:
        if closed:
            handle.close()


def _check(name: str, data: bytes, frame: Any, pixels: int) -> None:
    """Refuse one strip or tile."""
    if name in _PACKED:
        data = data.translate(_REVERSED) if frame.fillorder == 2 else data
        check_packed(_PACKED[name], data, 2 * pixels * frame.dtype.itemsize + _SLACK)
    else:
        _check_picture(data, pixels)


def _check_picture(data: bytes, pixels: int) -> None:
    """Refuse a picture that says of itself that it is larger than its page."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            size = claimed_pixels(data) or 0
            if not size:
                with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                    size = math.prod(image.size)
        except Image.DecompressionBombError:
            size = 2 * Image.MAX_IMAGE_PIXELS  # type: ignore[operator]
        except Exception:  # noqa: BLE001 - tables alone, or damaged: its decoder says which
            return
    if size > 4 * pixels + _SLACK:
        raise ImageFileError(
            f"a piece of it claims {size:,} pixels, and its page has {pixels:,}; it is damaged"
        )
