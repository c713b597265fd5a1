"""Which files are images: one table of all formats, and what a name tells.

A line of the table is all that the rest of the package knows of a format: the names it goes by, who
reads and writes it, and what it can hold. Nothing is imported before a file is read or written.
"""

from __future__ import annotations

import importlib
import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = [
    "FORMATS",
    "PICTURES",
    "TABLE",
    "FileFormat",
    "PictureLimits",
    "extension_of",
    "format_of",
    "is_image_name",
    "stem_of",
]


@dataclass(frozen=True)
class PictureLimits:
    """What a picture can hold: one plane, grey or of some samples.

    Parameters
    ----------
    pillow : mapping of str to float
        What Pillow calls it, the name under which it writes first, and how many bytes of pixels one
        byte of such a file holds at most; see `napari_anyir.files.claims`.
    samples : tuple of int
        Numbers of samples (colours and alpha) that it can hold beside grey.
    bits : tuple of int
        Bits of a sample, all unsigned.
    longest : int
        Pixels of the longest side that it can have.
    densest : float
        Dots per inch that it can note at most.
    save : mapping
        Options with which Pillow writes it.

    Examples
    --------
    >>> TABLE["jpeg"].picture.samples
    (3,)
    """

    pillow: Mapping[str, float]
    samples: tuple[int, ...] = (3, 4)
    bits: tuple[int, ...] = (8,)
    longest: int = 2**31 - 1
    densest: float = 5e7
    save: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class FileFormat:
    """A format of image files.

    Parameters
    ----------
    name : str
        What the package calls it.
    title : str
        What users are told.
    suffixes : tuple of str
        Extensions, the usual one first.
    reader, writer : str
        ``"module:function"`` of this room. A reader takes the path, and by name what it needs of
        ``kind`` (the name) and ``lazy_above``; a writer the path, the array and the image it was
        made from, and by name what it needs of ``kind``, ``software`` and ``name`` (the target's).
    keeps : frozenset of str
        Metadata that it can hold, of `napari_anyir.files.fitting.KINDS`.
    texts : frozenset of str or None
        Texts that it has a place for; None takes all, if it keeps any.
    picture : PictureLimits or None
        Its limits, if it holds one plane and is read by Pillow.
    folder : bool
        Whether it is a folder.
    tried : bool
        Whether its metadata are tried on an image of a few pixels before work is done; its writer
        takes a stream then.

    Examples
    --------
    >>> TABLE["zarr"].title, TABLE["zarr"].folder
    ('OME-Zarr', True)
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    reader: str = "pictures:read_picture"
    writer: str = "pictures:write_picture"
    keeps: frozenset[str] = frozenset()
    texts: frozenset[str] | None = None
    picture: PictureLimits | None = None
    folder: bool = False
    tried: bool = True

    def read(self, path: Path, **given: Any) -> Any:
        """Read a file.

        Parameters
        ----------
        path : Path
            The file.
        **given
            What a reader may ask for: ``lazy_above``.

        Returns
        -------
        ImageFile
            What is in it.
        """
        return _call(self.reader, (path,), {"kind": self.name, **given})

    def write(self, target: Any, array: Any, like: Any, **given: Any) -> None:
        """Write a file.

        Parameters
        ----------
        target : Path or file
            Where.
        array : array
            Pixels.
        like : ImageFile
            The image that it was made from.
        **given
            What a writer may ask for: ``software`` and ``name``.
        """
        _call(self.writer, (target, array, like), {"kind": self.name, **given})


def _call(place: str, arguments: tuple[Any, ...], given: Mapping[str, Any]) -> Any:
    """Import a function when it is needed, and hand on by name what it asks for."""
    module, name = place.split(":")
    function: Callable[..., Any] = getattr(
        importlib.import_module(f"napari_anyir.files.{module}"), name
    )
    asked = inspect.signature(function).parameters
    return function(*arguments, **{name: given[name] for name in given if name in asked})


_PRINT = frozenset({"icc_profile", "exif", "xmp"})
_ALL = _PRINT | {"resolution", "text"}

# fmt: off
TABLE: dict[str, FileFormat] = {line.name: line for line in (
    FileFormat("npy", ".npy", (".npy",), "numpy_file:read_npy", "numpy_file:write_npy",
               tried=False),
    FileFormat("tiff", "TIFF", (".tif", ".tiff", ".btf", ".tf8"), "tiff:read_tiff",
               "tiff_writing:write_tiff", _ALL | {"nodata"},
               frozenset({"Comment", "Description", "Title", "Author", "Copyright"})),
    FileFormat("png", "PNG", (".png",), keeps=_ALL | {"png"},
               picture=PictureLimits({"PNG": 1100}, bits=(8, 16), save={"compress_level": 4})),
    # Nothing more should be lost than the format must lose: fine quantisation, no subsampling.
    FileFormat("jpeg", "JPEG", (".jpg", ".jpeg", ".jpe"), keeps=_ALL,
               texts=frozenset({"Comment", "Description"}),
               picture=PictureLimits({"JPEG": 5000}, (3,), longest=65500,
                                     densest=65535.0, save={"quality": 95, "subsampling": 0})),
    FileFormat("bmp", "BMP", (".bmp",), keeps=frozenset({"resolution"}),
               picture=PictureLimits({"BMP": 300, "DIB": 300})),
    FileFormat("webp", "WebP", (".webp",), keeps=_PRINT,
               picture=PictureLimits({"WEBP": math.inf}, longest=16383,
                                     save={"lossless": True, "exact": True})),
    FileFormat("zarr", "OME-Zarr", (".zarr",), "ome_zarr:read_ome_zarr", "ome_zarr:write_ome_zarr",
               _ALL | {"nodata"}, folder=True, tried=False),
)}
# fmt: on
"""All formats by their names. A new one is a line here; see CONTRIBUTING.md."""

PICTURES: dict[str, PictureLimits] = {
    line.name: line.picture for line in TABLE.values() if line.picture is not None
}
"""The limits of those that are pictures."""

FORMATS: dict[str, str] = {suffix: line.name for line in TABLE.values() for suffix in line.suffixes}
"""File name extension to format."""


def extension_of(path: str | Path) -> str:
    """Extension of an image file, with the ``.ome`` before it if there is one.

    Parameters
    ----------
    path : str or Path
        A file name.

    Returns
    -------
    str
        As spelled in the name, with its dots; empty if the name has none.

    Examples
    --------
    >>> extension_of("cells.ome.tif"), extension_of("photo.v2.JPG"), extension_of("notes")
    ('.ome.tif', '.JPG', '')
    """
    suffixes = Path(path).suffixes
    if len(suffixes) > 1 and suffixes[-2].lower() == ".ome":
        return "".join(suffixes[-2:])
    return suffixes[-1] if suffixes else ""


def stem_of(path: str | Path) -> str:
    """Name of a file without its extension.

    Parameters
    ----------
    path : str or Path
        A file name.

    Returns
    -------
    str
        The name alone.

    Examples
    --------
    >>> stem_of("raw/cells.ome.zarr"), stem_of("photo.v2.jpg")
    ('cells', 'photo.v2')
    """
    return Path(path).name.removesuffix(extension_of(path))


def is_image_name(path: str | Path) -> bool:
    """Whether a name ends like that of an image; hidden files never do.

    Parameters
    ----------
    path : str or Path
        A file name.

    Returns
    -------
    bool
        True for names that `format_of` knows.

    Examples
    --------
    >>> is_image_name("a.TIFF"), is_image_name("a.txt"), is_image_name(".a.png")
    (True, False, False)
    """
    path = Path(path)
    known = path.suffix.lower() in FORMATS or _is_in_zarr(path)
    return known and not path.name.startswith(".")


def format_of(path: str | Path) -> str:
    """Format of an image file, from its name.

    Parameters
    ----------
    path : str or Path
        A file name.

    Returns
    -------
    str
        A value of `FORMATS`.

    Raises
    ------
    ValueError
        If the extension is not one of `FORMATS`.

    Examples
    --------
    >>> format_of("cells.ome.tif")
    'tiff'
    """
    extension = Path(path).suffix.lower()
    if extension not in FORMATS and _is_in_zarr(Path(path)):
        return "zarr"
    if extension not in FORMATS:
        named = f"the extension '{extension}' is" if extension else "a name without extension is"
        raise ValueError(f"'{path}': {named} not that of an image; use one of {' '.join(FORMATS)}.")
    return FORMATS[extension]


def _is_in_zarr(path: Path) -> bool:
    """Whether a folder lies in a .zarr, as each of several images in one does."""
    within = any(parent.suffix.lower() == ".zarr" for parent in path.parents)
    return within and path.is_dir()
