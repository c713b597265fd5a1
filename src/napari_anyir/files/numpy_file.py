"""Read and write .npy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_anyir.errors import ImageFileError
from napari_anyir.files.blocks import is_lazy, plane_chunks, store
from napari_anyir.files.door import Guarded
from napari_anyir.files.image_file import ImageFile
from napari_anyir.files.mapped import Mapped

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
    """
    with path.open("rb") as file:
        if file.read(6) != b"\x93NUMPY":
            raise ImageFileError("its first bytes are not those of a .npy file")
    if path.stat().st_size <= lazy_above:
        return ImageFile(np.load(path, allow_pickle=False), None, "npy", path)
    import dask.array as da

    found = np.load(path, mmap_mode="r", allow_pickle=False)
    if not found.flags.c_contiguous:
        return ImageFile(np.array(found), None, "npy", path)
    mapped = Mapped(path, found.dtype, found.shape, found.offset)
    # Without name=False dask reads the whole file to give it a name.
    lazy = da.from_array(Guarded(mapped, path), chunks=plane_chunks(mapped.shape, None), name=False)
    return ImageFile(lazy, None, "npy", path)


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
    """
    if not is_lazy(array):
        np.save(path, array, allow_pickle=False)
        return
    laid_out = np.lib.format.open_memmap(path, "w+", array.dtype, array.shape)
    store(array, Mapped(path, laid_out.dtype, laid_out.shape, laid_out.offset))
