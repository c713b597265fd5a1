"""What feature maps are called in words; no Qt."""

from __future__ import annotations

import re

PART_WORDS = {"alpha": "alpha (scaled)", "gamma": "gamma (gate)", "spatial": "spatial branch"}
PART_WORDS |= {"frequency": "frequency branch", "fused": "fused", "beta": "beta"}


def block_in_words(block: str) -> str:
    """Name a block.

    Examples
    --------
    >>> block_in_words("encoder1.0"), block_in_words("latent.2")
    ('encoder 1.0', 'latent 2')
    """
    return re.sub(r"(?<=[a-z])\.(?=\d)", " ", re.sub(r"(?<=[a-z])(?=\d)", " ", block))


def map_in_words(block: str, part: str, channel: int | None = None) -> str:
    """Name a map, or one channel of it.

    Examples
    --------
    >>> map_in_words("encoder1.0", "alpha"), map_in_words("latent.0", "gated", 3)
    ('encoder 1.0: alpha (scaled)', 'latent 0: gated, channel 3')
    """
    which = "" if channel is None else f", channel {channel}"
    return f"{block_in_words(block)}: {PART_WORDS.get(part, part)}{which}"
