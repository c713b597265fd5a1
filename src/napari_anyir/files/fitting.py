"""What a format can hold of an image's metadata: told, and made to fit, before work is done.

Nothing beside the pixels may cost the pixels: what cannot be written is left out with a word.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from napari_anyir.errors import ImageFileError
from napari_anyir.files.exif import block_of, shortened
from napari_anyir.files.file_errors import reason
from napari_anyir.files.formats import TABLE
from napari_anyir.files.image_file import METRES, ImageFile

__all__ = ["KINDS", "fit", "listed"]

KINDS = {
    "resolution": "resolution",
    "icc_profile": "colour profile",
    "exif": "EXIF",
    "xmp": "XMP",
    "text": "texts",
    "png": "gamma",
    "nodata": "nodata value",
}
"""Kinds of metadata, and what users are told they are."""

_JPEG_SEGMENT = 65533  # bytes of a marker, less its own length
_TEXT_TAGS = {"Description": 270, "Author": 315, "Copyright": 33432}
_MOST_PLANES = 4096


def fit(
    kind: str, like: ImageFile, shape: tuple[int, ...], dtype: Any
) -> tuple[ImageFile, tuple[str, ...]]:
    """Leave out what a format cannot hold, and say so.

    Parameters
    ----------
    kind : str
        Format that will be written, a value of `napari_anyir.files.FORMATS`.
    like : ImageFile
        The image that a result is made from, its pixels not needed.
    shape : tuple of int
        Of the result.
    dtype : numpy.dtype
        Of the result.

    Returns
    -------
    like : ImageFile
        With metadata that can be written.
    notes : tuple of str
        What is left out or changed, one clause each.

    Raises
    ------
    ImageFileError
        If the format cannot hold an array of this shape and type at all.

    Examples
    --------
    >>> like = ImageFile(None, "YX", "png", metadata={"icc_profile": bytes(128)})
    >>> fit("npy", like, (8, 8), np.dtype("uint8"))[1]
    ('.npy does not hold its colour profile',)
    """
    shape, dtype = tuple(shape), np.dtype(dtype)
    if TABLE[kind].picture is not None:
        from napari_anyir.files.pictures import check_picture, without_unused

        shape, unused = without_unused(shape, like)
        check_picture(shape, dtype, kind)
        notes = [unused] if unused else []
    else:
        notes = []
    like = _with_texts_in_exif(kind, like)
    like = _without_profile_of_other_colours(like, shape, notes)
    like = _what_is_held(kind, like, notes)
    like = _of_bounded_size(kind, like, notes)
    like = _what_can_be_written(kind, like, shape, dtype, notes)
    return like, tuple(notes)


def _without(like: ImageFile, *names: str) -> ImageFile:
    kept = {name: value for name, value in like.metadata.items() if name not in names}
    return replace(like, metadata=kept)


def _with(like: ImageFile, **values: Any) -> ImageFile:
    return replace(like, metadata={**like.metadata, **values})


def _has_resolution(like: ImageFile) -> bool:
    return all(like.scale.get(axis) and METRES.get(like.units.get(axis, "")) for axis in "XY")


def _with_texts_in_exif(kind: str, like: ImageFile) -> ImageFile:
    """Author, copyright and description as EXIF, where a format has no other place for them."""
    texts = like.metadata.get("text") or {}
    found = {_TEXT_TAGS[name]: text for name, text in texts.items() if name in _TEXT_TAGS}
    if kind not in ("jpeg", "webp") or like.metadata.get("exif") or not found:
        return like
    return _with(like, exif=block_of(found, {}))


def _without_profile_of_other_colours(
    like: ImageFile, shape: tuple[int, ...], notes: list[str]
) -> ImageFile:
    profile = like.metadata.get("icc_profile")
    if not profile:
        return like
    colour = (like.axes or "").endswith("S") or (
        like.axes is None and len(shape) > 2 and shape[-1] in (3, 4)
    )
    samples = like.metadata.get("samples")
    colour = colour or bool(samples is not None and samples.colour)
    grey = bool(like.metadata.get("grey") or (samples is not None and samples.grey))
    meant = bytes(profile[16:20])
    expected = {b"GRAY"} if grey or not colour else {b"RGB "}
    if len(profile) < 128 or meant in expected or not meant.strip(b"\0"):
        return like
    called = meant.decode("ascii", "replace").strip()
    is_ = "grey" if expected == {b"GRAY"} else "RGB"
    notes.append(f"its colour profile is for {called} and its pixels are {is_}, so it is left out")
    return _without(like, "icc_profile")


def _what_is_held(kind: str, like: ImageFile, notes: list[str]) -> ImageFile:
    """Leave out what the format has no place for."""
    there = {name for name in KINDS if like.metadata.get(name)}
    if like.nodata is not None:
        there.add("nodata")
    if _has_resolution(like):
        there.add("resolution")
    # A gamma of 1 / 2.2 is what everybody supposes, and a profile says more.
    gamma = (like.metadata.get("png") or {}).get(b"gAMA")
    usual = gamma is None or abs(int.from_bytes(gamma, "big") - 45455) < 500
    if usual or like.metadata.get("icc_profile"):
        there.discard("png")
    held = TABLE[kind].keeps
    lost = [name for name in KINDS if name in there - held]
    if lost:
        names = [KINDS[name] for name in lost]
        listed = " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
        notes.append(f"{TABLE[kind].title} does not hold its {listed}")
    like = _without(like, *(name for name in KINDS if name not in held))
    if "resolution" not in held:
        like = _without_resolution(like)
    if "nodata" not in held:
        like = replace(like, nodata=None)
    texts = like.metadata.get("text") or {}
    room = TABLE[kind].texts
    if room is not None and like.format != kind:
        others = set(texts) - room - {"Software"}
        if like.metadata.get("exif"):
            others -= {"Author", "Copyright"}
        if others:
            named = ", ".join(sorted(others)[:5])
            notes.append(f"{TABLE[kind].title} does not hold its texts {named}")
        like = _with(like, text={n: text for n, text in texts.items() if n in room})
    return like


def _without_resolution(like: ImageFile) -> ImageFile:
    return replace(like, scale={}, units={}) if _has_resolution(like) else like


def _of_bounded_size(kind: str, like: ImageFile, notes: list[str]) -> ImageFile:
    """Shorten what is too long for the places that a format has for it."""
    picture = TABLE[kind].picture
    if picture is not None and _has_resolution(like):
        from napari_anyir.files.pictures import dots_per_inch

        dpi = dots_per_inch(like) or (1.0, 1.0)
        if not all(0.5 <= value <= picture.densest for value in dpi):
            notes.append(f"{TABLE[kind].title} does not hold a resolution of {dpi[0]:.3g} dpi")
            like = replace(like, scale={}, units={})
    if kind != "jpeg":
        return like
    if len(exif := like.metadata.get("exif") or b"") > _JPEG_SEGMENT - 6:
        short = shortened(exif, _JPEG_SEGMENT - 6)
        notes.append(
            "JPEG holds 64 KB of EXIF, so its longest entries are left out"
            if short
            else "JPEG holds 64 KB of EXIF, so it is left out"
        )
        like = _with(like, exif=short)
    if len(like.metadata.get("xmp") or b"") > _JPEG_SEGMENT - 29:
        notes.append("JPEG holds 64 KB of XMP, so it is left out")
        like = _without(like, "xmp")
    texts = dict(like.metadata.get("text") or {})
    for name, text in texts.items():
        if len(text.encode()) > _JPEG_SEGMENT:
            notes.append(f"JPEG holds 64 KB of text, so its {name} is cut")
            texts[name] = text.encode()[:_JPEG_SEGMENT].decode("utf-8", "ignore")
    return _with(like, text=texts) if texts else like


def _what_can_be_written(
    kind: str, like: ImageFile, shape: tuple[int, ...], dtype: np.dtype[Any], notes: list[str]
) -> ImageFile:
    """Write a tiny image with all the metadata; leave out what makes that fail."""
    if not TABLE[kind].tried:
        return like
    small = _small(shape, like.axes)
    if np.prod(small, dtype=float) > _MOST_PLANES * 36:
        return like

    def fails(tried: ImageFile) -> bool:
        try:
            _write_nothing(kind, tried, small, dtype)
        except Exception:  # noqa: BLE001 - libraries raise whatever odd values make them run into
            return True
        return False

    if not fails(like):
        return like
    parts = _parts(like)
    bare = replace(_without(like, *KINDS, "described", "extratags"), scale={}, units={})
    try:
        _write_nothing(kind, bare, small, dtype)
    except Exception as error:  # better now than after the work
        raise ImageFileError(
            f"{TABLE[kind].title} cannot hold it ({reason(error, 'written')}); write .npy or "
            ".ome.zarr"
        ) from error
    for name, put in parts.items():
        if not fails(put(bare)):
            bare = put(bare)
        elif (note := f"its {name.strip()} cannot be written and is left out") not in notes:
            notes.append(note)
    return bare


def _parts(like: ImageFile) -> dict[str, Callable[[ImageFile], ImageFile]]:
    """Everything beside the pixels, as functions that put it into an image without."""
    parts: dict[str, Callable[[ImageFile], ImageFile]] = {}

    def put(name: str, value: Any) -> Callable[[ImageFile], ImageFile]:
        return lambda bare: _with(bare, **{name: value})

    def add_tag(tag: Any) -> Callable[[ImageFile], ImageFile]:
        return lambda bare: _with(bare, extratags=[*bare.metadata.get("extratags", ()), tag])

    parts["resolution"] = lambda bare: replace(bare, scale=like.scale, units=like.units)
    for key in ("resolution", "icc_profile", "exif", "xmp", "text", "png", "described"):
        if like.metadata.get(key):
            parts[{"described": "description", **KINDS}[key] + " " * (key == "resolution")] = put(
                key, like.metadata[key]
            )
    for tag in like.metadata.get("extratags") or ():
        parts[f"tag {tag[0]}"] = add_tag(tag)
    return parts


def _small(shape: tuple[int, ...], axes: str | None) -> tuple[int, ...]:
    """A shape with as many planes and samples, of a few pixels each."""
    if axes is None or len(axes) != len(shape):
        last = 3 if len(shape) > 2 and shape[-1] in (3, 4) else 2
        axes = "?" * (len(shape) - last) + "YXS"[:last]
    return tuple(min(n, 6) if a in "YX" else n for a, n in zip(axes, shape, strict=True))


def _write_nothing(
    kind: str, like: ImageFile, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> None:
    if kind == "tiff":  # its EXIF is added to the file that is there
        like = _without(like, "exif")
    TABLE[kind].write(io.BytesIO(), np.zeros(shape, dtype), like, software="", name="")


def listed(notes: Iterable[str]) -> str:
    """Put clauses into one sentence.

    Parameters
    ----------
    notes : iterable of str
        From `fit` and `ImageFile.notes`.

    Returns
    -------
    str
        Empty if there are none.

    Examples
    --------
    >>> listed(("its labels are left out", "WebP does not hold its resolution"))
    'Its labels are left out; WebP does not hold its resolution.'
    """
    text = "; ".join(notes)
    return text[:1].upper() + text[1:] + "." if text else ""
