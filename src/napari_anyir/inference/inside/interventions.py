"""Ask the network what a part of it does: switch it off, or set it, and look at the result.

An intervention acts on the forward pass through the observer of `napari_anyir.model.blocks`; the
weights are never touched. What "off" comes to, with A the attention, G the gated branch and F_in
what enters the gate (Alg. 1 and 2 of the paper):

==============  ===================================================================================
part            off: the map is zero, so that
==============  ===================================================================================
``alpha``       W_gate sees beta alone
``beta``        W_gate sees alpha' alone
``gamma``       the gate is shut: the product vanishes, and G = W_proj(F_in). With the number 1
                instead, the gate stands open, which is the row "gamma = 0" of Tab. 8
``tau_adj``     alpha' is the plain depthwise convolution, without the global statistics
``attention``   A = 0: F_s = concat(sigmoid(G), G + 1/2) and F_f = repeat(G); the 1/2 is sigmoid(0)
``gated``       G = 0: F_s = concat(A + 1/2, sigmoid(A)) and F_f = repeat(A)
``spatial``     F = (1 - lambda) F_f
``frequency``   F = lambda F_s; lambda itself is kept, so this is not the same as setting it to 1
``fused``       the mixer adds nothing to the block's input; its feed-forward part goes on
``lambda``      cannot be switched off; set it: 1 leaves F_s alone, 0 leaves F_f alone
==============  ===================================================================================
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from napari_anyir.inference.inside.network_parts import choose_blocks, shown_parts
from napari_anyir.model import AnyIR
from napari_anyir.model.blocks import NUMBERS
from napari_anyir.model.config import PARTS
from napari_anyir.model.network import BlockObserver

Action = Literal["off", "mean"] | float

PARTS_TO_CHANGE = (*(part for part in PARTS if part != "output"), *NUMBERS)
"""What an intervention may change. A block's output holds its input too, and is left alone."""


@dataclass(frozen=True)
class Intervention:
    """One change to the forward pass.

    Parameters
    ----------
    block : str
        Address of a block, with shell wildcards: ``decoder1.0``, ``decoder*``, ``*``.
    part : str
        One of `PARTS_TO_CHANGE`.
    action : {"off", "mean"} or float
        ``"off"`` makes the map zero. ``"mean"`` replaces each channel by its mean over the pixels,
        which keeps the level and takes away where. A number is put in place of every value.

    Raises
    ------
    ValueError
        If the part or the action is unknown, or the two do not go together.

    Examples
    --------
    >>> from napari_anyir.inference.inside.interventions import Intervention
    >>> str(Intervention("decoder*", "frequency"))
    'decoder*:frequency=off'
    >>> Intervention("*", "lambda", 1).action
    1.0
    """

    block: str
    part: str
    action: Action = "off"

    def __post_init__(self) -> None:
        if self.part not in PARTS_TO_CHANGE:
            raise ValueError(
                f"The part {self.part!r} cannot be changed; choose from "
                f"{', '.join(PARTS_TO_CHANGE)}."
            )
        if isinstance(self.action, str):
            if self.action not in ("off", "mean"):
                raise ValueError(
                    f"The action {self.action!r} is unknown; give 'off', 'mean' or a number."
                )
            if self.part == "lambda" or (self.part, self.action) == ("tau_adj", "mean"):
                raise ValueError(
                    f"{self.part!r} is no map, so {self.action!r} says nothing; give a number."
                )
            return
        if isinstance(self.action, bool) or not math.isfinite(self.action):
            raise ValueError(
                f"The value {self.action!r} for {self.part!r} must be a finite number."
            )
        object.__setattr__(self, "action", float(self.action))

    def __str__(self) -> str:
        action = self.action if isinstance(self.action, str) else f"{self.action:g}"
        return f"{self.block}:{self.part}={action}"

    @classmethod
    def parse(cls, text: str) -> Intervention:
        """Read ``block:part=action``, as a command line gives it; the inverse of ``str``.

        Parameters
        ----------
        text : str
            For instance ``decoder*:alpha=off`` or ``*:lambda=0.3``; without ``=``, off is meant.

        Returns
        -------
        Intervention
            The change.

        Raises
        ------
        ValueError
            If the text does not have this form.

        Examples
        --------
        >>> from napari_anyir.inference.inside.interventions import Intervention
        >>> Intervention.parse("*:lambda=0.3")
        Intervention(block='*', part='lambda', action=0.3)
        """
        block, colon, rest = text.partition(":")
        part, _, action = rest.partition("=")
        if not (block and colon and part):
            raise ValueError(
                f"{text!r} is no intervention; write block:part=action, as in 'decoder*:alpha=off'."
            )
        change: str | float = action or "off"
        with suppress(ValueError):  # a word then, which the class checks
            change = float(change)
        return cls(block, part, change)  # type: ignore[arg-type]

    def apply(self, tensor: Tensor) -> Tensor:
        """Return what takes a tensor's place; its shape, type and device are kept.

        Parameters
        ----------
        tensor : Tensor
            A part (B, C, H, W), tau_adj (B, C, 1, 1) or the scalar lambda.

        Returns
        -------
        Tensor
            A new tensor; the old one is not written to.
        """
        if self.action == "mean":
            return tensor.mean(dim=(-2, -1), keepdim=True).expand_as(tensor)
        return torch.full_like(tensor, 0.0 if self.action == "off" else float(self.action))


def switch_off(part: str, block: str = "*") -> Intervention:
    """Switch a part off, in all blocks or in those that a pattern names.

    Parameters
    ----------
    part : str
        One of `PARTS_TO_CHANGE` except ``lambda``.
    block : str
        Address, wildcards allowed.

    Returns
    -------
    Intervention
        The change.

    Examples
    --------
    >>> from napari_anyir.inference.inside.interventions import switch_off
    >>> str(switch_off("alpha", "latent.*"))
    'latent.*:alpha=off'
    """
    return Intervention(block, part, "off")


def set_lambda(value: float, block: str = "*") -> Intervention:
    """Set the weight of the spatial against the frequency branch (Alg. 2).

    Parameters
    ----------
    value : float
        1 is the spatial branch alone, 0 the frequency branch alone; the network was free to learn
        any number, so any finite one is allowed.
    block : str
        Address, wildcards allowed.

    Returns
    -------
    Intervention
        The change.

    Examples
    --------
    >>> from napari_anyir.inference.inside.interventions import set_lambda
    >>> str(set_lambda(0.5))
    '*:lambda=0.5'
    """
    return Intervention(block, "lambda", value)


def make_observer(network: AnyIR, interventions: Iterable[Intervention]) -> BlockObserver | None:
    """Make the observer that carries interventions out.

    Parameters
    ----------
    network : AnyIR
        The network that they are meant for; it is only read.
    interventions : iterable of Intervention
        Where two concern the same part of the same block, the later one holds.

    Returns
    -------
    callable or None
        For ``network(x, observer)``. None for no interventions: the network then takes the path
        that it takes without an observer.

    Raises
    ------
    ValueError
        If a block or a part is not in this network.
    TypeError
        If something else than interventions is given.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.inference.inside.interventions import make_observer, switch_off
    >>> from napari_anyir.model import build_model
    >>> network = build_model("nano").eval()
    >>> observer = make_observer(network, [switch_off("gated", "decoder*")])
    >>> with torch.inference_mode():
    ...     changed = network(torch.rand(1, 3, 16, 16), observer)
    """
    shown = shown_parts(network.config)
    numbers = [
        name
        for name, there in (("tau_adj", "alpha" in shown), ("lambda", "spatial" in shown))
        if there
    ]
    changes: dict[tuple[str, str], Intervention] = {}
    for intervention in interventions:
        if not isinstance(intervention, Intervention):
            raise TypeError(
                f"interventions must hold Intervention objects, not {type(intervention).__name__}."
            )
        if intervention.part not in (*shown, *numbers):
            raise ValueError(
                f"This network has no {intervention.part!r}, so it cannot be changed; it has "
                f"{', '.join([*(p for p in shown if p != 'output'), *numbers])}."
            )
        for block in choose_blocks(network, intervention.block):
            changes[block, intervention.part] = intervention
    if not changes:
        return None

    def observer(block: str, part: str, tensor: Tensor) -> Tensor:
        change = changes.get((block, part))
        return tensor if change is None else change.apply(tensor)

    return observer
