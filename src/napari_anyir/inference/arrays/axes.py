"""Which axis is which: letters in, planes out.

An image is a stack of planes. A plane is grey (Y, X) or has samples (Y, X, S); every other axis
only counts planes. `guess_axes` names the axes of an array where its shape leaves no doubt,
`check_axes` refuses letters that cannot fit, and `Layout` finds the planes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

LETTERS = "TZCYXS"
"""Time, depth, channel, row, column, sample; each may stand once, in any order."""

SAMPLES = (3, 4)
"""Lengths of a sample axis: RGB and RGBA."""

# What leading axes are called when nobody says: all of them count planes, so only the look differs.
_LEADING = ("", "Z", "TZ", "TZC")

_WORDS = {
    "time": "T",
    "frame": "T",
    "depth": "Z",
    "plane": "Z",
    "slice": "Z",
    "channel": "C",
    "height": "Y",
    "row": "Y",
    "width": "X",
    "column": "X",
    "sample": "S",
    "rgb": "S",
}


def _name(shape: Sequence[int]) -> str:
    return " x ".join(str(size) for size in shape)


def _from_labels(labels: Sequence[str], shape: Sequence[int]) -> str | None:
    """Read letters off labels such as ``("t", "y", "x")``; None if they do not name all axes."""
    letters = ""
    for label in labels:
        word = str(label).strip().lower()
        letter = word.upper() if word.upper() in LETTERS else _WORDS.get(word.removesuffix("s"))
        if not letter:
            return None
        letters += letter
    if len(letters) == len(shape) - 1 and "S" not in letters and shape[-1] in SAMPLES:
        letters += "S"  # napari labels the axes of an RGB layer without its samples
    fits = len(letters) == len(shape) and len(set(letters)) == len(letters)
    return letters if fits and {"Y", "X"} <= set(letters) else None


def guess_axes(
    shape: Sequence[int], dtype: DTypeLike, axis_labels: Sequence[str] | None = None
) -> str:
    """Name the axes of an array whose owner did not.

    Labels that name every axis decide. Otherwise the last two axes are rows and columns, or the
    last three are rows, columns and samples if the last has 3 or 4 elements of uint8 or float;
    leading axes count planes.

    Parameters
    ----------
    shape : sequence of int
        Shape of the array, 2 to 6 axes.
    dtype : dtype-like
        Type of its elements.
    axis_labels : sequence of str, optional
        What the array's owner calls the axes, as napari's layers do; labels such as ``"axis -1"``
        say nothing and are passed over.

    Returns
    -------
    str
        One letter of ``TZCYXS`` per axis.

    Raises
    ------
    ValueError
        If there are too few or too many axes, or two readings are possible: a 3-D array whose
        first axis is 3 or 4, and an array of other integers whose last axis is 3 or 4.

    Examples
    --------
    >>> from napari_anyir.inference import guess_axes
    >>> guess_axes((512, 512), "uint16"), guess_axes((480, 640, 3), "uint8")
    ('YX', 'YXS')
    >>> guess_axes((10, 2, 64, 64), "float32")
    'TZYX'
    >>> guess_axes((10, 2, 64, 64), "float32", axis_labels=("t", "c", "y", "x"))
    'TCYX'
    """
    shape, dtype = tuple(shape), np.dtype(dtype)
    if axis_labels is not None and (letters := _from_labels(axis_labels, shape)):
        return letters
    if len(shape) < 2:
        raise ValueError(
            f"An image needs at least rows and columns, and this array has {len(shape)} "
            f"{'axis' if len(shape) == 1 else 'axes'}; give a 2-D array."
        )
    # Colour needs rows and columns besides its samples.
    last = len(shape) > 2 and shape[-1] in SAMPLES
    if len(shape) == 3 and shape[0] in SAMPLES:
        colour = "axes='YXS' if it is one image with its samples last, " if last else ""
        raise ValueError(
            f"The array of {_name(shape)} can be read in more than one way; say axes='CYX' if its "
            f"first axis counts {shape[0]} planes to restore one by one, {colour}"
            f"or axes='SYX' if it is one {'RGB' if shape[0] == 3 else 'RGBA'} image with its "
            "samples first."
        )
    if last and dtype != np.uint8 and dtype.kind != "f":
        planes = _leading(shape, 2)
        colour = _leading(shape, 3)
        raise ValueError(
            f"The {dtype} array of {_name(shape)} can be read in two ways; say "
            f"axes='{colour}YXS' if its last axis is colour, or axes='{planes}YX' if it is "
            f"{shape[-1]} columns."
        )
    return _leading(shape, 3) + "YXS" if last else _leading(shape, 2) + "YX"


def _leading(shape: Sequence[int], used: int) -> str:
    count = len(shape) - used
    if count >= len(_LEADING):
        raise ValueError(
            f"An array of {len(shape)} axes has more leading axes than T, Z and C can name; "
            "reshape it to fewer."
        )
    return _LEADING[count]


def check_axes(axes: str, shape: Sequence[int], dtype: DTypeLike | None = None) -> str:
    """Check that letters fit an array.

    Parameters
    ----------
    axes : str
        One letter of ``TZCYXS`` per axis, in any order and case; Y and X must be there.
    shape : sequence of int
        Shape of the array.
    dtype : dtype-like, optional
        Type of its elements, named in the message.

    Returns
    -------
    str
        The letters in capitals.

    Raises
    ------
    TypeError
        If ``axes`` is no string.
    ValueError
        If a letter is unknown, missing or repeated, if their number is wrong, or if S is neither
        3 nor 4 long.

    Examples
    --------
    >>> from napari_anyir.inference import check_axes
    >>> check_axes("zyx", (5, 64, 64))
    'ZYX'
    >>> check_axes("YX", (5, 64, 64))
    Traceback (most recent call last):
    ...
    ValueError: axes='YX' names 2 axes and the array of 5 x 64 x 64 has 3; give one letter per axis.
    """
    if not isinstance(axes, str):
        raise TypeError(
            f"axes must be a string such as 'TCYX', not {type(axes).__name__}; give one letter "
            "per axis."
        )
    letters = axes.upper()
    what = f"{np.dtype(dtype)} array" if dtype is not None else "array"
    if unknown := next((letter for letter in letters if letter not in LETTERS), None):
        raise ValueError(
            f"axes={axes!r} has the unknown letter {unknown!r}; use T, Z, C, Y, X and S (samples)."
        )
    if repeated := next((letter for letter in letters if letters.count(letter) > 1), None):
        raise ValueError(f"axes={axes!r} names {repeated} twice; give each axis its own letter.")
    if len(letters) != len(shape):
        raise ValueError(
            f"axes={axes!r} names {len(letters)} {'axis' if len(letters) == 1 else 'axes'} and "
            f"the {what} of {_name(shape)} has {len(shape)}; give one letter per axis."
        )
    if missing := next((letter for letter in "YX" if letter not in letters), None):
        raise ValueError(f"axes={axes!r} lacks {missing}; name both the rows Y and the columns X.")
    if "S" in letters and (samples := shape[letters.index("S")]) not in SAMPLES:
        raise ValueError(
            f"The samples axis S of axes={axes!r} has {samples} elements; it must have 3 (RGB) or "
            "4 (RGBA), and channels to restore one by one are C."
        )
    return letters


@dataclass(frozen=True)
class Layout:
    """Where the planes of an array are.

    Parameters
    ----------
    axes : str
        Letters as `check_axes` returns them.
    shape : tuple of int
        Shape of the array.

    Examples
    --------
    >>> from napari_anyir.inference.arrays.axes import Layout
    >>> layout = Layout("TCYX", (2, 3, 64, 48))
    >>> layout.planes, layout.plane_shape, layout.count
    ((2, 3), (64, 48), 6)
    """

    axes: str
    shape: tuple[int, ...]

    @property
    def order(self) -> tuple[int, ...]:
        """Axes of the array in the order (leading..., Y, X[, S]), for ``transpose``."""
        spatial = [self.axes.index(letter) for letter in "YXS" if letter in self.axes]
        return (*(i for i in range(len(self.axes)) if i not in spatial), *spatial)

    @property
    def inverse(self) -> tuple[int, ...]:
        """The permutation that undoes `order`."""
        return tuple(int(i) for i in np.argsort(self.order))

    @property
    def plane_order(self) -> tuple[int, ...]:
        """Axes of ``array[self.index(...)]`` in the order (Y, X[, S]), for ``transpose``."""
        found = [letter for letter in self.axes if letter in "YXS"]
        return tuple(found.index(letter) for letter in "YXS" if letter in found)

    @property
    def colour(self) -> bool:
        """Whether planes have samples."""
        return "S" in self.axes

    @property
    def planes(self) -> tuple[int, ...]:
        """Lengths of the leading axes, after `order`."""
        return tuple(self.shape[i] for i in self.order[: -3 if self.colour else -2])

    @property
    def plane_shape(self) -> tuple[int, ...]:
        """(Y, X) or (Y, X, S)."""
        return tuple(self.shape[i] for i in self.order[-3 if self.colour else -2 :])

    @property
    def count(self) -> int:
        """Number of planes."""
        return int(np.prod(self.planes, dtype=int))

    def indices(self) -> Iterator[tuple[int, ...]]:
        """Iterate over the planes, the last leading axis fastest.

        Yields
        ------
        tuple of int
            Index into the leading axes, after `order`.
        """
        return itertools.product(*(range(size) for size in self.planes))

    def index(self, plane: tuple[int, ...], rows: slice = slice(None)) -> tuple[int | slice, ...]:
        """Index of a plane in the array itself.

        Parameters
        ----------
        plane : tuple of int
            As from `indices`.
        rows : slice
            Which of its rows.

        Returns
        -------
        tuple of int and slice
            One entry per axis of the array, in its own order.

        Examples
        --------
        >>> import numpy as np
        >>> from napari_anyir.inference.arrays.axes import Layout
        >>> layout = Layout("YTX", (5, 2, 7))
        >>> np.zeros((5, 2, 7))[layout.index((1,))].shape
        (5, 7)
        """
        entries: list[int | slice] = [slice(None)] * len(self.axes)
        for axis, position in zip(self.order, plane, strict=False):
            entries[axis] = position
        entries[self.axes.index("Y")] = rows
        return tuple(entries)
