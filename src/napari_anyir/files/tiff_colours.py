"""Samples of a TIFF to pixels as they are meant to be seen, and back.

The tags say what the numbers mean (TIFF 6.0): whether zero is white, whether colours were
multiplied by alpha, whether numbers are places in a palette, and which samples are no colours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_anyir.errors import ImageFileError
from napari_anyir.files.deferred_array import DeferredArray
from napari_anyir.files.image_file import ImageFile
from napari_anyir.files.lazy_arrays import changed, is_lazy
from napari_anyir.files.upright import as_stored, check_orientation, upright

__all__ = ["Samples", "check_colours", "photometric_of", "to_be_seen", "to_be_stored"]

_COLOURS = {"MINISWHITE", "MINISBLACK", "RGB", "PALETTE", "YCBCR"}
_MOST_BITS, _PALETTE_BITS = 128, 16
_COUNTS = {"RGB": 3, "MINISBLACK": 1, "MINISWHITE": 1, "PALETTE": 1}
_CALLED = {"SEPARATED": "CMYK", "CFA": "those of a camera's sensor (raw)"}


def photometric_of(page: Any) -> str:
    """Name how the numbers of a page are meant.

    Parameters
    ----------
    page : tifffile.TiffPage
        The page.

    Returns
    -------
    str
        As tifffile calls it, or the number where it has no name.

    Examples
    --------
    >>> import tempfile
    >>> import tifffile
    >>> from pathlib import Path
    >>> path = Path(tempfile.mkdtemp()) / "a.tif"
    >>> tifffile.imwrite(path, np.zeros((8, 8, 3), np.uint8), photometric="rgb")
    >>> with tifffile.TiffFile(path) as file:
    ...     photometric_of(file.pages[0])
    'RGB'
    """
    return str(getattr(page.photometric, "name", page.photometric))


def check_colours(page: Any) -> None:
    """Refuse a page whose numbers are neither grey, RGB nor places in a palette.

    Parameters
    ----------
    page : tifffile.TiffPage
        The page.

    Raises
    ------
    ImageFileError
        With the name of its colours.

    Examples
    --------
    >>> import tempfile
    >>> import tifffile
    >>> from pathlib import Path
    >>> path = Path(tempfile.mkdtemp()) / "a.tif"
    >>> tifffile.imwrite(path, np.zeros((8, 8, 4), np.uint8), photometric="separated")
    >>> with tifffile.TiffFile(path) as file:
    ...     check_colours(file.pages[0])
    Traceback (most recent call last):
    ...
    napari_anyir.errors.ImageFileError: its colours are CMYK...; save it as RGB or grey
    """
    colours = photometric_of(page)
    if colours.isdigit():  # a number that the format has not
        raise ImageFileError(f"its photometric interpretation ({colours}) is unknown")
    if colours not in _COLOURS:
        called = _CALLED.get(colours, colours)
        raise ImageFileError(f"its colours are {called}; save it as RGB or grey")


@dataclass(frozen=True)
class Samples:
    """How the pixels of a TIFF were stored, so that its result can be stored in the same way.

    Parameters
    ----------
    photometric : str
        Name of the tag's value.
    count : int
        Samples per pixel.
    planar : bool
        Whether every sample has a plane of its own.
    extra : tuple of int
        What samples beyond the colours are: 0 not told, 1 alpha that colours were multiplied by,
        2 alpha.
    orientation : int
        From 1 to 8.
    white : int or None
        The number that is black, where zero is white.
    grey : bool
        Whether grey with alpha was read as RGBA.

    Examples
    --------
    >>> Samples("MINISWHITE", white=255).count
    1
    """

    photometric: str
    count: int = 1
    planar: bool = False
    extra: tuple[int, ...] = ()
    orientation: int = 1
    white: int | None = None
    grey: bool = False

    @property
    def bands(self) -> bool:
        """Whether the samples are channels to restore one by one rather than colours."""
        return self.count > 1 and not (self.colour or self.alpha)

    @property
    def colour(self) -> bool:
        """Whether the first three samples are red, green and blue."""
        return self.photometric in ("RGB", "YCBCR") and self.count in (3, 4)

    @property
    def alpha(self) -> bool:
        """Whether the last sample is alpha."""
        colours = _COUNTS.get(self.photometric, 0)
        # Programs that forget to say what a fourth sample of RGB is mean alpha.
        known = self.extra[:1] in ((1,), (2,)) or (not self.extra and colours == 3)
        return colours > 0 and self.count == colours + 1 and known

    @property
    def unused(self) -> bool:
        """Whether a fourth sample beside red, green and blue is not told to be alpha."""
        return self.photometric == "RGB" and self.count == 4 and not self.alpha

    @classmethod
    def of(cls, page: Any) -> Samples:
        """Read the tags of a page.

        Parameters
        ----------
        page : tifffile.TiffPage
            The page.

        Returns
        -------
        Samples
            What they say.
        """
        tag = page.tags.get("Orientation")
        return cls(
            photometric_of(page),
            int(page.samplesperpixel),
            int(page.planarconfig) == 2,
            tuple(int(value) for value in page.extrasamples),
            check_orientation(tag.value if tag else 1),
        )


def to_be_seen(
    array: Any, axes: str, page: Any, samples: Samples, *, imagej: bool
) -> tuple[Any, str, Samples, tuple[str, ...]]:
    """Turn stored samples into what viewers show: black is zero, upright, colours last.

    Parameters
    ----------
    array : numpy.ndarray or dask.array.Array
        As stored.
    axes : str
        Its axis letters.
    page : tifffile.TiffPage
        Its first page.
    samples : Samples
        What the page's tags say.
    imagej : bool
        Whether a palette only colours intensities.

    Returns
    -------
    array : numpy.ndarray or dask.array.Array
        To be seen.
    axes : str
        Its axis letters.
    samples : Samples
        With what `to_be_stored` needs.
    notes : tuple of str
        What cannot be brought into that form.
    """
    notes: list[str] = []
    keep: dict[str, Any] = {}
    bits = page.bitspersample
    bits = int(bits[0] if isinstance(bits, tuple) else bits)
    if not 0 < bits <= _MOST_BITS:
        raise ImageFileError(f"its numbers claim {bits} bits each; it is damaged")
    palette = samples.photometric == "PALETTE" and not imagej
    if bits in (2, 4) and not palette:
        factor = np.uint8(255 // (2**bits - 1))
        array, bits = changed(array, lambda values: values.astype(np.uint8) * factor, "u1"), 8
    if samples.photometric == "MINISWHITE":
        if array.dtype.kind == "f":
            notes.append("its numbers are floating point and zero is white; they stay as they are")
        else:
            array, keep["white"] = _black_is_zero(array, bits, _colours_of(axes, samples))
    if samples.orientation != 1:
        array = upright(array, axes, samples.orientation)
    if "S" in axes and not axes.endswith("S"):
        at = axes.index("S")
        array = array.transpose([n for n in range(array.ndim) if n != at] + [at])
        axes = axes.replace("S", "") + "S"
    if palette:
        array, axes = _coloured(array, axes, _palette_of(page, bits))
    elif samples.alpha and axes.endswith("S"):
        if samples.extra[:1] == (1,):
            array = changed(array, lambda values: _unassociated(values))
        if samples.count == 2:
            array = array[..., [0, 0, 0, 1]]
            keep["grey"] = True
    return array, axes, replace(samples, **keep), tuple(notes)


def _colours_of(axes: str | None, samples: Samples) -> tuple[Any, ...]:
    """Index of what is not alpha, which white and black have nothing to do with."""
    if not samples.alpha or not axes or "S" not in axes:
        return (...,)
    return (*(slice(None),) * axes.index("S"), slice(0, -1))


def _black_is_zero(array: Any, bits: int, where: tuple[Any, ...]) -> tuple[Any, int | None]:
    """Exchange black and white; the number to do it again, where the result has the same depth."""
    white = -1 if array.dtype.kind == "i" else 2**bits - 1
    same_depth = bits == 8 * array.dtype.itemsize
    exchanged = changed(array, lambda values: _exchanged(values, white, where))
    return exchanged, 255 if array.dtype.kind == "b" else white if same_depth else None


def _exchanged(values: NDArray[Any], white: int, where: tuple[Any, ...]) -> NDArray[Any]:
    """``white - values`` in the type of the values."""
    result = values.copy()
    if values.dtype.kind == "b":
        result[where] = ~values[where]
        return result
    top = values.dtype.type(white)
    values = values[where]
    result[where] = np.subtract(top, values if white < 0 else np.minimum(values, top))
    return result


def _unassociated(values: NDArray[Any]) -> NDArray[Any]:
    """Divide colours (..., S) by alpha, the last sample; where that is zero they stay."""
    top = 1.0 if values.dtype.kind == "f" else float(np.iinfo(values.dtype).max)
    alpha = values[..., -1:].astype(np.float64)
    with np.errstate(all="ignore"):
        colours = np.where(alpha > 0, values[..., :-1] * top / alpha, values[..., :-1])
    return _with_colours(values, colours, top)


def _associated(values: NDArray[Any]) -> NDArray[Any]:
    """Multiply colours (..., S) by alpha, the last sample; the inverse of `_unassociated`."""
    top = 1.0 if values.dtype.kind == "f" else float(np.iinfo(values.dtype).max)
    alpha = values[..., -1:].astype(np.float64)
    colours = np.where(alpha > 0, values[..., :-1] * alpha / top, values[..., :-1])
    return _with_colours(values, colours, top)


def _with_colours(values: NDArray[Any], colours: NDArray[Any], top: float) -> NDArray[Any]:
    result = values.copy()
    whole = values.dtype.kind != "f"
    result[..., :-1] = np.clip(np.rint(colours), 0, top) if whole else colours
    return result


def _palette_of(page: Any, bits: int) -> NDArray[Any]:
    """Colours (N, 3) of a page: uint8 if they were of 8 bits, as nearly all are, else uint16."""
    if bits > _PALETTE_BITS:
        raise ImageFileError(f"its palette would need colours for numbers of {bits} bits")
    palette = np.asarray(page.colormap if page.colormap is not None else 0)
    if palette.shape != (3, 2**bits):
        raise ImageFileError(f"its palette does not have the {2**bits} colours that it needs")
    palette = palette.T
    for unit in (257, 256):
        if not (palette % unit).any():
            return (palette // unit).astype(np.uint8)
    return palette


def _coloured(array: Any, axes: str, palette: NDArray[Any]) -> tuple[Any, str]:
    """Colours (..., 3) of places in a palette, or (..., 4) where alpha stands beside them."""
    places = np.uint8 if array.dtype.kind == "b" else array.dtype
    alpha = axes.endswith("S")

    def colours(block: NDArray[Any]) -> NDArray[Any]:
        block = block.astype(places)
        if not alpha:
            return palette[block]
        unit = 257 if palette.dtype == np.uint16 else 1
        opaque = block[..., 1:].astype(palette.dtype) * palette.dtype.type(unit)
        return np.concatenate([palette[block[..., 0]], opaque], axis=-1)

    if not is_lazy(array):
        return colours(array), axes if alpha else axes + "S"
    stack = array.chunks[:-1] if alpha else array.chunks
    options: dict[str, Any] = {} if alpha else {"new_axis": array.ndim}
    chunks = (*stack, (4 if alpha else 3,))
    found = array.map_blocks(colours, dtype=palette.dtype, chunks=chunks, **options)
    return found, axes if alpha else axes + "S"


def to_be_stored(array: Any, like: ImageFile, samples: Samples) -> tuple[Any, str | None, Samples]:
    """Turn pixels to be seen into samples as the source had them: the inverse of `to_be_seen`.

    Parameters
    ----------
    array : numpy.ndarray, dask.array.Array or DeferredArray
        To be seen.
    like : ImageFile
        Its axes.
    samples : Samples
        From `to_be_seen`.

    Returns
    -------
    array : numpy.ndarray, dask.array.Array or DeferredArray
        To be stored.
    axes : str or None
        Its axis letters.
    samples : Samples
        As it is stored now: some forms cannot be made again for an array that is not there yet.
    """
    axes = like.axes if like.axes and len(like.axes) == array.ndim else None
    keep: dict[str, Any] = {}
    if axes and axes.endswith("S") and array.shape[-1] == 4:
        if samples.grey and not isinstance(array, DeferredArray):
            array = _grey(array)
        else:
            keep["grey"] = False
        if samples.extra[:1] == (1,):
            array = changed(array, _associated)
    if samples.white is not None and array.dtype.kind in "iu":
        white, where = samples.white, _colours_of(axes, samples)
        array = changed(array, lambda values: _exchanged(values, white, where))
    if samples.orientation != 1 and axes and {"Y", "X"} <= set(axes):
        array = as_stored(array, axes, samples.orientation)
    else:
        keep["orientation"] = 1
    if axes and axes.endswith("YXC") and like.seen is None:
        # Channels that the user has named: as planes, as every program shows channels.
        stack = array.ndim - 3
        array = array.transpose([*range(stack), stack + 2, stack, stack + 1])
        axes, keep["planar"] = axes[:-3] + "CYX", True
    elif samples.planar and axes and axes.endswith("S") and array.shape[-1] == samples.count:
        array = array.transpose(
            [*range(array.ndim - 3), array.ndim - 1, *(array.ndim - 3, array.ndim - 2)]
        )
        axes = axes[:-3] + "S" + axes[-3:-1]
    return array, axes, replace(samples, **keep)


def _grey(array: Any) -> Any:
    """Grey with alpha, of RGBA."""
    import dask.array as da

    concatenate = da.concatenate if is_lazy(array) else np.concatenate
    grey = array[..., :3].mean(axis=-1, keepdims=True)
    if array.dtype.kind in "iu":
        grey = np.rint(grey)
    return concatenate([grey.astype(array.dtype), array[..., 3:]], axis=-1)
