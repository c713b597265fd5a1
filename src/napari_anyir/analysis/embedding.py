"""Pixels as points in the space of the channels, seen in three or two dimensions (Fig. 12, 13)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from napari_anyir.analysis.activations import SPLITS, split_indices
from napari_anyir.analysis.base import Maps, all_channels, missing, only_block
from napari_anyir.analysis.clouds import SPLIT_GROUPS, CloudPanel, Embedding
from napari_anyir.keywords import check_keywords

NEIGHBOURS = 15


def _draw(size: tuple[int, int], samples: int, seed: int) -> NDArray[np.intp]:
    """Pick pixels without replacement, in the order of the map."""
    if samples < 4 or size[0] * size[1] < 4:
        raise ValueError(
            f"An embedding needs at least 4 pixels; {samples} of {size[0]} x {size[1]} are asked "
            "for: take more samples, a block of finer scale, or a larger image."
        )
    count = min(samples, size[0] * size[1])
    chosen = np.random.default_rng(seed).choice(size[0] * size[1], count, replace=False)
    return np.stack(np.unravel_index(np.sort(chosen), size), axis=1)


def _points(
    array: NDArray[np.float32], pixels: NDArray[np.intp], standardise: bool
) -> NDArray[np.float64]:
    """Pixels (N, C) of a map (C, H, W)."""
    points: NDArray[np.float64] = array[:, pixels[:, 0], pixels[:, 1]].T.astype(np.float64)
    if standardise:
        points = points - points.mean(axis=0)
        spread = np.sqrt(points.var(axis=0).sum())
        points = points / spread if spread > 0 else points
    return points


def _effective_dimensions(points: NDArray[np.float64]) -> float:
    """Participation ratio of the variances of (N, C) points; 0 if they coincide."""
    variances = np.linalg.svd(points - points.mean(axis=0), compute_uv=False) ** 2
    total = variances.sum()
    return float(total**2 / (variances**2).sum()) if total > 0 else 0.0


def _mixing(points: NDArray[np.float64]) -> float:
    """Share of foreign neighbours over the share that chance gives."""
    from scipy.spatial import cKDTree  # scikit-image brings scipy

    groups, count, dimensions = points.shape
    flat = points.reshape(-1, dimensions)
    owner = np.repeat(np.arange(groups), count)
    near = min(NEIGHBOURS, flat.shape[0] - 1)
    neighbours = cKDTree(flat).query(flat, k=near + 1)[1][:, 1:]
    foreign = float((owner[neighbours] != owner[:, None]).mean())
    return foreign / ((groups - 1) * count / (groups * count - 1))


class Sampling(TypedDict, total=False):
    """Which pixels are embedded, and whether groups are brought to one level and spread first.

    Examples
    --------
    >>> Sampling(samples=400, seed=1)
    {'samples': 400, 'seed': 1}
    """

    samples: int
    standardise: bool
    seed: int


def _pca(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Project (groups, N, C) on the three first principal components of all points together."""
    groups, count, channels = points.shape
    flat = points.reshape(-1, channels)
    flat = flat - flat.mean(axis=0)
    _, values, directions = np.linalg.svd(flat, full_matrices=False)
    directions = directions[:3]
    # Of a direction and its opposite, take always the same one.
    largest = np.abs(directions).argmax(axis=1)
    directions = directions * np.sign(directions[np.arange(len(directions)), largest])[:, None]
    share = values**2 / max((values**2).sum(), np.finfo(float).tiny)
    projected = np.zeros((groups * count, 3))
    projected[:, : len(directions)] = flat @ directions.T
    explained = np.zeros(3)
    explained[: len(directions)] = share[:3]
    return projected.reshape(groups, count, 3), explained


def _panel(title: str, groups: Mapping[str, NDArray[np.float64]]) -> CloudPanel:
    points, explained = _pca(np.stack(list(groups.values())))
    dimensions = tuple(map(_effective_dimensions, groups.values()))
    return CloudPanel(title, tuple(groups), points, explained, dimensions, _mixing(points))


def pca_3d(
    maps: Maps,
    block: str | None = None,
    parts: Sequence[str] = ("attention", "gated"),
    *,
    samples: int = 1500,
    standardise: bool = True,
    seed: int = 0,
) -> Embedding:
    """Principal components of the pixels of attention and gated features together.

    Channel k of both branches meets in the fusion (Alg. 2), so one basis serves both.

    Parameters
    ----------
    maps : mapping
        What `napari_anyir.feature_maps` returned, without a reduction.
    block : str, optional
        The block; needed if there are maps of several.
    parts : sequence of str
        Parts of the same number of channels.
    samples : int
        Pixels drawn, the same for each part.
    standardise : bool
        Take each group's mean away and scale it to the same spread, so that it is told from the
        other by its shape, not by a level that a bias would undo. False: the features as they are.
    seed : int
        Of the draw.

    Returns
    -------
    Embedding
        The points, which draw and save themselves.

    Raises
    ------
    ValueError
        If a map is missing or reduced, or the parts differ in their channels.

    Examples
    --------
    >>> import numpy as np, napari_anyir
    >>> from napari_anyir.analysis import pca_3d
    >>> image = np.random.default_rng(0).random((32, 32))
    >>> maps = napari_anyir.feature_maps(image, "encoder1.0", ["attention", "gated"])
    >>> pca_3d(maps, samples=100).panels[0].points.shape
    (2, 100, 3)
    """
    block = only_block(maps, block)
    pixels, groups = _groups(maps, block, parts, samples, standardise, seed)
    title = " and ".join(parts)
    return Embedding(block, "PCA", (_panel(title, groups),), pixels)


def split_pca_3d(
    maps: Maps,
    block: str | None = None,
    part: str = "output",
    *,
    samples: int = 1500,
    standardise: bool = True,
    seed: int = 0,
) -> Embedding:
    """Principal components of the two sides of a half split and of a skip split (Fig. 12).

    Both are applied to the same channels, those that the given network hands to its next block.

    Parameters
    ----------
    maps : mapping
        What `napari_anyir.feature_maps` returned, without a reduction.
    block : str, optional
        The block; needed if there are maps of several.
    part : str
        A part with an even number of channels.
    samples : int
        Pixels drawn.
    standardise : bool
        Take each group's mean away and scale it to the same spread, so that it is told from the
        other by its shape, not by a level that a bias would undo. False: the features as they are.
    seed : int
        Of the draw.

    Returns
    -------
    Embedding
        Two panels, which draw and save themselves.

    Raises
    ------
    ValueError
        If the map is missing or reduced, or has an odd number of channels.

    Examples
    --------
    >>> import numpy as np, napari_anyir
    >>> from napari_anyir.analysis import split_pca_3d
    >>> image = np.random.default_rng(0).random((32, 32))
    >>> maps = napari_anyir.feature_maps(image, "encoder1.0", "output")
    >>> [panel.title for panel in split_pca_3d(maps, samples=100).panels]
    ['half split', 'skip split']
    """
    block = only_block(maps, block)
    array = all_channels(maps, block, part)
    if array.shape[0] % 2:
        raise ValueError(
            f"{part!r} has {array.shape[0]} channels, which no split can halve; take 'output'."
        )
    pixels = _draw(array.shape[1:], samples, seed)
    panels = []
    for split in SPLITS:
        sides = split_indices(split, array.shape[0])
        groups = {
            name: _points(array[side], pixels, standardise)
            for name, side in zip(SPLIT_GROUPS, sides, strict=True)
        }
        panels.append(_panel(f"{split} split", groups))
    return Embedding(block, "PCA", tuple(panels), pixels)


def t_sne(
    maps: Maps,
    block: str | None = None,
    parts: Sequence[str] = ("attention", "gated"),
    *,
    perplexity: float = 30.0,
    **sampling: Unpack[Sampling],
) -> Embedding:
    """t-SNE of the pixels of attention and gated features together (Fig. 13).

    Parameters
    ----------
    maps : mapping
        What `napari_anyir.feature_maps` returned, without a reduction.
    block : str, optional
        The block; needed if there are maps of several.
    parts : sequence of str
        Parts of the same number of channels.
    perplexity : float
        About how many neighbours each point looks at; lowered if there are few points.
    **sampling
        As for `pca_3d`: samples (400, as the time grows faster than their number), standardise and
        seed, which is the embedding's, too.

    Returns
    -------
    Embedding
        The points, which draw and save themselves. Near points are alike; far distances,
        directions and densities mean nothing.

    Raises
    ------
    ValueError
        If a map is missing or reduced, or the parts differ in their channels.
    ImportError
        If scikit-learn is not installed; the sentence says how to install it.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_anyir
    >>> from napari_anyir.analysis import t_sne
    >>> image = np.random.default_rng(0).integers(0, 255, (16, 16), np.uint8)
    >>> maps = napari_anyir.feature_maps(image, "encoder1.0", "*", model="nano")
    >>> t_sne(maps, samples=4).panels[0].points.shape  # (groups, pixels, 2)
    (2, 4, 2)
    """
    try:
        from sklearn.manifold import TSNE
        from threadpoolctl import threadpool_limits  # scikit-learn brings it
    except ImportError as error:
        raise ImportError(missing("scikit-learn")) from error
    block = only_block(maps, block)
    check_keywords("t_sne", sampling, Sampling)
    seed = sampling.get("seed", 0)
    samples, standardise = sampling.get("samples", 400), sampling.get("standardise", True)
    pixels, groups = _groups(maps, block, parts, samples, standardise, seed)
    points = np.stack(list(groups.values()))
    flat = points.reshape(-1, points.shape[-1])
    perplexity = min(perplexity, (flat.shape[0] - 1) / 3)
    start = _pca(points)[0].reshape(-1, 3)[:, :2]
    # The deviation that scikit-learn gives to its own start; a constant map has none to scale.
    start = start / max(float(start[:, 0].std()), np.finfo(float).tiny) * 1e-4
    model = TSNE(2, perplexity=perplexity, init=start.astype(np.float32), random_state=seed)
    # One thread: sums then have one order, and on a busy machine waiting threads cost more.
    with threadpool_limits(1):
        embedded = model.fit_transform(flat.astype(np.float32))
    placed = embedded.reshape(*points.shape[:2], 2).astype(np.float64)
    dimensions = tuple(map(_effective_dimensions, groups.values()))
    title = " and ".join(parts)
    panel = CloudPanel(title, tuple(groups), placed, np.zeros(0), dimensions, _mixing(placed))
    return Embedding(block, "t-SNE", (panel,), pixels)


def _groups(
    maps: Maps,
    block: str,
    parts: Sequence[str],
    samples: int,
    standardise: bool,
    seed: int,
) -> tuple[NDArray[np.intp], dict[str, NDArray[np.float64]]]:
    arrays = {part: all_channels(maps, block, part) for part in parts}
    shapes = {array.shape for array in arrays.values()}
    if len(shapes) != 1 or len(arrays) < 2:
        raise ValueError(
            "Name at least two parts of the same number of channels, such as 'attention' and "
            f"'gated', not {', '.join(map(repr, parts)) or 'none'}."
        )
    pixels = _draw(next(iter(shapes))[1:], samples, seed)
    return pixels, {part: _points(array, pixels, standardise) for part, array in arrays.items()}
