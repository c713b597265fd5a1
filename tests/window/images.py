"""The five kinds of image that a layer may hold, each small, as keyword arguments of a layer."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np


def _cells(*shape: int) -> np.ndarray[Any, Any]:
    """Return soft spots with shot noise, uint16."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[: shape[-2], : shape[-1]]
    clean = 120 + 90 * (np.sin(x / 7) * np.cos(y / 9)) ** 2
    return random.poisson(np.broadcast_to(clean, shape)).astype(np.uint16)


def stack() -> dict[str, Any]:
    """Return three planes."""
    return {"data": _cells(3, 64, 80)}


def series() -> dict[str, Any]:
    """Return a time series of 16 bits that says what its axes are."""
    labels = {"axis_labels": ("time", "y", "x"), "units": ("s", "um", "um")}
    return {"data": _cells(4, 64, 80), "scale": (2.0, 0.1, 0.1), **labels}


def photo() -> dict[str, Any]:
    """Return an RGB photograph."""
    from skimage.data import astronaut

    picture = astronaut()[100:196, 180:308].astype(float)
    noisy = picture + np.random.default_rng(0).normal(0, 15, picture.shape)
    return {"data": noisy.clip(0, 255).astype(np.uint8), "rgb": True}


def grey_photo() -> dict[str, Any]:
    """Return a grey photograph that was saved as RGB."""
    picture = photo()["data"][..., 1]
    return {"data": np.repeat(picture[..., np.newaxis], 3, axis=-1), "rgb": True}


def multiscale() -> dict[str, Any]:
    """Return an image of three scales."""
    finest = _cells(256, 320)
    return {"data": [finest, finest[::2, ::2], finest[::4, ::4]], "multiscale": True}


def lazy() -> dict[str, Any]:
    """Return three planes that are computed when they are needed."""
    return {"data": da.from_array(_cells(3, 64, 80), chunks=(1, 64, 80))}


def long() -> dict[str, Any]:
    """Return a stack whose restoration takes its time."""
    return {"data": _cells(60, 192, 192)}


def wide() -> dict[str, Any]:
    """Return one plane into which it takes its time to look."""
    return {"data": _cells(900, 900)}


def deep() -> dict[str, Any]:
    """Return so many planes that even cheap work on them takes its time."""
    return {"data": np.repeat(_cells(1, 256, 256), 600, axis=0)}


MADE = (stack, series, photo, grey_photo, multiscale, lazy, long, wide, deep)
IMAGES = {made.__name__: made for made in MADE}
