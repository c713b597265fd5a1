"""What a run leaves on disk, so that neither a kill nor a full disk costs more than a minute.

Every file is written under a temporary name and renamed: what is there is whole, always.
"""

from __future__ import annotations

import json
import pickle
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from napari_anyir.model import AnyIR
from napari_anyir.training.model_files import write_model
from napari_anyir.training.run.module import RestorationModule
from napari_anyir.training.run.schedule import Position
from napari_anyir.training.writing import replace_file, write_json
from napari_anyir.weights import ModelCard
from napari_anyir.weights.loading import load_network, save_network

_METHODS = {"adamw": "AdamW", "muon": "Muon with AdamW"}
CONFIG, STATE = "config.yaml", "state.ckpt"
WEIGHTS, CARD = "weights.safetensors", "weights.json"
LIGHT, LIGHT_STATE = "resume.safetensors", "resume.json"
BEST, NUMBERED = "best.safetensors", "checkpoints"
LOG = "log.txt"

_DAMAGED = (RuntimeError, pickle.UnpicklingError, EOFError, KeyError, TypeError, ValueError)


class SafeCheckpointIO(TorchCheckpointIO):
    """Lightning's checkpoints, renamed when whole; what fails is remembered, not raised.

    An exception on one device would leave the others waiting for it; the callback that saves
    asks for it afterwards.
    """

    def __init__(self) -> None:
        super().__init__()
        self._failure: OSError | None = None

    def take_failure(self) -> OSError | None:
        """Return what went wrong since the last call."""
        failure, self._failure = self._failure, None
        return failure

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write a checkpoint; an old one of that name stays where this fails."""
        try:
            replace_file(Path(path), lambda temporary: torch.save(checkpoint, temporary))
        except OSError as error:
            self._failure = error
        except RuntimeError as error:  # torch's own writer says so of a full disk
            self._failure = OSError(str(error).splitlines()[0])

    def load_checkpoint(
        self, path: str | Path, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read a checkpoint; no code in it is run."""
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        return content


def read_state(path: Path) -> dict[str, Any]:
    """Read a run's checkpoint.

    Raises
    ------
    ValueError
        If it is damaged or not of this trainer.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        Position(**state["position"])
    except _DAMAGED as error:
        raise ValueError(
            f"'{path}' is no checkpoint of this trainer, or is damaged; start a new run."
        ) from error
    return state


def facts_of(module: RestorationModule, hardware: str) -> dict[str, Any]:
    """Say what a run was made of, for its card."""
    config, position = module.config, module.position
    done = [p for p in config.phases if p.start <= module.progress]
    settings = config.optimiser
    facts: dict[str, Any] = {
        "recipe": config.name,
        **module.source.facts,
        "steps": position.step,
        "crops": position.seen,
        "crop_sizes": ", then ".join(f"{p.batch} of {p.crop} x {p.crop}" for p in done),
        "hours": round(position.seconds / 3600, 3),
        "finished": round(module.progress, 4),
        "hardware": hardware,
        "optimiser": f"{_METHODS[settings.method]} {settings.learning_rate:g}, "
        f"weight decay {settings.weight_decay:g}, clip {settings.clip}, "
        f"cosine to zero, L1 + {config.fourier_weight:g} Fourier L1, "
        f"average {config.average:g}, seed {config.seed}",
    }
    if position.best is not None:
        facts["held_out"] = f"best PSNR {position.best:.2f} dB, after {position.best_step} steps"
    if position.skipped:
        facts["steps_without_finite_gradient"] = position.skipped
    return facts


def save_weights(module: RestorationModule, path: Path, hardware: str, what: str) -> None:
    """Write the weights as they are now, with their card.

    Parameters
    ----------
    module : RestorationModule
        The run.
    path : Path
        Target, ending in .safetensors.
    hardware : str
        Device, for the card.
    what : str
        What the weights are, for the card: the best, those after a number of steps.

    Raises
    ------
    OSError
        If the disk is full or gone; what was there before stays.
    """
    write_model(
        module.kept,
        path,
        name=module.config.name,
        summary=f"{what} of the run '{module.config.name}', {module.progress:.0%} done.",
        training=facts_of(module, hardware),
    )


def save_numbered(module: RestorationModule, out: Path, hardware: str) -> None:
    """Write the weights under the number of their step, and drop the oldest where it was asked.

    Parameters
    ----------
    module : RestorationModule
        The run.
    out : Path
        Folder of the run; they go to ``checkpoints/step-0000100.safetensors``, with their cards.
    hardware : str
        Device, for the card.

    Raises
    ------
    OSError
        If the disk is full or gone.
    """
    step, folder = module.position.step, out / NUMBERED
    path = folder / f"step-{step:07d}.safetensors"
    save_weights(module, path, hardware, f"Weights after {step} steps")
    keep = module.config.checkpoints.keep
    if keep is None:
        return
    there = {
        int(name[1]): path
        for path in folder.iterdir()
        if (name := re.fullmatch(r"step-(\d+)\.safetensors", path.name))
    }
    for number in sorted(there)[:-keep]:
        there[number].unlink()
        there[number].with_suffix(".json").unlink(missing_ok=True)


def save_results(module: RestorationModule, out: Path, hardware: str) -> None:
    """Write the weights with their card, and what another machine needs to go on.

    Parameters
    ----------
    module : RestorationModule
        The run.
    out : Path
        Folder for ``weights.safetensors`` (float32) and ``weights.json``, and, small enough to be
        committed, ``resume.safetensors`` (float16) and ``resume.json``.
    hardware : str
        Device, for the card.

    Raises
    ------
    OSError
        If the disk is full or gone; what was there before stays.
    """
    save_weights(module, out / WEIGHTS, hardware, "Weights")
    replace_file(out / LIGHT, lambda path: save_network(module.kept, path, torch.float16))
    # Where the data lie is another machine's business.
    config = module.config.model_dump(mode="json", exclude={"data": {"root", "cache"}})
    light = {"position": asdict(module.position), "config": config}
    write_json(out / LIGHT_STATE, light)


def read_light(out: Path) -> tuple[AnyIR, Position]:
    """Read what another machine left to go on from.

    Returns
    -------
    network : AnyIR
        The averaged weights.
    position : Position
        Where the run stands, with a fresh optimiser from here on.

    Raises
    ------
    FileNotFoundError
        If there is nothing.
    ValueError
        If it is damaged.
    """
    if not (out / LIGHT).is_file() or not (out / LIGHT_STATE).is_file():
        raise FileNotFoundError(
            f"Nothing to resume in '{out}': it has neither {STATE} nor {LIGHT} with {LIGHT_STATE}."
        )
    try:
        content = json.loads((out / LIGHT_STATE).read_text(encoding="utf-8"))
        position = Position(**content["position"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"'{out / LIGHT_STATE}' is damaged ({error}).") from error
    network = load_network(ModelCard(name=out.name, file=out / LIGHT))
    position.restart = position.step
    return network, position
