"""Read and write TIFF with its axes, resolution and metadata: OME-TIFF, ImageJ's and plain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from napari_anyir.errors import ImageFileError
from napari_anyir.files.blocks import is_lazy, plane_chunks, store
from napari_anyir.files.door import Guarded
from napari_anyir.files.image_file import ImageFile
from napari_anyir.files.mapped import Mapped
from napari_anyir.files.tiff_metadata import (
    imagej_to_write,
    ome_from_scale,
    ome_to_write,
    read_scale,
    resolution_of,
    tags_to_write,
)
from napari_anyir.files.tiff_pages import Pages, complaints, read_series

__all__ = ["read_tiff", "write_tiff"]

_LETTERS = "TZCYXS"
# ImageJ reads no BigTIFF and counts bytes in 32 bits.
_IMAGEJ_LIMIT = 2**32 - 2**25
# How the log tells that pages which should be there are not.
_DAMAGE = ("page offset", "reshape", "corrupted")
_IMAGEJ_TYPES = ("uint8", "uint16", "float32")


def read_tiff(path: Path, *, lazy_above: int) -> ImageFile:
    """Read a TIFF.

    Axes come from OME-XML, ImageJ or tifffile's own description; pages that say nothing are Z, T
    or C, whichever is free. Colours that lie in planes are put last. A palette is looked up,
    except in ImageJ's files, where it colours intensities. Pyramids: the full size is read.

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
        If the file is damaged, of an unknown compression, CMYK, or holds images of several sizes.
    """
    with complaints() as errors:
        try:
            tif = tifffile.TiffFile(path)
        except tifffile.TiffFileError as error:
            raise ImageFileError("its content is not that of a TIFF") from error
        with tif:
            series = _only_series(tif)
            if broken := [e for e in errors if any(sign in e for sign in _DAMAGE)]:
                raise ImageFileError(f"it is damaged or cut off ({broken[0][:80]})")
            page = series.keyframe
            axes, array = _pixels(path, tif, series, lazy_above)
            return _describe(path, tif, page, axes, array)


def _only_series(tif: Any) -> Any:
    """First series, unless others of the same rank would be lost silently."""
    if not tif.series:
        raise ImageFileError("it holds no image")
    first = tif.series[0]
    for other in tif.series[1:]:
        if other.size * 4 > first.size:  # thumbnails and labels of slide scanners are smaller
            raise ImageFileError(
                f"it holds {len(tif.series)} images of different sizes; save them as single files"
            )
    photometric = first.keyframe.photometric
    if not isinstance(photometric, tifffile.PHOTOMETRIC):  # a number that the format has not
        raise ImageFileError(f"its photometric interpretation ({photometric}) is unknown")
    colours = photometric.name
    if colours in ("SEPARATED", "CIELAB", "ICCLAB", "ITULAB", "CFA", "LOGL", "LOGLUV"):
        name = "CMYK" if colours == "SEPARATED" else colours
        raise ImageFileError(f"its colours are {name}; save it as RGB or grey")
    return first


def _pixels(path: Path, tif: Any, series: Any, lazy_above: int) -> tuple[str, Any]:
    """Axis letters and pixels, colours last."""
    axes = _known_letters(series.axes)
    array: Any = None
    if series.nbytes > lazy_above:
        array = _lazy(path, series, axes)
    if array is None:
        array = read_series(series, path)
    if "S" in axes and not axes.endswith("S"):
        at = axes.index("S")
        array = np.moveaxis(array, at, -1)
        axes = axes.replace("S", "") + "S"
    if series.keyframe.photometric.name == "PALETTE" and not tif.is_imagej:
        axes, array = axes + "S", _look_up(array, series.keyframe.colormap)
    if not is_lazy(array):
        array = np.ascontiguousarray(array, array.dtype.newbyteorder("="))
    return axes, array


def _known_letters(axes: str) -> str:
    """Name axes that are none of T, Z, C, Y, X, S after the first of Z, T, C that is free."""
    for letter in axes:
        if letter not in _LETTERS:
            free = [known for known in "ZTC" if known not in axes]
            if not free:
                raise ImageFileError(f"its axes {axes} are more than T, Z, C, Y, X; split the file")
            axes = axes.replace(letter, free[0], 1)
    return axes


def _lazy(path: Path, series: Any, axes: str) -> Any:
    """Pixels as a dask array of one plane per chunk, or None if pages and axes do not match."""
    import dask.array as da

    dtype = series.dtype.newbyteorder(series.keyframe.parent.byteorder)
    source: Any
    if series.dataoffset is not None:
        source = Mapped(path, dtype, series.shape, series.dataoffset)
    else:
        source = Pages.of(path, series)
        if source is None:
            return None
    chunks = plane_chunks(series.shape, axes)
    if "S" in axes and not axes.endswith("S"):
        chunks = tuple(n if a in "SYX" else 1 for a, n in zip(axes, series.shape, strict=True))
    # Without name=False dask reads the whole file to give it a name.
    return da.from_array(Guarded(source, path), chunks=chunks, name=False).astype(
        series.dtype.newbyteorder("=")
    )


def _look_up(array: Any, palette: Any) -> Any:
    """Colours of a palette: uint8 if it was one of 8 bits, as nearly all are, else uint16."""
    palette = np.asarray(palette).T
    if not (palette % 257).any():
        palette = (palette // 257).astype(np.uint8)
    elif not (palette % 256).any():
        palette = (palette // 256).astype(np.uint8)
    if is_lazy(array):
        return array.map_blocks(
            lambda block: palette[block], dtype=palette.dtype, new_axis=array.ndim,
            chunks=(*array.chunks, (3,)),
        )  # fmt: skip
    return palette[array]


def _describe(path: Path, tif: Any, page: Any, axes: str, array: Any) -> ImageFile:
    """Collect the metadata in the form in which `write_tiff` passes it on."""
    kind = "ome" if tif.is_ome else "imagej" if tif.is_imagej else "plain"
    imagej = dict(tif.imagej_metadata or {}) if kind == "imagej" else {}
    ome = ome_to_write(tif.ome_metadata, axes) if kind == "ome" else {}
    scale, units = read_scale(page, imagej, ome)
    keep: dict[str, Any] = {
        "kind": kind,
        "described": {"ome": ome, "imagej": imagej_to_write(imagej)}.get(kind, {}),
        "resolution": resolution_of(page),
        "compressed": page.compression.name != "NONE",
        "tile": page.tile[-2:] if page.is_tiled else None,
        "white_is_zero": page.photometric.name == "MINISWHITE",
        "icc": page.iccprofile,
        "colormap": page.colormap if kind == "imagej" else None,
        "extratags": tags_to_write(page),
        "extrasamples": [int(value) for value in page.extrasamples],
    }
    if kind == "plain":
        keep["shaped"] = tif.is_shaped
        shaped = dict((tif.shaped_metadata or ({},))[0]) if tif.is_shaped else {}
        keep["described"] = {k: v for k, v in shaped.items() if k not in ("shape", "axes")}
        keep["description"] = None if tif.is_shaped else page.description or None
    return ImageFile(array, axes, "tiff", path, scale, units, keep)


def write_tiff(path: Path, array: Any, like: ImageFile, *, software: str = "") -> None:
    """Write a TIFF of the kind and with the metadata of another.

    An image from another format becomes an OME-TIFF if it has a physical scale or stacked planes.
    Compressed files are compressed again, without loss; lazy arrays are written uncompressed, so
    that memory stays constant. Above 4 GB an ImageJ file becomes an OME BigTIFF, which Fiji opens.

    Parameters
    ----------
    path : Path
        Target.
    array : numpy.ndarray or dask.array.Array
        Pixels.
    like : ImageFile
        Source of axes and metadata.
    software : str
        Text of the Software tag.
    """
    options = _options(array, like, software)
    if is_lazy(array):
        _write_lazily(path, array, options)
        return
    keep = like.metadata if like.format == "tiff" else {}
    if keep.get("compressed"):
        options |= {"compression": "zlib", "predictor": array.dtype.kind in "iu"}
    if keep.get("tile") and not options.get("imagej"):
        options["tile"] = keep["tile"]
    tifffile.imwrite(path, array, **options)


def _write_lazily(path: Path, array: Any, options: dict[str, Any]) -> None:
    """Lay out an empty file and fill its pixels block by block."""
    laid_out = tifffile.memmap(path, shape=array.shape, dtype=array.dtype, **options)
    store(array, Mapped(path, laid_out.dtype, array.shape, laid_out.offset))


def _options(array: Any, like: ImageFile, software: str) -> dict[str, Any]:
    """Arguments of `tifffile.imwrite`, without compression and tiles."""
    keep = like.metadata if like.format == "tiff" else {}
    axes = like.axes if like.axes and len(like.axes) == array.ndim else None
    if axes is None and array.ndim > 2 and array.shape[-1] in (3, 4):
        colours = array.dtype == np.uint8 or array.dtype.kind == "f"  # as restore() guesses
    else:
        colours = axes is not None and axes.endswith("S")
    kind = keep.get("kind") or _kind_for(like, axes)
    metadata = dict(keep.get("described") or {})
    if kind == "imagej" and (array.nbytes > _IMAGEJ_LIMIT or str(array.dtype) not in _IMAGEJ_TYPES):
        kind, metadata = "ome", {}
    if kind == "ome" and not metadata:
        metadata = ome_from_scale(like.scale, like.units)
    options: dict[str, Any] = {"software": software or "napari-anyir"}
    if colours:
        options |= {"photometric": "rgb", "planarconfig": "contig"}
        if array.shape[-1] == 4:
            options["extrasamples"] = (keep.get("extrasamples") or [2])[:1]
    elif keep.get("colormap") is not None:
        options |= {"photometric": "palette", "colormap": keep["colormap"]}
    else:
        options["photometric"] = "miniswhite" if keep.get("white_is_zero") else "minisblack"
    if axes:
        metadata["axes"] = axes
    if kind == "imagej":
        options["imagej"] = True
    elif kind == "ome":
        options |= {"ome": True, "bigtiff": array.nbytes > _IMAGEJ_LIMIT}
    elif keep and not keep.get("shaped"):
        options |= {"description": keep.get("description"), "metadata": None}
    options.setdefault("metadata", metadata)
    if keep.get("resolution"):
        resolution, unit = keep["resolution"]
        options |= {"resolution": resolution, "resolutionunit": unit}
    elif {"X", "Y"} <= set(like.scale) and like.units.get("X") == "centimeter":
        options |= {
            "resolution": (1 / like.scale["X"], 1 / like.scale["Y"]),
            "resolutionunit": "centimeter",
        }
    if keep.get("icc") or like.metadata.get("icc_profile"):
        options["iccprofile"] = keep.get("icc") or like.metadata["icc_profile"]
    if keep.get("extratags"):
        options["extratags"] = keep["extratags"]
    return options


def _kind_for(like: ImageFile, axes: str | None) -> str:
    """Kind of TIFF for an image from another format."""
    physical = any(unit not in ("", "centimeter") for unit in like.units.values())
    stacked = axes is not None and len(axes.replace("S", "")) > 2
    return "ome" if physical or stacked else "plain"
