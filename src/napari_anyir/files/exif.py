"""EXIF between the formats: one block in PNG, JPEG and WebP, directories of a TIFF.

The block is kept as its makers wrote it. Only where it must be cut or laid out anew is it taken
apart, by Pillow, and then tag by tag: one that cannot be written costs no other.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tifffile
from PIL import Image, TiffImagePlugin

__all__ = [
    "DIRECTORIES",
    "add_directories",
    "block_of",
    "directories_of",
    "placeholders",
    "shortened",
    "texts_of",
]

DIRECTORIES = {34665: "Exif", 34853: "GPS"}
"""Tags of a TIFF that point to a directory of their own."""

_TEXTS = (270, 271, 272, 306, 315, 33432)  # description, maker, model, time, artist, copyright
_HEADER = b"II\x2a\x00\x08\x00\x00\x00"
_LONGEST_FIRST = (0x927C, 0x9286, 0xEA1C)  # maker's note, comment of the user, padding


def _loaded(block: bytes) -> Image.Exif:
    exif = Image.Exif()
    exif.load(block)
    return exif


def texts_of(block: bytes) -> dict[int, str]:
    """Texts of a block that a TIFF keeps in tags of its own.

    Parameters
    ----------
    block : bytes
        EXIF; empty or broken blocks hold none.

    Returns
    -------
    dict of int to str
        Tag to text.

    Examples
    --------
    >>> exif = Image.Exif()
    >>> exif[271] = "Maker"
    >>> texts_of(exif.tobytes())
    {271: 'Maker'}
    """
    found: dict[int, str] = {}
    with contextlib.suppress(Exception):  # what Pillow raises at broken blocks has no base class
        exif = _loaded(block)
        for tag in _TEXTS:
            value = exif.get(tag)
            if isinstance(value, bytes):
                value = value.decode("utf-8", "replace")
            if isinstance(value, str) and value.strip("\0 "):
                # Pillow takes the bytes of a text for Latin-1; today's programs write UTF-8.
                with contextlib.suppress(UnicodeError):
                    value = value.encode("latin-1").decode("utf-8")
                found[tag] = value.strip("\0")
    return found


def directories_of(block: bytes | Image.Exif) -> dict[int, dict[int, Any]]:
    """Directories of a block, with what can be written again.

    Parameters
    ----------
    block : bytes or PIL.Image.Exif
        EXIF.

    Returns
    -------
    dict of int to dict
        Number of `DIRECTORIES` to tags and values; empty ones are left out.

    Examples
    --------
    >>> exif = Image.Exif()
    >>> exif.get_ifd(0x8769)[0x829A] = 0.5  # an exposure of half a second
    >>> directories_of(exif)[0x8769][0x829A]
    0.5
    """
    found: dict[int, dict[int, Any]] = {}
    with contextlib.suppress(Exception):  # see texts_of
        exif = _loaded(block) if isinstance(block, bytes) else block
        for number in DIRECTORIES:
            tags = {
                tag: value
                for tag, value in exif.get_ifd(number).items()
                if not isinstance(value, Mapping) and _packed({tag: value}, 8)
            }
            if tags:
                found[number] = tags
    return found


def _packed(tags: Mapping[int, Any], offset: int) -> bytes:
    """A directory as it stands at an offset of a little-endian file; nothing if it cannot be."""
    try:
        directory = TiffImagePlugin.ImageFileDirectory_v2(ifh=_HEADER)
        for tag, value in tags.items():
            directory[tag] = value
        return directory.tobytes(offset)
    except Exception:  # noqa: BLE001 - odd types and values raise whatever they run into
        return b""


def block_of(texts: Mapping[int, str], directories: Mapping[int, Mapping[int, Any]]) -> bytes:
    """Put a block together.

    Parameters
    ----------
    texts : mapping of int to str
        As from `texts_of`.
    directories : mapping of int to mapping
        As from `directories_of`.

    Returns
    -------
    bytes
        EXIF; empty if there is nothing to say.

    Examples
    --------
    >>> texts_of(block_of({315: "Zoë"}, {}))
    {315: 'Zoë'}
    """
    exif = Image.Exif()
    for tag, text in texts.items():
        exif[tag] = text.encode()
    for number, tags in directories.items():
        exif[number] = dict(tags)
    try:
        return exif.tobytes() if len(exif) else b""
    except Exception:  # noqa: BLE001 - see _packed
        return b""


def shortened(block: bytes, limit: int) -> bytes:
    """Leave out what is long, until a block is short enough.

    Parameters
    ----------
    block : bytes
        EXIF.
    limit : int
        Bytes that it may have.

    Returns
    -------
    bytes
        The same block if it is short enough; empty if nothing helps.

    Examples
    --------
    >>> block = block_of({}, {})
    >>> shortened(block, 10_000) == block
    True
    """
    if len(block) <= limit:
        return block
    texts, directories = texts_of(block), directories_of(block)
    for tags in directories.values():
        for tag in _LONGEST_FIRST:
            tags.pop(tag, None)
            if len(short := block_of(texts, directories)) <= limit:
                return short
    short = block_of({tag: text[:200] for tag, text in texts.items()}, {})
    return short if len(short) <= limit else b""


def placeholders(block: bytes) -> list[tuple[int, str, int, int, bool]]:
    """Tags that `add_directories` turns into those of the directories.

    tifffile writes no such directories; it writes these, which stand at the same places.

    Parameters
    ----------
    block : bytes
        EXIF.

    Returns
    -------
    list of tuple
        ``extratags`` for `tifffile.imwrite`.

    Examples
    --------
    >>> placeholders(block_of({}, {}))
    []
    """
    return [(number - 1, "I", 1, 0, True) for number in directories_of(block)]


def add_directories(path: Path, block: bytes) -> None:
    """Put the directories of a block at the end of a TIFF that has their placeholders.

    Parameters
    ----------
    path : Path
        A little-endian TIFF below 4 GB; others stay as they are.
    block : bytes
        EXIF.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> path = Path(tempfile.mkdtemp()) / "a.tif"
    >>> tifffile.imwrite(path, np.zeros((8, 8), np.uint8))
    >>> before = path.read_bytes()
    >>> add_directories(path, block_of({}, {}))  # it has no placeholders, so it stays as it is
    >>> path.read_bytes() == before
    True
    """
    with tifffile.TiffFile(path) as tif:
        tags = tif.pages[0].tags  # type: ignore[union-attr]
        places = {number: tags[number - 1].offset for number in DIRECTORIES if number - 1 in tags}
        if tif.is_bigtiff or tif.byteorder != "<":
            return
    found = directories_of(block)
    with path.open("r+b") as file:
        for number, place in places.items():
            end = file.seek(0, 2)
            end += end % 2
            packed = _packed(found[number], end)
            if not packed or end + len(packed) > 2**32 - 1:
                continue
            file.seek(end)
            file.write(packed)
            file.seek(place)
            file.write(struct.pack("<HHII", number, 4, 1, end))
