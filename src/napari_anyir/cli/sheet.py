"""A contact sheet: one row per image, degraded, restored and clean side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from napari_anyir.cli.scores import Score

__all__ = ["draw_sheet"]

_SIDE = 320
_GAP = 12
_TITLE = 26
_LABEL = 20


def draw_sheet(
    rows: Sequence[tuple[str, tuple[Any, Any, Any], Score, Score]],
) -> NDArray[np.uint8]:
    """Draw a contact sheet.

    Parameters
    ----------
    rows : sequence of (title, (degraded, restored, clean), score before, score after)
        Images (Y, X) or (Y, X, 3); those that are not uint8 are shown from the lowest to the
        highest value of the clean one.

    Returns
    -------
    numpy.ndarray
        (Y, X, 3), uint8.

    Examples
    --------
    >>> from napari_anyir.cli.scores import Score
    >>> grey = np.zeros((40, 80), np.uint16)
    >>> score = Score(20.0, 0.5, 255.0)
    >>> draw_sheet([("a cell", (grey, grey, grey), score, score)]).shape
    (230, 1008, 3)
    """
    tiles = [[_thumbnail(image, images[2]) for image in images] for _, images, _, _ in rows]
    heights = [max(tile.height for tile in row) + _TITLE + _LABEL + _GAP for row in tiles]
    sheet = Image.new("RGB", (3 * _SIDE + 4 * _GAP, sum(heights) + _GAP), "white")
    draw = ImageDraw.Draw(sheet)
    large, small = ImageFont.load_default(18), ImageFont.load_default(14)
    top = _GAP
    for (title, _, before, after), row, height in zip(rows, tiles, heights, strict=True):
        draw.text((_GAP, top), title, "black", large)
        labels = (f"degraded, {_words(before)}", f"restored, {_words(after)}", "clean")
        for column, (tile, label) in enumerate(zip(row, labels, strict=True)):
            left = _GAP + column * (_SIDE + _GAP)
            sheet.paste(tile, (left, top + _TITLE))
            draw.text((left, top + _TITLE + tile.height + 2), label, "black", small)
        top += height
    return np.array(sheet)


def _words(score: Score) -> str:
    return f"{score.psnr:.2f} dB, SSIM {score.ssim:.3f}"


def _thumbnail(image: Any, clean: Any) -> Image.Image:
    array = np.asarray(image)
    if array.dtype != np.uint8:
        low, high = float(np.min(clean)), float(np.max(clean))
        scaled = (array.astype(np.float64) - low) / max(high - low, 1e-12)
        array = np.rint(255 * scaled.clip(0, 1)).astype(np.uint8)
    picture = Image.fromarray(array).convert("RGB")
    height = max(1, round(picture.height * _SIDE / picture.width))
    # No smoothing when pixels are enlarged: noise must look as it is.
    how = Image.Resampling.BOX if picture.width > _SIDE else Image.Resampling.NEAREST
    return picture.resize((_SIDE, height), how)
