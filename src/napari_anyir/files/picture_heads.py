"""How large a picture in a strip or tile says it is, of kinds that Pillow does not know.

Their decoders believe the head and make room for it, be it a thousand times the page.
"""

from __future__ import annotations

import struct

__all__ = ["claimed_pixels"]

_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))  # of width to height


def claimed_pixels(data: bytes) -> int | None:
    """Read the number of pixels off the head of JPEG XL, JPEG XR or LERC.

    Parameters
    ----------
    data : bytes
        A strip or tile.

    Returns
    -------
    int or None
        Width times height (times the values per pixel of LERC); None for other kinds, and for
        heads that are damaged.

    Examples
    --------
    >>> claimed_pixels(bytes.fromhex("ff0a58899e0f"))  # JPEG XL of 2000 x 300
    600000
    """
    try:
        if data.startswith(b"\xff\x0a"):
            return _jpeg_xl(data[2:14])
        if data[4:8] == b"JXL ":  # in boxes, the picture in jxlc, or in parts in jxlp
            at = data.find(b"jxlc")
            at = at + 4 if at >= 0 else data.index(b"jxlp") + 8
            return _jpeg_xl(data[at + 2 : at + 14])
        if data.startswith(b"II\xbc"):
            return _jpeg_xr(data)
        if data.startswith(b"Lerc2 "):
            (version,) = struct.unpack_from("<i", data, 6)
            height, width, values = struct.unpack_from("<3I", data, 14 if version > 2 else 10)
            return int(height * width * (max(1, values) if version > 3 else 1))
        if data.startswith(b"CntZImage "):
            height, width = struct.unpack_from("<2I", data, 18)
            return int(height * width)
    except (ValueError, IndexError, struct.error):
        pass
    return None


def _jpeg_xl(data: bytes) -> int:
    """Width times height by the first bits of a codestream, lowest bit first (ISO 18181-1)."""
    bits = int.from_bytes(data, "little")

    def take(count: int) -> int:
        nonlocal bits
        value = bits & ((1 << count) - 1)
        bits >>= count
        return value

    small = take(1)

    def side() -> int:
        return 8 * (take(5) + 1) if small else take((9, 13, 18, 30)[take(2)]) + 1

    height = side()
    ratio = take(3)
    if not ratio:
        return side() * height
    across, down = _RATIOS[ratio - 1]
    return height * across // down * height


def _jpeg_xr(data: bytes) -> int:
    """Width times height by the tags of a directory like that of a TIFF (ITU-T T.832)."""
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    sides = {}
    for number in range(count):
        tag, kind, _, value = struct.unpack_from("<HHII", data, at + 2 + 12 * number)
        sides[tag] = value & 0xFFFF if kind == 3 else value
    return int(sides.get(0xBC80, 0) * sides.get(0xBC81, 0))
