"""Compressed bytes, looked at before a native decoder is let loose on them.

What unpacks to far more than there should be fills the memory, and Blosc, which is not told how
many bytes it is given, reads behind their end when its head is damaged: the process dies.
"""

from __future__ import annotations

import bz2
import lzma
import struct
import zlib
from collections.abc import Callable
from typing import Any

from napari_anyir.errors import ImageFileError

__all__ = ["KNOWN", "check_packed"]

_STEP = 2**24  # bytes that are unpacked at a time, and thrown away, to be counted
_MOST_MEMORY = 2**30  # bytes of dictionary that LZMA may ask for
_ZSTD_BLOCK = 2**17  # bytes that one block of Zstandard gives at most
_ALWAYS = 2**28  # bytes that may come of a frame which does not say its size
_BLOSC = 16  # bytes of Blosc's head


def check_packed(codec: str, data: bytes, limit: int) -> None:
    """Refuse bytes that would become more than expected, or that their decoder cannot bear.

    Parameters
    ----------
    codec : str
        One of `KNOWN`; others are passed over.
    data : bytes
        What is to be unpacked.
    limit : int
        Bytes that may come out.

    Raises
    ------
    ImageFileError
        A reason, in words.
    Exception
        What the standard library raises at damaged bytes.

    Examples
    --------
    >>> check_packed("gzip", zlib.compress(bytes(1000), wbits=31), 1000)
    >>> check_packed("zlib", zlib.compress(bytes(1001)), 1000)
    Traceback (most recent call last):
    ...
    napari_anyir.errors.ImageFileError: a piece of it unpacks to more than the 1,000 bytes that ...
    """
    if codec in KNOWN:
        KNOWN[codec](data, limit)


def _refuse_more(size: int, limit: int) -> None:
    if size > limit:
        raise ImageFileError(
            f"a piece of it unpacks to more than the {limit:,} bytes that are expected; it is "
            "damaged, or made to fill the memory"
        )


def _counting(engine: Callable[[], Any], streams: bool = True) -> Callable[[bytes, int], None]:
    """Count what a decoder of the standard library gives, without keeping it."""

    def check(data: bytes, limit: int) -> None:
        total, first = 0, True
        while data:
            decoder, rest = engine(), data
            try:
                while not decoder.eof:
                    piece = decoder.decompress(rest, _STEP)
                    total += len(piece)
                    _refuse_more(total, limit)
                    rest = getattr(decoder, "unconsumed_tail", b"")
                    if not piece and not rest:
                        break  # cut off; the decoder proper says so
            except (OSError, zlib.error, lzma.LZMAError):
                if first:
                    raise
                break  # what follows a stream need not be another
            first = False
            data = decoder.unused_data if streams and decoder.eof else b""

    return check


def _check_lz4(data: bytes, limit: int) -> None:
    """Bytes of LZ4, before which numcodecs writes how many they become."""
    if len(data) < 4:
        raise ImageFileError("a chunk of it is cut off")
    _refuse_more(struct.unpack_from("<I", data)[0], limit)


def _check_blosc(data: bytes, limit: int) -> None:
    """Head of Blosc 1 and where its blocks begin (c-blosc, README_CHUNK_FORMAT)."""
    damaged = ImageFileError("a chunk of it is damaged or cut off (Blosc)")
    if len(data) < _BLOSC:
        raise damaged
    version, _, flags, width, size, block, held = struct.unpack_from("<4B3I", data)
    _refuse_more(size, limit)
    if version != 2 or held != len(data) or not width:
        raise damaged
    if not size:
        return
    if not 0 < block <= size:
        raise damaged
    if flags & 2:  # copied as they are
        if held != size + _BLOSC:
            raise damaged
        return
    count = -(-size // block)
    first = _BLOSC + 4 * count
    if first > held:
        raise damaged
    starts = struct.unpack_from(f"<{count}I", data, _BLOSC)
    if min(starts) < first or max(starts) + 4 > held:
        raise damaged


def _check_zstd(data: bytes, limit: int) -> None:
    """Content that frames of Zstandard claim, or can hold (RFC 8878, 3.1.1)."""
    total = at = 0
    while len(data) - at >= 6:
        magic = int.from_bytes(data[at : at + 4], "little")
        if magic & 0xFFFFFFF0 == 0x184D2A50:  # a frame without content
            at += 8 + int.from_bytes(data[at + 4 : at + 8], "little")
            continue
        if magic != 0xFD2FB528:
            return  # the decoder says what it thinks of this
        flags = data[at + 4]
        single = flags >> 5 & 1
        size = (1 if single else 0, 2, 4, 8)[flags >> 6]
        at += 5 + (not single) + (0, 1, 2, 4)[flags & 3]
        claimed = 0
        if size:
            claimed = int.from_bytes(data[at : at + size], "little") + (256 if size == 2 else 0)
            _refuse_more(total + claimed, limit)
        # A frame that tells its size is not let have more.
        at, most = _end_of_zstd(data, at + size, 2**63 if size else max(limit, _ALWAYS))
        total += claimed if size else most
        at += 4 * (flags >> 2 & 1)


def _end_of_zstd(data: bytes, at: int, limit: int) -> tuple[int, int]:
    """Where the blocks of a frame end, and how much they can hold at most."""
    total = 0
    while len(data) - at >= 3:
        head = int.from_bytes(data[at : at + 3], "little")
        kind, size = head >> 1 & 3, head >> 3
        total += size if kind < 2 else _ZSTD_BLOCK
        _refuse_more(total, limit)
        at += 3 + (1 if kind == 1 else size)
        if head & 1:
            break
    return at, total


KNOWN: dict[str, Callable[[bytes, int], None]] = {
    "zlib": _counting(zlib.decompressobj, streams=False),
    "gzip": _counting(lambda: zlib.decompressobj(31)),
    "bz2": _counting(bz2.BZ2Decompressor),
    "lzma": _counting(lambda: lzma.LZMADecompressor(memlimit=_MOST_MEMORY)),
    "lz4": _check_lz4,
    "blosc": _check_blosc,
    "zstd": _check_zstd,
}
"""Codecs by the names that Zarr gives them."""
