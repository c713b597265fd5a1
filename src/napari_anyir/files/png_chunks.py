"""Chunks of a PNG that say how its numbers are meant, which Pillow reads and does not write."""

from __future__ import annotations

import struct
from pathlib import Path

from napari_anyir.errors import ImageFileError

__all__ = ["SIGNATURE", "check_chunks", "head_of", "meanings_of"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KEPT = {b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"cICP": 4}  # and how long they are
_MOST = 4096  # chunks before the pixels that are looked at


def head_of(path: Path) -> tuple[int, int] | None:
    """Bit depth and colour type of a PNG.

    Parameters
    ----------
    path : Path
        A file.

    Returns
    -------
    depth : int
        Bits per sample.
    colours : int
        0 grey, 2 RGB, 3 palette, 4 grey with alpha, 6 RGBA.

        None instead of both if the file is no PNG.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> path = Path(tempfile.mkdtemp()) / "a.png"
    >>> Image.new("RGB", (4, 3)).save(path)
    >>> head_of(path)
    (8, 2)
    """
    with path.open("rb") as file:
        head = file.read(26)
    if len(head) < 26 or head[:8] != SIGNATURE or head[12:16] != b"IHDR":
        return None
    return head[24], head[25]


def meanings_of(path: Path) -> dict[bytes, bytes]:
    """Gamma, primaries and colour spaces that a PNG names.

    Parameters
    ----------
    path : Path
        A PNG.

    Returns
    -------
    dict of bytes to bytes
        Name of the chunk to its data, for gAMA, cHRM, sRGB and cICP.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> path = Path(tempfile.mkdtemp()) / "a.png"
    >>> Image.new("L", (4, 3)).save(path)
    >>> meanings_of(path)
    {}
    """
    found: dict[bytes, bytes] = {}
    with path.open("rb") as file:
        file.seek(len(SIGNATURE))
        for _ in range(_MOST):
            head = file.read(8)
            if len(head) < 8:
                break
            length, name = struct.unpack(">I4s", head)
            if name in (b"IDAT", b"IEND"):
                break
            if _KEPT.get(name) == length:
                found[name] = file.read(length)
                file.seek(4, 1)
            else:
                file.seek(length + 4, 1)
    return found


def check_chunks(path: Path) -> None:
    """Refuse a PNG one of whose chunks claims more bytes than the file has.

    Python makes room for what is asked for before it reads.

    Parameters
    ----------
    path : Path
        A file; what is no PNG is passed over.

    Raises
    ------
    ImageFileError
        With the name of the chunk.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> path = Path(tempfile.mkdtemp()) / "a.png"
    >>> Image.new("L", (4, 3)).save(path)
    >>> check_chunks(path)  # nothing is said
    """
    if head_of(path) is None:
        return
    held, at = path.stat().st_size, len(SIGNATURE)
    with path.open("rb") as file:
        while at + 8 <= held:
            file.seek(at)
            length, name = struct.unpack(">I4s", file.read(8))
            if length > held:
                raise ImageFileError(
                    f"its chunk {name.decode('latin-1')!r} claims {length:,} bytes, and the file "
                    f"has {held:,}; it is damaged or cut off"
                )
            if name == b"IEND":
                return
            at += 12 + length
