"""``anyir train``: one configuration file in, a network out."""

from __future__ import annotations

import importlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_anyir.cli.options import Device, Events, torch_first
from napari_anyir.cli.reporting import Proof, Reporter, peak_memory

__all__ = ["train"]

_EXTRA = {"lightning", "pydantic", "tensorboard", "torchmetrics", "yaml"}


def _list_recipes(wanted: bool) -> None:
    if not wanted:
        return
    from napari_anyir.cli.tables import print_table
    from napari_anyir.training.recipe_names import describe_recipe, list_recipes

    rows = [[name, describe_recipe(name)] for name in list_recipes()]
    print_table(["recipe", "what it trains"], rows)
    raise typer.Exit


def _training() -> Any:
    """Import the configurations of training, or name the extra that is missing."""
    torch_first()
    try:
        # The first lets the others be imported beside any torchvision.
        for name in ("napari_anyir.training.run", "lightning.pytorch", "tensorboard"):
            importlib.import_module(name)
        from napari_anyir.training import config_files
    except ModuleNotFoundError as error:
        if error.name and error.name.split(".")[0] in _EXTRA:
            raise ValueError(
                f"Training needs '{error.name}': install the extra, "
                'pip install "napari-anyir[training]".'
            ) from error
        raise
    return config_files


@dataclass(frozen=True)
class RunOptions:
    """Which run, and what it begins with."""

    config: Annotated[
        str | None,
        typer.Option(
            "--config",
            "-c",
            metavar="FILE|NAME",
            help="A .yaml file, or the name of a recipe (--list). With --resume: the run's own.",
            show_default=False,
        ),
    ] = None
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the data; what is in it, the recipe says.", show_default=False
        ),
    ] = None
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the run. Default: runs/NAME.", show_default=False),
    ] = None
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in the folder.")] = (
        False
    )
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="MODEL",
            help="Fine-tune: begin with the weights of a model, by name or path.",
            show_default=False,
        ),
    ] = None
    max_time: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            metavar="MINUTES",
            help="End after so long; the learning rate reaches zero then.",
            show_default=False,
        ),
    ] = None
    leave_out: Annotated[
        list[str] | None,
        typer.Option(help="Name of a file to keep out; can be repeated.", show_default=False),
    ] = None


@dataclass(frozen=True)
class MachineOptions:
    """Where it trains."""

    device: Device = "auto"
    devices: Annotated[int, typer.Option(min=1, help="Devices per machine.")] = 1
    nodes: Annotated[int, typer.Option(min=1, help="Machines.")] = 1


@dataclass(frozen=True)
class ResultModelOptions:
    """What becomes of the model, and who is told."""

    add: Annotated[
        bool,
        typer.Option(
            "--add",
            help="Make the result known by the name of the run's folder everywhere, napari "
            "included, if the held-out images came out better than at the start.",
        ),
    ] = False
    events: Events = False


def train(
    wanted: RunOptions,
    machines: MachineOptions,
    then: ResultModelOptions,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...",
            help="Other values than the file's, for instance optimiser.learning_rate=1e-4 or "
            "phases.0.batch=16.",
            show_default=False,
        ),
    ] = None,
    recipes: Annotated[
        bool,
        typer.Option(
            "--list", help="List the recipes and exit.", callback=_list_recipes, is_eager=True
        ),
    ] = False,
) -> None:
    """Train a network, or continue a run, or fine-tune a model.

    A run is saved every minute. Degradations are made on the fly where the recipe takes a folder
    of clean photographs; docs/training.md explains recipes and their keys.
    """
    configs = _training()
    from napari_anyir.training.run.train import read_run
    from napari_anyir.training.run.train import train as run
    from napari_anyir.weights import add_model, check_new_name

    config, out, resume = wanted.config, wanted.out, wanted.resume
    add, events = then.add, then.events
    if config is None and not (resume and out):
        raise ValueError(
            "Name a configuration with --config (anyir train --list shows the recipes), or a run "
            "with --resume --out RUN."
        )
    given: dict[str, Any] = {"minutes": wanted.max_time}
    sources = {
        "root": wanted.data and wanted.data.expanduser().resolve(),
        "leave_out": wanted.leave_out or None,
    }
    given["data"] = {name: value for name, value in sources.items() if value is not None} or None
    if config is None and out is not None:
        settings = configs.change_config(read_run(out), overrides or (), **given)
    else:
        settings = configs.read_config(str(config), overrides or (), **given)
    network = None
    if wanted.start is not None:
        if resume:
            raise ValueError("--from begins a run and --resume continues one; choose one of them.")
        settings, network = _fine_tune(settings, wanted.start, overrides or ())
    out = out or Path("runs") / settings.name
    if add:
        check_new_name(out.name)
    proof = Proof()
    reporter = Reporter("Training", events=events) if events else None

    def tell(event: str, **values: Any) -> None:
        proof.take(event, values)
        if reporter is not None:
            reporter.tell(event, **values)

    def say(line: str) -> None:
        typer.echo(line, err=events)  # where programs read events, words go beside

    started = time.monotonic()
    run(
        settings,
        out,
        resume=resume,
        start=network,
        device=machines.device,
        devices=machines.devices,
        nodes=machines.nodes,
        say=say,
        tell=tell if add or events else None,
        stop=reporter.stop if reporter is not None else None,
    )
    added = None
    if add and proof.better:
        added = add_model(out / "weights.safetensors", out.name).name
    if add:
        say(f"{proof}" + (f" It is known as '{added}' now." if added else " It was not added."))
    if reporter is not None:
        reporter.tell(
            "result",
            text=str(proof),
            kept=proof.better,
            file=str(out / "weights.safetensors"),
            added=added,
            seconds=time.monotonic() - started,
            peak_memory=peak_memory(),
        )


def _fine_tune(settings: Any, start: str, overrides: Any) -> tuple[Any, Any]:
    """Take over a model's network, which may be another size than the recipe's."""
    from napari_anyir.weights import load_model
    from napari_anyir.weights.networks import only_anyir

    network = only_anyir(load_model(start), start)
    asked = any(text.split("=")[0].split(".")[0] == "network" for text in overrides)
    if asked and settings.network_config != network.config:
        raise ValueError(
            f"'{start}' is another network than network= asks for; leave one of them out."
        )
    typer.echo(f"Begins with the weights of '{start}'")
    return settings.model_copy(update={"network": network.config.to_dict()}), network
