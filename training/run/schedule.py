"""Where a run stands, and what follows from it: the learning rate and the size of the crops."""

from __future__ import annotations

import math
from dataclasses import dataclass

from napari_anyir.training.config import LONGEST_WARM_UP, Phase, TrainingConfig

RESTART = 200
"""Steps in which the rate rises again after the optimiser began afresh within a run."""

_FIRST = 1e-4


@dataclass
class Position:
    """How far a run has come.

    Parameters
    ----------
    step : int
        Optimiser steps taken.
    seen : int
        Crops seen, over all devices.
    seconds : float
        Time trained, in all sittings.
    skipped : int
        Steps among them whose gradient was not finite and was thrown away.
    restart : int
        Step at which the optimiser began afresh, 0 for an unbroken run.
    best : float or None
        Highest PSNR in dB of what is held out, None before the first validation.
    best_step : int
        Step at which it was reached.
    mark : float or None
        PSNR that must be surpassed for the run not to end early.
    stale : int
        Validations since that was last done.

    Examples
    --------
    >>> from napari_anyir.training.run.schedule import Position
    >>> Position(step=10).seen
    0
    """

    step: int = 0
    seen: int = 0
    seconds: float = 0.0
    skipped: int = 0
    restart: int = 0
    best: float | None = None
    best_step: int = 0
    mark: float | None = None
    stale: int = 0


class Schedule:
    """Learning rate and phase as functions of the position.

    The rate rises linearly from the first step to its peak and then falls along half a cosine,
    which reaches zero where the run ends; it never rises again. A run in minutes ends with the
    clock: as nobody knows beforehand when its warm-up is over, its cosine begins at the start and
    is multiplied by the warm-up, which takes a tenth of the run at most. Otherwise five minutes on
    a processor would be over before the steps that are right for hours on a card.

    Parameters
    ----------
    config : TrainingConfig
        The run.
    items : int, optional
        Images per epoch; needed for a run in epochs.

    Raises
    ------
    ValueError
        If the run is counted in epochs of unknown length.

    Examples
    --------
    >>> from napari_anyir.training.config import TrainingConfig
    >>> from napari_anyir.training.run.schedule import Position, Schedule
    >>> schedule = Schedule(TrainingConfig(steps=100, warm_up_steps=10))
    >>> [round(schedule.rate(Position(step=step)), 6) for step in (0, 9, 10, 100)]
    [2e-05, 0.0002, 0.0002, 0.0]
    """

    def __init__(self, config: TrainingConfig, items: int | None = None) -> None:
        if items is None and (config.epochs or config.warm_up_epochs):
            raise ValueError("These data have no epochs; give steps or minutes instead.")
        self.config = config
        self.items = items or 0

    def progress(self, position: Position) -> float:
        """Fraction of the run that is over, 0 to 1."""
        config = self.config
        if config.steps is not None:
            done = position.step / config.steps
        elif config.epochs is not None:
            done = position.seen / (config.epochs * self.items)
        else:
            done = position.seconds / (60 * (config.minutes or 1))
        return min(done, 1.0)

    def phase(self, position: Position) -> Phase:
        """Crops of the next step."""
        progress = self.progress(position)
        return max((p for p in self.config.phases if p.start <= progress), key=lambda p: p.start)

    def rate(self, position: Position) -> float:
        """Learning rate of the next step."""
        config, share = self.config, 0.0
        warm = 1.0
        if config.warm_up_steps:
            warm = (position.step + 1) / config.warm_up_steps
            share = config.warm_up_steps / config.steps if config.steps else 0.0
            if config.minutes is not None:
                warm = max(warm, self.progress(position) / LONGEST_WARM_UP)
        elif config.warm_up_epochs:
            batch = self.phase(position).batch
            warm = (position.seen + batch) / (config.warm_up_epochs * self.items)
            share = config.warm_up_epochs / config.epochs if config.epochs else 0.0
        elif config.warm_up_share:
            share = config.warm_up_share
            if config.steps:
                warm = (position.step + 1) / max(1.0, share * config.steps)
            else:  # the first step by the clock comes at 0 and is no reason to stand still
                warm = max(self.progress(position), _FIRST) / share
        fallen = max(0.0, self.progress(position) - share) / (1 - share)
        again = (position.step - position.restart + 1) / RESTART if position.restart else 1.0
        return (
            config.optimiser.learning_rate
            * min(warm, again, 1.0)
            * 0.5
            * (1 + math.cos(math.pi * fallen))
        )

    def describe(self) -> str:
        """Say what the learning rate does.

        Examples
        --------
        >>> from napari_anyir.training.config import TrainingConfig
        >>> from napari_anyir.training.run.schedule import Schedule
        >>> Schedule(TrainingConfig(steps=100, warm_up_steps=10)).describe()
        'learning rate 0.0002 (adamw), reached after 10 steps, then along a cosine to zero'
        """
        config, rise = self.config, "from the first step on"
        if config.warm_up_steps:
            rise = f"reached after {config.warm_up_steps} steps"
            if config.minutes is not None:
                rise += f", or {LONGEST_WARM_UP:.0%} of the run"
        elif config.warm_up_epochs:
            rise = f"reached after {config.warm_up_epochs:g} epochs"
        elif config.warm_up_share:
            rise = f"reached after {config.warm_up_share:.1%} of the run"
        optimiser = config.optimiser
        return (
            f"learning rate {optimiser.learning_rate:g} ({optimiser.method}), {rise}, then along a "
            "cosine to zero"
        )

    def seconds_left(self, position: Position, began: Position) -> float | None:
        """Estimate the time to the end from what happened since the run was last started.

        Parameters
        ----------
        position, began : Position
            Now, and at the start of this sitting.

        Returns
        -------
        float or None
            Seconds; None before anything is known.
        """
        if self.config.minutes is not None:
            return max(0.0, 60 * self.config.minutes - position.seconds)
        done = self.progress(position) - self.progress(began)
        if done <= 0:
            return None
        return (position.seconds - began.seconds) * (1 - self.progress(position)) / done
