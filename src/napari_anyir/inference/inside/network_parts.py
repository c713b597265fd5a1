"""Where a network can be looked into: the names of its blocks and of the parts each shows."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from napari_anyir.model.config import PARTS, AnyIRConfig

if TYPE_CHECKING:
    from napari_anyir.model import AnyIR


def part_widths(config: AnyIRConfig, channels: int) -> dict[str, int]:
    """Channels of each part that a block shows, in the order of computation.

    Parameters
    ----------
    config : AnyIRConfig
        The switches of the network; parts that an ablation removes are left out.
    channels : int
        Channels C of the block.

    Returns
    -------
    dict of str to int
        Part to its number of channels; the branches have C / 2, what follows the fusion has C.

    Examples
    --------
    >>> from napari_anyir.inference.inside.network_parts import part_widths
    >>> from napari_anyir.model import VARIANTS
    >>> widths = part_widths(VARIANTS["tiny"], 28)
    >>> widths["alpha"], widths["attention"], widths["fused"]
    (9, 14, 28)
    """
    half = channels // 2
    widths = dict.fromkeys(PARTS, half)
    alpha, beta, gamma = config.gate_widths(half) if config.gate == "gated_da" else (0, 0, 0)
    widths.update(alpha=alpha, beta=beta, gamma=gamma)
    both = 0 if config.fusion == "none" else channels
    widths.update(spatial=both, frequency=both, fused=channels, output=channels)
    return {part: width for part, width in widths.items() if width}


def shown_parts(config: AnyIRConfig) -> tuple[str, ...]:
    """Parts that the blocks of a network show, in the order of computation.

    Parameters
    ----------
    config : AnyIRConfig
        The switches of the network.

    Returns
    -------
    tuple of str
        A subset of `napari_anyir.model.config.PARTS`.

    Examples
    --------
    >>> from napari_anyir.inference.inside.network_parts import shown_parts
    >>> from napari_anyir.model import VARIANTS
    >>> shown_parts(VARIANTS["tiny"])[:4]
    ('alpha', 'beta', 'gamma', 'attention')
    """
    return tuple(part_widths(config, config.dim))


def block_scales(network: AnyIR) -> dict[str, int]:
    """Blocks of a network and the image pixels per pixel of their maps.

    Parameters
    ----------
    network : AnyIR
        The network.

    Returns
    -------
    dict of str to int
        Block such as ``decoder1.0`` to 1, 2, 4 or 8 times the stem, in the order of computation.

    Examples
    --------
    >>> from napari_anyir.inference.inside.network_parts import block_scales
    >>> from napari_anyir.model import build_model
    >>> block_scales(build_model("nano"))["latent.0"]
    16
    """
    return {name: scale for name, scale, _ in network.named_blocks()}


def choose_blocks(network: AnyIR, patterns: str | Iterable[str] | None) -> tuple[str, ...]:
    """Find the blocks that patterns name.

    Parameters
    ----------
    network : AnyIR
        The network.
    patterns : str, iterable of str, or None
        Addresses such as ``encoder1.0``, with shell wildcards: ``decoder1.*``. None is all blocks.

    Returns
    -------
    tuple of str
        Each block once, in the order of computation.

    Raises
    ------
    ValueError
        If a pattern fits no block, or none is given.

    Examples
    --------
    >>> from napari_anyir.inference.inside.network_parts import choose_blocks
    >>> from napari_anyir.model import build_model
    >>> choose_blocks(build_model("nano"), ["refinement.*", "encoder1.0"])
    ('encoder1.0', 'refinement.0', 'refinement.1')
    """
    return _choose(tuple(block_scales(network)), patterns, "block")


def choose_parts(network: AnyIR, patterns: str | Iterable[str] | None) -> tuple[str, ...]:
    """Find the parts that patterns name.

    Parameters
    ----------
    network : AnyIR
        The network.
    patterns : str, iterable of str, or None
        Names of parts, wildcards allowed. None is all that the network shows.

    Returns
    -------
    tuple of str
        Each part once, in the order of computation.

    Raises
    ------
    ValueError
        If a pattern fits no part, or none is given.

    Examples
    --------
    >>> from napari_anyir.inference.inside.network_parts import choose_parts
    >>> from napari_anyir.model import build_model
    >>> choose_parts(build_model("nano"), ["fused", "alpha"])
    ('alpha', 'fused')
    """
    return _choose(shown_parts(network.config), patterns, "part")


def _choose(
    known: tuple[str, ...], patterns: str | Iterable[str] | None, kind: str
) -> tuple[str, ...]:
    if patterns is None:
        return known
    wanted = [patterns] if isinstance(patterns, str) else list(patterns)
    if not wanted:
        raise ValueError(f"No {kind} is named; name at least one of {', '.join(known)}.")
    for pattern in wanted:
        if not any(fnmatchcase(name, str(pattern)) for name in known):
            raise ValueError(
                f"The network has no {kind} {str(pattern)!r}; choose from {', '.join(known)}."
            )
    return tuple(name for name in known if any(fnmatchcase(name, str(p)) for p in wanted))
