"""``anyir models``: what is there, what is known of it, whether it is whole, and more of it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_anyir.cli.options import shown, torch_first

if TYPE_CHECKING:
    from napari_anyir.weights import ModelCard

__all__ = ["app"]

app = typer.Typer(
    help="List models; show, verify and add them.",
    invoke_without_command=True,
    no_args_is_help=False,
    rich_markup_mode=None,
)


@app.callback()
def _default(ctx: typer.Context) -> None:
    if ctx.invoked_subcommand is None:
        _print_list()


def _print_list() -> None:
    from napari_anyir.cli.tables import print_table
    from napari_anyir.weights import list_models
    from napari_anyir.weights.registry import BUNDLED, broken_cards

    rows = []
    for number, card in enumerate(list_models()):
        where = "bundled" if card.file.parent == BUNDLED else "yours"
        name = f"{card.name} (default)" if number == 0 else card.name
        count = f"{card.parameters:,}" if card.parameters else "?"
        rows.append([name, count, _megabytes(card), where, card.licence or "?", card.summary])
    print_table(
        ["model", "weights", "MB", "from", "licence", "what it does"],
        rows,
        numbers=["weights", "MB"],
        caption="More: anyir models info NAME. Your own: anyir models add CHECKPOINT.",
    )
    for said in broken_cards().values():
        typer.echo(f"Passed over: {said}", err=True)


def _megabytes(card: ModelCard) -> str:
    return f"{card.file.stat().st_size / 1e6:.1f}" if card.file.is_file() else "missing"


@app.command("list")
def list_all() -> None:
    """List the models at hand, the default first."""
    _print_list()


@app.command()
def info(
    name: Annotated[
        str, typer.Argument(help="Name of a model, or path of a checkpoint.")
    ] = "default",
) -> None:
    """Print all that is known of a model."""
    from napari_anyir.cli.tables import print_table
    from napari_anyir.weights import find_model

    card = find_model(name)
    rows: list[list[str]] = [
        ["name", card.name],
        ["summary", card.summary],
        ["file", str(card.file)],
        ["size", f"{_megabytes(card)} MB"],
        ["SHA-256", card.sha256 or "not on a card"],
        ["licence", card.licence or "not stated"],
        ["architecture", card.architecture],
        ["weights", f"{card.parameters:,}" if card.parameters else "not stated"],
        ["limits", card.limits or "not stated"],
        ["padded to", f"multiples of {card.size_multiple} pixels, by the network itself"],
        ["float16", "keeps the results" if card.half_precision else "not for this network"],
        ["tiles", card.tiling],
    ]
    for head, values in (("network", card.config), ("training", card.training)):
        rows += [[f"{head}: {key}", _plain(value)] for key, value in values.items()]
    print_table(["what", "value"], rows)
    if card.measured:
        heads = list(dict.fromkeys(key for scores in card.measured.values() for key in scores))
        print_table(
            ["measured on", *heads],
            [
                [name, *(_plain(scores.get(head, "")) for head in heads)]
                for name, scores in card.measured.items()
            ],
        )


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        between = "\n" if any(isinstance(item, str) for item in value) else ", "
        return between.join(_plain(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_plain(item)}" for key, item in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)


@app.command()
def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Models; default: all.", show_default=False),
    ] = None,
) -> None:
    """Compare the files of models with the SHA-256 on their cards; exit status 1 if one differs."""
    from napari_anyir.errors import ModelError
    from napari_anyir.weights import find_model, list_models, verify_model

    cards = [find_model(name) for name in names] if names else list_models()
    bad = 0
    for card in cards:
        try:
            found = verify_model(card)
        except (ModelError, FileNotFoundError) as error:
            bad += 1
            typer.echo(f"{card.name}: {error}", err=True)
            continue
        said = "as on its card" if card.sha256 else "no card to compare with"
        typer.echo(f"{card.name}: {found} ({said})")
    if bad:
        raise typer.Exit(1)


@app.command()
def add(
    checkpoint: Annotated[Path, typer.Argument(help="A .safetensors, .pt, .pth or .ckpt file.")],
    name: Annotated[
        str | None,
        typer.Option(help="What to call it. Default: as the file.", show_default=False),
    ] = None,
    switches: Annotated[
        str | None,
        typer.Option(
            help="What neither the file nor its tensors say: 'published', or such as "
            "'split=skip,gate_activation=sigmoid,repeat=interleave'.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Copy a checkpoint into your model folder, so that --model and napari know it by name.

    AnyIR networks of this package and of the paper's authors, plain or as Lightning writes them;
    with the extra 'spandrel' also Restormer, NAFNet, SwinIR, SCUNet, DRUNet and other people's.
    """
    torch_first()
    from napari_anyir.weights import add_model

    card = add_model(checkpoint, name, _read_switches(switches))
    typer.echo(
        f"Added '{card.name}' as {shown(card.file)}; use it with: anyir restore IN -o OUT "
        f"--model {card.name}"
    )


def _read_switches(text: str | None) -> dict[str, str]:
    """Read ``published`` or ``name=value,name=value``."""
    from napari_anyir.weights.loading import PUBLISHED

    switches: dict[str, str] = {}
    for part in (text or "").replace(" ", "").split(","):
        name, equals, value = part.partition("=")
        if part == "published":
            switches = {**PUBLISHED, **switches}
        elif equals and value:
            switches[name] = value
        elif part:
            raise typer.BadParameter(
                f"{part!r} is no switch; write 'published' or name=value, such as "
                "gate_activation=sigmoid."
            )
    return switches


class Format(StrEnum):
    """What a model can be exported to."""

    onnx = "onnx"
    torchscript = "torchscript"
    bioimageio = "bioimageio"


@app.command()
def export(
    name: Annotated[str, typer.Argument(help="Name of a model, or path of a checkpoint.")],
    form: Annotated[
        Format,
        typer.Option(
            "--format",
            "-f",
            help="onnx (ONNX Runtime, chaiNNer), torchscript, or bioimageio (Fiji, QuPath).",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Default: NAME.onnx, .pt or .zip, here."
        ),
    ] = None,
) -> None:
    """Write a model for other programs, after running the file and comparing it with ours."""
    torch_first()
    from napari_anyir.weights import find_model
    from napari_anyir.weights.exporting import FORMATS, export_model
    from napari_anyir.weights.graph_files import TOLERANCE

    ending = FORMATS[form.value]
    path = output or Path(f"{find_model(name).name}{ending}")
    if path.suffix.lower() != ending:
        raise typer.BadParameter(f"'{path}' must end in {ending} for {form.value}.")
    gap = export_model(name, form.value, path)
    typer.echo(
        f"Wrote {shown(path)}: run at sides from 64 to 513 pixels, it differs from ours by at most "
        f"{gap:.1g} (allowed: {TOLERANCE:g})."
    )
