"""What every degradation shares: checked parameters, seeded draws, colour curves and padding."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import torch
from torch import Tensor

Range = float | tuple[float, float]
"""A fixed number, or (lowest, highest) from which each image draws its own."""


def parameter(
    default: Range, *, lowest: float, highest: float, unit: str, source: str, log: bool = False
) -> Any:
    """Declare a numeric parameter of a degradation.

    Parameters
    ----------
    default : float or (float, float)
        The fixed value, or the range each image draws from.
    lowest, highest : float
        Limits outside which a value is refused.
    unit : str
        Unit, for a label.
    source : str
        Where the default range comes from.
    log : bool
        Draw uniformly in the logarithm, for scales that span decades.

    Returns
    -------
    dataclasses.Field
        A field whose metadata a form can be built from.

    Examples
    --------
    >>> parameter((0.0, 50.0), lowest=0, highest=255, unit="grey levels", source="paper").default
    (0.0, 50.0)
    """
    meta = {"lowest": lowest, "highest": highest, "unit": unit, "source": source, "log": log}
    return field(default=default, metadata=meta)


def choice(default: str, options: tuple[str, ...], *, source: str) -> Any:
    """Declare a parameter that is one of a few names.

    Examples
    --------
    >>> choice("none", ("none", "round"), source="protocol").metadata["options"]
    ('none', 'round')
    """
    return field(default=default, metadata={"options": options, "source": source})


@dataclass(frozen=True)
class Degradation(ABC):
    """Base of all degradations: a frozen set of parameters that can be called on images.

    A numeric parameter is a fixed number or a ``(lowest, highest)`` range; from a range each image
    of a batch draws its own value.

    Raises
    ------
    ValueError
        If a parameter lies outside its limits, or is not one of its named options.

    Examples
    --------
    >>> from napari_anyir.degradations import GaussianNoise
    >>> noise = GaussianNoise(sigma=25.0)
    >>> clean = torch.full((1, 3, 8, 8), 0.5)
    >>> noise(clean, torch.Generator().manual_seed(0)).shape
    torch.Size([1, 3, 8, 8])
    """

    kind: ClassVar[str]

    def __post_init__(self) -> None:
        """Refuse parameters outside their limits."""
        for item in fields(self):
            value = getattr(self, item.name)
            if "options" in item.metadata:
                _check_option(type(self).__name__, item.name, value, item.metadata["options"])
            elif "lowest" in item.metadata:
                low, high = item.metadata["lowest"], item.metadata["highest"]
                checked = _check_range(type(self).__name__, item.name, value, low, high)
                object.__setattr__(self, item.name, checked)

    def __call__(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        """Degrade a batch.

        Parameters
        ----------
        clean : Tensor
            Images (B, 3, H, W), floating point, in [0, 1].
        generator : torch.Generator
            Source of all randomness, on the device of ``clean``.

        Returns
        -------
        Tensor
            Degraded images (B, 3, H, W) in [0, 1], of the type of ``clean``.

        Raises
        ------
        ValueError
            If ``clean`` is not such a batch, or the generator lives on another device.
        """
        check_images(clean, generator)
        return self._apply(clean.float(), generator).clamp(0.0, 1.0).to(clean.dtype)

    def target(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        """Image that a network should restore: the clean one, unless the kind changes content.

        Called before the degradation itself; what it returns is what is then degraded.

        Parameters
        ----------
        clean : Tensor
            Images (B, 3, H, W) in [0, 1].
        generator : torch.Generator
            Source of all randomness, on the device of ``clean``.

        Returns
        -------
        Tensor
            Images (B, 3, H, W) in [0, 1].
        """
        return clean

    @abstractmethod
    def _apply(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        """Degrade float32 images (B, 3, H, W); the caller clips to [0, 1]."""

    def _draw(self, name: str, like: Tensor, generator: torch.Generator) -> Tensor:
        """One value of a parameter per image, shaped (B, 1, 1, 1)."""
        meta = {item.name: item.metadata for item in fields(self)}[name]
        value: Range = getattr(self, name)
        return draw(value, like, generator, log=meta["log"])


def draw(value: Range, like: Tensor, generator: torch.Generator, *, log: bool = False) -> Tensor:
    """Draw one number per image.

    Parameters
    ----------
    value : float or (float, float)
        Fixed number, or the range to draw from uniformly.
    like : Tensor
        Images (B, ...), whose batch size and device are used.
    generator : torch.Generator
        Source of randomness.
    log : bool
        Draw uniformly in the logarithm (both ends must be positive, else uniformly).

    Returns
    -------
    Tensor
        Values (B, 1, 1, 1), float32.

    Examples
    --------
    >>> draw(3.0, torch.zeros(2, 3, 1, 1), torch.Generator()).flatten()
    tensor([3., 3.])
    """
    shape = (like.shape[0], 1, 1, 1)
    if not isinstance(value, tuple):
        return torch.full(shape, float(value), device=like.device)
    low, high = value
    if low == high:
        return torch.full(shape, float(low), device=like.device)
    unit = torch.rand(shape, generator=generator, device=like.device)
    if log and low > 0:
        return torch.exp(math.log(low) + unit * (math.log(high) - math.log(low)))
    return low + unit * (high - low)


def uniform(
    low: float, high: float, like: Tensor, generator: torch.Generator, count: int = 1
) -> Tensor:
    """Draw uniform numbers (B, count, 1, 1) in [low, high).

    Examples
    --------
    >>> uniform(0.0, 1.0, torch.zeros(2, 3, 4, 4), torch.Generator(), 5).shape
    torch.Size([2, 5, 1, 1])
    """
    shape = (like.shape[0], count, 1, 1)
    return low + (high - low) * torch.rand(shape, generator=generator, device=like.device)


def normal(like: Tensor, generator: torch.Generator, channels: int | None = None) -> Tensor:
    """Draw standard normal noise (B, channels or those of ``like``, H, W).

    Examples
    --------
    >>> normal(torch.zeros(2, 3, 4, 4), torch.Generator(), 1).shape
    torch.Size([2, 1, 4, 4])
    """
    batch, own, height, width = like.shape
    shape = (batch, channels or own, height, width)
    return torch.randn(shape, generator=generator, device=like.device)


def check_images(images: object, generator: torch.Generator | None = None) -> None:
    """Refuse anything but a floating-point batch (B, 3, H, W) with at least one pixel.

    Raises
    ------
    TypeError
        If ``images`` is not a tensor or not of floating point.
    ValueError
        If its shape is wrong or the generator is on another device.

    Examples
    --------
    >>> check_images(torch.zeros(1, 1, 4, 4))
    Traceback (most recent call last):
    ...
    ValueError: images must have shape (B, 3, H, W), not (1, 1, 4, 4): repeat a grey channel...
    """
    if not isinstance(images, Tensor) or not images.is_floating_point():
        what = images.dtype if isinstance(images, Tensor) else type(images).__name__
        raise TypeError(f"images must be a floating-point tensor in [0, 1], not {what}.")
    if images.ndim != 4 or images.shape[1] != 3:
        raise ValueError(
            f"images must have shape (B, 3, H, W), not {tuple(images.shape)}: "
            "repeat a grey channel 3 times."
        )
    if 0 in images.shape:
        raise ValueError(f"images of shape {tuple(images.shape)} hold no pixels.")
    if generator is not None and generator.device.type != images.device.type:
        raise ValueError(
            f"the generator is on {generator.device} but the images are on {images.device}: "
            "make it with torch.Generator(images.device)."
        )


def to_linear(display: Tensor) -> Tensor:
    """Undo the sRGB curve (IEC 61966-2-1): display values in [0, 1] to linear light in [0, 1].

    Examples
    --------
    >>> round(float(to_linear(torch.tensor(0.5))), 4)
    0.214
    """
    display = display.clamp_min(0.0)
    return torch.where(
        display <= 0.04045, display / 12.92, ((display.clamp_min(0.04) + 0.055) / 1.055).pow(2.4)
    )


def to_display(linear: Tensor) -> Tensor:
    """Apply the sRGB curve (IEC 61966-2-1): linear light in [0, 1] to display values in [0, 1].

    Examples
    --------
    >>> round(float(to_display(torch.tensor(0.214))), 3)
    0.5
    """
    linear = linear.clamp_min(0.0)
    return torch.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * linear.clamp_min(0.003).pow(1 / 2.4) - 0.055
    )


def luminance(images: Tensor) -> Tensor:
    """Weigh the channels by BT.601 into one: (B, 3, H, W) to (B, 1, H, W).

    Examples
    --------
    >>> luminance(torch.ones(1, 3, 2, 2)).shape
    torch.Size([1, 1, 2, 2])
    """
    weights = torch.tensor([0.299, 0.587, 0.114], device=images.device, dtype=images.dtype)
    return (images * weights.view(1, 3, 1, 1)).sum(dim=1, keepdim=True)


def reflect_pad(images: Tensor, pad: int) -> Tensor:
    """Extend each side by reflection, for any size.

    ``torch.nn.functional.pad`` refuses a pad as large as the image; this folds back and forth as
    often as needed, so that a single pixel can be padded too.

    Examples
    --------
    >>> reflect_pad(torch.arange(3.0).view(1, 1, 1, 3), 3)[0, 0, 0].tolist()
    [1.0, 2.0, 1.0, 0.0, 1.0, 2.0, 1.0, 0.0, 1.0]
    """
    height, width = images.shape[-2:]
    rows = _fold(height, pad, images.device)
    columns = _fold(width, pad, images.device)
    return images.index_select(-2, rows).index_select(-1, columns)


def _fold(size: int, pad: int, device: torch.device) -> Tensor:
    index = torch.arange(-pad, size + pad, device=device)
    if size == 1:
        return torch.zeros_like(index)
    index = index.remainder(2 * (size - 1))
    return torch.minimum(index, 2 * (size - 1) - index)


def fast_length(size: int) -> int:
    """Smallest length of at least ``size`` with prime factors 2, 3 and 5, quick to transform.

    Examples
    --------
    >>> fast_length(127), fast_length(721)
    (128, 729)
    """
    while True:
        rest = size
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return size
        size += 1


def _check_range(owner: str, name: str, value: object, lowest: float, highest: float) -> Range:
    if isinstance(value, list):
        value = tuple(value)
    ends = value if isinstance(value, tuple) else (value,)
    numbers = [
        float(end) for end in ends if isinstance(end, (int, float)) and not isinstance(end, bool)
    ]
    if len(numbers) != len(ends) or len(ends) not in (1, 2) or not all(map(math.isfinite, numbers)):
        raise ValueError(
            f"{owner}: {name} must be a number or a (lowest, highest) pair, not {value!r}."
        )
    if numbers[0] < lowest or numbers[-1] > highest or numbers[0] > numbers[-1]:
        raise ValueError(
            f"{owner}: {name} must lie within {lowest:g} to {highest:g}, lowest first, "
            f"not {value!r}."
        )
    return (numbers[0], numbers[1]) if isinstance(value, tuple) and len(ends) == 2 else numbers[0]


def _check_option(owner: str, name: str, value: object, options: tuple[str, ...]) -> None:
    if value not in options:
        raise ValueError(f"{owner}: {name} must be one of {', '.join(options)}, not {value!r}.")
