"""Tell another program how a run goes, and end it when that program has had enough."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers import Logger

from napari_anyir.progress import Cancel
from napari_anyir.training.run.module import RestorationModule
from napari_anyir.training.run.validation import ValidationSamples

PROGRESS = 1000
"""What progress counts to."""

Tell = Callable[..., None]
"""``tell(event, **values)``."""


class EventCallback(Callback):
    """Tell progress, and the held-out crops at the start and at an early end.

    Parameters
    ----------
    tell : callable
        ``tell("progress", done=..., total=...)``, and ``tell("preview", images=...)`` with two
        (H, W, 3) arrays of uint8, before and after.
    stop : object, optional
        ``is_set()``: end after the step, as if time were over.
    samples : ValidationSamples, optional
        The held-out crops, where there are some.
    """

    def __init__(self, tell: Tell, stop: Cancel | None, samples: ValidationSamples | None) -> None:
        self.tell, self.stop, self.samples = tell, stop, samples
        self._told = -1

    def on_train_start(self, trainer: Trainer, pl_module: RestorationModule) -> None:  # type: ignore[override]
        """Look at the held-out crops before the first step."""
        self._look(trainer, pl_module)

    def on_train_batch_end(  # type: ignore[override]
        self,
        trainer: Trainer,
        pl_module: RestorationModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Tell how far it is; end if that is wished."""
        if not trainer.is_global_zero:
            return
        if self.stop is not None and self.stop.is_set() and not trainer.should_stop:
            pl_module.end_early()
            if pl_module.progress < 1:  # otherwise they have been looked at
                self._look(trainer, pl_module)
        over = trainer.should_stop or pl_module.progress >= 1
        done = PROGRESS if over else min(int(PROGRESS * pl_module.progress), PROGRESS - 1)
        if done > self._told:
            self._told = done
            self.tell("progress", done=done, total=PROGRESS)

    def _look(self, trainer: Trainer, module: RestorationModule) -> None:
        if self.samples is not None and trainer.is_global_zero:
            self.samples.look(trainer, module)
            before = self.samples.degraded[0]
            self.tell("preview", images=preview(before, self.samples.restored[0]))


class EventLogger(Logger):
    """A logger of Lightning that tells the loss and the PSNR of held-out crops.

    Parameters
    ----------
    tell : callable
        ``tell("loss", step=..., loss=...)`` and ``tell("psnr", step=..., psnr=..., before=...)``,
        in dB.

    Examples
    --------
    >>> logger = EventLogger(lambda event, **values: print(event, values))
    >>> logger.log_metrics({"psnr": 30.0, "psnr_degraded": 20.0}, step=5)
    psnr {'step': 5, 'psnr': 30.0, 'before': 20.0}
    """

    def __init__(self, tell: Tell) -> None:
        super().__init__()
        self._tell = tell

    @property
    def name(self) -> str:
        """Name among loggers."""
        return "events"

    @property
    def version(self) -> str:
        """There is one."""
        return ""

    def log_hyperparams(self, *arguments: Any, **values: Any) -> None:
        """Tell nothing of these."""

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Tell what was measured."""
        if "psnr" in metrics:
            before = metrics["psnr_degraded"]
            self._tell("psnr", step=step, psnr=metrics["psnr"], before=before)
        elif "loss" in metrics and math.isfinite(metrics["loss"]):
            self._tell("loss", step=step, loss=metrics["loss"])


def preview(degraded: torch.Tensor, restored: torch.Tensor) -> tuple[Any, Any]:
    """Turn two images into what can be shown.

    Parameters
    ----------
    degraded, restored : Tensor
        (3, H, W) in [0, 1].

    Returns
    -------
    before, after : numpy.ndarray
        (H, W, 3) of uint8.

    Examples
    --------
    >>> before, after = preview(torch.zeros(3, 2, 2), torch.ones(3, 2, 2))
    >>> before.shape, int(after.max())
    ((2, 2, 3), 255)
    """
    both = torch.stack([degraded, restored]).clamp(0, 1).mul(255).round()
    before, after = both.permute(0, 2, 3, 1).to("cpu", torch.uint8).numpy()
    return before, after
