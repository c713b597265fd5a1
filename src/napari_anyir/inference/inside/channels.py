"""From many channels to a picture: what a person can look at of a feature map."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

Reduction = Literal["mean_abs", "strongest", "pca"]

REDUCTIONS: tuple[str, ...] = get_args(Reduction)


def check_reduction(reduce: str | None) -> Reduction | None:
    """Return a known reduction, or None.

    Parameters
    ----------
    reduce : str or None
        What a caller asked for.

    Returns
    -------
    str or None
        The same.

    Raises
    ------
    ValueError
        If it is not one of `REDUCTIONS`.

    Examples
    --------
    >>> check_reduction("pca"), check_reduction(None)
    ('pca', None)
    """
    if reduce is not None and reduce not in REDUCTIONS:
        raise ValueError(
            f"The reduction {reduce!r} is unknown; choose from {', '.join(REDUCTIONS)}, or None "
            "for all channels."
        )
    return reduce  # type: ignore[return-value]


def reduced_channels(reduce: Reduction | None, channels: int) -> int:
    """Number of channels that a reduction leaves.

    Parameters
    ----------
    reduce : str or None
        The reduction.
    channels : int
        Channels of the map.

    Returns
    -------
    int
        3 for ``"pca"``, 1 for the others, ``channels`` for None.

    Examples
    --------
    >>> reduced_channels("pca", 64), reduced_channels("mean_abs", 64), reduced_channels(None, 64)
    (3, 1, 64)
    """
    if reduce is None:
        return channels
    return 3 if reduce == "pca" else 1


def reduce_tensor(maps: Tensor, reduce: Reduction) -> Tensor:
    """Reduce the channels of one map, on the device on which it lies.

    Parameters
    ----------
    maps : Tensor
        (C, H, W), floating.
    reduce : {"mean_abs", "strongest", "pca"}
        As for `reduce_channels`.

    Returns
    -------
    Tensor
        (1, H, W) or (3, H, W), float32.

    Examples
    --------
    >>> maps = torch.tensor([[[1.0, -3.0]], [[1.0, 1.0]]])  # (C, H, W)
    >>> reduce_tensor(maps, "mean_abs").tolist(), reduce_tensor(maps, "strongest").tolist()
    ([[[1.0, 2.0]]], [[[1.0, -3.0]]])
    """
    maps = maps.float()
    if reduce == "mean_abs":
        return maps.abs().mean(dim=0, keepdim=True)
    if reduce == "strongest":
        strongest = int(maps.abs().mean(dim=(1, 2)).argmax())
        return maps[strongest : strongest + 1]
    pixels = maps.flatten(1)
    pixels = pixels - pixels.mean(dim=1, keepdim=True)
    # The (C, C) matrix goes to the CPU: some devices have no double precision.
    covariance = (pixels @ pixels.T / pixels.shape[1]).cpu().double()
    # eigh sorts upwards.
    directions = torch.linalg.eigh(covariance)[1].flip(1)[:, :3]
    # A direction and its opposite serve equally; the same one must come out each time.
    largest = directions.abs().argmax(dim=0)
    directions = directions * directions[largest, torch.arange(directions.shape[1])].sign()
    scores = directions.T.to(pixels) @ pixels
    low, high = scores.amin(1, keepdim=True), scores.amax(1, keepdim=True)
    # One scale for the three, so that a weak component stays weak; grey is the middle.
    spread = (high - low).max().clamp_min(torch.finfo(torch.float32).tiny)
    picture = (scores - (low + high) / 2) / spread + 0.5
    missing = 3 - picture.shape[0]
    if missing > 0:
        picture = torch.cat((picture, torch.full_like(picture[:1], 0.5).expand(missing, -1)))
    return picture.reshape(3, *maps.shape[1:])


def reduce_channels(maps: ArrayLike, reduce: Reduction) -> NDArray[np.float32]:
    """Reduce the channels of a feature map to a picture.

    Parameters
    ----------
    maps : array_like
        (C, H, W).
    reduce : {"mean_abs", "strongest", "pca"}
        ``"mean_abs"``: the mean of the absolute values over the channels. ``"strongest"``: the
        channel whose mean absolute value is largest, with its signs. ``"pca"``: the three first
        principal components of the pixels as red, green and blue in [0, 1], on one common scale.

    Returns
    -------
    ndarray of float32
        (1, H, W), or (3, H, W) for ``"pca"``.

    Raises
    ------
    ValueError
        If the reduction is unknown, or ``maps`` is not (C, H, W) with at least one value.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_anyir.inference.inside.channels import reduce_channels
    >>> reduce_channels(np.stack([np.full((2, 2), 1.0), np.full((2, 2), -3.0)]), "mean_abs")
    array([[[2., 2.],
            [2., 2.]]], dtype=float32)
    """
    array = np.ascontiguousarray(maps, dtype=np.float32)
    if array.ndim != 3 or not array.size:
        raise ValueError(f"A feature map must be (channels, height, width), not {array.shape}.")
    how = check_reduction(reduce)
    if how is None:
        raise ValueError(f"Name a reduction: {', '.join(REDUCTIONS)}.")
    reduced: NDArray[np.float32] = reduce_tensor(torch.from_numpy(array), how).numpy()
    return reduced
