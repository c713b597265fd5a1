"""Write TIFF with its axes, resolution and metadata: OME-TIFF, ImageJ's and plain."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import tifffile

from napari_anyir.files.exif import add_directories, placeholders, texts_of
from napari_anyir.files.file_pixels import FilePixels, reserve
from napari_anyir.files.image_file import ImageFile
from napari_anyir.files.lazy_arrays import is_lazy, store
from napari_anyir.files.tiff_colours import Samples, to_be_stored
from napari_anyir.files.tiff_ome import ome_from_scale

__all__ = ["write_tiff"]

# ImageJ reads no BigTIFF and counts bytes in 32 bits.
_IMAGEJ_LIMIT = 2**32 - 2**25
_IMAGEJ_TYPES = ("uint8", "uint16", "float32")
_NODATA = 42113
_TEXT_TAGS = {"Title": 269, "Author": 315, "Copyright": 33432}


def write_tiff(path: Path | BinaryIO, array: Any, like: ImageFile, *, software: str = "") -> None:
    """Write a TIFF of the kind and with the metadata of another.

    An image from another format becomes an OME-TIFF if it has a physical scale or stacked planes.
    Samples are stored as they were: white-is-zero, orientation, planes of colours, colours that
    are multiplied by alpha. Compressed files are compressed again, without loss; lazy arrays are
    written uncompressed, so that memory stays constant. Above 4 GB an ImageJ file becomes an OME
    BigTIFF, which Fiji opens.

    Parameters
    ----------
    path : Path or file
        Target; a file for arrays in memory without EXIF alone.
    array : numpy.ndarray or dask.array.Array
        Pixels.
    like : ImageFile
        Source of axes and metadata.
    software : str
        Text of the Software tag.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.tif"
    >>> image = ImageFile(np.zeros((2, 8, 8), np.uint16), "ZYX", "npy", scale={"Z": 2.0})
    >>> write_tiff(path, image.array, image)
    >>> path.stat().st_size > 256
    True
    """
    keep = like.metadata if like.format == "tiff" else {}
    samples = keep.get("samples") or Samples("MINISBLACK")
    array, axes, samples = to_be_stored(array, like, samples)
    exif = like.metadata.get("exif") or b""
    options = _options(array, axes, like, samples, software)
    if isinstance(path, Path) and is_lazy(array):
        # Lay out an empty file and fill its pixels block by block.
        laid_out = tifffile.memmap(path, shape=array.shape, dtype=array.dtype, **options)
        place = FilePixels(path, laid_out.dtype, array.shape, laid_out.offset)
        del laid_out
        reserve(path, path.stat().st_size)
        store(array, place)
    else:
        if keep.get("compressed"):
            # tifffile alone has no differences of floating point and of 64 bits.
            small = array.dtype.kind in "iu" and array.dtype.itemsize <= 4
            options |= {"compression": "zlib", "predictor": small}
        if keep.get("tile") and not options.get("imagej"):
            options["tile"] = keep["tile"]
        tifffile.imwrite(path, array, **options)
    if exif and isinstance(path, Path) and not options.get("bigtiff"):
        add_directories(path, exif)


def _options(
    array: Any, axes: str | None, like: ImageFile, samples: Samples, software: str
) -> dict[str, Any]:
    """Arguments of `tifffile.imwrite`, without compression and tiles."""
    keep = like.metadata if like.format == "tiff" else {}
    kind = keep.get("kind") or _kind_for(like, axes)
    metadata = dict(keep.get("described") or {})
    large = array.nbytes > _IMAGEJ_LIMIT
    if kind == "imagej" and (large or str(array.dtype) not in _IMAGEJ_TYPES):
        kind, metadata = "ome", {}
    text = dict(like.metadata.get("text") or {})
    if kind == "ome" and not metadata:
        metadata = ome_from_scale(like.scale, like.units)
        if description := text.get("Description") or text.get("Comment"):
            metadata["Description"] = description
    options: dict[str, Any] = {"software": _ascii_or_bytes(software or "napari-anyir")}
    options |= _colours(array, axes, samples, keep)
    if axes:
        metadata["axes"] = axes
    if kind == "imagej":
        options["imagej"] = True
    elif kind == "ome":
        options |= {"ome": True, "bigtiff": large}
    else:
        options["bigtiff"] = large
        description = text.get("Description") or text.get("Comment")
        if (keep and not keep.get("shaped")) or (not keep and description):
            described = _ascii_or_bytes(description) if description else None
            options |= {"description": described, "metadata": None}
        elif description:
            metadata.setdefault("Description", description)
    options.setdefault("metadata", metadata)
    options |= _resolution(like, keep)
    if profile := like.metadata.get("icc_profile"):
        options["iccprofile"] = profile
    options["extratags"] = _tags(like, keep, samples, options)
    return options


def _colours(
    array: Any, axes: str | None, samples: Samples, keep: dict[str, Any] | Any
) -> dict[str, Any]:
    """What the samples are, as `tifffile.imwrite` wants to be told."""
    if axes is None and array.ndim > 2 and array.shape[-1] in (3, 4):
        colours = array.dtype == np.uint8 or array.dtype.kind == "f"  # as restore() guesses
    else:
        colours = axes is not None and "S" in axes
    at = -3 if samples.planar else -1
    # An array whose axes the user has named is laid out as the source was.
    as_before = samples.count > 1 and array.ndim > 2 and array.shape[at] == samples.count
    if as_before and not (colours and samples.bands):
        photometric = "rgb" if samples.photometric == "YCBCR" else samples.photometric.lower()
        options: dict[str, Any] = {
            "photometric": photometric,
            "planarconfig": "separate" if samples.planar else "contig",
        }
        extra = samples.count - (3 if photometric == "rgb" else 1)
        if extra:
            told = samples.extra or ((2,) if samples.alpha else ())
            options["extrasamples"] = [*told, *(0,) * extra][:extra]
        return options
    if colours:
        options = {"photometric": "rgb", "planarconfig": "contig"}
        if array.shape[-1] == 4:
            options["extrasamples"] = list(samples.extra[:1] or (2,))
        return options
    if keep.get("colormap") is not None:
        return {"photometric": "palette", "colormap": keep["colormap"]}
    white = samples.white is not None or (
        samples.photometric == "MINISWHITE" and array.dtype.kind == "f"
    )
    return {"photometric": "miniswhite" if white else "minisblack"}


def _resolution(like: ImageFile, keep: dict[str, Any] | Any) -> dict[str, Any]:
    if keep.get("resolution"):
        resolution, unit = keep["resolution"]
        return {"resolution": resolution, "resolutionunit": unit}
    if {"X", "Y"} <= set(like.scale) and like.units.get("X") in ("centimeter", "inch"):
        return {
            "resolution": (1 / like.scale["X"], 1 / like.scale["Y"]),
            "resolutionunit": like.units["X"],
        }
    return {}


def _tags(
    like: ImageFile, keep: dict[str, Any] | Any, samples: Samples, options: dict[str, Any]
) -> list[tuple[Any, ...]]:
    """Tags that tifffile has no arguments for."""
    tags = {tag[0]: tag for tag in keep.get("extratags") or ()}
    texts = {
        _TEXT_TAGS[n]: t for n, t in (like.metadata.get("text") or {}).items() if n in _TEXT_TAGS
    }
    exif = like.metadata.get("exif") or b""
    texts |= {code: text for code, text in texts_of(exif).items() if code != 270}
    for code, text in texts.items():
        tags.setdefault(code, (code, 2, 0, _ascii_or_bytes(text), True))
    if xmp := like.metadata.get("xmp"):
        tags.setdefault(700, (700, 1, len(xmp), xmp, True))
    if like.nodata is not None and (text := _nodata(like.nodata, samples, tags.get(_NODATA))):
        tags[_NODATA] = (_NODATA, 2, 0, text, True)
    if samples.orientation != 1:
        tags[274] = (274, 3, 1, samples.orientation, True)
    if not options.get("bigtiff"):
        tags |= {tag[0]: tag for tag in placeholders(exif)}
    return list(tags.values())


def _nodata(value: float, samples: Samples, known: tuple[Any, ...] | None) -> str:
    """Text of GDAL's tag for a value; empty if the tag that is there says it already."""
    if samples.white is not None:
        value = samples.white - value
    try:
        before = float(str(known[3]).strip("\0 ").replace(",", ".")) if known else None
    except ValueError:
        before = None
    if before == value or (before is not None and math.isnan(before) and math.isnan(value)):
        return ""
    return f"{value:.17g}"


def _ascii_or_bytes(text: str) -> str | bytes:
    """TIFF prescribes ASCII; what is not is written as UTF-8, which today's programs read."""
    return text if text.isascii() else text.encode()


def _kind_for(like: ImageFile, axes: str | None) -> str:
    """Kind of TIFF for an image from another format."""
    physical = any(unit not in ("", "centimeter", "inch") for unit in like.units.values())
    stacked = axes is not None and len(axes.replace("S", "")) > 2
    return "ome" if physical or stacked else "plain"
