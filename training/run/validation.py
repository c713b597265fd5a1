"""Held-out images, looked at again and again: the best weights stay, and a run may end early."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from PIL import Image
from torch import Tensor

from napari_anyir.training.run.loggers import log_picture
from napari_anyir.training.run.module import RestorationModule
from napari_anyir.training.run.saving import BEST, save_weights
from napari_anyir.training.writing import replace_file


class ValidationSamples(Callback):
    """Restore the same held-out crops every few minutes and at the end.

    Parameters
    ----------
    pairs : tuple of Tensor
        Degraded and clean crops (N, 3, H, W) in [0, 1].
    out : Path
        Folder of the run; pictures go to ``samples/``: degraded, restored, clean from the top. The
        weights with the highest mean PSNR so far are ``best.safetensors``.
    hardware : str
        Device, for the card of the best.
    say : callable
        Told the mean PSNR.

    Attributes
    ----------
    restored : Tensor
        What became of the degraded crops when they were last looked at.
    """

    def __init__(
        self,
        pairs: tuple[Tensor, Tensor],
        out: Path,
        hardware: str,
        say: Callable[[str], None],
    ) -> None:
        self.degraded, self.clean = pairs
        self.restored = self.degraded
        self.out, self.hardware, self.say = out, hardware, say

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
        """Look, when it is time; keep the best; end a run that no longer becomes better."""
        if trainer.is_global_zero and (self._due(pl_module) or pl_module.progress >= 1):
            self._last = pl_module.position.seconds
            self._judge(pl_module, self.look(trainer, pl_module))

    def _due(self, module: RestorationModule) -> bool:
        wish, position = module.config.validation, module.position
        if wish.steps is not None:
            return position.step % wish.steps == 0
        return position.seconds - self._last >= 60 * wish.minutes

    def _judge(self, module: RestorationModule, psnr: float) -> None:
        position, early = module.position, module.config.early_stopping
        gain = early.min_delta if early is not None else 0.0
        position.stale += 1
        # Small gains are kept, but must add up to what counts before they prolong the run.
        if position.mark is None or psnr > position.mark + gain:
            position.mark, position.stale = psnr, 0
        if position.best is None or psnr > position.best:
            position.best, position.best_step = psnr, position.step
            try:
                save_weights(module, self.out / BEST, self.hardware, "Best weights")
            except OSError as error:
                self.say(f"The best weights were not written ({error}).")
        if early is not None and position.stale >= early.patience and module.progress < 1:
            self.say(
                f"Ends early: {position.stale} validations brought no more than {gain:g} dB; the "
                f"best, {position.best:.2f} dB after {position.best_step} steps, is "
                f"'{self.out / BEST}'."
            )
            module.end_early()

    @torch.no_grad()
    def look(self, trainer: Trainer, module: RestorationModule) -> float:
        """Restore, measure, draw and log; return the mean PSNR in dB."""
        network, step = module.kept, module.position.step
        learning = network.training
        network.eval()
        restored = torch.cat(
            [network(image[None].to(module.device)).clamp(0, 1).cpu() for image in self.degraded]
        )
        network.train(learning)
        self.restored = restored
        before, after = (mean_psnr(images, self.clean) for images in (self.degraded, restored))
        self.say(f"validation: PSNR {after:.2f} dB, of the degraded crops {before:.2f} dB")
        picture = torch.cat([_row(self.degraded), _row(restored), _row(self.clean)], 1).clamp(0, 1)
        pixels = (picture.permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
        folder = self.out / "samples"
        try:
            folder.mkdir(exist_ok=True)
            name = f"step-{step:07d}.png"
            replace_file(folder / name, lambda path: Image.fromarray(pixels).save(path, "PNG"))
        except OSError as error:  # a picture is no reason to end a run
            self.say(f"The picture of step {step} was not written ({error}).")
        for logger in trainer.loggers:
            logger.log_metrics({"psnr": after, "psnr_degraded": before}, step)
            log_picture(logger, pixels, step)
        return after


def _row(images: Tensor) -> Tensor:
    return torch.cat(list(images), -1)


def mean_psnr(images: Tensor, clean: Tensor) -> float:
    """Mean over images of the PSNR in dB, of values in [0, 1].

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.training.run.validation import mean_psnr
    >>> round(mean_psnr(torch.full((2, 3, 8, 8), 0.1), torch.zeros(2, 3, 8, 8)), 3)
    20.0
    """
    error = (images - clean).square().flatten(1).mean(1).clamp_min(1e-10)
    return float((-10 * error.log10()).mean())
