"""Where curves and pictures of a run go: CSV and TensorBoard files, and Weights & Biases."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger

from napari_anyir.training.config import TrainingConfig
from napari_anyir.training.writing import write_text

_WANDB_RUN = "wandb-run.txt"


def check_loggers(config: TrainingConfig) -> None:
    """Refuse a logger whose package is missing, before anything takes long.

    Raises
    ------
    ValueError
        With the remedy.

    Examples
    --------
    >>> from napari_anyir.training.config import TrainingConfig
    >>> from napari_anyir.training.run.loggers import check_loggers
    >>> check_loggers(TrainingConfig(steps=1))
    """
    if "wandb" in config.loggers and find_spec("wandb") is None:
        raise ValueError(
            "The run is to be logged to Weights & Biases, whose package is missing: pip install "
            "wandb, or leave wandb out of loggers."
        )


def make_loggers(config: TrainingConfig, out: Path, step: int) -> list[Logger]:
    """Make Lightning's loggers.

    Parameters
    ----------
    config : TrainingConfig
        The run: which ``loggers``.
    out : Path
        Folder of the run, for ``csv/``, ``tensorboard/`` and ``wandb/``.
    step : int
        Step at which this sitting begins: each gets a CSV file of its own, for Lightning's logger
        would begin an existing one anew. Curves of Weights & Biases go on as one run.

    Returns
    -------
    list of Logger
        In the order of the configuration.
    """
    made: list[Logger] = []
    for name in dict.fromkeys(config.loggers):
        if name == "csv":
            made.append(CSVLogger(out, name="csv", version=f"from-step-{step:07d}"))
        elif name == "tensorboard":
            made.append(TensorBoardLogger(out, name="tensorboard", version=""))
        else:
            made.append(
                WandbLogger(
                    name=config.name,
                    project=os.environ.get("WANDB_PROJECT", "anyir"),
                    save_dir=out,
                    id=_wandb_run(out),
                    resume="allow",
                )
            )
    return made


def _wandb_run(out: Path) -> str:
    """Return the run's name at Weights & Biases; it is made when the run begins."""
    path = out / _WANDB_RUN
    if not path.is_file():
        write_text(path, uuid.uuid4().hex[:12])
    return path.read_text(encoding="utf-8").strip()


def log_config(loggers: Iterable[Logger], config: TrainingConfig) -> None:
    """Lay the configuration beside the curves where a logger has a place for it."""
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.log_hyperparams(config.model_dump(mode="json"))


def log_picture(logger: Logger, pixels: Any, step: int) -> None:
    """Show held-out crops where a logger shows pictures.

    Parameters
    ----------
    logger : Logger
        Of any kind.
    pixels : numpy.ndarray
        (H, W, 3) of uint8.
    step : int
        Step of the run.
    """
    if isinstance(logger, TensorBoardLogger):
        logger.experiment.add_image("samples", pixels, step, dataformats="HWC")
    elif isinstance(logger, WandbLogger):
        logger.log_image("samples", [pixels], step=step)


def close_loggers(loggers: Iterable[Logger]) -> None:
    """End what has a process of its own, so that another run of this process begins another."""
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.experiment.finish()
