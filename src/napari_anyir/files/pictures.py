"""Read and write PNG, JPEG, BMP and WebP."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError, WebPImagePlugin

from napari_anyir.errors import ImageFileError
from napari_anyir.files.blocks import is_lazy
from napari_anyir.files.deep_png import is_deep_colour, read_deep_colour, write_deep_colour
from napari_anyir.files.image_file import ImageFile

__all__ = ["read_picture", "write_picture"]

_ORIENTATION = 0x0112
# By content, not by name; never by plugins that start other programs, such as that for EPS.
_READ = ("PNG", "JPEG", "BMP", "DIB", "GIF", WebPImagePlugin.WebPImageFile.format)
_KEPT = ("icc_profile", "dpi", "exif")
_SAVE: dict[str, dict[str, Any]] = {
    "png": {"compress_level": 4},
    # Nothing more should be lost than the format must lose: fine quantisation, no subsampling.
    "jpeg": {"quality": 95, "subsampling": 0},
    "bmp": {},
    "webp": {"lossless": True, "exact": True},
}


def read_picture(path: Path, kind: str) -> ImageFile:
    """Read a PNG, JPEG, BMP or WebP.

    A rotation that the camera noted (EXIF orientation) is applied, so pixels stand upright and the
    result carries no such note. Palettes become RGB (or RGBA), black and white becomes grey.

    Parameters
    ----------
    path : Path
        The file.
    kind : str
        Format that its name promises; what counts is the content.

    Returns
    -------
    ImageFile
        Axes YX or YXS.

    Raises
    ------
    ImageFileError
        If the content is no such image, animated, CMYK or too large for Pillow.
    OSError
        If it is damaged.
    """
    if is_deep_colour(path):
        array, info = read_deep_colour(path)
        return _image_file(array, kind, path, info)
    with warnings.catch_warnings():
        # Pillow warns from 89 megapixels on, and refuses from 179 megapixels on.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            image = Image.open(path, formats=_READ)
        except UnidentifiedImageError as error:
            raise ImageFileError("its content is not that of an image") from error
        except Image.DecompressionBombError as error:
            raise ImageFileError(
                "it has more than 178 megapixels; save it as TIFF or OME-Zarr"
            ) from error
        with image:
            if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
                raise ImageFileError(
                    f"it is an animation of {image.n_frames} images; "  # type: ignore[attr-defined]
                    "save them as single files or as one TIFF"
                )
            upright = ImageOps.exif_transpose(image)
            info = {str(name): value for name, value in image.info.items()}
            info["exif"] = _without_orientation(upright)
            return _image_file(_pixels(upright), kind, path, info)


def _pixels(image: Image.Image) -> Any:
    """Pixels of a Pillow image in one of the forms that can be restored."""
    mode = image.mode
    if mode == "1":
        image = image.convert("L")
    elif mode in ("LA", "PA") or (mode in ("L", "P", "RGB") and "transparency" in image.info):
        # There is no grey with alpha among the axis letters; grey in RGBA is the same picture.
        image = image.convert("RGBA")
    elif mode == "P":
        image = image.convert("RGB")
    elif mode == "I":
        array = np.array(image)
        if array.size and (array.min() < 0 or array.max() > 65535):
            raise ImageFileError("its grey values do not fit 16 bits; save it as TIFF")
        return array.astype(np.uint16)
    elif mode.startswith("I;16"):
        return np.array(image).astype(np.uint16)
    elif mode not in ("L", "RGB", "RGBA"):
        raise ImageFileError(f"its colours are {mode}; save it as RGB or grey")
    return np.array(image)


def _without_orientation(image: Image.Image) -> bytes:
    """EXIF of an image that already stands upright."""
    exif = image.getexif()
    exif.pop(_ORIENTATION, None)
    return exif.tobytes() if len(exif) else b""


def _image_file(array: Any, kind: str, path: Path, info: dict[str, Any]) -> ImageFile:
    metadata = {name: info[name] for name in _KEPT if info.get(name)}
    axes = "YXS" if array.ndim == 3 else "YX"
    scale, units = {}, {}
    dpi = [float(value) for value in metadata.get("dpi", ())]
    if len(dpi) == 2 and min(dpi) > 1:  # 0 and 1 are what writes "I do not know"
        scale = {"X": 2.54 / dpi[0], "Y": 2.54 / dpi[1]}
        units = {"X": "centimeter", "Y": "centimeter"}
    return ImageFile(array, axes, kind, path, scale, units, metadata)


def write_picture(path: Path, array: Any, like: ImageFile, *, kind: str) -> None:
    """Write a PNG, JPEG, BMP or WebP.

    JPEG is written at quality 95 without colour subsampling, WebP without loss.

    Parameters
    ----------
    path : Path
        Target.
    array : numpy.ndarray
        Pixels (Y, X) or (Y, X, S): uint8, or uint16 in a PNG.
    like : ImageFile
        Its colour profile, resolution and EXIF are kept where the format can hold them.
    kind : str
        One of the four.

    Raises
    ------
    ImageFileError
        If the format cannot hold such an array.
    """
    if is_lazy(array):
        array = array.compute(scheduler="synchronous")
    _check(array, kind)
    info = {name: like.metadata[name] for name in _KEPT if like.metadata.get(name)}
    if array.dtype == np.uint16 and array.ndim == 3:
        write_deep_colour(path, array, info)
        return
    if kind == "bmp":
        info.pop("exif", None)
    Image.fromarray(array).save(path, format=kind.upper(), **_SAVE[kind], **info)


def _check(array: Any, kind: str) -> None:
    """Refuse what a picture cannot hold, before anything is written."""
    name = {"png": "PNG", "jpeg": "JPEG", "bmp": "BMP", "webp": "WebP"}[kind]
    colours = (3,) if kind == "jpeg" else (3, 4)
    if array.ndim != 2 and not (array.ndim == 3 and array.shape[-1] in colours):
        raise ImageFileError(
            f"{name} cannot hold an array of shape {array.shape}; write .tif or .ome.zarr"
        )
    if 0 in array.shape:
        raise ImageFileError(f"{name} cannot hold an image without pixels; write .tif or .npy")
    depths = (np.uint8, np.uint16) if kind == "png" else (np.uint8,)
    if array.dtype not in depths:
        held = "8 or 16 bits" if kind == "png" else "8 bits"
        raise ImageFileError(f"{name} holds {held}, not {array.dtype}; write .tif or .ome.zarr")
