"""What a TIFF says beside its pixels, read so that it can be written again."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from napari_anyir.files.exif import DIRECTORIES, block_of, directories_of
from napari_anyir.files.image_file import can_be, full_unit
from napari_anyir.files.tiff_colours import Samples

__all__ = [
    "common_metadata",
    "imagej_to_write",
    "nodata_of",
    "read_scale",
    "resolution_of",
    "tags_to_write",
]

# Tags that stay true of a restored image: who, when, with what, where on Earth, how to print it.
_TAGS = {
    "Make",
    "Model",
    "DateTime",
    "DocumentName",
    "PageName",
    "Artist",
    "HostComputer",
    "Copyright",
    "XMP",
    "ModelPixelScaleTag",
    "ModelTiepointTag",
    "ModelTransformationTag",
    "GeoKeyDirectoryTag",
    "GeoDoubleParamsTag",
    "GeoAsciiParamsTag",
    "GDAL_METADATA",
    "GDAL_NODATA",
}
_RESOLUTION_UNITS = {2: "inch", 3: "centimeter"}


# attributes of <Pixels> that hold for the result as well
def imagej_to_write(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Take from ImageJ's metadata what holds for the result; tifffile counts the planes itself.

    Parameters
    ----------
    metadata : mapping
        `tifffile.TiffFile.imagej_metadata`.

    Returns
    -------
    dict
        ``metadata`` for `tifffile.imwrite`, without axes: unit, spacing, frame interval, display
        range, look-up tables, labels, regions of interest, overlays.

    Examples
    --------
    >>> imagej_to_write({"images": 3, "slices": 3, "spacing": 0.5, "unit": "um"})
    {'spacing': 0.5, 'unit': 'um'}
    """
    counted = {"images", "channels", "slices", "frames", "SCIFIO", "hyperstack", "axes", "shape"}
    return {name: value for name, value in metadata.items() if name not in counted}


def tags_to_write(page: Any) -> list[tuple[int, Any, Any, Any, bool]]:
    """Tags of the first page that stay true of the result.

    Parameters
    ----------
    page : tifffile.TiffPage
        The page.

    Returns
    -------
    list of tuple
        ``extratags`` for `tifffile.imwrite`.

    Examples
    --------
    >>> import tempfile
    >>> import tifffile
    >>> path = Path(tempfile.mkdtemp()) / "a.tif"
    >>> tifffile.imwrite(path, np.zeros((8, 8), np.uint8), extratags=[(315, "s", 0, "Ada", True)])
    >>> with tifffile.TiffFile(path) as file:
    ...     [tag[3] for tag in tags_to_write(file.pages[0]) if tag[0] == 315]
    ['Ada']
    """
    kept = []
    for tag in page.tags.values():
        if tag.name in _TAGS:
            value = tag.value
            if isinstance(value, str):
                # tifffile counts the bytes of a text itself, and takes no other str than ASCII.
                value = value if value.isascii() else value.encode()
                kept.append((tag.code, 2, 0, value, True))
            else:
                kept.append((tag.code, int(tag.dtype), tag.count, value, True))
    return kept


def common_metadata(path: Path, page: Any, kind: str, ome: Mapping[str, Any]) -> dict[str, Any]:
    """Collect what other formats can hold as well.

    Parameters
    ----------
    path : Path
        The file.
    page : tifffile.TiffPage
        Its first page.
    kind : str
        ``"ome"``, ``"imagej"`` or ``"plain"``.
    ome : mapping
        What `ome_to_write` returned.

    Returns
    -------
    dict
        ``icc_profile``, ``exif`` and ``xmp`` (bytes) and ``text`` (dict of str to str), those of
        them that are there.

    Examples
    --------
    >>> import tempfile
    >>> import tifffile
    >>> path = Path(tempfile.mkdtemp()) / "a.tif"
    >>> tifffile.imwrite(path, np.zeros((8, 8), np.uint8), extratags=[(315, "s", 0, "Ada", True)])
    >>> with tifffile.TiffFile(path) as file:
    ...     common_metadata(path, file.pages[0], "plain", {})["text"]["Author"]
    'Ada'
    """
    tags = page.tags
    texts = {
        name: _text(tags.get(code))
        for name, code in (("Title", 269), ("Author", 315), ("Copyright", 33432))
    }
    if kind == "ome":
        texts["Description"] = str(ome.get("Description", ""))
    elif kind == "plain" and not page.is_shaped:
        texts["Description"] = _text(tags.get(270))
    found: dict[str, Any] = {"text": {name: text for name, text in texts.items() if text}}
    profile = tags.get(34675)
    found["icc_profile"] = bytes(profile.value) if profile is not None else b""
    xmp = tags.get(700)
    if xmp is not None:
        found["xmp"] = xmp.value.encode() if isinstance(xmp.value, str) else bytes(xmp.value)
    found["exif"] = _exif(path, page)
    return {name: value for name, value in found.items() if value}


def _text(tag: Any) -> str:
    if tag is None:
        return ""
    value = tag.value
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return value.strip("\0 \r\n") if isinstance(value, str) else ""


def _exif(path: Path, page: Any) -> bytes:
    """What a TIFF says in tags of its own and in directories, as one block."""
    texts = {
        code: text for code in (271, 272, 306, 315, 33432) if (text := _text(page.tags.get(code)))
    }
    directories: dict[int, dict[int, Any]] = {}
    if any(number in page.tags for number in DIRECTORIES):
        # Broken directories raise whatever they run into.
        with contextlib.suppress(Exception), Image.open(path, formats=("TIFF",)) as image:
            directories = directories_of(image.getexif())
    return block_of(texts, directories)


def nodata_of(page: Any, samples: Samples, dtype: np.dtype[Any]) -> float | None:
    """Value that says that there is no value, from the tag of GDAL.

    Parameters
    ----------
    page : tifffile.TiffPage
        The page.
    samples : Samples
        How its samples are stored: where zero is white, the value was exchanged with them.
    dtype : numpy.dtype
        Type of the pixels.

    Returns
    -------
    float or None
        The value, possibly NaN; None if there is none, if it is no number, or if the pixels
        cannot have it.

    Examples
    --------
    >>> import tempfile
    >>> import tifffile
    >>> path = Path(tempfile.mkdtemp()) / "a.tif"
    >>> tag = (42113, "s", 0, "-9999", True)
    >>> tifffile.imwrite(path, np.zeros((8, 8), np.float32), extratags=[tag])
    >>> with tifffile.TiffFile(path) as file:
    ...     nodata_of(file.pages[0], Samples("MINISBLACK"), np.dtype("float32"))
    -9999.0
    """
    text = _text(page.tags.get(42113)).replace(",", ".")
    try:
        value = float(text)
    except ValueError:
        return None
    if not can_be(value, dtype):
        return None
    return samples.white - value if dtype.kind in "iu" and samples.white is not None else value


def resolution_of(page: Any) -> tuple[Any, int] | None:
    """Resolution tags of a page.

    Parameters
    ----------
    page : tifffile.TiffPage
        The page.

    Returns
    -------
    tuple or None
        Pixels per unit along x and y, each as a fraction (numerator, denominator), and the number
        of the unit (1 none, 2 inch, 3 centimetre); None if they are missing or zero.

    Examples
    --------
    >>> import tempfile
    >>> import tifffile
    >>> path = Path(tempfile.mkdtemp()) / "a.tif"
    >>> tifffile.imwrite(path, np.zeros((8, 8), np.uint8), resolution=(300, 300), resolutionunit=2)
    >>> with tifffile.TiffFile(path) as file:
    ...     resolution_of(file.pages[0])[1]  # inches
    2
    """
    values = [page.tags.get(name) for name in ("XResolution", "YResolution")]
    pairs = [_fraction(tag.value) if tag is not None else None for tag in values]
    if None in pairs:
        return None
    unit = page.tags.get("ResolutionUnit")
    number = unit.value if unit is not None else 2
    return (pairs[0], pairs[1]), int(number) if number in (1, 2, 3) else 1


def _fraction(value: Any) -> tuple[int, int] | None:
    """A positive fraction, from a pair or from a number that stands where a pair should."""
    try:
        if isinstance(value, int | float):
            fraction = Fraction(value).limit_denominator(10**6)
            value = fraction.numerator, fraction.denominator
        over, under = (int(part) for part in value)
    except (TypeError, ValueError, OverflowError):
        return None
    return (over, under) if over > 0 and under > 0 else None


def read_scale(
    page: Any, imagej: Mapping[str, Any], ome: Mapping[str, Any]
) -> tuple[dict[str, float], dict[str, str]]:
    """Distance between pixels, from whichever convention the file follows.

    Parameters
    ----------
    page : tifffile.TiffPage
        First page, whose resolution tags count for plain TIFF and ImageJ.
    imagej : mapping
        ImageJ's metadata; empty if the file is not ImageJ's.
    ome : mapping
        What `ome_to_write` returned; empty if the file is not OME-TIFF.

    Returns
    -------
    scale : dict of str to float
        Axis letter to distance.
    units : dict of str to str
        Axis letter to unit, in full.

    Examples
    --------
    >>> import tempfile
    >>> import tifffile
    >>> path = Path(tempfile.mkdtemp()) / "a.tif"
    >>> tifffile.imwrite(path, np.zeros((8, 8), np.uint8), resolution=(100, 100), resolutionunit=3)
    >>> with tifffile.TiffFile(path) as file:
    ...     scale, units = read_scale(file.pages[0], {}, {})
    >>> sorted(scale)
    ['X', 'Y']
    """
    scale: dict[str, float] = {}
    units: dict[str, str] = {}
    if ome:
        for axis, name, default in (
            ("X", "PhysicalSizeX", "µm"),
            ("Y", "PhysicalSizeY", "µm"),
            ("Z", "PhysicalSizeZ", "µm"),
            ("T", "TimeIncrement", "s"),
        ):
            if isinstance(ome.get(name), int | float) and ome[name] > 0:
                scale[axis] = float(ome[name])
                units[axis] = full_unit(str(ome.get(f"{name}Unit", default)))
        return scale, units
    resolution = resolution_of(page)
    unit = str(imagej.get("unit", ""))
    if not unit and resolution:
        unit = _RESOLUTION_UNITS.get(resolution[1], "")
    if resolution and unit and unit != "pixel":
        for axis, (per_unit, of) in zip("XY", resolution[0], strict=True):
            scale[axis] = of / per_unit
            units[axis] = full_unit(unit)
    if isinstance(spacing := imagej.get("spacing"), int | float) and spacing > 0:
        scale["Z"] = float(spacing)
        units["Z"] = full_unit(unit or "pixel")
    if isinstance(interval := imagej.get("finterval"), int | float) and interval > 0:
        scale["T"], units["T"] = float(interval), "second"
    return scale, units
