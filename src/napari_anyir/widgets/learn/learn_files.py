"""Layers as files for a command: the planes that fit into a part of the disk, evenly chosen."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_anyir.errors import Cancelled

__all__ = ["LayerPixels", "Pairs", "write_layers", "write_pairs"]

MOST_BYTES = 512 * 1024**2
"""Of one layer that are written for training, which sees some hundred windows in minutes."""

LEAST_PAIRS = 16
"""Pairs below which planes are cut, so that some can be held out."""

LEAST_CUT = 48
"""Side that a piece of a plane has at least."""


@dataclass(frozen=True)
class LayerPixels:
    """What of a layer is learned from.

    Parameters
    ----------
    name : str
        Of the layer.
    array : array
        numpy, dask, zarr or anything that is indexed like them.
    axes : str
        One letter of T, Z, C, Y, X, S per axis.

    Examples
    --------
    >>> import numpy as np
    >>> LayerPixels("cells", np.zeros((3, 64, 64), np.uint16), "ZYX").axes
    'ZYX'
    """

    name: str
    array: Any
    axes: str


@dataclass(frozen=True)
class Pairs:
    """Where pairs were laid out.

    Parameters
    ----------
    root : Path
        Folder with ``input`` and ``target``.
    options : tuple of str
        What else ``anyir train`` needs to know of them.

    Examples
    --------
    >>> Pairs(Path("PAIRS")).options
    ()
    """

    root: Path
    options: tuple[str, ...] = ()


def chosen_planes(pixels: LayerPixels, most_bytes: int = MOST_BYTES) -> tuple[Any, str]:
    """Return the pixels to learn from, as they are or as planes that were chosen evenly.

    Parameters
    ----------
    pixels : LayerPixels
        Of a layer.
    most_bytes : int
        What may be read.

    Returns
    -------
    array : numpy.ndarray
        In memory.
    axes : str
        Its axes.

    Raises
    ------
    ValueError
        If there is no plane YX in it.

    Examples
    --------
    >>> stack = np.arange(10 * 4 * 4, dtype="uint8").reshape(10, 4, 4)
    >>> array, axes = chosen_planes(LayerPixels("a", stack, "ZYX"), most_bytes=48)
    >>> array[:, 0, 0].tolist(), axes
    ([0, 64, 144], 'ZYX')
    """
    array, axes = pixels.array, pixels.axes
    shape = tuple(int(length) for length in array.shape)
    if len(shape) != len(axes) or not {"Y", "X"} <= set(axes):
        raise ValueError(f"'{pixels.name}' has the axes '{axes}', which are not those of an image.")
    size = math.prod(shape) * np.dtype(array.dtype).itemsize
    # C stays whole: channels differ, planes along another axis resemble each other.
    others = [i for i, letter in enumerate(axes) if letter not in "YXSC"]
    if size <= most_bytes or not others:
        return np.asarray(array), axes
    longest = max(others, key=lambda axis: shape[axis])
    length = shape[longest]
    count = max(1, min(length, int(length * most_bytes / size)))
    places = np.unique(np.linspace(0, length - 1, count).round().astype(int))
    planes = [
        np.asarray(
            array[tuple(at if axis == longest else slice(None) for axis in range(len(axes)))]
        )
        for at in places
    ]
    return np.stack(planes, longest), axes


def write_layers(layers: Sequence[LayerPixels], folder: Path, cancel: Any) -> list[Path]:
    """Write layers as TIFF files that know their axes.

    Parameters
    ----------
    layers : sequence of LayerPixels
        Noisy ones.
    folder : Path
        Where to.
    cancel : object or None
        ``is_set()``: stop between two.

    Returns
    -------
    list of Path
        One file for each.

    Raises
    ------
    Cancelled
        If it was cancelled.
    ValueError
        If a layer is no image.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> layer = LayerPixels("cells", np.zeros((3, 64, 64), np.uint16), "ZYX")
    >>> [path.suffix for path in write_layers([layer], Path(tempfile.mkdtemp()), None)]
    ['.tif']
    """
    from napari_anyir.files import ImageFile, write_image

    paths = []
    for number, layer in enumerate(layers):
        _check(cancel)
        array, axes = chosen_planes(layer)
        path = folder / f"{number:03d}.tif"
        write_image(path, array, ImageFile(array, axes, "npy"))
        paths.append(path)
    return paths


def write_pairs(
    noisy: Sequence[LayerPixels] | Path,
    clean: Sequence[LayerPixels] | Path,
    folder: Path,
    cancel: Any,
) -> Pairs:
    """Lay out pairs as ``anyir train --config pairs`` takes them.

    Folders stay where they are. Of layers each becomes a stack of planes, cut into pieces where
    there are few, so that some can be held out to see how well it goes. One stack is one file, so
    its intensities are mapped as those of the layer would be.

    Parameters
    ----------
    noisy, clean : sequence of LayerPixels, or Path
        What is given, and what should come out of it.
    folder : Path
        Where to, for layers.
    cancel : object or None
        ``is_set()``: stop between two.

    Returns
    -------
    Pairs
        The root and the options.

    Raises
    ------
    Cancelled
        If it was cancelled.
    ValueError
        If the two do not fit each other.
    """
    if isinstance(noisy, Path) and isinstance(clean, Path):
        return Pairs(noisy, (_option("data.degraded", noisy), _option("data.clean", clean)))
    if isinstance(noisy, Path) or isinstance(clean, Path):
        raise ValueError("Choose two folders or two layers, not one of each.")
    from napari_anyir.files import ImageFile, write_image

    count, axes, side = 0, "", 128
    for number, (given, wanted) in enumerate(zip(noisy, clean, strict=True)):
        _check(cancel)
        if tuple(given.array.shape) != tuple(wanted.array.shape) or given.axes != wanted.axes:
            raise ValueError(
                f"'{given.name}' and '{wanted.name}' must be of one shape, not "
                f"{tuple(given.array.shape)} and {tuple(wanted.array.shape)}."
            )
        stacks = [pieces(_planes(pixels)) for pixels in (given, wanted)]
        if len(stacks[0]) < 2:
            raise ValueError(
                f"'{given.name}' is too small to train on: it takes several planes, or one with a "
                f"side of {2 * LEAST_CUT} pixels, so that a part can be held out."
            )
        axes = "TYXS" if stacks[0].ndim == 4 else "TYX"
        for name, stack in zip(("input", "target"), stacks, strict=True):
            path = folder / name / f"{number:03d}.tif"
            write_image(path, stack, ImageFile(stack, axes, "npy"))
        count += len(stacks[0])
        side = min(side, *(length // 8 * 8 for length in stacks[0].shape[1:3]))
    options = [f"data.axes={axes}", f"data.hold_out={max(1, count // 8)}"]
    options += [f"phases.0.crop={side}", f"validation.crop={side}"]
    return Pairs(folder, tuple(options))


def pieces(planes: NDArray[Any]) -> NDArray[Any]:
    """Cut planes into equal pieces until there are enough of them, or they become too small.

    Parameters
    ----------
    planes : numpy.ndarray
        (N, Y, X) or (N, Y, X, S).

    Returns
    -------
    numpy.ndarray
        The same with other N, Y and X; rows and columns that do not divide are left out.

    Examples
    --------
    >>> pieces(np.zeros((2, 200, 400))).shape
    (16, 100, 100)
    >>> pieces(np.zeros((40, 200, 400))).shape, pieces(np.zeros((1, 64, 80))).shape
    ((40, 200, 400), (1, 64, 80))
    """
    while len(planes) < LEAST_PAIRS:
        axis = 1 if planes.shape[1] >= planes.shape[2] else 2
        half = planes.shape[axis] // 2
        if half < LEAST_CUT:
            break
        parts = [planes.take(range(at, at + half), axis) for at in (0, half)]
        planes = np.stack(parts, 1).reshape(-1, *parts[0].shape[1:])
    return planes


def _option(key: str, folder: Path) -> str:
    return f"{key}={json.dumps(str(folder.resolve()))}"  # in quotes, whatever is in the name


def _check(cancel: Any) -> None:
    if cancel is not None and cancel.is_set():
        raise Cancelled("The training was cancelled.")


def _planes(pixels: LayerPixels) -> NDArray[Any]:
    """Planes (N, Y, X) or (N, Y, X, S) of the chosen pixels."""
    array, axes = chosen_planes(pixels)
    order = [axes.index(letter) for letter in axes if letter not in "YXS"]
    order += [axes.index(letter) for letter in "YXS" if letter in axes]
    array = array.transpose(order)
    inner = 3 if "S" in axes else 2
    return array.reshape(-1, *array.shape[array.ndim - inner :])
