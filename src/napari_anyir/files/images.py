"""Read an image file, write an image file: the one door to all formats."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_anyir.atomic_writing import atomic_write
from napari_anyir.errors import ImageFileError
from napari_anyir.files.file_errors import as_file_error, is_regular, is_there
from napari_anyir.files.fitting import fit, listed
from napari_anyir.files.formats import TABLE, format_of
from napari_anyir.files.image_file import ImageFile
from napari_anyir.files.run_lock import temporary_of
from napari_anyir.places import expanded

__all__ = ["LAZY_ABOVE", "read_image", "write_image"]

_log = logging.getLogger(__name__)

LAZY_ABOVE = 256 * 2**20
"""Bytes of pixels above which a file is not held whole, where its format allows that."""


def read_image(path: str | Path, *, lazy_above: int = LAZY_ABOVE) -> ImageFile:
    """Read an image file.

    Parameters
    ----------
    path : str or Path
        A .npy, TIFF, PNG, JPEG, BMP or WebP file, or an OME-Zarr folder.
    lazy_above : int
        Bytes of pixels above which .npy, TIFF and OME-Zarr give a dask array.

    Returns
    -------
    ImageFile
        Pixels of an integer or floating type (black-and-white becomes uint8 of 0 and 255), with
        axes, scale and metadata.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ImageFileError
        If it is no image, damaged, or of a kind that cannot be restored; one sentence with its
        path says which. A lazy array raises it when the damaged part is computed.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "grey.png"
    >>> _ = write_image(path, np.full((4, 6), 7, np.uint8))
    >>> image = read_image(path)
    >>> image.axes, image.array.shape
    ('YX', (4, 6))
    """
    path = expanded(path)
    if not is_there(path):
        raise FileNotFoundError(f"There is no file '{path}'; check the path.")
    kind = format_of(path)
    with as_file_error(path):
        _check_place(path, kind)
        return _numbers(TABLE[kind].read(path, lazy_above=lazy_above))


def _check_place(path: Path, kind: str) -> None:
    """Refuse what cannot hold an image of its kind before anything is opened."""
    if path.is_symlink() and not path.exists():
        raise ImageFileError("it is a link to something that is not there")
    if path.is_dir() != TABLE[kind].folder:
        what = "a folder" if path.is_dir() else "a file"
        raise ImageFileError(f"it is {what}, unlike what its name says")
    if not is_regular(path):
        raise ImageFileError("it is a pipe, a socket or a device, and no file")
    if path.is_file() and path.stat().st_size == 0:
        raise ImageFileError("the file is empty (0 bytes)")


def _numbers(image: ImageFile) -> ImageFile:
    """Refuse what is no number; make black-and-white grey."""
    array = image.array
    if array.dtype.kind == "b":
        grey = array.astype(np.uint8) * np.uint8(255)
        return replace(image, array=grey)
    if array.dtype.kind not in "iuf":
        raise ImageFileError(
            f"its pixels are {array.dtype}; save them as integers or floating point"
        )
    if array.ndim < 2:
        raise ImageFileError(f"an array of shape {array.shape} is no image; it needs two axes")
    if 0 in array.shape:
        raise ImageFileError(f"an array of shape {array.shape} holds no pixels")
    return image


def write_image(
    path: str | Path,
    array: Any,
    like: ImageFile | None = None,
    *,
    software: str = "",
    run: str = "",
    before: Callable[[Path], None] | None = None,
) -> Path:
    """Write an image file, whole or not at all.

    The pixels go to a temporary name in the same folder, which is renamed at the end: whatever
    happens, the target is the old file, the new file or no file, never half of one.

    Parameters
    ----------
    path : str or Path
        Target; its extension chooses the format, its folder is made if need be.
    array : numpy.ndarray, dask.array.Array or DeferredArray
        Pixels; what is not there yet is computed and written block by block (.npy, TIFF,
        OME-Zarr).
    like : ImageFile, optional
        The image that it was made from: its axes, scale and metadata are kept as far as the
        format can hold them; what it cannot is logged as a warning.
    software : str
        Text for the Software tag of a TIFF.
    run : str
        Name of a run, for its temporaries; see `napari_anyir.files.run_lock.RunLock`.
    before : callable, optional
        Called with the whole temporary file, just before the rename.

    Returns
    -------
    Path
        The target.

    Raises
    ------
    ImageFileError
        If the format cannot hold the array, or the disk is full or not writable; one sentence.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "stack.tif"
    >>> image = ImageFile(np.zeros((2, 8, 8), np.uint16), "ZYX", "npy", scale={"Z": 2.0})
    >>> read_image(write_image(path, image.array, image)).axes
    'ZYX'
    """
    path = expanded(path)
    kind = format_of(path)
    like = like or ImageFile(array, None, kind)
    if like.axes and "S" in like.axes[:-1] and kind != "npy":
        at = like.axes.index("S")
        array = array.transpose([axis for axis in range(array.ndim) if axis != at] + [at])
        like = replace(like, axes=like.axes.replace("S", "") + "S")
    with as_file_error(path, "written"):
        like, notes = fit(kind, like, array.shape, array.dtype)
        if notes:
            _log.warning("'%s': %s", path, listed(notes))
    part = temporary_of(path, run)
    with as_file_error(path, "written"), atomic_write(path, temporary=part, before=before):
        TABLE[kind].write(part, array, like, software=software, name=path.name)
    return path
