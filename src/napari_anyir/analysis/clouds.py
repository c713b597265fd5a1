"""Clouds of points: what embeddings of pixels are, and how they are drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_anyir.analysis.base import Analysis, colour_of, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SPLIT_GROUPS = ("to the attention", "to the gate")
"""Names of the two sides of a split."""


@dataclass(frozen=True, eq=False)
class CloudPanel:
    """One cloud of points, in groups.

    Parameters
    ----------
    title : str
        What is shown.
    groups : tuple of str
        Names of the groups.
    points : ndarray of float64
        (groups, N, 3 or 2): the same N pixels in each group.
    explained : ndarray of float64
        Share of the variance along each axis, for principal components; empty otherwise.
    dimensions : tuple of float
        Effective number of dimensions of each group among all of its channels, (sum v)^2 / sum v^2
        over the variances v of its own principal components: 1 is a line, C fills all directions.
    mixing : float
        Of each point's 15 nearest neighbours (in the plot), the share that is of another group,
        over the share that chance would give: 0 is apart, 1 is mixed.

    Examples
    --------
    >>> points = np.zeros((2, 5, 3))
    >>> panel = CloudPanel("both", ("attention", "gated"), points, np.zeros(0), (1.0, 1.0), 1.0)
    >>> panel.points.shape
    (2, 5, 3)
    """

    title: str
    groups: tuple[str, ...]
    points: NDArray[np.float64]
    explained: NDArray[np.float64]
    dimensions: tuple[float, ...]
    mixing: float


@dataclass(frozen=True, eq=False)
class Embedding(Analysis):
    """Points in three or two dimensions, in one panel or several.

    Parameters
    ----------
    block : str
        The block.
    method : {"PCA", "t-SNE"}
        How the points came about.
    panels : tuple of CloudPanel
        The clouds.
    pixels : ndarray of int
        (N, 2), row and column on the map of the pixels that were drawn.

    Examples
    --------
    >>> points = np.arange(12.0).reshape(2, 2, 3)
    >>> panel = CloudPanel("both", ("attention", "gated"), points, np.zeros(0), (1.0, 1.0), 1.0)
    >>> found = Embedding("latent.0", "PCA", (panel,), np.array([[0, 0], [0, 1]]))
    >>> names, rows = found.table()
    >>> next(rows)
    ('latent.0', 'both', 'attention', 0, 0, 0.0, 1.0, 2.0)
    """

    block: str
    method: str
    panels: tuple[CloudPanel, ...]
    pixels: NDArray[np.intp]

    def table(self) -> tuple[Sequence[str], Iterator[Sequence[object]]]:
        """Return the numbers as (names of the columns, rows)."""
        axes = ("x", "y", "z")[: self.panels[0].points.shape[-1]]
        rows = (
            (self.block, panel.title, group, row, column, *point)
            for panel in self.panels
            for group, points in zip(panel.groups, panel.points.tolist(), strict=True)
            for (row, column), point in zip(self.pixels.tolist(), points, strict=True)
        )
        return ("block", "panel", "group", "row", "column", *axes), rows

    def figure(self) -> Figure:
        """Draw each panel as a scatter plot, one colour per group."""
        dimensions = self.panels[0].points.shape[-1]
        figure = new_figure(5.4 * len(self.panels), 5.2)
        for index, panel in enumerate(self.panels, 1):
            projection = {"projection": "3d"} if dimensions == 3 else {}
            axes: Any = figure.add_subplot(1, len(self.panels), index, **projection)
            # Drawn in a mixed order: a group drawn last would hide the one below it.
            order = np.random.default_rng(0).permutation(
                panel.points.shape[0] * panel.points.shape[1]
            )
            flat = panel.points.reshape(-1, dimensions)[order]
            colours = [group_colour(group) for group in panel.groups]
            owner = np.repeat(np.arange(len(panel.groups)), panel.points.shape[1])[order]
            axes.scatter(*flat.T, s=6, alpha=0.6, linewidths=0, c=[colours[i] for i in owner])
            for group, colour, count in zip(panel.groups, colours, panel.dimensions, strict=True):
                label = f"{group} (effective dimensions: {count:.1f})"
                axes.scatter(*([[]] * dimensions), s=25, c=colour, label=label)
            axes.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.06))
            axes.set_title(f"{panel.title} (mixing {panel.mixing:.2f})", fontsize="medium")
            self._label(axes, panel)
        figure.suptitle(f"{self.block}: {self.method} of the pixels' features")
        return figure

    def _label(self, axes: Any, panel: CloudPanel) -> None:
        if not panel.explained.size:
            # Lengths and directions of t-SNE have no meaning.
            axes.set(xticks=[], yticks=[], xlabel="t-SNE 1", ylabel="t-SNE 2")
            return
        for which, number, share in zip("xyz", (1, 2, 3), panel.explained, strict=True):
            text = f"PC {number} ({100 * share:.0f} %)"
            getattr(axes, f"set_{which}label")(text, fontsize="small")
            axes.tick_params(axis=which, labelsize="x-small")
            axes.locator_params(axis=which, nbins=5)


def group_colour(group: str) -> str:
    """Return the colour of a group: that of its part, or of the branch that a split feeds.

    Examples
    --------
    >>> group_colour("attention") == group_colour(SPLIT_GROUPS[0])
    True
    """
    side = {SPLIT_GROUPS[0]: "attention", SPLIT_GROUPS[1]: "gated"}.get(group, group)
    return colour_of(side)
