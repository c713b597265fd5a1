"""One plane, or a band of its rows, of an array of any kind: read, written and measured."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_anyir.inference.arrays.axes import Layout
from napari_anyir.inference.arrays.intensity import (
    Intensity,
    IntensityRange,
    choose_range,
    needs,
)
from napari_anyir.inference.arrays.memory_maps import unmapped
from napari_anyir.inference.arrays.nodata import Seen
from napari_anyir.inference.arrays.noise_level import BLOCK, block_step
from napari_anyir.inference.arrays.pixels import is_grey
from napari_anyir.inference.arrays.statistics import (
    Statistics,
    measure,
    merge,
    not_finite,
    sampling_step,
)

_VALUES = 2**24
"""Values that are looked at in one piece."""


def read_plane(
    image: Any, layout: Layout, plane: tuple[int, ...], rows: slice = slice(None)
) -> NDArray[Any]:
    """Read one plane, or some rows of it, of an array of any kind.

    Parameters
    ----------
    image : array
        Anything that takes indices: numpy, dask, zarr, h5py.
    layout : Layout
        Where its planes are.
    plane : tuple of int
        As from `Layout.indices`.
    rows : slice
        Which rows.

    Returns
    -------
    numpy.ndarray (Y, X) or (Y, X, S)
        A view where the array can give one, and lies in no file.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_anyir.inference.arrays.axes import Layout
    >>> from napari_anyir.inference.arrays.plane_reading import read_plane
    >>> read_plane(np.zeros((3, 5, 7)), Layout("SYX", (3, 5, 7)), ()).shape
    (5, 7, 3)
    """
    values = unmapped(np.asanyarray(image[layout.index(plane, rows)]))
    return values.transpose(layout.plane_order)


def write_plane(
    target: Any,
    layout: Layout,
    plane: tuple[int, ...],
    values: NDArray[Any],
    rows: slice = slice(None),
) -> None:
    """Write one plane, or some rows of it, of an array of any kind; the inverse of `read_plane`.

    Parameters
    ----------
    target : array
        Anything that takes indices and assignments.
    layout : Layout
        Where its planes are.
    plane : tuple of int
        As from `Layout.indices`.
    values : array (Y, X) or (Y, X, S)
        What to write.
    rows : slice
        Which rows.

    Examples
    --------
    >>> from napari_anyir.inference.arrays.axes import Layout
    >>> stack = np.zeros((2, 3, 4))
    >>> write_plane(stack, Layout("ZYX", stack.shape), (1,), np.ones((3, 4)))
    >>> stack.sum(axis=(1, 2))
    array([ 0., 12.])
    """
    order = np.argsort(layout.plane_order)
    target[layout.index(plane, rows)] = values.transpose(order)


def find_range(
    image: Any, layout: Layout, intensity: Intensity, *, stretch: bool = True
) -> IntensityRange:
    """Find the intensity mapping of an array, and check that its pixels are finite.

    Parameters
    ----------
    image : array
        Not empty, of any kind that `read_plane` reads; each pixel is read once.
    layout : Layout
        Where its planes are.
    intensity : str or tuple
        As for `restore`.
    stretch : bool
        Whether ``"auto"`` maps grey planes of 8 bits by percentiles where these lie close together.

    Returns
    -------
    IntensityRange
        The mapping.

    Raises
    ------
    ValueError
        If pixels are NaN or infinite.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_anyir.inference.arrays.axes import Layout
    >>> from napari_anyir.inference.arrays.plane_reading import find_range
    >>> image = np.array([[100, 200], [300, 400]], np.uint16)
    >>> find_range(image, Layout("YX", (2, 2)), "range").low
    100.3
    """
    dtype = np.dtype(image.dtype).newbyteorder("=")
    grey = stretch and not layout.colour
    need = needs(intensity, dtype, grey=grey)
    step = sampling_step(layout)
    blocks = noise_step(layout) if need == "noise" else 0
    # Blocks whose noise is measured are not to be cut.
    bands = list(row_bands(image, layout, BLOCK if blocks else 1)) if need != "nothing" else ()
    source = image.masked() if isinstance(image, Seen) else image

    def parts() -> Iterator[Statistics]:
        for plane in layout.indices():
            for rows in bands:
                values = read_plane(source, layout, plane, rows)
                yield measure(
                    colours(values, layout),
                    step,
                    (rows.start, 0),
                    percentiles=need in ("percentiles", "noise"),
                    blocks=blocks,
                )
                if layout.colour:  # alpha passes through, and has to be a number for that
                    yield not_finite(values[..., 3:])

    return choose_range(intensity, dtype, merge(parts()), grey=grey)


def is_grey_plane(image: Any, layout: Layout, plane: tuple[int, ...]) -> bool:
    """Whether one plane of an array holds grey that was saved as RGB, read in bands.

    Parameters
    ----------
    image : array
        Of any kind that `read_plane` reads.
    layout : Layout
        Where its planes are.
    plane : tuple of int
        As from `Layout.indices`.

    Returns
    -------
    bool
        As `is_grey` says of the whole plane; nothing is read of planes without samples.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_anyir.inference.arrays.axes import Layout
    >>> from napari_anyir.inference.arrays.plane_reading import is_grey_plane
    >>> is_grey_plane(np.zeros((3, 5, 7)), Layout("SYX", (3, 5, 7)), ())
    True
    """
    return layout.colour and all(
        is_grey(read_plane(image, layout, plane, rows)) for rows in row_bands(image, layout)
    )


def noise_step(layout: Layout) -> int:
    """Step between the blocks of a volume whose noise is measured.

    Parameters
    ----------
    layout : Layout
        The volume.

    Returns
    -------
    int
        As from `noise_level.block_step`.

    Examples
    --------
    >>> from napari_anyir.inference.arrays.axes import Layout
    >>> small, large = Layout("YX", (256, 256)), Layout("ZYX", (500, 2048, 2048))
    >>> noise_step(small) <= noise_step(large)
    True
    """
    height, width = layout.plane_shape[:2]
    return block_step((height, width), layout.count * (3 if layout.colour else 1))


def row_bands(image: Any, layout: Layout, multiple: int = 1) -> Iterator[slice]:
    """Cut planes into bands of rows that fit into memory, and along the chunks of the array.

    Parameters
    ----------
    image : array
        Its ``chunks``, if it has any, are those of zarr or of dask.
    layout : Layout
        Where its planes are.
    multiple : int
        What the number of rows is a multiple of.

    Yields
    ------
    slice
        Rows; together all.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_anyir.inference.arrays.axes import Layout
    >>> from napari_anyir.inference.arrays.plane_reading import row_bands
    >>> [rows.stop for rows in row_bands(None, Layout("YX", (30_000, 2000)))]
    [8388, 16776, 25164, 30000]
    """
    height, *others = layout.plane_shape
    rows = max(1, _VALUES // max(1, math.prod(others)))
    chunks = getattr(image, "chunks", None)
    if chunks is not None:
        chunk = chunks[layout.axes.index("Y")]
        chunk = max(1, max(chunk) if isinstance(chunk, tuple) else chunk)
        multiple = math.lcm(multiple, chunk)
    rows = max(rows // multiple, 1) * multiple
    return (slice(start, min(start + rows, height)) for start in range(0, height, rows))


def colours(planes: Any, layout: Layout) -> Any:
    """Return planes as (..., Y, X, S) without alpha; S is 1 where they are grey.

    Examples
    --------
    >>> from napari_anyir.inference.arrays.axes import Layout
    >>> colours(np.zeros((8, 9, 4)), Layout("YXS", (8, 9, 4))).shape
    (8, 9, 3)
    >>> colours(np.zeros((8, 9)), Layout("YX", (8, 9))).shape
    (8, 9, 1)
    """
    return planes[..., :3] if layout.colour else planes[..., np.newaxis]
