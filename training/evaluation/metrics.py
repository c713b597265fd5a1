"""PSNR and SSIM as the protocols define them; every number goes with the variant it was made by.

PromptIR, AdaIR and OneRestore measure SSIM with scikit-image's defaults, MoCE-IR with a Gaussian
window. The two differ by a hundredth on the same images, more than most methods do.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

Image = NDArray[np.float32]
"""(H, W, 3), in [0, 1]."""

SSIMS: dict[str, str] = {
    "uniform": "uniform 7 x 7 window, sample covariance",
    "gaussian": "Gaussian window of 11 taps, sigma 1.5",
}
"""Windows of SSIM, the default first."""

ROUNDINGS: dict[str, str] = {
    "none": "outputs clipped to [0, 1], not rounded",
    "8bit": "outputs clipped to [0, 1] and rounded to 8 bits",
}
"""What becomes of an output before it is measured, the default first."""


def check_choice(name: str, value: str, choices: dict[str, Any]) -> str:
    """Return a value that is one of a few names, spelt exactly so.

    Raises
    ------
    ValueError
        If it is not; another letter case counts as another name, and the sentence says which is
        meant.

    Examples
    --------
    >>> check_choice("ssim", "Uniform", SSIMS)
    Traceback (most recent call last):
    ...
    ValueError: ssim must be one of uniform, gaussian, not 'Uniform'; did you mean 'uniform'?
    """
    if value in choices:
        return value
    meant = [choice for choice in choices if choice.lower() == str(value).strip().lower()]
    hint = f"; did you mean '{meant[0]}'?" if meant else "."
    raise ValueError(f"{name} must be one of {', '.join(choices)}, not {value!r}{hint}")


def describe_metric(ssim: str = "uniform") -> str:
    """Say in a sentence how numbers are made.

    Parameters
    ----------
    ssim : str
        A key of `SSIMS`.

    Returns
    -------
    str
        To be printed beside the numbers.

    Examples
    --------
    >>> describe_metric("gaussian")
    'RGB, data range 1; SSIM (gaussian): Gaussian window of 11 taps, sigma 1.5, mean of channels.'
    """
    return f"RGB, data range 1; SSIM ({ssim}): {SSIMS[ssim]}, mean of channels."


def psnr(image: Image, clean: Image) -> float:
    """Peak signal-to-noise ratio in dB with data range 1, over all pixels and colours.

    Parameters
    ----------
    image, clean : numpy.ndarray
        (H, W, 3) in [0, 1].

    Returns
    -------
    float
        Infinite for equal images.

    Raises
    ------
    ValueError
        If the shapes differ or ``image`` is on another scale, such as 0 to 255.

    Examples
    --------
    >>> clean = np.full((16, 16, 3), 0.5, np.float32)
    >>> round(psnr(clean + np.float32(0.1), clean), 3)
    20.0
    """
    _check(image, clean)
    if np.array_equal(image, clean):
        return float("inf")
    return float(peak_signal_noise_ratio(clean, image, data_range=1))


def ssim(image: Image, clean: Image, variant: str = "uniform") -> float:
    """Structural similarity, data range 1, mean of the channels.

    Parameters
    ----------
    image, clean : numpy.ndarray
        (H, W, 3) in [0, 1], at least as large as the window.
    variant : str
        A key of `SSIMS`.

    Returns
    -------
    float
        At most 1.

    Raises
    ------
    ValueError
        If the shapes differ, ``image`` is on another scale or smaller than the window, or the
        variant is unknown.

    Examples
    --------
    >>> clean = np.random.default_rng(0).random((16, 16, 3), np.float32)
    >>> ssim(clean, clean), ssim(clean, clean, "gaussian")
    (1.0, 1.0)
    """
    check_choice("ssim", variant, SSIMS)
    _check(image, clean)
    taps, window = window_of(variant)
    if min(clean.shape[:2]) < taps:
        raise ValueError(
            f"An image of {clean.shape[0]} x {clean.shape[1]} pixels is smaller than the "
            f"{taps} x {taps} window of SSIM; leave it out."
        )
    return float(structural_similarity(clean, image, data_range=1, channel_axis=-1, **window))


def window_of(variant: str) -> tuple[int, dict[str, Any]]:
    """Taps of a window of `SSIMS`, and what scikit-image is to be told of it.

    Examples
    --------
    >>> window_of("uniform")
    (7, {})
    """
    if variant == "uniform":
        return 7, {}
    # truncate is 3.5 there, which makes 11 taps of sigma 1.5.
    return 11, {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}


def _check(image: Image, clean: Image) -> None:
    if image.shape != clean.shape:
        raise ValueError(
            f"An image of shape {image.shape} cannot be measured against one of {clean.shape}; "
            "crop both alike."
        )
    low, high = float(image.min()), float(image.max())
    if low < -1 or high > 2:
        raise ValueError(
            f"Images are measured on a scale of 0 to 1, and this one spans {low:g} to {high:g}; "
            "divide it by its full scale."
        )


def as_measured(output: NDArray[Any], rounding: str = "none") -> Image:
    """Make of a network's output what is measured.

    Parameters
    ----------
    output : numpy.ndarray
        (H, W, 3), any floating type.
    rounding : str
        A key of `ROUNDINGS`.

    Returns
    -------
    numpy.ndarray
        (H, W, 3), float32 in [0, 1].

    Raises
    ------
    ValueError
        If the output holds NaN or infinite values, or the rounding is unknown.

    Examples
    --------
    >>> as_measured(np.array([[[-0.1, 0.501, 1.2]]])).tolist()
    [[[0.0, 0.5009999871253967, 1.0]]]
    >>> float(255 * as_measured(np.array([[[0.501]]]), "8bit")[0, 0, 0])
    128.0
    """
    check_choice("rounding", rounding, ROUNDINGS)
    if not np.isfinite(output).all():
        raise ValueError("The output holds NaN or infinite values; the model is not usable.")
    clipped = np.clip(output, 0, 1).astype(np.float32)
    if rounding == "8bit":
        clipped = np.rint(clipped * 255).astype(np.float32) / np.float32(255)
    return clipped
