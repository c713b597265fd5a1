"""Read and write .npy."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from napari_anyir.errors import ImageFileError
from napari_anyir.files.file_errors import GuardedArray
from napari_anyir.files.file_pixels import FilePixels, reserve
from napari_anyir.files.image_file import ImageFile
from napari_anyir.files.lazy_arrays import is_lazy, plane_chunks, store

__all__ = ["read_npy", "write_npy"]


def read_npy(path: Path, *, lazy_above: int) -> ImageFile:
    """Read a .npy file; nothing in it is executed.

    Parameters
    ----------
    path : Path
        The file.
    lazy_above : int
        Bytes above which the pixels stay in the file.

    Returns
    -------
    ImageFile
        Pixels without axes: the format does not hold them.

    Raises
    ------
    ImageFileError
        If the file is not a whole .npy of numbers.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.npy"
    >>> np.save(path, np.zeros((3, 4), np.uint16))
    >>> read_npy(path, lazy_above=1000).array.shape
    (3, 4)
    """
    shape, fortran, dtype, offset = _head(path)
    held = path.stat().st_size - offset
    if dtype.hasobject:
        raise ImageFileError("it holds Python objects, which are not read; save numbers")
    if any(length < 0 for length in shape):  # older numpy makes something of it
        raise ImageFileError(f"it claims the shape {shape}; it is damaged")
    if math.prod(shape) * dtype.itemsize > held:
        raise ImageFileError(
            f"it is cut off: an array of shape {shape} takes more than the {held} bytes it has"
        )
    if held <= lazy_above or fortran:
        return ImageFile(np.load(path, allow_pickle=False), None, "npy", path)
    import dask.array as da

    pixels = GuardedArray(FilePixels(path, dtype, shape, offset), path)
    # Without name=False dask reads the whole file to give it a name.
    lazy = da.from_array(pixels, chunks=plane_chunks(shape, None), name=False)
    return ImageFile(lazy, None, "npy", path)


def _head(path: Path) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Shape, whether columns come first, type, and where the pixels begin."""
    with path.open("rb") as file:
        if file.read(6) != b"\x93NUMPY":
            raise ImageFileError("its first bytes are not those of a .npy file")
        file.seek(0)
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
        else:  # 2.0 for long heads; 3.0 for names of fields, which no image has
            shape, fortran, dtype = np.lib.format.read_array_header_2_0(file)
        return shape, fortran, dtype, file.tell()


def write_npy(path: Path, array: Any, like: ImageFile) -> None:
    """Write a .npy file, block by block if the array is lazy.

    Parameters
    ----------
    path : Path
        Target.
    array : numpy.ndarray or dask.array.Array
        Pixels.
    like : ImageFile
        The format can keep nothing of it.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.npy"
    >>> pixels = np.arange(6).reshape(2, 3)
    >>> write_npy(path, pixels, ImageFile(pixels, None, "npy"))
    >>> np.load(path).tolist()
    [[0, 1, 2], [3, 4, 5]]
    """
    if not is_lazy(array):
        np.save(path, array, allow_pickle=False)
        return
    head = {
        "descr": np.lib.format.dtype_to_descr(array.dtype),
        "fortran_order": False,
        "shape": tuple(map(int, array.shape)),
    }
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, head)
        offset = file.tell()
    reserve(path, offset + array.nbytes)
    store(array, FilePixels(path, array.dtype, array.shape, offset))
