"""Read and write pictures of one plane: PNG, JPEG, BMP, WebP, and others that Pillow knows."""

from __future__ import annotations

import contextlib
import io
import math
import warnings
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import (
    Image,
    UnidentifiedImageError,
    WebPImagePlugin,  # noqa: F401 - which is not among those that Pillow looks at first
)
from PIL.PngImagePlugin import PngInfo

from napari_anyir.errors import ImageFileError
from napari_anyir.files.claims import check_picture as check_claims
from napari_anyir.files.deep_png import is_deep_colour, read_deep_colour, write_deep_colour
from napari_anyir.files.formats import PICTURES, TABLE
from napari_anyir.files.image_file import METRES, ImageFile
from napari_anyir.files.lazy_arrays import is_lazy
from napari_anyir.files.png_chunks import check_chunks, head_of, meanings_of
from napari_anyir.files.upright import check_orientation, set_upright, upright

__all__ = ["check_picture", "dots_per_inch", "read_picture", "without_unused", "write_picture"]

_ORIENTATION = 0x0112
# By content, not by name; never by plugins that start other programs, such as that for EPS.
_READ = ("GIF", *(name for form in PICTURES.values() for name in form.pillow))


def read_picture(path: Path, kind: str) -> ImageFile:
    """Read a picture of one plane.

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

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.png"
    >>> Image.new("RGB", (4, 3), (255, 0, 0)).save(path)
    >>> found = read_picture(path, "png")
    >>> found.axes, found.array.shape
    ('YXS', (3, 4, 3))
    """
    check_chunks(path)
    with warnings.catch_warnings():
        # Pillow warns from 89 megapixels on, and refuses from 179 megapixels on.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            if is_deep_colour(path):
                array, image = read_deep_colour(path)
                array, grey = _deep_pixels(array, image)
                return _image_file(array, kind, path, image, grey)
            with Image.open(path, formats=_READ) as image:
                if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
                    raise ImageFileError(
                        f"it is an animation of {image.n_frames} images; "  # type: ignore[attr-defined]
                        "save them as single files or as one TIFF"
                    )
                check_claims(image.format, image.size, len(image.getbands()), path.stat().st_size)
                array, grey = _pixels(image, path)
                return _image_file(array, kind, path, image, grey)
        except UnidentifiedImageError as error:
            raise ImageFileError("its content is not that of an image") from error
        except Image.DecompressionBombError as error:
            raise ImageFileError(
                "it has more than 178 megapixels; save it as TIFF or OME-Zarr"
            ) from error


def _pixels(image: Image.Image, path: Path) -> tuple[NDArray[Any], bool]:
    """Pixels of a Pillow image in one of the forms that can be restored; whether RGBA is grey."""
    image.load()
    mode, transparent = image.mode, image.info.get("transparency")
    if mode in ("1", "L") or mode == "I" or mode.startswith("I;16"):
        grey = np.array(image.convert("L") if mode == "1" else image)
        if mode == "I" and grey.size and (grey.min() < 0 or grey.max() > 65535):
            raise ImageFileError("its grey values do not fit 16 bits; save it as TIFF")
        if mode not in ("1", "L"):
            grey = grey.astype(np.uint16)
        if not isinstance(transparent, int):
            return grey, False
        # Pillow scales grey of 2 and 4 bits to 8, but not the grey that is transparent.
        head = head_of(path)
        depth = head[0] if head else 8
        if depth in (2, 4):
            transparent *= 255 // (2**depth - 1)
        elif depth == 1:  # which older Pillows do not scale either
            transparent = 255 if transparent else 0
        full = np.iinfo(grey.dtype).max
        opaque = np.where(grey == transparent, 0, full).astype(grey.dtype)
        return np.stack([grey, grey, grey, opaque], axis=-1), True
    if mode in ("LA", "PA", "La"):
        # There is no grey with alpha among the axis letters; grey in RGBA is the same picture.
        return np.array(image.convert("RGBA")), mode != "PA"
    if mode in ("P", "RGB", "RGBA", "RGBa", "RGBX"):
        alpha = mode in ("RGBA", "RGBa") or image.has_transparency_data
        return np.array(image.convert("RGBA" if alpha else "RGB")), False
    raise ImageFileError(f"its colours are {mode}; save it as RGB or grey")


def _deep_pixels(array: NDArray[Any], image: Image.Image) -> tuple[NDArray[Any], bool]:
    """As `_pixels`, for a PNG with 16 bits and several samples."""
    transparent = image.info.get("transparency")
    if array.shape[-1] == 2:
        return array[..., [0, 0, 0, 1]], True
    if array.shape[-1] == 3 and isinstance(transparent, tuple):
        hidden = (array == np.array(transparent)).all(axis=-1, keepdims=True)
        return np.concatenate([array, np.where(hidden, 0, 65535).astype(array.dtype)], -1), False
    return array, False


def _orientation(image: Image.Image) -> int:
    """Orientation that EXIF or XMP note; what is broken notes none."""
    try:
        return check_orientation(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - Pillow raises whatever broken EXIF makes it run into
        return 1


def _exif(image: Image.Image) -> bytes:
    """EXIF of the image, as its makers wrote it, without the note of an orientation."""
    block = image.info.get("exif") or b""
    if not block and "Raw profile type exif" in image.info:
        with contextlib.suppress(Exception):  # see _orientation
            block = image.getexif().tobytes()
    return set_upright(bytes(block))


def _image_file(
    array: NDArray[Any], kind: str, path: Path, image: Image.Image, grey: bool
) -> ImageFile:
    """Turn the pixels upright and collect what is beside them."""
    info, notes = image.info, []
    axes = "YXS" if array.ndim == 3 else "YX"
    orientation = _orientation(image)
    array = np.ascontiguousarray(upright(array, axes, orientation))
    scale, units = {}, {}
    try:
        dpi = [float(value) for value in info.get("dpi") or ()]
    except (TypeError, ValueError, ZeroDivisionError):
        dpi = []
    if len(dpi) == 2 and 1 < min(dpi) <= max(dpi) < math.inf:  # 0 and 1 say "I do not know"
        dpi = dpi[::-1] if orientation > 4 else dpi
        scale = {"X": 2.54 / dpi[0], "Y": 2.54 / dpi[1]}
        units = {"X": "centimeter", "Y": "centimeter"}
    xmp = info.get("xmp") or info.get("XML:com.adobe.xmp") or b""
    metadata: dict[str, Any] = {
        "icc_profile": info.get("icc_profile"),
        "exif": _exif(image),
        "xmp": set_upright(xmp.encode() if isinstance(xmp, str) else bytes(xmp)),
        "text": _texts(image),
        "grey": grey,
    }
    if image.format == "PNG":
        metadata["png"] = meanings_of(path)
    if image.format == "MPO" and getattr(image, "n_frames", 1) > 1:
        notes.append(f"of its {image.n_frames} images only the first is read")  # type: ignore[attr-defined]
    kept = {name: value for name, value in metadata.items() if value}
    return ImageFile(array, axes, kind, path, scale, units, kept, notes=tuple(notes))


def _texts(image: Image.Image) -> dict[str, str]:
    """Texts of a PNG, or the comment of a JPEG or GIF."""
    found = dict(getattr(image, "text", {}))
    comment = image.info.get("comment")
    if comment:
        found["Comment"] = (
            comment.decode("utf-8", "replace") if isinstance(comment, bytes) else comment
        )
    elsewhere = ("XML:com.adobe.xmp", "Raw profile type")
    return {
        str(name): str(text).strip("\0")
        for name, text in found.items()
        if str(text).strip("\0 ") and not str(name).startswith(elsewhere)
    }


def write_picture(path: Path | BinaryIO, array: Any, like: ImageFile, *, kind: str) -> None:
    """Write a picture of one plane.

    JPEG is written at quality 95 without colour subsampling, WebP without loss.

    Parameters
    ----------
    path : Path or file
        Target.
    array : numpy.ndarray
        Pixels (Y, X) or (Y, X, S): uint8, or uint16 in a PNG.
    like : ImageFile
        Its colour profile, resolution, EXIF, XMP and texts are kept where the format can hold
        them; see `napari_anyir.files.fitting`.
    kind : str
        A format with limits in `napari_anyir.files.formats.TABLE`.

    Raises
    ------
    ImageFileError
        If the format cannot hold such an array.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.webp"
    >>> pixels = np.full((3, 4), 7, np.uint8)
    >>> write_picture(path, pixels, ImageFile(pixels, "YX", "webp"), kind="webp")
    >>> path.read_bytes()[8:12]
    b'WEBP'
    """
    if is_lazy(array):
        array = array.compute(scheduler="synchronous")
    array = array[..., :3] if without_unused(array.shape, like)[1] else array
    check_picture(array.shape, array.dtype, kind)
    held = PICTURES[kind]
    keep = like.metadata
    info: dict[str, Any] = {
        name: keep[name] for name in ("icc_profile", "exif", "xmp") if keep.get(name)
    }
    if (dpi := dots_per_inch(like)) is not None:
        info["dpi"] = dpi
    texts = dict(keep.get("text") or {})
    grey = keep.get("grey") or getattr(keep.get("samples"), "grey", False)
    if kind == "png":
        info["pnginfo"] = _pnginfo(texts, keep.get("png") or {}, info.pop("xmp", b""))
        if grey and array.shape[2:] == (4,):
            array = _grey_with_alpha(array)
        if array.dtype == np.uint16 and array.ndim == 3:
            write_deep_colour(path, array, info)
            return
    elif kind == "jpeg" and (comment := texts.get("Comment") or texts.get("Description")):
        info["comment"] = comment.encode()
    # Through memory: Pillow takes a write that a full disk cut short for a whole one.
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, format=next(iter(held.pillow)), **held.save, **info)
    with path.open("wb") if isinstance(path, Path) else contextlib.nullcontext(path) as file:
        file.write(stream.getbuffer())


def without_unused(shape: tuple[int, ...], like: ImageFile) -> tuple[tuple[int, ...], str]:
    """Leave out a fourth sample that is not told to be alpha, as TIFF can have.

    Parameters
    ----------
    shape : tuple of int
        Of the result.
    like : ImageFile
        The image that it was made from.

    Returns
    -------
    shape : tuple of int
        Of the picture.
    note : str
        What is left out; empty if nothing.

    Examples
    --------
    >>> pixels = np.zeros((3, 4, 4), np.uint8)
    >>> without_unused(pixels.shape, ImageFile(pixels, "YXS", "png"))
    ((3, 4, 4), '')
    """
    samples = like.metadata.get("samples")
    if samples is None or not samples.unused or len(shape) != 3 or shape[-1] != 4:
        return shape, ""
    return (*shape[:2], 3), "its fourth sample is not told to be alpha and is left out"


def dots_per_inch(like: ImageFile) -> tuple[float, float] | None:
    """Resolution of an image, from its scale.

    Parameters
    ----------
    like : ImageFile
        The image.

    Returns
    -------
    tuple of 2 float or None
        Pixels per inch along X and Y; None if the scale is no length.

    Examples
    --------
    >>> scale, units = {"X": 1.0, "Y": 2.0}, {"X": "inch", "Y": "inch"}
    >>> dots_per_inch(ImageFile(None, "YX", "tiff", scale=scale, units=units))
    (1.0, 0.5)
    """
    found = []
    for axis in "XY":
        metres = METRES.get(like.units.get(axis, ""))
        step = like.scale.get(axis, 0.0)
        if not metres or not step > 0:
            return None
        found.append(round(0.0254 / (step * metres), 6))
    return found[0], found[1]


def _pnginfo(texts: dict[str, str], meanings: dict[bytes, bytes], xmp: bytes) -> PngInfo:
    info = PngInfo()
    for name, data in meanings.items():
        info.add(name, data)
    for keyword, text in texts.items():
        info.add_text(keyword[:79], text)
    if xmp:
        info.add_itxt("XML:com.adobe.xmp", xmp.decode("utf-8", "replace"))
    return info


def _grey_with_alpha(array: NDArray[Any]) -> NDArray[Any]:
    """(Y, X, 2) of RGBA whose source was grey: the mean of its colours."""
    grey = np.rint(array[..., :3].mean(axis=-1, keepdims=True)).astype(array.dtype)
    return np.concatenate([grey, array[..., 3:]], axis=-1)


def check_picture(shape: tuple[int, ...], dtype: Any, kind: str) -> None:
    """Refuse what a picture cannot hold, before anything is computed or written.

    Parameters
    ----------
    shape : tuple of int
        Of the array.
    dtype : numpy.dtype
        Of the array.
    kind : str
        A format with limits in `napari_anyir.files.formats.TABLE`.

    Raises
    ------
    ImageFileError
        With what to write instead.

    Examples
    --------
    >>> check_picture((5, 3, 4), np.uint8, "jpeg")
    Traceback (most recent call last):
    ...
    napari_anyir.errors.ImageFileError: JPEG cannot hold an array of shape (5, 3, 4); write ...
    """
    name, held = TABLE[kind].title, PICTURES[kind]
    if len(shape) != 2 and not (len(shape) == 3 and shape[-1] in held.samples):
        raise ImageFileError(
            f"{name} cannot hold an array of shape {shape}; write .tif or .ome.zarr"
        )
    if 0 in shape:
        raise ImageFileError(f"{name} cannot hold an image without pixels; write .tif or .npy")
    if max(shape[:2]) > held.longest:
        raise ImageFileError(
            f"{name} holds sides of {held.longest} pixels at most, not {max(shape[:2])}; write .tif"
        )
    if dtype not in [np.dtype(f"uint{bits}") for bits in held.bits]:
        bits = " or ".join(map(str, held.bits))
        raise ImageFileError(f"{name} holds {bits} bits, not {dtype}; write .tif or .ome.zarr")
