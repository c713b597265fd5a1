"""Train a network on noisy windows alone, and stop when held-out pixels say so."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_anyir.errors import Cancelled
from napari_anyir.model import AnyIR
from napari_anyir.progress import Cancel, Progress
from napari_anyir.training.adaptation.held_out_errors import HeldOutError, LearningState
from napari_anyir.training.adaptation.neighbours import (
    SHARE,
    Loss,
    blind_errors,
    neighbour_errors,
    neighbour_loss,
    noise_correlation,
)
from napari_anyir.training.adaptation.noisy_windows import NoisySource, NoisyWindows

TIME_STEPS = 1000
"""What progress counts to when the end is set by time: thousandths of it."""


@dataclass(frozen=True)
class AdaptationRecipe:
    """How a network is trained on; chosen on photographs with noise that `nano` never saw.

    The learning rate stays constant after its warm-up and the averaged weights are the result, so
    that a run that time ended can be repeated by its number of steps.

    Parameters
    ----------
    learning_rate : float
        Of Adam, after the warm-up.
    warm_up : int
        Steps over which it rises.
    gamma : float
        Weight of Neighbor2Neighbor's second term.
    side, pixels : int
        Side of the windows, of which halves are trained on, and their pixels per step. The
        network looks at all pixels of a window, so small ones would teach it wrong statistics.
    clip : float
        Largest norm of the gradient.
    ema : float
        Decay of the averaged weights; lower during the first steps.
    check_every : int
        Steps between two looks at the held-out pixels.
    check_side, check_pixels : int
        Largest side of the windows that are looked at, and their pixels together, about.
    patience : int
        Looks without a better one after which training stops.
    confidence : float
        Standard errors by which both held-out errors must fall for the new weights to be kept; on
        photographs with clipped noise 1.6 went with a loss of 0.2 dB, 3.4 with a gain of 1.8 dB.
    most_correlation : float
        Correlation of neighbouring pixels' noise above which nothing is trained: they would teach
        the network to keep the noise, and the held-out pixels would not notice.
    loss : {"l2", "l1"}
        How errors count, in training and on the held-out pixels: squared, for noise that is zero
        on average; by their size, for outliers such as salt and pepper.

    Raises
    ------
    ValueError
        If ``loss`` is neither.

    Examples
    --------
    >>> from napari_anyir.training.adaptation.self_supervised import AdaptationRecipe
    >>> AdaptationRecipe().rate(0) < AdaptationRecipe().rate(19) == AdaptationRecipe().rate(500)
    True
    """

    learning_rate: float = 1e-3
    warm_up: int = 20
    gamma: float = 2.0
    side: int = 128
    pixels: int = 2 * 128 * 128
    clip: float = 1.0
    ema: float = 0.98
    check_every: int = 25
    check_side: int = 256
    check_pixels: int = 4 * 256 * 256
    patience: int = 6
    confidence: float = 3.0
    most_correlation: float = 0.1
    loss: Loss = "l2"

    def __post_init__(self) -> None:
        """Refuse a loss that is none."""
        if self.loss not in ("l2", "l1"):
            raise ValueError(f"loss must be 'l2' or 'l1', not {self.loss!r}.")

    def rate(self, step: int) -> float:
        """Learning rate of a step, counted from 0."""
        return self.learning_rate * min(1.0, (step + 1) / max(self.warm_up, 1))


class SelfSupervised:
    """One training: the network, its averaged weights, and the best of them so far.

    Parameters
    ----------
    network : AnyIR
        What to start from; a copy is trained.
    sources : sequence of NoisySource
        Noisy arrays.
    recipe : AdaptationRecipe
        The settings.
    seed : int
        Seed of windows, pairs and held-out pixels.
    device : torch.device
        Where to compute.

    Attributes
    ----------
    step : int
        Steps taken.
    best : dict of str to Tensor
        Averaged weights with the smallest held-out error after at least one step; may be empty.
    best_step : int
        When that was.
    correlation : float
        Of neighbouring pixels' noise, as `noise_correlation` estimates it.
    unseen, beside : HeldOutError
        What became of the two held-out errors by then: of pixels predicted without being seen,
        and of pixels predicted from a neighbour at half size.
    helped : bool
        Whether both fell by more than ``recipe.confidence`` standard errors.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from napari_anyir.training.adaptation.noisy_windows import NoisySource
    >>> from napari_anyir.training.adaptation.self_supervised import (
    ...     AdaptationRecipe, SelfSupervised
    ... )
    >>> from napari_anyir.weights import load_model
    >>> noisy = NoisySource.open(np.random.default_rng(0).random((32, 32)), None, "auto")
    >>> network, recipe = load_model("nano"), AdaptationRecipe()
    >>> run = SelfSupervised(network, [noisy], recipe, 0, torch.device("cpu"))
    >>> run.train(steps=2)
    >>> run.step, run.best_step
    (2, 2)
    """

    def __init__(
        self,
        network: AnyIR,
        sources: Sequence[NoisySource],
        recipe: AdaptationRecipe,
        seed: int,
        device: torch.device,
    ) -> None:
        self.recipe, self.device, self._seed = recipe, device, seed
        self._generator = torch.Generator().manual_seed(seed)
        self._windows = NoisyWindows(sources, self._generator)
        self._phase = int(torch.randint(SHARE, (), generator=self._generator))
        # Evaluation mode throughout: a batch norm, where there is one, keeps its statistics.
        self.network = copy.deepcopy(network).to(device).float().eval().requires_grad_(True)
        # Depthwise convolutions on a CPU want channels last.
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.network).requires_grad_(False)
        self._optimiser = torch.optim.Adam(
            self.network.parameters(), recipe.learning_rate, fused=True
        )
        self._looked_at = self._windows.spread(recipe.check_side, recipe.check_pixels)
        self.step = 0
        self.correlation = self._correlation()
        started = time.monotonic()
        self._before = self._held_out_errors()
        self._look_seconds = time.monotonic() - started
        self._best_loss = math.inf
        self.best_step = 0
        self.best: dict[str, Tensor] = {}
        self._losses: list[Tensor] = []
        self.unseen, self.beside = (
            HeldOutError(float(errors.mean()), float(errors.mean()), 0.0) for errors in self._before
        )

    @property
    def helped(self) -> bool:
        """Whether the best weights are better by both held-out errors."""
        return all(change.fell(self.recipe.confidence) for change in (self.unseen, self.beside))

    @property
    def independent(self) -> bool:
        """Whether neighbouring pixels have noise of their own."""
        return self.correlation <= self.recipe.most_correlation

    def train(
        self,
        *,
        steps: int | None = None,
        until: float = math.inf,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
        stop: Cancel | None = None,
        watch: Callable[[LearningState], None] | None = None,
    ) -> None:
        """Train until the steps or the time are over, or nothing improves any more.

        Nothing is done if neighbouring pixels share their noise.

        Parameters
        ----------
        steps : int, optional
            Steps after which to end; then ``until`` does not count.
        until : float
            Time of `time.monotonic` at which to end.
        progress, cancel
            As for `napari_anyir.training.adaptation.method.adapt`.
        stop : object, optional
            Anything with ``is_set()``: ends as if time were over, with the best weights so far.
        watch : callable, optional
            Called as ``watch(look)`` before the first step and after every look.

        Raises
        ------
        Cancelled
            If ``cancel.is_set()`` became true.
        """
        started = time.monotonic()
        told = 0
        total = steps if steps is not None else TIME_STEPS
        if not self.independent:
            if progress is not None:
                progress(total, total)
            return
        if watch is not None:
            watch(LearningState(0, math.nan, self.unseen, self.beside, True, self.preview))
        look = self._look_seconds  # time must be left for a last one
        while True:
            if cancel is not None and cancel.is_set():
                raise Cancelled("The adaptation was cancelled.")
            self._train_step()
            now = time.monotonic()
            over = now + look >= until if steps is None else self.step >= steps
            over = over or (stop is not None and stop.is_set())
            if over or self.step % self.recipe.check_every == 0:
                found = self._check()
                if watch is not None:
                    watch(found)
                look = max(look, time.monotonic() - now)
                waited = (self.step - self.best_step) / self.recipe.check_every
                over = over or waited >= self.recipe.patience
            passed = (now - started) / max(until - started, 1e-9)
            share = passed if steps is None else self.step / steps
            done = total if over else min(int(share * total), total - 1)
            if progress is not None and done > told:
                told = done
                progress(done, total)
            if over:
                return

    def _train_step(self) -> None:
        recipe = self.recipe
        for group in self._optimiser.param_groups:
            group["lr"] = recipe.rate(self.step)
        noisy, targets = self._windows.batch(recipe.side, recipe.pixels, self._phase)
        loss = neighbour_loss(
            self.network,
            noisy.to(self.device),
            targets.to(self.device),
            recipe.gamma,
            self._generator,
            recipe.loss,
        )
        self._losses.append(loss.detach())
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), recipe.clip)
        if bool(torch.isfinite(norm)):
            self._optimiser.step()
        self.step += 1
        decay = min(recipe.ema, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            means: list[Tensor] = list(self.average.parameters())
            torch._foreach_lerp_(means, list(self.network.parameters()), 1 - decay)

    def _correlation(self) -> float:
        found = []
        for window in self._looked_at:
            noisy = self._windows.sources[window.source].read(window).unsqueeze(0).to(self.device)
            with torch.no_grad():
                found.append(noise_correlation(noisy, self.average(noisy), self.recipe.loss))
        return sum(found) / len(found)

    def _held_out_errors(self) -> tuple[Tensor, Tensor]:
        """Errors of the averaged weights, (pixels,) each; the same pixels and pairs every time."""
        pairs, kind = torch.Generator().manual_seed(self._seed), self.recipe.loss
        unseen, beside = [], []
        for window in self._looked_at:
            noisy = self._windows.sources[window.source].read(window).unsqueeze(0).to(self.device)
            hidden = self._windows.lattice(window, self._phase).to(self.device)
            unseen.append(blind_errors(self.average, noisy, hidden, kind).cpu().double())
            beside.append(neighbour_errors(self.average, noisy, hidden, pairs, kind).cpu().double())
        return torch.cat(unseen), torch.cat(beside)

    def preview(self, side: int = 160) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Show a piece of the first image as it is, and restored by the averaged weights.

        Parameters
        ----------
        side : int
            Pixels of its longer side, at most.

        Returns
        -------
        before, after : array
            (H, W, 3) of uint8; the network's 0 and 1 are black and white.
        """
        window = self._looked_at[0]
        noisy = self._windows.sources[window.source].read(window).unsqueeze(0).to(self.device)
        with torch.no_grad():
            both = torch.cat([noisy, self.average(noisy)])
        top, left = ((size - min(size, side)) // 2 for size in both.shape[-2:])
        cut = both[..., top : top + side, left : left + side].clamp(0, 1).mul(255).round()
        before, after = cut.permute(0, 2, 3, 1).to("cpu", torch.uint8).numpy()
        return before, after

    def _check(self) -> LearningState:
        """Look at the held-out pixels, and remember the weights if they are the best so far."""
        errors = self._held_out_errors()
        unseen, beside = (
            HeldOutError(
                float(before.mean()),
                float(after.mean()),
                float((before - after).std() / math.sqrt(before.numel())),
            )
            for before, after in zip(self._before, errors, strict=True)
        )
        best = unseen.after + beside.after < self._best_loss  # never when it is not a number
        if best:
            self._best_loss, self.best_step = unseen.after + beside.after, self.step
            self.best = {k: v.detach().cpu().clone() for k, v in self.average.state_dict().items()}
            self.unseen, self.beside = unseen, beside
        loss = float(torch.stack(self._losses).mean()) if self._losses else math.nan
        self._losses = []
        return LearningState(self.step, loss, unseen, beside, best, self.preview)
