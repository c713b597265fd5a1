"""An array that is not there yet: it is known how to fill one, block by block, into any target."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["DeferredArray"]


@dataclass(frozen=True)
class DeferredArray:
    """An array that is not there yet: it is known how to fill one of its shape and type.

    Parameters
    ----------
    shape : tuple of int
        Its shape.
    dtype : numpy.dtype
        Its type.
    fill : callable
        Called with anything of that shape and type that takes assignments.

    Examples
    --------
    >>> import numpy as np
    >>> ones = DeferredArray((2, 3), np.dtype(float), lambda target: target.__setitem__(..., 1.0))
    >>> float(ones.transpose((1, 0)).compute().sum())
    6.0
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fill: Callable[[Any], None]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes that it will fill."""
        return self.size * self.dtype.itemsize

    def transpose(self, order: Sequence[int]) -> DeferredArray:
        """Same array with its axes in another order.

        Parameters
        ----------
        order : sequence of int
            As for `numpy.transpose`.

        Returns
        -------
        DeferredArray
            Still not there.
        """
        shape = tuple(self.shape[axis] for axis in order)
        return DeferredArray(
            shape, self.dtype, lambda target: self.fill(_Permuted(target, order, self.shape))
        )

    def flip(self, axes: Sequence[int]) -> DeferredArray:
        """Same array with some axes running backwards.

        Parameters
        ----------
        axes : sequence of int
            Which.

        Returns
        -------
        DeferredArray
            Still not there.

        Examples
        --------
        >>> import numpy as np
        >>> count = DeferredArray((3,), np.dtype(int), lambda it: it.__setitem__(..., range(3)))
        >>> count.flip([0]).compute().tolist()
        [2, 1, 0]
        """
        return DeferredArray(
            self.shape, self.dtype, lambda target: self.fill(_Flipped(target, frozenset(axes)))
        )

    def map(self, function: Callable[[Any], Any]) -> DeferredArray:
        """Same array with a function applied to what is assigned.

        Parameters
        ----------
        function : callable
            Of arrays, pixel by pixel, to the same type.

        Returns
        -------
        DeferredArray
            Still not there.

        Examples
        --------
        >>> import numpy as np
        >>> ones = DeferredArray((2,), np.dtype(int), lambda it: it.__setitem__(..., np.ones(2)))
        >>> ones.map(lambda values: values + 1).compute().tolist()
        [2, 2]
        """
        return DeferredArray(
            self.shape, self.dtype, lambda target: self.fill(_Applied(target, function))
        )

    def compute(self, **_: Any) -> np.ndarray[Any, Any]:
        """Fill an array in memory.

        Returns
        -------
        numpy.ndarray
            The array.
        """
        target = np.empty(self.shape, self.dtype)
        self.fill(target)
        return target


def _full_index(index: Any, ndim: int) -> tuple[Any, ...]:
    """Give an index one element per axis."""
    index = index if isinstance(index, tuple) else (index,)
    if Ellipsis in index:
        at = index.index(Ellipsis)
        index = (*index[:at], *(slice(None),) * (ndim - len(index) + 1), *index[at + 1 :])
    return (*index, *(slice(None),) * (ndim - len(index)))


class _View:
    """A target that is assigned to in another form."""

    def __init__(self, target: Any, shape: tuple[int, ...]) -> None:
        self._target = target
        self.shape = shape
        self.dtype = target.dtype
        self.ndim = len(shape)


class _Permuted(_View):
    """A target seen with its axes in the order of the source."""

    def __init__(self, target: Any, order: Sequence[int], shape: tuple[int, ...]) -> None:
        super().__init__(target, shape)
        self._order = order

    def __setitem__(self, index: Any, values: Any) -> None:
        index = _full_index(index, self.ndim)
        kept = [axis for axis in range(self.ndim) if isinstance(index[axis], slice)]
        if np.ndim(values):
            moved = [kept.index(axis) for axis in self._order if axis in kept]
            values = np.transpose(values, moved)
        self._target[tuple(index[axis] for axis in self._order)] = values


class _Flipped(_View):
    """A target seen with some axes running backwards."""

    def __init__(self, target: Any, axes: frozenset[int]) -> None:
        super().__init__(target, tuple(target.shape))
        self._axes = axes

    def __setitem__(self, index: Any, values: Any) -> None:
        there: list[Any] = []
        flips: list[int] = []
        kept = 0
        for axis, (part, size) in enumerate(
            zip(_full_index(index, self.ndim), self.shape, strict=True)
        ):
            if axis not in self._axes:
                there.append(part)
            elif isinstance(part, slice):
                start, stop, step = part.indices(size)
                if step != 1:
                    raise NotImplementedError("a backward target is filled in runs")
                there.append(slice(size - stop, size - start))
                flips.append(kept)
            else:
                there.append(size - 1 - part % size)
            kept += isinstance(part, slice)
        values = np.asarray(values)
        if values.ndim == kept:
            values = np.flip(values, tuple(flips))
        self._target[tuple(there)] = values


class _Applied(_View):
    """A target to which a function of the values is assigned."""

    def __init__(self, target: Any, function: Callable[[Any], Any]) -> None:
        super().__init__(target, tuple(target.shape))
        self._function = function

    def __setitem__(self, index: Any, values: Any) -> None:
        self._target[index] = self._function(np.asarray(values))
