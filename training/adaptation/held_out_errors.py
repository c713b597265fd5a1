"""How well held-out pixels are predicted: what tells whether a network learns from noise alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class HeldOutError:
    """How an error on held-out pixels changed; the noise's own variance is in both numbers.

    Parameters
    ----------
    before, after : float
        Mean squared error in the network's range; the mean of its size with ``loss="l1"``.
    standard_error : float
        Of the difference.

    Examples
    --------
    >>> from napari_anyir.training.adaptation.held_out_errors import HeldOutError
    >>> HeldOutError(0.05, 0.04, 0.001).fell(2.0), HeldOutError(0.05, 0.04, 0.01).fell(2.0)
    (True, False)
    """

    before: float
    after: float
    standard_error: float

    def fell(self, confidence: float) -> bool:
        """Whether it fell by more than so many standard errors."""
        return self.before - self.after > confidence * self.standard_error

    def __str__(self) -> str:
        """Say it in numbers."""
        return f"{self.before:.6f} to {self.after:.6f} (± {self.standard_error:.6f})"


@dataclass(frozen=True)
class LearningState:
    """What a look at the held-out pixels found, for whoever watches.

    Parameters
    ----------
    step : int
        Steps taken; 0 for the original weights.
    loss : float
        Mean of the training loss since the last look; not a number at the first.
    unseen, beside : HeldOutError
        The two held-out errors, as for `SelfSupervised`, but of this step.
    best : bool
        Whether no earlier look had a smaller sum of the two.
    preview : callable
        ``preview()`` gives a piece of the first image as it is and as it would be restored now:
        two arrays (H, W, 3) of uint8.

    Examples
    --------
    >>> error = HeldOutError(0.002, 0.002, 0.00001)
    >>> LearningState(0, float("nan"), error, error, True, lambda: None).best
    True
    """

    step: int
    loss: float
    unseen: HeldOutError
    beside: HeldOutError
    best: bool
    preview: Callable[[], tuple[NDArray[np.uint8], NDArray[np.uint8]]] = field(repr=False)
