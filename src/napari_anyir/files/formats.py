"""Which files are images, told from their names."""

from __future__ import annotations

from pathlib import Path

__all__ = ["FORMATS", "LOSSY", "extension_of", "format_of", "is_image_name", "stem_of"]

FORMATS: dict[str, str] = {
    ".npy": "npy",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".btf": "tiff",
    ".tf8": "tiff",
    ".png": "png",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".jpe": "jpeg",
    ".bmp": "bmp",
    ".webp": "webp",
    ".zarr": "zarr",
}
"""File name extension to format."""

LOSSY = frozenset({"jpeg"})
"""Formats that change pixel values when they are written (WebP is written without loss)."""


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
