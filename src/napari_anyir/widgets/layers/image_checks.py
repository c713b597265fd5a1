"""Whether an image can be restored, asked before a run in the engine's own words; no Qt."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_anyir.widgets.layers.image_layers import pixels

if TYPE_CHECKING:
    from napari.layers import Image

AT_ONCE = 2**24
"""Pixels that the window's thread looks at itself, in some hundredths of a second."""


class FiniteJob:
    """Look for pixels that are NaN or infinite.

    Parameters
    ----------
    data : ndarray
        Of floats.

    Examples
    --------
    >>> FiniteJob(np.array([1.0, np.nan]))(None, None)
    'The image has 1 NaN pixel; replace them first, for instance with numpy.nan_to_num.'
    >>> FiniteJob(np.array([1.0, 2.0]))(None, None) is None
    True
    """

    def __init__(self, data: np.ndarray[Any, Any]) -> None:
        self._data = data

    def __str__(self) -> str:
        return "Looking for NaN"

    __repr__ = __str__  # the pixels would be printed otherwise

    def __call__(self, progress: Any, cancel: Any) -> str | None:
        """Return the sentence that a run would end with, or None."""
        from napari_anyir.inference.arrays.statistics import check_finite, not_finite

        try:
            check_finite(not_finite(self._data))
        except ValueError as error:
            return str(error)
        return None


class ImageChecks:
    """What is known of the pixels of layers; it is asked again after an edit.

    Attributes
    ----------
    wanted : tuple of (weakref, FiniteJob), or None
        A look that is too long for the window's thread: run it and `tell` what it found.
    """

    def __init__(self) -> None:
        self._found: weakref.WeakKeyDictionary[Any, tuple[int, str | None]]
        self._found = weakref.WeakKeyDictionary()
        self.wanted: tuple[weakref.ref[Any], FiniteJob] | None = None

    def problem(self, layer: Image) -> str | None:
        """Say why a layer's pixels cannot be restored, or None; None too while it is not known.

        Parameters
        ----------
        layer : napari.layers.Image
            The source.

        Examples
        --------
        >>> from napari.layers import Image
        >>> checks = ImageChecks()
        >>> checks.problem(Image(np.ones((8, 8), bool)))[:37]
        'An image of type bool is a mask, not '
        >>> checks.problem(Image(np.full((8, 8), np.nan)))
        'The image has 64 NaN pixels; replace them first, for instance with numpy.nan_to_num.'
        >>> checks.problem(Image(np.ones((8, 8)))) is None
        True
        """
        from napari_anyir.inference.arrays.intensity import check_dtype

        self.wanted = None
        try:
            data = pixels(layer)
            check_dtype(data.dtype)
        except TypeError as error:
            return str(error)
        if not isinstance(data, np.ndarray) or data.dtype.kind != "f":
            return None
        known = self._found.get(layer)
        if known is not None and known[0] == id(data):
            return known[1]
        job = FiniteJob(data)
        if data.size > AT_ONCE:
            self.wanted = (weakref.ref(layer), job)
            return None
        return self.tell(layer, job(None, None))

    def tell(self, layer: Image, text: str | None) -> str | None:
        """Remember what was found of a layer, and return it."""
        self._found[layer] = (id(pixels(layer)), text)
        return text

    def forget(self, layer: Image) -> None:
        """Look at a layer again: its pixels were edited."""
        self._found.pop(layer, None)
