"""Values that are no light: masked, or a number that says that there is no value.

They are kept out of the intensity mapping, the network sees their nearest neighbours in their
place, and they come back as they were.
"""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_anyir.inference.arrays.axes import Layout
from napari_anyir.inference.arrays.memory_maps import unmapped

__all__ = ["NoData", "Seen", "Written", "check_nodata", "has_sentinels", "is_masked"]

# Geographic programs fill float32 with nearly its lowest number, -3.4028235e38 or a little less.
_FLOAT32 = (3.4028e38, 3.40283e38)


def check_nodata(nodata: object) -> float | None:
    """Check the ``nodata`` argument.

    Parameters
    ----------
    nodata : object
        A number, NaN too, or None.

    Returns
    -------
    float or None
        The same.

    Raises
    ------
    TypeError
        If it is neither.

    Examples
    --------
    >>> check_nodata(-9999)
    -9999.0
    """
    if nodata is None:
        return None
    if isinstance(nodata, bool) or not isinstance(nodata, numbers.Real):
        raise TypeError(f"nodata must be a number or None, not {type(nodata).__name__}.")
    return float(nodata)


def is_masked(image: Any) -> bool:
    """Whether an array of numpy or dask has a mask.

    Parameters
    ----------
    image : array
        Any array.

    Returns
    -------
    bool
        True for masked arrays, whether or not a value is hidden.

    Examples
    --------
    >>> is_masked(np.zeros(3)), is_masked(np.ma.masked_equal([1, 2, 3], 2))
    (False, True)
    """
    return isinstance(getattr(image, "_meta", image), np.ma.MaskedArray)


def has_sentinels(low: float, high: float) -> bool:
    """Whether the extremes of a floating-point image are no light but marks.

    Parameters
    ----------
    low, high : float
        Lowest and highest value.

    Returns
    -------
    bool
        True for the numbers with which programs fill what has no value.

    Examples
    --------
    >>> has_sentinels(-3.4028234663852886e38, 200.0), has_sentinels(-1e30, 200.0)
    (True, False)
    """
    return any(_FLOAT32[0] <= abs(value) <= _FLOAT32[1] for value in (low, high))


@dataclass(frozen=True)
class NoData:
    """Tells which values of an array are none.

    Parameters
    ----------
    value : float or None
        The number that says so; None for what is masked alone. Of floating point, the lowest and
        highest float32 count as well.

    Examples
    --------
    >>> NoData(-9999.0).hidden(np.array([3, -9999, 4]))
    array([False,  True, False])
    """

    value: float | None = None

    def hidden(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Find the values that are none.

        Parameters
        ----------
        values : array
            Of any shape, masked or not.

        Returns
        -------
        array of bool
            Of the same shape.
        """
        found: NDArray[np.bool_] = np.ma.getmaskarray(values).copy()
        data = np.ma.getdata(values)
        if data.dtype.kind == "f":
            top = float(np.finfo(data.dtype).max)
            if top > _FLOAT32[0]:
                size = np.abs(data)
                found |= (size >= _FLOAT32[0]) & (size <= min(top, _FLOAT32[1]))
            if self.value is not None and math.isnan(self.value):
                found |= np.isnan(data)
            elif self.value is not None:
                value = self.value if math.isinf(self.value) else min(max(self.value, -top), top)
                found |= data == data.dtype.type(value)
        elif self.value is not None and float(self.value).is_integer():
            info = np.iinfo(data.dtype)
            if info.min <= self.value <= info.max:
                found |= data == data.dtype.type(int(self.value))
        return found

    def mask(self, values: NDArray[Any]) -> Any:
        """Mask the values that are none.

        Parameters
        ----------
        values : array
            Of any shape.

        Returns
        -------
        numpy.ma.MaskedArray
            Of the same shape.
        """
        return np.ma.array(np.ma.getdata(values), mask=self.hidden(values))

    def fill(self, values: NDArray[Any], rows: int, columns: int) -> NDArray[Any]:
        """Put the nearest value of the same plane where there is none.

        Parameters
        ----------
        values : array
            Masked or not.
        rows, columns : int
            Which of its axes these are.

        Returns
        -------
        array
            Without a mask; planes without any value are zero.
        """
        hidden = self.hidden(values)
        data = np.asarray(np.ma.getdata(values))
        if not hidden.any():
            return data
        from scipy.ndimage import distance_transform_edt

        data = data.copy()
        planes = np.moveaxis(data, (rows, columns), (-2, -1))
        for index in np.ndindex(planes.shape[:-2]):
            here = np.moveaxis(hidden, (rows, columns), (-2, -1))[index]
            if here.all():
                planes[index] = 0
            elif here.any():
                nearest = distance_transform_edt(here, return_distances=False, return_indices=True)
                planes[index] = planes[index][tuple(nearest)]
        return data

    def put_back(self, restored: NDArray[Any], source: NDArray[Any]) -> Any:
        """Give back the values that are none.

        Parameters
        ----------
        restored : array
            The result.
        source : array
            What it was made from, of the same shape; masked or not.

        Returns
        -------
        array
            Masked if the source is.
        """
        result = np.where(self.hidden(source), np.ma.getdata(source), restored)
        if isinstance(source, np.ma.MaskedArray):
            return np.ma.array(result, mask=np.ma.getmaskarray(source).copy())
        return result


class Seen:
    """A source as the network is to see it: something everywhere.

    Parameters
    ----------
    source : array
        Anything that takes indices.
    layout : Layout
        Where its planes are.
    nodata : NoData
        Which of its values are none.

    Examples
    --------
    >>> source = np.array([[1.0, np.nan], [3.0, 4.0]])
    >>> Seen(source, Layout("YX", (2, 2)), NoData(np.nan))[:, :].tolist()
    [[1.0, 1.0], [3.0, 4.0]]
    """

    def __init__(self, source: Any, layout: Layout, nodata: NoData) -> None:
        self.source = source
        self.nodata = nodata
        self.shape = layout.shape
        self.ndim = len(layout.shape)
        self.dtype = np.dtype(source.dtype)
        self.chunks = getattr(source, "chunks", None)
        self._spatial = [layout.axes.index(letter) for letter in "YX"]

    def read(self, index: Any) -> NDArray[Any]:
        """Read values as they are, with their mask."""
        found = self.source[index]
        return unmapped(np.asanyarray(found.compute() if hasattr(found, "compute") else found))

    def __getitem__(self, index: Any) -> NDArray[Any]:
        kept = [axis for axis, part in enumerate(index) if isinstance(part, slice)]
        rows, columns = (kept.index(axis) for axis in self._spatial)
        return self.nodata.fill(self.read(index), rows, columns)

    def masked(self) -> _Masked:
        """The same with a mask over what is none."""
        return _Masked(self)


class _Masked:
    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self.shape, self.dtype, self.chunks = seen.shape, seen.dtype, seen.chunks

    def __getitem__(self, index: Any) -> Any:
        return self._seen.nodata.mask(self._seen.read(index))


class Written:
    """A target in which values that are none stay as they are in the source.

    Parameters
    ----------
    target : array
        Anything that takes assignments.
    seen : Seen
        The source.

    Examples
    --------
    >>> source = np.array([[0.0, 5.0]])
    >>> target = np.ones_like(source)
    >>> seen = Seen(source, Layout("YX", (1, 2)), NoData(0.0))
    >>> Written(target, seen)[...] = np.array([[7.0, 8.0]])
    >>> target
    array([[0., 8.]])
    """

    def __init__(self, target: Any, seen: Seen) -> None:
        self._target = target
        self._seen = seen
        self.shape, self.dtype = tuple(target.shape), np.dtype(target.dtype)

    def __setitem__(self, index: Any, values: Any) -> None:
        source = self._seen.read(index)
        result = self._seen.nodata.put_back(np.asarray(values), source)
        self._target[index] = np.ma.getdata(result)
