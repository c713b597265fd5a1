"""Images that lie in several TIFF files, which together are one: OME-TIFF and NDTiff."""

from __future__ import annotations

import logging
import math
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import tifffile

from napari_anyir.errors import ImageFileError
from napari_anyir.files.tiff_pages import complaints

__all__ = ["OmeSet", "find_set", "is_tiff_name", "others_of_sets"]

_INDEX = "NDTiff.index"
_NDTIFF = 483729  # what stands behind the head of each of its files
_SPARSE, _FEW = 100, 10_000  # so many more planes than there are may an index claim


@dataclass(frozen=True)
class OmeSet:
    """The files of one image.

    Parameters
    ----------
    master : Path
        The file whose OME-XML describes the whole; a member, or a ``.companion.ome`` without
        pixels. Of an NDTiff, which ``NDTiff.index`` describes, its first file.
    files : tuple of Path
        The files with pixels, in order, there or not.

    Examples
    --------
    >>> found = OmeSet(Path("a.companion.ome"), (Path("not-there.ome.tif"),))
    >>> [path.name for path in found.missing]
    ['not-there.ome.tif']
    """

    master: Path
    files: tuple[Path, ...]

    @property
    def missing(self) -> tuple[Path, ...]:
        """Files that are not there."""
        return tuple(path for path in self.files if not path.is_file())


def find_set(path: Path) -> OmeSet | None:
    """Find the files that belong to a TIFF.

    Parameters
    ----------
    path : Path
        A TIFF file.

    Returns
    -------
    OmeSet or None
        None if the image lies in this file alone, or if the file cannot be read: whoever reads
        its pixels says why.

    Raises
    ------
    ImageFileError
        If the file with the description of the set is missing, or a name leads out of its folder.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> path = Path(tempfile.mkdtemp()) / "a.ome.tif"
    >>> tifffile.imwrite(path, np.zeros((4, 4), np.uint8))
    >>> find_set(path) is None
    True
    """
    if (listed := _ndtiff_names(path)) is not None:
        files = tuple(_beside(path, name) for name in listed)
        return OmeSet(files[0], files) if files and files != (path,) else None
    try:
        text = _comment(path)
    except Exception:  # noqa: BLE001 - damaged files are told of by their reader
        return None
    root = _parsed(text)
    if root is None:
        return None
    master = path
    for element in root.iter():
        if element.tag.endswith("BinaryOnly") and element.get("MetadataFile"):
            master = _beside(path, str(element.get("MetadataFile")))
            if not master.is_file():
                raise ImageFileError(
                    f"it is a part of an OME-TIFF set whose description '{master.name}' is "
                    "missing; put all files of the set into one folder"
                )
            root = _parsed(_description(master))
            if root is None:
                raise ImageFileError(f"the description '{master.name}' of its set cannot be read")
            break
    names = dict.fromkeys(
        str(element.get("FileName"))
        for element in root.iter()
        if element.tag.endswith("UUID") and element.get("FileName")
    )
    files = tuple(_beside(path, name) for name in names)
    # A file that was renamed names itself by its old name, and is no set.
    if not files or (len(files) == 1 and master == path):
        return None
    return OmeSet(master, files)


def is_tiff_name(path: Path) -> bool:
    """Whether a name ends like that of a TIFF.

    Parameters
    ----------
    path : Path
        A file name.

    Returns
    -------
    bool
        False for a description without pixels.

    Examples
    --------
    >>> is_tiff_name(Path("a.ome.TIF")), is_tiff_name(Path("a.companion.ome"))
    (True, False)
    """
    return path.suffix.lower() in (".tif", ".tiff", ".btf", ".tf8", ".tf2")


def others_of_sets(paths: Iterable[Path]) -> dict[Path, Path]:
    """Find files whose image another file of the list gives already.

    Parameters
    ----------
    paths : iterable of Path
        Images of any format, in order.

    Returns
    -------
    dict of Path to Path
        Such a file to the first of its set.

    Examples
    --------
    >>> others_of_sets([Path("a.png"), Path("b.png")])
    {}
    """
    first: dict[Path, Path] = {}
    others: dict[Path, Path] = {}
    for path in paths:
        if not is_tiff_name(path) or not path.is_file():
            continue
        real = path.resolve()
        if real in first:
            others[path] = first[real]
            continue
        try:
            found = find_set(path)
        except ImageFileError:  # its reader says why
            found = None
        if found is not None:
            first |= {file.resolve(): path for file in (*found.files, found.master)}
    return others


def _beside(path: Path, name: str) -> Path:
    if Path(name).name != name or name in ("", ".", ".."):
        raise ImageFileError(f"its description names '{name}' outside of its folder")
    return path.with_name(name)


def _ndtiff_names(path: Path) -> list[str] | None:
    """Names of the files of an NDTiff; None if a file is none, or its index cannot be read."""
    index = path.with_name(_INDEX)
    try:
        if not index.is_file():
            return None
        with path.open("rb") as file:
            head = file.read(12)
        order = {b"II": "<", b"MM": ">"}[head[:2]]
        if struct.unpack(f"{order}I", head[8:]) != (_NDTIFF,):
            return None
        with complaints(logging.WARNING) as heard:
            entries = list(tifffile.read_ndtiff_index(index))
    except Exception:  # noqa: BLE001 - damaged files are told of by their reader
        return None
    if heard or not entries:  # tifffile would take what stands before the damage
        raise ImageFileError(f"the index of its set, '{_INDEX}', is damaged or cut off")
    places: dict[str, set[Any]] = {}
    for entry in entries:
        for axis, place in entry[0].items():
            places.setdefault(axis, set()).add(place)
    # As many planes are listed as lie between the first and the last along each axis.
    count = math.prod(_extent(found) for found in places.values())
    if count > _SPARSE * len(entries) + _FEW:
        raise ImageFileError(
            f"its index lists {len(entries):,} planes as a part of {count:,}; it is damaged"
        )
    return list(dict.fromkeys(entry[1] for entry in entries))


def _extent(places: set[Any]) -> int:
    numbers = [place for place in places if isinstance(place, int)]
    return max(numbers) - min(numbers) + 1 if numbers else len(places)


def _description(path: Path) -> str | bytes | None:
    if is_tiff_name(path):
        return _comment(path)
    return path.read_bytes()


def _comment(path: Path) -> Any:
    """Description of the first page; what tifffile has to say beside it, its reader tells."""
    with complaints():
        return tifffile.tiffcomment(path)


def _parsed(text: str | bytes | None) -> ET.Element | None:
    """The root of an OME-XML; None if a text is another."""
    data = text.encode() if isinstance(text, str) else text or b""
    if b"<OME" not in data and b":OME" not in data:
        return None
    try:
        return ET.fromstring(data)  # expat expands no external entities
    except ET.ParseError:
        return None
