"""Lightning's trainer, put together for a run."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, Trainer

from napari_anyir.training.run.callbacks import Reporting, Saving, Say
from napari_anyir.training.run.event_callbacks import EventCallback, EventLogger
from napari_anyir.training.run.loggers import make_loggers
from napari_anyir.training.run.machines import Listeners, Machines
from napari_anyir.training.run.module import RestorationModule
from napari_anyir.training.run.precision import resolve_precision
from napari_anyir.training.run.saving import SafeCheckpointIO
from napari_anyir.training.run.schedule import Position
from napari_anyir.training.run.stopping import Stopping
from napari_anyir.training.run.validation import ValidationSamples


def _untold(event: str, **values: Any) -> None:
    """Tell nobody."""


def _strategy(module: RestorationModule, name: str) -> str:
    """Name how several devices work together."""
    name = "ddp" if name == "auto" else name
    fractions = module.network.config.gate_fractions
    if fractions is not None and fractions[0] == 0:
        # Without alpha nothing uses tau: devices must not wait for its gradient.
        name += "_find_unused_parameters_true"
    return name


def make_trainer(
    module: RestorationModule,
    out: Path,
    began: Position | None,
    machines: Machines,
    listeners: Listeners,
    stopping: Stopping,
) -> Trainer:
    """Build Lightning's trainer for a run; see `train`."""
    config, device, hardware = module.config, machines.device, machines.hardware
    say, tell, stop = listeners.say, listeners.tell, listeners.stop
    precision = resolve_precision(config, device)
    checkpoints = SafeCheckpointIO()
    loggers = make_loggers(config, out, began.step if began else 0)
    if tell is not None:
        loggers.append(EventLogger(tell))
    callbacks: list[Callback] = [Reporting(say)]
    if (samples := _samples(module, out, hardware, say)) is not None:
        callbacks.append(samples)
    if tell is not None or stop is not None:
        callbacks.append(EventCallback(tell or _untold, stop, samples))
    callbacks += [Saving(out, checkpoints, hardware, say), stopping]
    one = ":" in str(device) and machines.devices == 1  # a certain device of the machine
    return Trainer(
        accelerator="gpu" if device.type == "cuda" else device.type,
        devices=[device.index] if one else machines.devices,
        num_nodes=machines.nodes,
        strategy=_strategy(module, machines.strategy) if machines.count > 1 else machines.strategy,
        precision=precision,
        logger=loggers,
        callbacks=callbacks,
        plugins=[checkpoints],
        max_epochs=-1,  # one endless epoch: the module says when the run is over
        use_distributed_sampler=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        benchmark=device.type == "cuda",  # crops of a phase are of one size
        default_root_dir=out,
    )


def _samples(
    module: RestorationModule, out: Path, hardware: str, say: Say
) -> ValidationSamples | None:
    """Take the crops to validate on.

    Raises
    ------
    ValueError
        If the run is to end early by what nobody looks at.
    """
    wish = module.config.validation
    count = wish.count(module.source.own_held)
    pairs = module.source.validation(count, wish.crop)
    if pairs is not None:
        return ValidationSamples(pairs, out, hardware, say)
    if module.config.early_stopping is not None:
        raise ValueError(
            "early_stopping watches images that are held out, and none are: name a folder of them "
            "as validation.folder, or leave early_stopping out."
        )
    if count:
        say("Nothing is held out, so nothing is validated.")
    return None


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence what Lightning tells of its own settings; its errors stay."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")
            # A handful of 1 x c x 1 x 1 weights, whose memory order means nothing.
            warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
