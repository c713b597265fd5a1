"""Train a network: open the data, begin or continue, and leave weights that can be used.

From a shell ``anyir train``; from Python `train`.
"""

from __future__ import annotations

from pathlib import Path

import yaml
from lightning.pytorch import Trainer
from lightning.pytorch.utilities import rank_zero_only

from napari_anyir.inference.engine.device import resolve_device
from napari_anyir.inference.exact.allocator import settle_allocator
from napari_anyir.model import AnyIR
from napari_anyir.progress import Cancel
from napari_anyir.training.config import TrainingConfig
from napari_anyir.training.data.data_sources import open_source
from napari_anyir.training.run.callbacks import Say
from napari_anyir.training.run.event_callbacks import Tell
from napari_anyir.training.run.loggers import check_loggers, close_loggers, log_config
from napari_anyir.training.run.machines import Listeners, Machines
from napari_anyir.training.run.module import RestorationModule
from napari_anyir.training.run.precision import resolve_precision
from napari_anyir.training.run.saving import (
    CONFIG,
    LIGHT,
    LIGHT_STATE,
    LOG,
    STATE,
    WEIGHTS,
    read_light,
    read_state,
)
from napari_anyir.training.run.schedule import Position
from napari_anyir.training.run.step_memory import free_for_training, gigabytes, out_of_memory
from napari_anyir.training.run.step_plan import StepPlan, plan_steps
from napari_anyir.training.run.stopping import Stopping
from napari_anyir.training.run.trainer import make_trainer, quiet
from napari_anyir.training.run.training_log import TrainingLog
from napari_anyir.training.writing import write_text

_LARGE = 2_000_000
"""Weights above which a network is slow to train without a card."""


def _print(line: str) -> None:
    print(line, flush=True)


def read_run(out: Path) -> TrainingConfig:
    """Read the configuration that a run was started with, here or on another machine.

    Raises
    ------
    FileNotFoundError
        If the folder holds no run.
    ValueError
        If its configuration is damaged.

    Examples
    --------
    >>> from pathlib import Path
    >>> from napari_anyir.training.run.train import read_run
    >>> read_run(Path("no-such-run"))
    Traceback (most recent call last):
    FileNotFoundError: 'no-such-run' holds no run: there is no config.yaml in it.
    """
    path = out / CONFIG if (out / CONFIG).is_file() else out / LIGHT_STATE
    if not path.is_file():
        raise FileNotFoundError(f"'{out}' holds no run: there is no {CONFIG} in it.")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))  # JSON is YAML, too
        return TrainingConfig.model_validate(
            content["config"] if path.name == LIGHT_STATE else content
        )
    except (ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        raise ValueError(f"'{path}' is damaged; name the configuration with --config.") from error


def train(
    config: TrainingConfig,
    out: Path,
    *,
    resume: bool = False,
    start: AnyIR | None = None,
    device: str = "auto",
    devices: int = 1,
    nodes: int = 1,
    strategy: str = "auto",
    say: Say = _print,
    tell: Tell | None = None,
    stop: Cancel | None = None,
) -> RestorationModule:
    """Train to the end of the run.

    Parameters
    ----------
    config : TrainingConfig
        The run, with the root of its data.
    out : Path
        Folder of the run. It gets ``config.yaml``, ``state.ckpt`` (everything, to continue
        exactly), ``weights.safetensors`` with its card ``weights.json`` (the result),
        ``best.safetensors`` (the best on held-out images), ``checkpoints/`` (numbered ones, where
        asked for), ``resume.safetensors`` and ``resume.json`` (to continue elsewhere),
        ``samples/``, ``csv/`` and ``tensorboard/`` with the curves, and ``log.txt``.
    resume : bool
        Continue the run in ``out``: exactly from ``state.ckpt`` where there is one, otherwise from
        the half-precision weights, with a fresh optimiser that warms up again.
    start : AnyIR, optional
        Network whose weights to begin with (fine-tuning); the optimiser is fresh.
    device : str
        As for `napari_anyir.restore`.
    devices, nodes : int
        Devices per machine, and machines; batches are divided among all.
    strategy : str
        Lightning's name of how several devices work together; ``"auto"`` is ``"ddp"`` then.
    say : callable
        Told how it goes, line by line.
    tell : callable, optional
        For programs: told progress, losses, PSNRs and previews; see `EventCallback` and
        `EventLogger`.
    stop : object, optional
        Anything with ``is_set()``: ends after the step as if the run were over, and saves.

    Returns
    -------
    RestorationModule
        The trained module.

    Raises
    ------
    FileNotFoundError
        If data or the run to resume are missing.
    ValueError
        If the folder holds another run, the run is complete, batches cannot be divided, or a logger
        is not installed.
    OSError
        If the end of the run cannot be saved.
    KeyboardInterrupt
        If the user stops it: by Ctrl-C after the step, which is saved; at once with a second one,
        and with several devices, when the last checkpoint is at most a minute old.

    Examples
    --------
    See ``docs/training.md``.
    """
    log = TrainingLog(say if _is_main() else _nothing)
    with log.listening():
        return _train(
            config,
            out,
            Machines(resolve_device(device), devices, nodes, strategy),
            Listeners(log, tell, stop),
            resume=resume,
            start=start,
        )


def _train(
    config: TrainingConfig,
    out: Path,
    machines: Machines,
    listeners: Listeners,
    *,
    resume: bool,
    start: AnyIR | None,
) -> RestorationModule:
    where, say, main = machines.device, listeners.say, _is_main()
    if main and not resume and (out / STATE).exists():
        raise ValueError(
            f"'{out}' holds a run already; continue it with --resume or name another folder."
        )
    check_loggers(config)
    machines.check(config)
    if where.type == "cpu":  # 8 % more steps of the small network in the same time
        settle_allocator()
    source = open_source(config, processes=machines.devices)
    checkpoint, light = None, None
    if resume:
        checkpoint, light = _found(out, config)
    network, position = light if light else (start, None)
    if where.type == "cpu":  # what the images take is not free for the steps
        source.prepare(where)
    state = read_state(checkpoint) if checkpoint else {}
    plan = plan_steps(
        config,
        resolve_precision(config, where),
        machines,
        before=StepPlan.from_dict(state["parts"]) if "parts" in state else None,
        say=say,
    )
    module = RestorationModule(config, source, network, where, plan=plan, say=say)
    if position is not None:
        module.position = position
    began = position or (Position(**state["position"]) if checkpoint else None)
    if began and module.schedule.progress(began) >= 1:
        raise ValueError(
            f"The run in '{out}' is complete; give it more with --max-time or steps=, or name "
            "another folder."
        )
    if main:
        out.mkdir(parents=True, exist_ok=True)
        write_text(out / CONFIG, config.to_yaml())
        say.open(out / LOG)
    _announce(module, began, checkpoint is not None, machines.hardware, say)
    stopping = Stopping(say)
    with quiet():
        trainer = make_trainer(
            module,
            out,
            began,
            machines,
            listeners,
            stopping,
        )
        _fit(trainer, module, checkpoint, out)
    if trainer.interrupted:
        raise KeyboardInterrupt
    if stopping.asked:
        say(
            f"Saved after {module.position.step} steps; continue with: "
            f"anyir train --resume --out {out}"
        )
        raise KeyboardInterrupt
    say(f"{module.position.step} steps, {module.position.seen} crops")
    say(f"Try it: anyir restore IMAGE -o OUT --model {out / WEIGHTS}")
    return module


def _fit(trainer: Trainer, module: RestorationModule, checkpoint: Path | None, out: Path) -> None:
    """Run Lightning's loop; what ends it is one sentence where it can be."""
    try:
        if trainer.is_global_zero:
            log_config(trainer.loggers, module.config)
        # Our own class reads the checkpoint, and no code in it is run.
        trainer.fit(module, ckpt_path=checkpoint)
    except SystemExit:  # how Lightning ends after Ctrl-C
        if not trainer.interrupted:
            raise
    except (ValueError, TypeError, OSError) as error:
        if sentence := _sentence_of_worker(error):
            raise type(error)(sentence) from error
        raise
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        raise ValueError(_memory_sentence(module, out)) from error
    finally:
        module.clock.stop()
        if trainer.is_global_zero:
            close_loggers(trainer.loggers)


def _memory_sentence(module: RestorationModule, out: Path) -> str:
    device = module.device
    phase = module.schedule.phase(module.position)
    free = free_for_training(device)
    told = "" if free is None else f", where {gigabytes(free)} are free"
    parts = module.plan.of(phase).count
    return (
        f"A step of {phase.batch} crops of {phase.crop} pixels, in {parts} part(s), does not fit "
        f"into the memory of {device}{told}; continue with 'anyir train --resume --out {out} "
        f"accumulate={min(2 * parts, phase.batch)}', or take smaller crops or network=nano."
    )


def _sentence_of_worker(error: Exception) -> str:
    """Return what went wrong in a process that reads images, without its traceback."""
    text = str(error).strip()
    if not text.startswith("Caught ") or "Original Traceback" not in text:
        return ""
    return text.splitlines()[-1].partition(": ")[2]


def _is_main() -> bool:
    """Whether this process speaks and writes for all devices."""
    return getattr(rank_zero_only, "rank", 0) == 0


def _nothing(line: str) -> None:
    """Say nothing: the first device speaks for all."""


def _found(out: Path, config: TrainingConfig) -> tuple[Path | None, tuple[AnyIR, Position] | None]:
    """Find what to resume from: the exact checkpoint, or the light one."""
    if (out / CONFIG).is_file() and read_run(out).network_config != config.network_config:
        raise ValueError(
            f"The run in '{out}' trains another network than this configuration; resume it without "
            "--config, or name another folder."
        )
    if (out / STATE).is_file():
        return out / STATE, None
    network, position = read_light(out)
    if network.config != config.network_config:
        raise ValueError(
            f"'{out / LIGHT}' is of another network than this configuration; name the "
            "configuration that it was trained with."
        )
    return None, (network, position)


def _announce(
    module: RestorationModule,
    began: Position | None,
    exact: bool,
    hardware: str,
    say: Say,
) -> None:
    config, source = module.config, module.source
    weights = sum(p.numel() for p in module.network.parameters())
    lengths = {"epochs": config.epochs, "steps": config.steps, "minutes": config.minutes}
    length = next(f"{value:g} {name}" for name, value in lengths.items() if value)
    say(f"{config.name}: {weights:,} weights, {length}, on {hardware}")
    say("; ".join(str(value) for value in source.facts.values()))
    say(module.schedule.describe())
    if "processor" in hardware and weights > _LARGE and began is None:
        say(
            "On a processor a network of this size takes days: begin with --from nano, or with "
            "network=nano, an eighth of the work."
        )
    if began is not None:
        how = "exactly" if exact else "from half-precision weights, with a fresh optimiser"
        say(f"Resumes {how} after {began.step} steps and {began.seconds / 60:.1f} minutes")
