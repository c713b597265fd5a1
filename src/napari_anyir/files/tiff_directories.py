"""Directories of a TIFF, walked through before their tags are read one by one."""

from __future__ import annotations

import struct
from pathlib import Path

from napari_anyir.errors import ImageFileError

__all__ = ["check_directories"]

_SUB = 330  # tag that says where directories below this one lie
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_SIZES |= {16: 8, 17: 8, 18: 8}
_OVERLAPS = 8  # so many times may values lie in the same bytes, as some programs store them
_SLACK = 2**20


def check_directories(path: Path) -> None:
    """Refuse a TIFF whose directories, or the values of their tags, take more than its bytes.

    A damaged place leads into pixels; taken for thousands of tags, or for a chain of directories
    that lie in each other, these are read for minutes.

    Parameters
    ----------
    path : Path
        A file; what is no TIFF is passed over.

    Raises
    ------
    ImageFileError
        A reason, in words.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> path = Path(tempfile.mkdtemp()) / "a.tif"
    >>> Image.new("L", (4, 3)).save(path)
    >>> check_directories(path)  # nothing is said
    """
    held = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(16).ljust(16, b"\0")
        order = {b"II": "<", b"MM": ">"}.get(head[:2], "")
        if not order:
            return
        big = struct.unpack_from(f"{order}H", head, 2) == (43,)
        counted, entry, word = ("Q", "HHQQ", "Q") if big else ("H", "HHII", "I")
        width, room = struct.calcsize(f"{order}{word}"), struct.calcsize(f"{order}{counted}")
        places = list(struct.unpack_from(f"{order}{word}", head, 8 if big else 4))
        listed = valued = 0
        while places:
            at = places.pop()
            if not 0 < at <= held - room:
                continue  # tifffile says what it thinks of this
            file.seek(at)
            (count,) = struct.unpack(f"{order}{counted}", file.read(room))
            size = count * struct.calcsize(f"{order}{entry}")
            listed += room + size + width
            if listed > held:
                raise ImageFileError("its directories lie in each other; it is damaged or cut off")
            data = file.read(size + width)
            for tag, kind, number, value in struct.iter_unpack(f"{order}{entry}", data[:size]):
                taken = _SIZES.get(kind, 0) * number
                if width < taken <= held:
                    valued += taken
                if tag == _SUB and number == 1:
                    places.append(value)
                elif tag == _SUB and taken <= held and _SIZES.get(kind) == width:
                    file.seek(value)
                    below = file.read(taken)
                    below = below[: len(below) - len(below) % width]
                    places += [at for (at,) in struct.iter_unpack(f"{order}{word}", below)]
            if valued > _OVERLAPS * held + _SLACK:
                raise ImageFileError("its tags claim more than it holds; it is damaged")
            if len(data) == size + width:
                places += struct.unpack_from(f"{order}{word}", data, size)
