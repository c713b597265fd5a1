"""The linear mapping between an array's values and the network's range."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class IntensityRange:
    """The linear mapping of a volume: ``low`` becomes 0 and ``high`` becomes 1.

    Parameters
    ----------
    low, high : float
        In the array's own units.
    clip : bool
        Whether results end at ``low`` and ``high``. True for ``"dtype"``, whose limits are those
        of the type; the other mappings are open, so that bright pixels stay bright.
    floor : float
        Results of open mappings end here: where fractions end by themselves, as restored pixels
        have no business below the darkest one there was.

    Examples
    --------
    >>> from napari_anyir.inference.arrays.mappings import IntensityRange
    >>> IntensityRange(0.0, 255.0, clip=True).span
    255.0
    """

    settles: ClassVar[bool] = False
    """Whether `settle` does anything."""

    low: float
    high: float
    clip: bool = False
    floor: float = -math.inf

    @property
    def span(self) -> float:
        """``high - low``, positive."""
        return self.high - self.low

    def to_unit(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Map values to the network's range, without clipping.

        Parameters
        ----------
        values : array
            In the array's own units.

        Returns
        -------
        array of float64
            ``low`` as 0, ``high`` as 1.

        Examples
        --------
        >>> import numpy as np
        >>> from napari_anyir.inference.arrays.mappings import IntensityRange
        >>> IntensityRange(100, 300).to_unit(np.array([100, 200, 400])).tolist()
        [0.0, 0.5, 1.5]
        """
        return np.asarray((values.astype(np.float64) - self.low) / self.span)

    def from_unit(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map the network's results back, and end them where the mapping does.

        Parameters
        ----------
        values : array of float64
            In the network's range.

        Returns
        -------
        array of float64
            In the array's own units.

        Examples
        --------
        >>> import numpy as np
        >>> from napari_anyir.inference.arrays.mappings import IntensityRange
        >>> IntensityRange(100, 300, floor=90).from_unit(np.array([-0.5, 0.5])).tolist()
        [90.0, 200.0]
        """
        values = self.low + values * self.span
        if self.clip:
            return np.clip(values, self.low, self.high)
        return np.maximum(values, self.floor) if math.isfinite(self.floor) else values

    def spell(self) -> str | tuple[float, float]:
        """Name the mapping as the ``intensity`` of `napari_anyir.restore`, for another part.

        Returns
        -------
        str or tuple of 2 float
            What gives this mapping for an array of the same type.

        Examples
        --------
        >>> from napari_anyir.inference.arrays.mappings import IntensityRange
        >>> IntensityRange(100.0, 300.0).spell(), IntensityRange(0.0, 3.0, floor=-1.0).spell()
        ((100.0, 300.0), 'range:0.0,3.0,-1.0')
        """
        if self.clip:
            return "dtype"
        if self.floor == -math.inf:
            return self.low, self.high
        return f"range:{self.low!r},{self.high!r},{self.floor!r}"

    def settle(
        self, seen: NDArray[np.float32], restored: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Correct what a network returned by what it saw; a linear mapping leaves it as it is.

        Parameters
        ----------
        seen, restored : array (3, Y, X) of float32
            In the network's range.

        Returns
        -------
        array (3, Y, X) of float32
            What goes to `from_unit`.
        """
        return restored
