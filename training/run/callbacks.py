"""What happens beside the steps: saving, and telling how it goes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer

from napari_anyir.training.run.module import RestorationModule
from napari_anyir.training.run.saving import (
    STATE,
    SafeCheckpointIO,
    save_numbered,
    save_results,
)
from napari_anyir.training.run.speed import multiply_rate, step_operations

Say = Callable[[str], None]
"""Prints a line."""


class Saving(Callback):
    """Save every minute and at the end, and under the number of the step where that is wished.

    Parameters
    ----------
    out : Path
        Folder of the run.
    checkpoints : SafeCheckpointIO
        The trainer's own, asked for failures.
    hardware : str
        Device, for the card.
    say : callable
        Told of failures.
    """

    def __init__(self, out: Path, checkpoints: SafeCheckpointIO, hardware: str, say: Say) -> None:
        self.out, self.checkpoints = out, checkpoints
        self.hardware, self.say = hardware, say
        self._last = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: RestorationModule) -> None:  # type: ignore[override]
        """Count from here."""
        self._last = pl_module.position.seconds

    def on_train_batch_end(  # type: ignore[override]
        self,
        trainer: Trainer,
        pl_module: RestorationModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Save when it is time; a failure is told, and the run goes on."""
        self._number(trainer, pl_module)
        if pl_module.position.seconds - self._last < 60 * pl_module.config.save_minutes:
            return
        self._last = pl_module.position.seconds
        if failure := self.save(trainer, pl_module):
            self.say(
                f"Not saved ({failure}); the last checkpoint stays. Trying again in "
                f"{60 * pl_module.config.save_minutes:.0f} seconds."
            )

    def _number(self, trainer: Trainer, module: RestorationModule) -> None:
        every, step = module.config.checkpoints.every, module.position.step
        if every is None or step % every or not trainer.is_global_zero:
            return
        try:
            save_numbered(module, self.out, self.hardware)
        except OSError as error:
            self.say(f"The checkpoint of step {step} was not written ({error}).")

    def on_train_end(self, trainer: Trainer, pl_module: RestorationModule) -> None:  # type: ignore[override]
        """Save the end.

        Raises
        ------
        OSError
            If that fails.
        """
        if failure := self.save(trainer, pl_module):
            raise OSError(
                f"The end of the run could not be saved in '{self.out}' ({failure}); make room, "
                "then continue with --resume."
            ) from failure

    def save(self, trainer: Trainer, module: RestorationModule) -> OSError | None:
        """Save all files; return what went wrong."""
        trainer.save_checkpoint(self.out / STATE)  # on all devices: they wait for each other
        failure = self.checkpoints.take_failure()
        if failure is None and trainer.is_global_zero:
            try:
                save_results(module, self.out, self.hardware)
            except OSError as error:
                return error
        return failure


def clock(seconds: float) -> str:
    """Write a time as hours, minutes and seconds.

    Examples
    --------
    >>> from napari_anyir.training.run.callbacks import clock
    >>> clock(75), clock(7325)
    ('1:15', '2:02:05')
    """
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


class Reporting(Callback):
    """Tell how it goes, with the time left; log the curves.

    Parameters
    ----------
    say : callable
        Told a line at the first step and then every ``report_seconds``.
    """

    def __init__(self, say: Say) -> None:
        self.say = say

    def on_train_start(self, trainer: Trainer, pl_module: RestorationModule) -> None:  # type: ignore[override]
        """Measure the device, for the share of its rate; tell if bfloat16 only costs time on it."""
        bf16 = "bf16" in str(trainer.precision)
        rate = multiply_rate(pl_module.device, torch.bfloat16 if bf16 else torch.float32)
        if bf16 and trainer.is_global_zero:
            full = multiply_rate(pl_module.device, torch.float32)
            if rate < full:
                self.say(
                    f"This device multiplies in bfloat16 at {rate / full:.0%} of its rate in "
                    "float32: it has no arithmetic for it; precision=32-true is faster."
                )
        self._rate = rate * trainer.world_size
        self._operations = {
            phase.crop: step_operations(pl_module.config.network_config, phase.crop)
            for phase in pl_module.config.phases
        }
        self._told = self._logged = replace(pl_module.position)
        self._loss = float("nan")

    def on_train_batch_end(  # type: ignore[override]
        self,
        trainer: Trainer,
        pl_module: RestorationModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Log and tell, when it is time."""
        module, now = pl_module, pl_module.position
        if not trainer.is_global_zero:
            return
        over = module.progress >= 1
        first = now.step == module.began.step + 1
        due = now.seconds - self._told.seconds >= module.config.report_seconds
        if over or first or due or now.step % module.config.log_steps == 0:
            self._log(trainer, module)
        if not (over or first or due):
            return
        crop = module.schedule.phase(now).crop
        speed = self._speed(module, self._told)
        share = speed * self._operations[crop] / self._rate
        left = module.schedule.seconds_left(now, module.began)
        parts = [
            f"{module.progress:4.0%}",
            f"step {now.step:>5}",
            f"{now.seen:>6} crops",
            f"loss {self._loss:.4f}",
            f"learning rate {trainer.optimizers[0].param_groups[0]['lr']:.1e}",
            f"{speed:>5.3g} crops/s of {crop} ({share:.0%} of the matrix-product rate)",
            f"{clock(left)} left" if left is not None else "",
            f"{now.skipped} steps skipped" if now.skipped else "",
        ]
        self.say("  ".join(part for part in parts if part))
        self._told = replace(now)

    @staticmethod
    def _speed(module: RestorationModule, since: Any) -> float:
        seconds = module.position.seconds - since.seconds
        return (module.position.seen - since.seen) / seconds if seconds > 0 else 0.0

    def _log(self, trainer: Trainer, module: RestorationModule) -> None:
        loss = module.take_loss()
        metrics = {
            "learning_rate": trainer.optimizers[0].param_groups[0]["lr"],
            "crops": float(module.position.seen),
            "minutes": module.position.seconds / 60,
            "crops_per_second": self._speed(module, self._logged),
            "crop": float(module.schedule.phase(module.position).crop),
            "skipped": float(module.position.skipped),
        }
        if not math.isnan(loss):
            self._loss = metrics["loss"] = loss
        self._logged = replace(module.position)
        for logger in trainer.loggers:
            logger.log_metrics(metrics, module.position.step)
