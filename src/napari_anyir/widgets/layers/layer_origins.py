"""Which of the viewer's layers are somebody's images, and which this plugin made to look at; no Qt.

What a widget draws is marked in the metadata of its layer, so that every list of sources can leave
it out: a feature map, a difference or a preview is no image to restore, to degrade or to measure.
Restored and degraded images are images like any other.
"""

from __future__ import annotations

from typing import Any

from napari.layers import Image

PREVIEW = "napari_anyir_preview"
"""Key in the metadata of a layer that is there only meanwhile: the live preview, and the wipe."""

INSIDE = "napari_anyir_inside"
"""Key in the metadata of a layer that shows a feature map; its ``group`` binds those of a block."""

DIFFERENCE = "napari_anyir_difference"
"""Key in the metadata of a layer of differences: the names of both layers, the later one first."""

WHAT_IF = "napari_anyir_what_if"
"""Key in the metadata of layers of trials: which of the two layers it is."""


def is_image(layer: Any) -> bool:
    """Whether a layer holds pixels that stay; the live preview is none of them."""
    return isinstance(layer, Image) and layer.ndim >= 2 and PREVIEW not in layer.metadata


def is_source(layer: Any) -> bool:
    """Whether a layer is an image to work on.

    Parameters
    ----------
    layer : napari.layers.Layer
        Any layer.

    Returns
    -------
    bool
        False for what is no image, and for feature maps, differences and previews.

    Examples
    --------
    >>> import numpy as np
    >>> is_source(Image(np.zeros((8, 8))))
    True
    >>> is_source(Image(np.zeros((8, 8)), metadata={DIFFERENCE: ("after", "before")}))
    False
    """
    return is_image(layer) and not {INSIDE, DIFFERENCE} & set(layer.metadata)
