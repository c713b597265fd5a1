"""Sizes and switches of an AnyIR network, as one frozen, validated description."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args, get_type_hints

LEVELS = 4
"""Resolutions of the U-shape: full, half, quarter, eighth."""

SIZE_MULTIPLE = 2 ** (LEVELS - 1)
"""Pixels of the embedded image per pixel of the latent level."""

LARGEST = 4096
"""No width, count or factor of a network is larger: a file that claims more is not one of ours."""


def _short(value: object) -> str:
    """Spell a value that somebody sent, however long it is."""
    text = reprlib.repr(value)
    return text if len(text) <= 60 else text[:60] + "..."


def _whole(name: str, value: object) -> int:
    """Return a whole number from 0 to `LARGEST`, whatever type it came in."""
    number = value
    if isinstance(value, float) and value.is_integer():
        number = int(value)
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= LARGEST:
        raise ValueError(
            f"{name} must hold whole numbers from 0 to {LARGEST}, not {_short(value)}."
        )
    return number


STAGES = {
    "encoder1": 0,
    "encoder2": 1,
    "encoder3": 2,
    "latent": 3,
    "decoder3": 2,
    "decoder2": 1,
    "decoder1": 0,
    "refinement": 0,
}
"""Stages of DABs in the order of computation, and the level of the U-shape on which each lies."""

PARTS = (
    "alpha",
    "beta",
    "gamma",
    "attention",
    "gated",
    "spatial",
    "frequency",
    "fused",
    "output",
)
"""Feature maps that a DAB shows to an observer, in the order in which they are computed."""


@dataclass(frozen=True)
class Stage:
    """DABs of one size, one after the other.

    Parameters
    ----------
    name : str
        One of `STAGES`.
    level : int
        Level of the U-shape, from 0, the finest, to 3.
    scale : int
        Pixels of the image per pixel of the stage, in height and in width.
    count : int
        Number of DABs; may be 0.
    channels : int
        Channels C of each.
    heads : int
        Attention heads of each.

    Examples
    --------
    >>> from napari_anyir.model import VARIANTS
    >>> VARIANTS["nano"].stages()[3]
    Stage(name='latent', level=3, scale=16, count=3, channels=192, heads=8)
    """

    name: str
    level: int
    scale: int
    count: int
    channels: int
    heads: int

    @property
    def blocks(self) -> tuple[str, ...]:
        """Addresses of the DABs, such as ``encoder1.0``."""
        return tuple(f"{self.name}.{index}" for index in range(self.count))


@dataclass(frozen=True)
class AnyIRConfig:
    """Everything that fixes the shape and the arithmetic of an AnyIR network.

    Parameters
    ----------
    dim : int
        Channels C of the first level, even; level l has ``C * 2**(l - 1)`` channels.
    blocks : tuple of 4 int
        Degradation adaptation blocks (DABs) per level; the first three counts serve the
        encoder and the decoder, the fourth the latent level.
    refinement : int
        DABs after the decoder, at 2C channels.
    heads : tuple of 4 int
        Attention heads per level.
    feed_forward_factor : int
        Expansion of the gated feed-forward network (2 in Tab. 11).
    stem : {1, 2}
        Side of the squares of pixels that are embedded together. With 2 the image enters as 12
        channels at half size and leaves by 12 that are shuffled back (Zhang et al., "FFDNet",
        IEEE TIP 2018), a quarter of the cost; published sizes have 1.
    split : {"skip", "half"}
        How a DAB divides its channels: interleaved (Eq. 6) or in two contiguous halves (Tab. 7).
    gate : {"gated_da", "none"}
        The local branch: GatedDA (Alg. 1), or its channels passed through (Tab. 7).
    gate_activation : {"gelu", "sigmoid"}
        Activation of gamma: GELU as in the text, or the sigma that Alg. 1 prints.
    gate_norm : {"layer", "batch"}
        Normalisation in front of the gate.
    gate_fractions : tuple of 3 float, optional
        (alpha, beta, gamma) as fractions of ``hidden = 2c``, the rows of Tab. 8. None is the
        published size: ``hidden = round(8c / 3)``, gamma and beta c wide, alpha the rest.
    fusion : {"spatial_frequency", "spatial", "frequency", "fixed", "none"}
        Alg. 2 with a learnable lambda, lambda = 1, lambda = 0, lambda = 0.5 (Tab. 10), or plain
        concatenation of the two branches (Tab. 7).
    frequency : {"sum", "fft"}
        How the frequency branch of Alg. 2 is computed. The FFT is linear, so
        irfft2(rfft2(A) + rfft2(G)) = A + G; "sum" uses that, "fft" is the literal algorithm.
    repeat : {"tile", "interleave"}
        How the frequency branch is repeated to both halves (Alg. 2, step 13): as a whole
        (0, 1, ..., 0, 1, ...), so that both halves meet the same channels, or each channel twice
        in a row (0, 0, 1, 1, ...), as the authors' checkpoints were trained.

    Raises
    ------
    ValueError
        If a field is out of its range; the sentence names the field.

    Examples
    --------
    >>> from napari_anyir.model import AnyIRConfig
    >>> AnyIRConfig(dim=16, blocks=(1, 1, 1, 1), refinement=1).channels
    (16, 32, 64, 128)
    """

    dim: int
    blocks: tuple[int, int, int, int]
    refinement: int
    heads: tuple[int, int, int, int] = (1, 2, 4, 8)
    feed_forward_factor: int = 2
    stem: int = 1
    split: Literal["skip", "half"] = "skip"
    gate: Literal["gated_da", "none"] = "gated_da"
    gate_activation: Literal["gelu", "sigmoid"] = "gelu"
    gate_norm: Literal["layer", "batch"] = "layer"
    gate_fractions: tuple[float, float, float] | None = None
    fusion: Literal["spatial_frequency", "spatial", "frequency", "fixed", "none"] = (
        "spatial_frequency"
    )
    frequency: Literal["sum", "fft"] = "sum"
    repeat: Literal["tile", "interleave"] = "tile"

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for field in fields(self):
            choices = get_args(hints[field.name])
            value = getattr(self, field.name)
            if choices and isinstance(choices[0], str) and value not in choices:
                raise ValueError(f"{field.name} must be one of {choices}, not {_short(value)}.")
        for name in ("dim", "refinement", "feed_forward_factor"):
            object.__setattr__(self, name, _whole(name, getattr(self, name)))
        for name in ("blocks", "heads"):
            value = getattr(self, name)
            if not isinstance(value, list | tuple) or len(value) != LEVELS:
                raise ValueError(f"{name} must be {LEVELS} whole numbers, not {_short(value)}.")
            object.__setattr__(self, name, tuple(_whole(name, number) for number in value))
        if self.dim < 2 or self.dim % 2:
            raise ValueError(f"dim must be an even number of at least 2, not {self.dim}.")
        for level, (channels, heads) in enumerate(zip(self.channels, self.heads, strict=True)):
            if heads < 1 or (channels // 2) % heads:
                raise ValueError(
                    f"heads of level {level + 1} must divide its {channels // 2} attention "
                    f"channels, and {heads} does not."
                )
        if self.stem not in (1, 2):
            raise ValueError(f"stem must be 1 or 2, not {self.stem!r}.")
        if self.refinement < 0 or self.feed_forward_factor < 1:
            raise ValueError("refinement must be at least 0 and feed_forward_factor at least 1.")
        if self.gate_fractions is not None:
            fractions: Any = self.gate_fractions
            if (
                not isinstance(fractions, list | tuple)
                or len(fractions) != 3
                or any(isinstance(f, bool) or not isinstance(f, int | float) for f in fractions)
                or not all(0 <= f <= 1 for f in fractions)
            ):
                raise ValueError(
                    f"gate_fractions must be three numbers from 0 to 1, not {_short(fractions)}."
                )
            object.__setattr__(self, "gate_fractions", tuple(self.gate_fractions))
            self.gate_widths(self.dim // 2)

    @property
    def size_multiple(self) -> int:
        """What height and width must be a multiple of; the network pads by reflection."""
        return SIZE_MULTIPLE * self.stem

    def padded_size(self, height: int, width: int) -> tuple[int, int]:
        """Return the height and width to which an image is padded.

        Examples
        --------
        >>> from napari_anyir.model import VARIANTS
        >>> VARIANTS["tiny"].padded_size(30, 41)
        (32, 48)
        """
        multiple = self.size_multiple
        return -(-height // multiple) * multiple, -(-width // multiple) * multiple

    @property
    def channels(self) -> tuple[int, int, int, int]:
        """Channels of the four levels."""
        return (self.dim, 2 * self.dim, 4 * self.dim, 8 * self.dim)

    def stages(self) -> tuple[Stage, ...]:
        """Describe the stages: what network, strips, checkpoints and drawings are laid out by.

        Returns
        -------
        tuple of Stage
            All eight, in the order of computation.

        Examples
        --------
        >>> from napari_anyir.model import VARIANTS
        >>> [(stage.name, stage.channels) for stage in VARIANTS["nano"].stages()][-2:]
        [('decoder1', 48), ('refinement', 48)]
        """
        described = []
        for name, level in STAGES.items():
            # Level 1 keeps both halves of the decoder's concatenation: no projection, 2C channels.
            wide = level + (name in ("decoder1", "refinement"))
            count = self.refinement if name == "refinement" else self.blocks[level]
            described.append(
                Stage(
                    name, level, self.stem * 2**level, count, self.channels[wide], self.heads[level]
                )
            )
        return tuple(described)

    def gate_widths(self, channels: int) -> tuple[int, int, int]:
        """Widths of alpha, beta and gamma in a GatedDA.

        Parameters
        ----------
        channels : int
            Channels c that enter the GatedDA.

        Returns
        -------
        tuple of 3 int
            Channels of (alpha, beta, gamma).

        Raises
        ------
        ValueError
            If ``gate_fractions`` do not give whole widths, or a gamma of neither 0 nor c.

        Examples
        --------
        >>> from napari_anyir.model import VARIANTS
        >>> VARIANTS["tiny"].gate_widths(14)
        (9, 14, 14)
        """
        if self.gate_fractions is None:
            return round(8 * channels / 3) - 2 * channels, channels, channels
        alpha, beta, gamma = (fraction * 2 * channels for fraction in self.gate_fractions)
        widths = (round(alpha), round(beta), round(gamma))
        if any(abs(w - f) > 1e-6 for w, f in zip(widths, (alpha, beta, gamma), strict=True)):
            raise ValueError(
                f"gate_fractions {self.gate_fractions} do not divide the {2 * channels} hidden "
                "channels into whole widths; choose fractions that do."
            )
        if sum(widths) != 2 * channels or widths[2] not in (0, channels) or widths[0] > channels:
            raise ValueError(
                f"gate_fractions {self.gate_fractions} must sum to 1 with gamma 1/2 or 0 and "
                "alpha at most 1/2, as in Tab. 8 of the paper."
            )
        return widths

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, ready for JSON.

        Returns
        -------
        dict
            Field names to numbers, strings, lists or None.

        Examples
        --------
        >>> from napari_anyir.model import VARIANTS, AnyIRConfig
        >>> AnyIRConfig.from_dict(VARIANTS["nano"].to_dict()) == VARIANTS["nano"]
        True
        """
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> AnyIRConfig:
        """Build a configuration from plain values; the inverse of `to_dict`.

        Parameters
        ----------
        values : mapping
            Field names to values; lists are taken for tuples.

        Returns
        -------
        AnyIRConfig
            The validated configuration.

        Raises
        ------
        ValueError
            If a name is unknown, missing, or a value out of range.

        Examples
        --------
        >>> from napari_anyir.model import AnyIRConfig
        >>> AnyIRConfig.from_dict({"dim": 8, "blocks": [1, 1, 1, 1], "refinement": 0}).dim
        8
        """
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(values) - known, key=str):
            raise ValueError(
                f"Unknown configuration field {unknown[0]!r}; known are {sorted(known)}."
            )
        if missing := sorted({"dim", "blocks", "refinement"} - set(values)):
            raise ValueError(f"The configuration lacks {missing[0]!r}.")
        plain: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
        }
        return cls(**plain)


VARIANTS: dict[str, AnyIRConfig] = {
    # Squares of 2 x 2 pixels (FFDNet's stem): 24 channels cost half of what 16 do at full size.
    # With a feed-forward factor of 1 it is 1.78 G multiply-adds at 224 x 224.
    "nano": AnyIRConfig(dim=24, blocks=(1, 2, 2, 3), refinement=2, feed_forward_factor=1, stem=2),
    "tiny": AnyIRConfig(dim=28, blocks=(3, 5, 5, 7), refinement=4),
    "small": AnyIRConfig(dim=32, blocks=(4, 6, 6, 8), refinement=4),
}
"""The sizes we ship: AnyIR-T and AnyIR-S of Tab. 11, and ``nano`` for machines without a GPU."""
