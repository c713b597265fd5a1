"""The paper's Fig. 9 to 13 of one image at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from napari_anyir.analysis.activations import channel_activations
from napari_anyir.analysis.base import Analysis, Maps
from napari_anyir.analysis.embedding import split_pca_3d, t_sne
from napari_anyir.analysis.error_map import error_map
from napari_anyir.analysis.singular_values import singular_values

FIGURES: dict[int, str] = {
    9: "Channel activation, and how half split and skip split divide it",
    10: "Error map beside the output of the gate",
    11: "Singular values and cumulative variance of attention, gated and fused features",
    12: "3-D PCA of the two sides of a half split and of a skip split",
    13: "t-SNE of attention and gated features",
}
"""Numbers of the paper's figures that one image is enough for, and what they show."""

BLOCK = "decoder1.0"
"""Block that is looked at by default: full resolution, every size of network has it."""


def needed_parts(figures: Sequence[int]) -> list[str]:
    """Parts of a block that some figures are made of.

    Parameters
    ----------
    figures : sequence of int
        Keys of `FIGURES`.

    Returns
    -------
    list of str
        For `napari_anyir.feature_maps`.

    Examples
    --------
    >>> from napari_anyir.analysis.paper_figures import needed_parts
    >>> needed_parts([9]), needed_parts([11])
    (['output'], ['attention', 'gated', 'fused'])
    """
    parts = {
        9: ("output",),
        10: ("gated",),
        11: ("attention", "gated", "fused"),
        12: ("output",),
        13: ("attention", "gated"),
    }
    return list(dict.fromkeys(part for number in figures for part in parts[number]))


def paper_figures(
    maps: Maps,
    figures: Sequence[int],
    block: str = BLOCK,
    *,
    image: Any = None,
    reference: Any = None,
    intensity: Any = "auto",
) -> dict[int, Analysis]:
    """Make figures of the maps of one image.

    Parameters
    ----------
    maps : mapping
        What `napari_anyir.feature_maps` returned for `needed_parts`, without a reduction.
    figures : sequence of int
        Keys of `FIGURES`.
    block : str
        The block.
    image, reference : array_like, optional
        The degraded plane and its clean one; needed for Fig. 10.
    intensity : str or tuple
        Of both, as for `napari_anyir.restore`.

    Returns
    -------
    dict of int to Analysis
        Each draws and saves itself.

    Raises
    ------
    ValueError
        If a figure is unknown, or Fig. 10 lacks its images.

    Examples
    --------
    >>> import numpy as np, napari_anyir
    >>> from napari_anyir.analysis.paper_figures import needed_parts, paper_figures
    >>> image = np.random.default_rng(0).random((32, 32))
    >>> maps = napari_anyir.feature_maps(image, "decoder1.0", needed_parts([9, 11]), model="nano")
    >>> list(paper_figures(maps, [9, 11]))
    [9, 11]
    """
    if unknown := [number for number in figures if number not in FIGURES]:
        raise ValueError(
            f"Figure {unknown[0]} cannot be made of one image; choose of "
            f"{', '.join(map(str, FIGURES))}."
        )
    if 10 in figures and (image is None or reference is None):
        raise ValueError("Figure 10 needs the clean image, too: give it as the reference.")
    made: dict[int, Analysis] = {}
    for number in figures:
        if number == 9:
            made[number] = channel_activations(maps, block)
        elif number == 10:
            pair = np.asarray(image), np.asarray(reference)
            made[number] = error_map(*pair, maps, block, intensity=intensity)
        elif number == 11:
            made[number] = singular_values(maps, block)
        elif number == 12:
            made[number] = split_pca_3d(maps, block)
        else:
            made[number] = t_sne(maps, block)
    return made
