"""How many directions a feature map spreads over (Fig. 11)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_anyir.analysis.base import (
    Analysis,
    Maps,
    all_channels,
    colour_of,
    new_figure,
    only_block,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DEFAULT_PARTS = ("attention", "gated", "fused")


@dataclass(frozen=True, eq=False)
class SingularValues(Analysis):
    """Singular values of feature maps, and the variance that the first of them hold.

    Parameters
    ----------
    block : str
        The block.
    values : mapping of str to ndarray
        Part to its singular values, descending, one per channel (fewer if there are fewer
        pixels), of the (C, H W) matrix of which each row's mean was taken away.

    Examples
    --------
    >>> found = SingularValues("latent.0", {"gated": np.array([3.0, 1.0, 0.0])})
    >>> found.cumulative("gated")
    array([0.9, 1. , 1. ])
    >>> found.components_for("gated", 0.95)
    2
    """

    block: str
    values: Mapping[str, NDArray[np.float64]]

    def cumulative(self, part: str) -> NDArray[np.float64]:
        """Share of the variance that the first 1, 2, ... components hold.

        Parameters
        ----------
        part : str
            The part.

        Returns
        -------
        ndarray of float64
            Ascending to 1; all 1 for a map without variance.
        """
        energy = np.cumsum(self.values[part] ** 2)
        return energy / energy[-1] if energy[-1] > 0 else np.ones_like(energy)

    def components_for(self, part: str, share: float = 0.95) -> int:
        """Smallest number of components that hold a share of the variance.

        Parameters
        ----------
        part : str
            The part.
        share : float
            In (0, 1].

        Returns
        -------
        int
            At least 1.
        """
        # 1 - 1e-12: the last sum is 1 only up to rounding.
        return int(np.searchsorted(self.cumulative(part), share * (1 - 1e-12))) + 1

    def table(self) -> tuple[Sequence[str], Iterator[Sequence[object]]]:
        """Return the numbers as (names of the columns, rows)."""
        rows = (
            (self.block, part, index, value, share)
            for part, values in self.values.items()
            for index, (value, share) in enumerate(
                zip(values.tolist(), self.cumulative(part).tolist(), strict=True), 1
            )
        )
        return ("block", "part", "component", "singular_value", "cumulative_variance"), rows

    def figure(self) -> Figure:
        """Draw both curves, with a marker where 95 % of the variance is reached."""
        figure = new_figure(9, 3.8)
        left, right = figure.subplots(1, 2)
        for part, values in self.values.items():
            steps = np.arange(1, values.size + 1)
            relative = values / values[0] if values[0] > 0 else values
            colour = colour_of(part)
            # What rounding leaves of zero would stretch the axis over many decades of nothing.
            real = relative > 1e-7
            left.plot(steps[real], relative[real], ".-", color=colour, label=part, markersize=4)
            cumulative, needed = self.cumulative(part), self.components_for(part)
            label = f"{part}: 95 % in {needed} of {values.size}"
            right.plot(steps, cumulative, ".-", color=colour, label=label, markersize=4)
            right.plot(needed, cumulative[needed - 1], "o", color=colour, fillstyle="none")
        left.set(yscale="log", ylabel="singular value / largest", title="Singular values")
        right.set(ylim=(0, 1.03), ylabel="share of the variance", title="Cumulative variance")
        right.axhline(0.95, color="#bbbbbb", linewidth=0.8, zorder=0)
        for axes in (left, right):
            axes.set_xlabel("component")
            axes.legend(fontsize="small")
            axes.grid(alpha=0.25)
        figure.suptitle(f"{self.block}: singular values of the feature maps")
        return figure


def singular_values_of(array: ArrayLike) -> NDArray[np.float64]:
    """Singular values of one feature map.

    Parameters
    ----------
    array : array_like
        (C, H, W).

    Returns
    -------
    ndarray of float64
        Descending, min(C, H W) values.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_anyir.analysis.singular_values import singular_values_of
    >>> singular_values_of(np.array([[[3.0, -3.0]], [[4.0, -4.0]]])).round(6)
    array([7.071068, 0.      ])
    """
    pixels = np.asarray(array, dtype=np.float64)
    pixels = pixels.reshape(pixels.shape[0], -1)
    pixels = pixels - pixels.mean(axis=1, keepdims=True)
    values: NDArray[np.float64] = np.linalg.svd(pixels, compute_uv=False)
    return values


def singular_values(
    maps: Maps, block: str | None = None, parts: Sequence[str] = DEFAULT_PARTS
) -> SingularValues:
    """Singular values and cumulative variance of attention, gated and fused features (Fig. 11).

    A curve that rises at once means few directions: global, redundant; a slow one means many.
    The fused map has twice the channels of the branches.

    Parameters
    ----------
    maps : mapping
        What `napari_anyir.feature_maps` returned, without a reduction.
    block : str, optional
        The block; needed if there are maps of several.
    parts : sequence of str
        Parts to compare.

    Returns
    -------
    SingularValues
        The numbers, which draw and save themselves.

    Raises
    ------
    ValueError
        If a map is missing or reduced.

    Examples
    --------
    >>> import numpy as np, napari_anyir
    >>> from napari_anyir.analysis import singular_values
    >>> image = np.random.default_rng(0).random((32, 32))
    >>> maps = napari_anyir.feature_maps(
    ...     image, "encoder1.0", ["attention", "gated", "fused"], model="nano"
    ... )
    >>> found = singular_values(maps)
    >>> found.values["attention"].shape, found.values["fused"].shape
    ((12,), (24,))
    """
    block = only_block(maps, block)
    values = {part: singular_values_of(all_channels(maps, block, part)) for part in parts}
    return SingularValues(block, values)
