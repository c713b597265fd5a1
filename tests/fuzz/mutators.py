"""Seeded mutations of files: bits, lengths, cuts, tags of TIFF, chunks of PNG, values of JSON."""

from __future__ import annotations

import copy
import json
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

Random = np.random.Generator

_NUMBERS = (0, 1, 2, 3, 7, 8, 16, 255, 256, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1)
_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, 10**12, 10**400, "", "x", "../../etc/passwd", "\0", "é" * 300, [], {},
    [[]], [None], ["a", "b"], {"a": None}, [10**9] * 3, float("nan"), float("inf"), "x" * 5000,
)  # fmt: skip


def flip_bits(data: bytes, random: Random) -> bytes:
    """Flip some bits anywhere."""
    out = bytearray(data)
    for _ in range(int(random.integers(1, 20))):
        out[int(random.integers(len(out)))] ^= 1 << int(random.integers(8))
    return bytes(out)


def flip_head(data: bytes, random: Random) -> bytes:
    """Change bytes of the head, where sizes and kinds stand."""
    out = bytearray(data)
    for _ in range(int(random.integers(1, 4))):
        out[int(random.integers(min(len(out), 256)))] = int(random.integers(256))
    return bytes(out)


def cut(data: bytes, random: Random) -> bytes:
    """Cut the file off."""
    return data[: int(random.integers(1, len(data)))]


def overwrite_number(data: bytes, random: Random) -> bytes:
    """Put another number where a length, an offset or a size may stand."""
    size = int(random.choice((1, 2, 4, 8)))
    value = int(random.choice(_NUMBERS)) & (256**size - 1)
    if len(data) <= size:
        return data
    within = min(len(data), 512) if random.random() < 0.7 else len(data)
    at = int(random.integers(max(1, within - size)))
    order = "little" if random.random() < 0.5 else "big"
    return data[:at] + value.to_bytes(size, order) + data[at + size :]


def move_piece(data: bytes, random: Random) -> bytes:
    """Leave a piece out, double it, or put it elsewhere."""
    first, last = sorted(int(n) for n in random.integers(len(data), size=2))
    piece, at = data[first:last], int(random.integers(len(data)))
    choice = int(random.integers(3))
    if choice == 0:
        return data[:first] + data[last:] or data
    return data[:at] + piece + data[at:] if choice == 1 else data[:last] + piece + data[last:]


def edit_tag(data: bytes, random: Random) -> bytes:
    """Change the number, type, count or value of a tag of a little-endian TIFF."""
    if data[:4] != b"II*\0" or len(data) < 8:
        return flip_bits(data, random)
    out = bytearray(data)
    (at,) = struct.unpack_from("<I", data, 4)
    if at + 2 > len(data):
        return cut(data, random)
    (count,) = struct.unpack_from("<H", data, at)
    for _ in range(int(random.integers(1, 3))):
        entry = at + 2 + 12 * int(random.integers(max(1, count)))
        field = int(random.integers(5))
        value = int(random.choice(_NUMBERS))
        try:
            if field == 0:
                struct.pack_into("<H", out, entry, value & 0xFFFF)
            elif field == 1:
                struct.pack_into("<H", out, entry + 2, int(random.integers(20)))
            elif field == 2:
                struct.pack_into("<I", out, entry + 4, value)
            elif field == 3:
                struct.pack_into("<I", out, entry + 8, value)
            else:  # where the next page stands: nowhere, here again, or anywhere
                place = (0, at, int(random.integers(len(data))))[int(random.integers(3))]
                struct.pack_into("<I", out, at + 2 + 12 * count, place)
        except struct.error:
            return cut(data, random)
    return bytes(out)


def edit_chunk(data: bytes, random: Random) -> bytes:
    """Change a chunk of a PNG and make its checksum right again."""
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        return flip_bits(data, random)
    chunks, at = [], 8
    while at + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    number = int(random.integers(len(chunks)))
    name, content = chunks[number]
    if content:
        content = overwrite_number(content, random)
    if random.random() < 0.2:
        name = bytes(random.choice((b"IDAT", b"tRNS", b"PLTE", b"iCCP", b"eXIf", b"acTL", b"zTXt")))
    chunks[number] = (name, content)
    if random.random() < 0.2:
        chunks.insert(int(random.integers(len(chunks))), chunks[int(random.integers(len(chunks)))])
    out = data[:8]
    for name, content in chunks:
        check = struct.pack(">I", zlib.crc32(name + content))
        out += struct.pack(">I", len(content)) + name + content + check
    return out


def edit_json(data: bytes, random: Random) -> bytes:
    """Put another value in the place of one, leave a key out, or nest all too deeply."""
    try:
        values = json.loads(data)
    except (ValueError, RecursionError):
        return flip_bits(data, random)
    if random.random() < 0.02:
        return b"[" * 100000
    for _ in range(int(random.integers(1, 3))):
        places: list[tuple[Any, Any]] = []
        _places(values, places)
        if not places:
            break
        holder, key = places[int(random.integers(len(places)))]
        if isinstance(holder, dict) and random.random() < 0.15:
            del holder[key]
        else:
            holder[key] = copy.deepcopy(_VALUES[int(random.integers(len(_VALUES)))])
    return json.dumps(values).encode("utf-8", "surrogatepass")


def _places(values: Any, found: list[tuple[Any, Any]]) -> None:
    keys: Any = values if isinstance(values, dict) else range(len(values))
    for key in keys:
        found.append((values, key))
        if isinstance(values[key], dict | list):
            _places(values[key], found)


Mutator = Callable[[bytes, Random], bytes]

ANY: tuple[Mutator, ...] = (flip_bits, flip_head, cut, overwrite_number, move_piece)


def mutated(data: bytes, random: Random, special: tuple[Mutator, ...] = ()) -> bytes:
    """Mutate a file once or twice; the special ways are taken as often as all others together."""
    for _ in range(int(random.integers(1, 3))):
        ways = special if special and random.random() < 0.5 else ANY
        if len(data) < 2:
            break
        data = ways[int(random.integers(len(ways)))](data, random)
    return data
