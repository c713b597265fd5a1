"""PNG with 16 bits per colour, which Pillow reads as 8 bits and cannot write."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_anyir.errors import ImageFileError

__all__ = ["is_deep_colour", "read_deep_colour", "write_deep_colour"]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPES = {3: 2, 4: 6}


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
    """
    with path.open("rb") as file:
        head = file.read(26)
    return head[:8] == _SIGNATURE and head[12:16] == b"IHDR" and head[24] == 16 and head[25] != 0


def read_deep_colour(path: Path) -> tuple[NDArray[np.uint16], dict[str, Any]]:
    """Read RGB or RGBA of 16 bits.

    Pillow undoes compression, filters and interlacing, then keeps one byte of each sample. It is
    asked twice, once for each byte.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    array : numpy.ndarray
        Pixels (Y, X, S), uint16.
    info : dict
        What Pillow found beside them.

    Raises
    ------
    ImageFileError
        If the file is grey with alpha.
    OSError
        If it is damaged.
    """
    halves = []
    for byte in ("B", "L"):  # of big-endian samples: the upper byte, the lower byte
        with Image.open(path) as image:
            tile = image.tile[0]
            raw = str(tile[3])
            if not raw.endswith(";16B") or raw.startswith("LA"):
                raise ImageFileError(
                    "grey with alpha in 16 bits is not read; save it as grey or RGBA"
                )
            image.tile = [tile._replace(args=raw[:-1] + byte)]
            image.load()
            halves.append(np.array(image, dtype=np.uint16))
            info = {str(name): value for name, value in image.info.items()}
    return ((halves[0] << 8) | halves[1]).astype(np.uint16), info


def write_deep_colour(path: Path, array: NDArray[np.uint16], info: dict[str, Any]) -> None:
    """Write RGB or RGBA of 16 bits.

    Parameters
    ----------
    path : Path
        Target.
    array : numpy.ndarray
        Pixels (Y, X, S), uint16.
    info : dict
        ``icc_profile`` (bytes), ``dpi`` (pair of float) and ``exif`` (bytes) are kept.

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
    if dpi := info.get("dpi"):
        per_metre = [round(float(value) / 0.0254) for value in dpi]
        chunks.append((b"pHYs", struct.pack(">IIB", *per_metre, 1)))
    if exif := info.get("exif"):
        chunks.append((b"eXIf", exif.removeprefix(b"Exif\0\0")))
    chunks += [(b"IDAT", zlib.compress(filtered.tobytes(), 6)), (b"IEND", b"")]
    with path.open("wb") as file:
        file.write(_SIGNATURE)
        for name, data in chunks:
            check = zlib.crc32(name + data)
            file.write(struct.pack(">I", len(data)) + name + data + struct.pack(">I", check))
