"""Denoisers of scikit-image to compare with; each estimates the noise by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari_anyir.training.evaluation.metrics import Image

Restorer = Callable[[Any], Any]
"""From (H, W, 3) float32 in [0, 1] to the same; a network also takes files of any depth."""


def classical() -> dict[str, Restorer]:
    """Return the denoisers by name.

    Returns
    -------
    dict of str to callable
        ``"wavelet"`` (BayesShrink in YCbCr) and ``"bilateral"``.

    Examples
    --------
    >>> from napari_anyir.training.evaluation.classical import classical
    >>> list(classical())
    ['wavelet', 'bilateral']
    """
    from skimage.restoration import denoise_bilateral, denoise_wavelet, estimate_sigma

    def wavelet(image: Image) -> Image:
        restored: Image = denoise_wavelet(
            image, channel_axis=-1, convert2ycbcr=True, rescale_sigma=True
        )
        return restored

    def bilateral(image: Image) -> Image:
        # The best of 1 to 4 times the noise and of 1.5 and 3 pixels on other photographs.
        restored: Image = denoise_bilateral(
            image,
            sigma_color=estimate_sigma(image, channel_axis=-1, average_sigmas=True),
            sigma_spatial=3,
            channel_axis=-1,
        )
        return restored

    return {"wavelet": wavelet, "bilateral": bilateral}
