"""Muon: descent along the orthogonalised momentum of each matrix of weights.

Most weights of the network are pointwise convolutions, matrices that is. AdamW scales each of their
entries for itself; Muon (Jordan et al., 2024) takes the nearest orthogonal matrix of the momentum,
so that all directions are learnt at one pace, and needs fewer steps. ``torch.optim.Muon`` takes
two-dimensional parameters only and one at a time, hundreds of small products per step; here
convolutions are taken as (output, input x height x width) and matrices of a shape go together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

MOMENTUM = 0.95
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic that drives singular values to about 1 fastest (Jordan et al., 2024)."""
_ITERATIONS = 5
_RMS = 0.2
"""Root mean square of an update at rate 1, as of AdamW, whose rates so hold (Liu et al., 2025)."""
_NARROWEST = 4
"""Fewest rows and columns of a matrix; weights of images and of single channels are for AdamW."""


def is_matrix(weights: Tensor) -> bool:
    """Tell whether weights are for Muon: a convolution from several channels to several.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.training.run.muon import is_matrix
    >>> is_matrix(torch.zeros(8, 4, 1, 1)), is_matrix(torch.zeros(8, 1, 3, 3))
    (True, False)
    """
    return weights.ndim == 4 and min(weights.shape[:2]) >= _NARROWEST


def orthogonalise(matrices: Tensor) -> Tensor:
    """Replace the singular values of matrices by numbers of about 1.

    Parameters
    ----------
    matrices : Tensor
        (N, rows, columns).

    Returns
    -------
    Tensor
        (N, rows, columns), with singular values of 0.7 to 1.2 where they were not tiny.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.training.run.muon import orthogonalise
    >>> values = torch.linalg.svdvals(orthogonalise(torch.diag(torch.tensor([3.0, 1.0]))[None]))
    >>> bool(((values > 0.6) & (values < 1.3)).all())
    True
    """
    a, b, c = _COEFFICIENTS
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp_min(1e-12)
    for _ in range(_ITERATIONS):
        square = torch.bmm(x, x.mT)
        square = torch.baddbmm(square, square, square, beta=b, alpha=c)
        x = torch.baddbmm(x, square, x, beta=a)
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Muon for convolutions between channels, AdamW for all other weights.

    Parameters
    ----------
    parameters : iterable of torch.nn.Parameter
        Weights that learn.
    learning_rate : float
        Rate of both.
    betas : tuple of 2 float
        Of AdamW.
    weight_decay : float
        Of both, times the rate.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.training.run.muon import Muon
    >>> layer = torch.nn.Conv2d(4, 4, 1)
    >>> optimiser = Muon(layer.parameters(), 1e-3)
    >>> layer(torch.rand(1, 4, 2, 2)).sum().backward()
    >>> optimiser.step()
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        learning_rate: float,
        betas: tuple[float, float] = (0.9, 0.999),
        weight_decay: float = 0.01,
    ) -> None:
        matrices: list[nn.Parameter] = []
        others: list[nn.Parameter] = []
        for weights in parameters:
            (matrices if is_matrix(weights) else others).append(weights)
        self._adamw = torch.optim.AdamW(
            [{"params": others}], learning_rate, betas, weight_decay=weight_decay, fused=True
        )
        super().__init__(
            [*self._adamw.param_groups, {"params": matrices}],
            {"lr": learning_rate, "weight_decay": weight_decay},
        )

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move the weights that have a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        # Loading a state makes new groups and a new state: both belong to this optimiser.
        *self._adamw.param_groups, group = self.param_groups
        self._adamw.state = self.state
        # Set by who found an infinite gradient, as PyTorch's gradient scaler does: 1 leaves weights
        # and moments as they are, without a word to the host.
        skip: Tensor | None = getattr(self, "found_inf", None)
        self._adamw.found_inf = skip  # type: ignore[attr-defined]
        self._adamw.step()
        shapes: dict[torch.Size, list[nn.Parameter]] = {}
        for weights in group["params"]:
            if weights.grad is not None:
                shapes.setdefault(weights.shape, []).append(weights)
        for alike in shapes.values():
            self._move(alike, group["lr"], group["weight_decay"], skip)
        return loss

    def _move(
        self, alike: list[nn.Parameter], rate: float, decay: float, skip: Tensor | None
    ) -> None:
        """Step matrices of one shape, unless ``skip`` is 1."""
        for weights in alike:
            if "momentum" not in self.state[weights]:
                self.state[weights]["momentum"] = torch.zeros_like(weights)
        momenta: list[Tensor] = [self.state[weights]["momentum"] for weights in alike]
        gradients: list[Tensor] = [weights.grad for weights in alike]  # type: ignore[misc]
        if skip is not None:
            # A gradient that is its momentum moves the momentum nowhere.
            kept = torch.where(skip > 0, torch.stack(momenta), torch.stack(gradients))
            gradients = list(kept.unbind())
        torch._foreach_lerp_(momenta, gradients, 1 - MOMENTUM)
        # Nesterov's look ahead: the momentum as the next gradient like this one would make it.
        ahead = torch.stack(torch._foreach_lerp(gradients, momenta, MOMENTUM)).flatten(2)
        moves = orthogonalise(ahead) * (_RMS * max(ahead.shape[1:]) ** 0.5)
        values: list[Tensor] = [*alike]
        steps = torch.add(moves.view(-1, *alike[0].shape), torch.stack(values), alpha=decay)
        if skip is not None:
            steps = torch.where(skip > 0, 0.0, steps)
        torch._foreach_add_(values, list(steps.unbind()), alpha=-rate)
