"""How strongly the channels of the two halves of a split are active (Fig. 9)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

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

SPLITS = ("half", "skip")


def split_indices(split: str, channels: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Channels that a split gives to the attention and to the gate.

    Parameters
    ----------
    split : {"half", "skip"}
        Two contiguous halves, or interleaved (Eq. 6).
    channels : int
        Channels of the block, even.

    Returns
    -------
    attention, gate : ndarray of int
        Indices of the channels.

    Examples
    --------
    >>> from napari_anyir.analysis.activations import split_indices
    >>> split_indices("skip", 4)
    (array([0, 2]), array([1, 3]))
    """
    index = np.arange(channels)
    if split == "skip":
        return index[0::2], index[1::2]
    return index[: channels // 2], index[channels // 2 :]


@dataclass(frozen=True, eq=False)
class ChannelActivations(Analysis):
    """Mean absolute activation of the channels that a block hands on to the next block's split.

    Parameters
    ----------
    block, part : str
        Where the channels come from.
    activation : ndarray of float64
        (C,), the mean over the pixels of each channel's absolute value.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_anyir.analysis import ChannelActivations
    >>> found = ChannelActivations("decoder1.0", "output", np.array([1.0, 9.0, 1.0, 9.0]))
    >>> found.sides("skip")
    (array([1., 1.]), array([9., 9.]))
    >>> found.distance("half") < found.distance("skip")
    True
    """

    block: str
    part: str
    activation: NDArray[np.float64]

    def sides(self, split: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Activations of the channels for the attention and for the gate.

        Parameters
        ----------
        split : {"half", "skip"}
            The way of splitting.

        Returns
        -------
        attention, gate : ndarray of float64
            (C / 2,) each.
        """
        attention, gate = split_indices(split, self.activation.size)
        return self.activation[attention], self.activation[gate]

    def distance(self, split: str) -> float:
        """How unlike the two sides are: the Wasserstein distance of their distributions.

        Parameters
        ----------
        split : {"half", "skip"}
            The way of splitting.

        Returns
        -------
        float
            In units of the mean activation: 0 if both sides have the same distribution.
        """
        mean = self.activation.mean()
        if mean == 0:
            return 0.0
        attention, gate = (np.sort(side) for side in self.sides(split))
        return float(np.abs(attention - gate).mean() / mean)

    def share(self, split: str) -> float:
        """Share of all activation that goes to the attention; 0.5 is balanced.

        Parameters
        ----------
        split : {"half", "skip"}
            The way of splitting.

        Returns
        -------
        float
            In [0, 1].
        """
        total = self.activation.sum()
        return float(self.sides(split)[0].sum() / total) if total > 0 else 0.5

    def table(self) -> tuple[Sequence[str], Iterator[Sequence[object]]]:
        """Return the numbers as (names of the columns, rows)."""
        count = self.activation.size
        for_attention = {split: set(split_indices(split, count)[0].tolist()) for split in SPLITS}
        rows = (
            (
                self.block,
                self.part,
                channel,
                value,
                *("attention" if channel in for_attention[split] else "gate" for split in SPLITS),
            )
            for channel, value in enumerate(self.activation.tolist())
        )
        names = ("block", "part", "channel", "mean_abs", *(f"{split}_split" for split in SPLITS))
        return names, rows

    def figure(self) -> Figure:
        """Draw the channels and the distributions of the two sides, for both ways of splitting."""
        figure = new_figure(9, 5.6)
        panels = figure.subplots(2, 2, sharey=True, width_ratios=(2.4, 1))
        for split, (bars, curves) in zip(SPLITS, panels, strict=True):
            indices = split_indices(split, self.activation.size)
            for name, index, side in zip(
                ("attention", "gated"), indices, self.sides(split), strict=True
            ):
                label = "to the attention" if name == "attention" else "to the gate"
                colour = colour_of(name)
                bars.bar(index, side, width=0.85, color=colour, label=label)
                share = (np.arange(side.size) + 0.5) / side.size
                curves.plot(share, np.sort(side), ".-", color=colour, markersize=4, label=label)
            bars.set(ylabel="mean |activation|", xlim=(-0.7, self.activation.size - 0.3))
            bars.set_title(
                f"{split} split: {100 * self.share(split):.1f} % of the activation "
                "goes to the attention",
                fontsize="medium",
            )
            curves.set_title(f"distance {self.distance(split):.3f}", fontsize="medium")
            curves.grid(alpha=0.25)
            curves.legend(fontsize="small", loc="upper left")
        panels[1, 0].set_xlabel("channel")
        panels[1, 1].set_xlabel("share of the channels below")
        figure.suptitle(f"{self.block}, {self.part}: channel activation and how a split divides it")
        return figure


def channel_activations(
    maps: Maps, block: str | None = None, part: str = "output"
) -> ChannelActivations:
    """Compare how half split and skip split divide a block's channels (Fig. 9).

    Both are applied to the same channels, those that the given network hands to its next block:
    this shows what a split would receive, not how a network trained with it would differ.

    Parameters
    ----------
    maps : mapping
        What `napari_anyir.feature_maps` returned, without a reduction.
    block : str, optional
        The block; needed if there are maps of several.
    part : str
        A part with an even number of channels; the block's output by default.

    Returns
    -------
    ChannelActivations
        The numbers, which draw and save themselves.

    Raises
    ------
    ValueError
        If the map is missing, reduced, or has an odd number of channels.

    Examples
    --------
    >>> import numpy as np, napari_anyir
    >>> from napari_anyir.analysis import channel_activations
    >>> image = np.random.default_rng(0).random((32, 32))
    >>> maps = napari_anyir.feature_maps(
    ...     image, "decoder1.0", "output", model="nano"
    ... )
    >>> channel_activations(maps).activation.shape
    (48,)
    """
    block = only_block(maps, block)
    array = all_channels(maps, block, part)
    if array.shape[0] % 2:
        raise ValueError(
            f"{part!r} has {array.shape[0]} channels, which no split can halve; take 'output'."
        )
    activation = np.abs(array.astype(np.float64)).mean(axis=(1, 2))
    return ChannelActivations(block, part, activation)
