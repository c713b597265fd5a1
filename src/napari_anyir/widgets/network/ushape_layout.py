"""Where the blocks of a network lie in the picture of its U-shape; no Qt."""

from __future__ import annotations

from napari_anyir.model.config import LEVELS, STAGES
from napari_anyir.widgets.network.model_structure import Structure

LABEL = 15.0
"""Height of a stage's name, in pixels."""

TITLE = 58.0
"""Least width of a stage's name."""

PAD, GAP, INDENT = 2.0, 12.0, 14.0
"""Rim of the picture, room between stages, and how far each level is drawn in."""

Rectangle = tuple[float, float, float, float]


def place_blocks(
    structure: Structure, width: float, height: float
) -> tuple[dict[str, Rectangle], dict[str, Rectangle]]:
    """Lay blocks out as a U: resolution from top to bottom, order of computation to the right.

    Parameters
    ----------
    structure : Structure
        Blocks of a network.
    width, height : float
        Of the picture, in pixels.

    Returns
    -------
    blocks, titles : dict of str to (left, top, width, height)
        A box for each block, and one for the name of each stage, none of which overlap.

    Examples
    --------
    >>> from napari_anyir.widgets.network.model_structure import Block
    >>> structure = Structure((Block("encoder1.0", 1, 8), Block("latent.0", 8, 64)), ())
    >>> boxes, titles = place_blocks(structure, 200, 160)
    >>> boxes["encoder1.0"][1] < boxes["latent.0"][1]
    True
    """
    stages = structure.stages()
    counts = {stage: len(stages.get(stage, ())) for stage in STAGES}
    row = (height - 2 * PAD) / LEVELS
    tail = counts["refinement"]
    # Each row has an encoder and a decoder, and the refinement stands to the right of them all.
    across = width - 2 * PAD - 2 * GAP
    side = min(22.0, row - LABEL - 4)
    for level in range(LEVELS - 1):
        pair = counts[f"encoder{level + 1}"] + counts[f"decoder{level + 1}"]
        room = across - 2 * level * INDENT
        side = min(side, room / max(1, pair + tail))
        if tail:
            side = min(side, (room - TITLE) / max(1, pair))
    side = max(4.0, min(side, across / max(1, counts["latent"])))
    blocks: dict[str, Rectangle] = {}
    titles: dict[str, Rectangle] = {}

    def lay(stage: str, level: int, *, left: float = 0.0, right: float | None = None) -> None:
        """Place a stage at a left or at a right end; its name may be wider than its blocks."""
        if not counts[stage]:
            return
        wide = counts[stage] * side
        start = left if right is None else right - wide
        top = PAD + level * row
        name_width = max(wide, TITLE)
        titles[stage] = (left if right is None else right - name_width, top, name_width, LABEL)
        for index, name in enumerate(stages[stage]):
            blocks[name] = (start + index * side, top + LABEL, side - 2, side - 2)

    end = width - PAD
    if tail:
        lay("refinement", 0, right=end)
        end -= max(tail * side, TITLE) + GAP
    for level in range(LEVELS - 1):
        lay(f"encoder{level + 1}", level, left=PAD + level * INDENT)
        lay(f"decoder{level + 1}", level, right=end - level * INDENT)
    middle = (PAD + end) / 2
    lay("latent", LEVELS - 1, left=middle - counts["latent"] * side / 2)
    return blocks, titles
