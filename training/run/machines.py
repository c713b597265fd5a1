"""What a run trains on, and who hears of it: handed on as one."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from napari_anyir.progress import Cancel
    from napari_anyir.training.config import TrainingConfig
    from napari_anyir.training.run.event_callbacks import Tell
    from napari_anyir.training.run.training_log import TrainingLog


@dataclass(frozen=True)
class Machines:
    """The devices of a run.

    Parameters
    ----------
    device : torch.device
        Their kind, or the one.
    devices, nodes : int
        Devices per machine, and machines.
    strategy : str
        Lightning's name of how several work together.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.training.run.machines import Machines
    >>> Machines(torch.device("cpu"), nodes=4).count
    4
    """

    device: torch.device
    devices: int = 1
    nodes: int = 1
    strategy: str = "auto"

    @property
    def count(self) -> int:
        """All devices of all machines."""
        return self.devices * self.nodes

    @property
    def hardware(self) -> str:
        """What they are, in words."""
        if self.device.type == "cuda":
            name = torch.cuda.get_device_name(self.device)
        else:
            name = platform.machine()
        if self.device.type == "cpu":
            name += f" processor, {torch.get_num_threads()} thread(s)"
        return f"{self.count} x {name}" if self.count > 1 else name

    def check(self, config: TrainingConfig) -> None:
        """Refuse devices that are not there or cannot share the batches of a run.

        Raises
        ------
        ValueError
            With what to ask for instead.
        """
        there = {"cuda": torch.cuda.device_count(), "mps": 1}
        here = there.get(self.device.type, self.devices)
        if self.devices > here:
            raise ValueError(
                f"There are not {self.devices} devices of the kind '{self.device.type}' here, but "
                f"{here}; ask for so many at most."
            )
        for phase in config.phases:
            parts = self.count * config.accumulate
            if phase.batch % parts:
                raise ValueError(
                    f"A batch of {phase.batch} crops cannot be divided among {self.count} "
                    f"devices with accumulate={config.accumulate}; choose a multiple of {parts}."
                )


@dataclass(frozen=True)
class Listeners:
    """Who hears of a run, and who may end it.

    Parameters
    ----------
    say : TrainingLog
        Told how it goes, line by line.
    tell : callable, optional
        For programs: told progress, losses, PSNRs and previews.
    stop : object, optional
        Anything with ``is_set()``: ends after the step as if the run were over, and saves.
    """

    say: TrainingLog
    tell: Tell | None = None
    stop: Cancel | None = None
