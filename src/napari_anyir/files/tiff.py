"""Read TIFF with its axes, resolution and metadata: OME-TIFF, ImageJ's and plain."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from napari_anyir.errors import ImageFileError
from napari_anyir.files.claims import check_pages
from napari_anyir.files.file_errors import GuardedArray
from napari_anyir.files.file_pixels import FilePixels
from napari_anyir.files.image_file import ImageFile
from napari_anyir.files.lazy_arrays import is_lazy, plane_chunks
from napari_anyir.files.tiff_colours import Samples, check_colours, photometric_of, to_be_seen
from napari_anyir.files.tiff_directories import check_directories
from napari_anyir.files.tiff_metadata import (
    common_metadata,
    imagej_to_write,
    nodata_of,
    read_scale,
    resolution_of,
    tags_to_write,
)
from napari_anyir.files.tiff_ome import ome_to_write
from napari_anyir.files.tiff_pages import Pages, complaints, read_series
from napari_anyir.files.tiff_sets import OmeSet, find_set, is_tiff_name

__all__ = ["read_tiff"]

_LETTERS = "TZCYXS"
# Kinds of TIFF whose axes are told elsewhere, or nowhere; those of all others only tifffile knows.
_USUAL = ("generic", "uniform", "shaped", "ome", "imagej")
# How the log tells that pages which should be there are not.
_DAMAGE = ("page offset", "reshape", "corrupted")


def read_tiff(path: Path, *, lazy_above: int) -> ImageFile:
    """Read a TIFF.

    Pixels are those that viewers show: upright, black is zero, palettes looked up (except in
    ImageJ's files, where they colour intensities), YCbCr as RGB, colours not multiplied by alpha
    and last. Samples that are no colours are channels. Axes come from OME-XML, ImageJ, NDTiff or
    tifffile's own description; pages that say nothing are Z, T or C, whichever is free. Pyramids:
    the full size is read. A file of an OME-TIFF or NDTiff set gives the whole set.

    Parameters
    ----------
    path : Path
        The file.
    lazy_above : int
        Bytes of pixels above which they stay in the file.

    Returns
    -------
    ImageFile
        With all that `write_tiff` needs.

    Raises
    ------
    ImageFileError
        If the file is damaged, of an unknown compression, CMYK, or holds images of several sizes,
        or if a file of its set is missing.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.tif"
    >>> stack = np.zeros((2, 8, 9), np.uint16)
    >>> tifffile.imwrite(path, stack, imagej=True, metadata={"axes": "ZYX", "spacing": 0.5})
    >>> found = read_tiff(path, lazy_above=2**20)
    >>> found.axes, found.scale["Z"]
    ('ZYX', 0.5)
    """
    described: dict[str, Any] = {}
    check_directories(path)
    if (together := find_set(path)) is not None:
        _check_set(together)
        if not is_tiff_name(together.master):
            described["omexml"] = together.master.read_text(encoding="utf-8")
            path = together.files[0]
        else:
            path = together.master
    with complaints() as errors:
        try:
            tif = tifffile.TiffFile(path, **described)
        except tifffile.TiffFileError as error:
            raise ImageFileError("its content is not that of a TIFF") from error
        with tif:
            series, notes = _only_series(tif)
            if broken := [e for e in errors if any(sign in e for sign in _DAMAGE)]:
                raise ImageFileError(f"it is damaged or cut off ({broken[0][:80]})")
            check_pages(series, sum(path.stat().st_size for path in _files_of(path, together)))
            page = series.keyframe
            samples = Samples.of(page)
            axes = _known_letters(series.axes, samples)
            array = _stored(path, series, axes, lazy_above, described.get("omexml"))
            seen = axes
            array, axes, samples, more = to_be_seen(
                array, axes, page, samples, imagej=tif.is_imagej
            )
            if not is_lazy(array):
                array = np.ascontiguousarray(array, array.dtype.newbyteorder("="))
            image = _describe(path, tif, series, axes, array, samples)
            return replace(
                image, seen=seen, notes=notes + more, nodata=nodata_of(page, samples, array.dtype)
            )


def _files_of(path: Path, together: OmeSet | None) -> tuple[Path, ...]:
    return together.files if together is not None else (path,)


def _check_set(together: OmeSet) -> None:
    if missing := together.missing:
        raise ImageFileError(
            f"it is a part of a set of {len(together.files)} files of which "
            f"{len(missing)} {'is' if len(missing) == 1 else 'are'} missing, such as "
            f"'{missing[0].name}'; put all files of the set into one folder"
        )


def _only_series(tif: Any) -> tuple[Any, tuple[str, ...]]:
    """First series, unless others of the same rank would be lost silently, and what is left out."""
    if not tif.series:
        raise ImageFileError("it holds no image")
    first = tif.series[0]
    notes = []
    for other in tif.series[1:]:
        if other.size * 4 > first.size:  # thumbnails and labels of slide scanners are smaller
            sizes = " and ".join(_called(series) for series in (first, other))
            raise ImageFileError(
                f"it holds {len(tif.series)} images of different sizes or kinds ({sizes}); save "
                "them as single files"
            )
    if len(tif.series) > 1:
        count = len(tif.series) - 1
        notes.append(
            f"{count} smaller {'image' if count == 1 else 'images'} in it, such as a thumbnail, "
            "are left out"
        )
    if first.keyframe.is_reduced and first.keyframe.subifds:
        raise ImageFileError(
            "its first image is a thumbnail of what lies below it; save that alone"
        )
    if len(first.levels) > 1:
        notes.append(f"its pyramid of {len(first.levels)} levels is left out but for the full size")
    if None in list(first.pages):
        raise ImageFileError(
            f"{sum(page is None for page in first.pages)} of its planes are missing; put all files "
            "of the image into one folder"
        )
    check_colours(first.keyframe)
    _check_bits(first.keyframe)
    return first, tuple(notes)


def _check_bits(page: Any) -> None:
    """Refuse samples that no type holds, and packed ones on whose bytes programs do not agree."""
    bits, dtype = page.bitspersample, page.dtype
    packed = dtype is not None and dtype.kind in "iu" and bits > 16 and bits not in (32, 64)
    if dtype is None or packed:
        form = str(getattr(page.sampleformat, "name", page.sampleformat)).lower()
        raise ImageFileError(
            f"its samples, {form} of {bits} bits, are not read, or not alike by all programs; save "
            "them with 8, 16 or 32 bits"
        )


def _called(series: Any) -> str:
    return f"{' x '.join(map(str, series.shape))} {photometric_of(series.keyframe)} {series.dtype}"


def _stored(path: Path, series: Any, axes: str, lazy_above: int, omexml: str | None = None) -> Any:
    """Samples as they lie in the file; YCbCr as RGB."""
    array: Any = None
    if series.nbytes > lazy_above:
        array = _lazy(path, series, axes, omexml)
    if array is None:
        array = read_series(series, path)
    return array


def _known_letters(axes: str, samples: Samples) -> str:
    """Name axes that are none of T, Z, C, Y, X, S after the first of Z, T, C that is free.

    Samples that are no colours are C.
    """
    if "S" in axes and samples.bands:
        axes = axes.replace("S", "C" if "C" not in axes else "?")
    for letter in axes:
        if letter not in _LETTERS:
            free = [known for known in "ZTC" if known not in axes]
            if not free:
                raise ImageFileError(f"its axes {axes} are more than T, Z, C, Y, X; split the file")
            axes = axes.replace(letter, free[0], 1)
    return axes


def _lazy(path: Path, series: Any, axes: str, omexml: str | None) -> Any:
    """Pixels as a dask array of one plane per chunk, or None if pages and axes do not match."""
    import dask.array as da

    dtype = series.dtype.newbyteorder(series.keyframe.parent.byteorder)
    source: Any
    if series.dataoffset is not None and photometric_of(series.keyframe) != "YCBCR":
        source = FilePixels(path, dtype, series.shape, series.dataoffset)
    else:
        source = Pages.of(path, series, omexml)
        if source is None:
            return None
    page = series.keyframe
    inner = tuple(page.shape) if page.samplesperpixel > 1 else tuple(page.shape[-2:])
    stacked = len(series.shape) - len(inner)
    chunks = (1,) * stacked + inner if stacked >= 0 else plane_chunks(series.shape, axes)
    # Without name=False dask reads the whole file to give it a name.
    return da.from_array(GuardedArray(source, path), chunks=chunks, name=False).astype(
        series.dtype.newbyteorder("=")
    )


def _describe(
    path: Path, tif: Any, series: Any, axes: str, array: Any, samples: Samples
) -> ImageFile:
    """Collect the metadata in the form in which `write_tiff` passes it on."""
    page = series.keyframe
    kind = "ome" if tif.is_ome else "imagej" if tif.is_imagej else "plain"
    imagej = dict(tif.imagej_metadata or {}) if kind == "imagej" else {}
    ome = ome_to_write(tif.ome_metadata, axes) if kind == "ome" else {}
    scale, units = read_scale(page, imagej, ome)
    if samples.orientation > 4:
        scale |= {a: scale[b] for a, b in ("XY", "YX") if b in scale and a in scale}
    keep: dict[str, Any] = {
        "kind": kind,
        "described": {"ome": ome, "imagej": imagej_to_write(imagej)}.get(kind, {}),
        "resolution": resolution_of(page),
        "compressed": int(page.compression) != 1,
        "tile": page.tile[-2:] if page.is_tiled else None,
        "samples": samples,
        "colormap": page.colormap if kind == "imagej" else None,
        "extratags": tags_to_write(page),
    }
    if kind == "plain":
        named = series.kind not in _USUAL and len(series.shape) > len(page.shape)
        keep["shaped"] = tif.is_shaped or named
        shaped = dict((tif.shaped_metadata or ({},))[0]) if tif.is_shaped else {}
        keep["described"] = {k: v for k, v in shaped.items() if k not in ("shape", "axes")}
    keep |= common_metadata(path, page, kind, ome)
    return ImageFile(array, axes, "tiff", path, scale, units, keep)
