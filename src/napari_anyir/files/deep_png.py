"""PNG with 16 bits and several samples, which Pillow reads as 8 bits and cannot write."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_anyir.errors import ImageFileError
from napari_anyir.files.claims import check_picture
from napari_anyir.files.png_chunks import SIGNATURE, head_of

__all__ = ["is_deep_colour", "read_deep_colour", "write_deep_colour"]

_COLOUR_TYPES = {2: 4, 3: 2, 4: 6}


def is_deep_colour(path: Path) -> bool:
    """Whether a file is a PNG with 16 bits per sample and more than one sample per pixel.

    Parameters
    ----------
    path : Path
        A file.

    Returns
    -------
    bool
        True if Pillow would lose its lower 8 bits.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.png"
    >>> Image.new("RGB", (4, 3)).save(path)
    >>> is_deep_colour(path)
    False
    """
    head = head_of(path)
    return head is not None and head[0] == 16 and head[1] in (2, 4, 6)


def read_deep_colour(path: Path) -> tuple[NDArray[np.uint16], Image.Image]:
    """Read RGB, RGBA or grey with alpha, of 16 bits.

    Pillow undoes compression, filters and interlacing, then keeps one byte of each sample. It is
    asked for the upper bytes, and then for the lower ones.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    array : numpy.ndarray
        Pixels (Y, X, S), uint16; grey with alpha as (grey, alpha).
    image : PIL.Image.Image
        What Pillow found beside them; its pixels are of no use.

    Raises
    ------
    ImageFileError
        If it is an animation.
    OSError
        If it is damaged.

    Examples
    --------
    >>> import tempfile
    >>> from napari_anyir.files import write_image
    >>> path = Path(tempfile.mkdtemp()) / "a.png"
    >>> _ = write_image(path, np.full((3, 4, 3), 1000, np.uint16))
    >>> int(read_deep_colour(path)[0][0, 0, 0])
    1000
    """
    halves = []
    # What Pillow calls the form in the file, and the form in which it gives one byte of each.
    for upper in (True, False):
        with Image.open(path, formats=("PNG",)) as image:
            if getattr(image, "n_frames", 1) > 1:
                raise ImageFileError(
                    "it is an animation of 16 bits; save its images as single files"
                )
            check_picture("PNG", image.size, 8, path.stat().st_size)
            tile = image.tile[0]
            raw = str(tile[3])
            if raw == "LA;16B":
                # Grey and alpha of 16 bits are four bytes, as red, green, blue and alpha of 8.
                image._mode = "RGBA"
                image.tile = [tile._replace(args="RGBA")]
                image.load()
                bytes_ = np.array(image, dtype=np.uint16)
                return ((bytes_[..., ::2] << 8) | bytes_[..., 1::2]).astype(np.uint16), image
            image.tile = [tile._replace(args=raw[:-1] + ("B" if upper else "L"))]
            image.load()
            halves.append(np.array(image, dtype=np.uint16))
    return ((halves[0] << 8) | halves[1]).astype(np.uint16), image


def write_deep_colour(
    path: Path | BinaryIO, array: NDArray[np.uint16], info: Mapping[str, Any]
) -> None:
    """Write RGB, RGBA or grey with alpha, of 16 bits.

    Parameters
    ----------
    path : Path or file
        Target.
    array : numpy.ndarray
        Pixels (Y, X, S), uint16.
    info : dict
        ``icc_profile`` (bytes), ``dpi`` (pair of float), ``exif`` (bytes) and ``pnginfo``
        (`PIL.PngImagePlugin.PngInfo`) are kept.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "deep.png"
    >>> pixels = np.arange(24, dtype=np.uint16).reshape(2, 4, 3) * 2000
    >>> write_deep_colour(path, pixels, {})
    >>> bool((read_deep_colour(path)[0] == pixels).all())
    True
    """
    height, width, samples = array.shape
    rows = array.astype(">u2").reshape(height, width * samples).view(np.uint8)
    filtered = np.empty((height, 1 + rows.shape[1]), np.uint8)
    filtered[:, 0] = 2  # "up": each byte less the one above it
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 16, _COLOUR_TYPES[samples], 0, 0, 0))
    ]
    if profile := info.get("icc_profile"):
        chunks.append((b"iCCP", b"ICC profile\0\0" + zlib.compress(profile)))
    pnginfo = info.get("pnginfo")
    for name, data, *_ in pnginfo.chunks if pnginfo is not None else ():
        if not (profile and name == b"sRGB"):  # the two exclude each other
            chunks.append((name, data))
    if dpi := info.get("dpi"):
        per_metre = [round(float(value) / 0.0254) for value in dpi]
        chunks.append((b"pHYs", struct.pack(">IIB", *per_metre, 1)))
    if exif := info.get("exif"):
        chunks.append((b"eXIf", exif.removeprefix(b"Exif\0\0")))
    chunks += [(b"IDAT", zlib.compress(filtered.tobytes(), 6)), (b"IEND", b"")]
    with path.open("wb") if isinstance(path, Path) else nullcontext(path) as file:
        file.write(SIGNATURE)
        for name, data in chunks:
            check = zlib.crc32(name + data)
            file.write(struct.pack(">I", len(data)) + name + data + struct.pack(">I", check))
