"""The command ``anyir``: its subcommands, and how errors leave it."""

from __future__ import annotations

import io
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from napari_anyir import __version__
from napari_anyir.cli import (
    adapt,
    analyse,
    data,
    degrade,
    demo,
    evaluate,
    features,
    models,
    report,
    restore,
    train,
)
from napari_anyir.cli.option_groups import flat
from napari_anyir.errors import Cancelled, ModelError, memory_sentence

__all__ = ["app", "main"]

INTERRUPTED = 130
"""Exit status after Ctrl-C: 128 and the number of its signal, as shells have it."""

# What is said to a user without a traceback; torch.OutOfMemoryError is a RuntimeError, and
# anything else is a fault of this package, whose traceback is wanted.
_TOLD = (ValueError, TypeError, OSError, ModelError, MemoryError)


class _Commands(TyperGroup):
    """Commands whose errors are one sentence on standard error and an exit status."""

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # the reader of our output, such as `head`, has gone
            raise
        except _TOLD as error:
            told = memory_sentence(error) or str(error).strip()
            lines = told.splitlines() or [f"{type(error).__name__}."]
            typer.echo(f"Error: {lines[0]}", err=True)
            raise typer.Exit(1) from error
        except (KeyboardInterrupt, Cancelled) as error:
            typer.echo("Stopped; every file that was written is whole.", err=True)
            raise typer.Exit(INTERRUPTED) from error


app = typer.Typer(
    name="anyir",
    cls=_Commands,
    help="Restore noisy, rainy, hazy, blurred and dark images with one small network.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("restore")(flat(restore.restore))
app.command("features")(flat(features.features))
app.command("analyse")(flat(analyse.analyse))
app.add_typer(models.app, name="models")
app.command("demo")(demo.demo)
app.add_typer(data.app, name="data")
app.command("evaluate")(flat(evaluate.evaluate))
app.command("report")(flat(report.report))
app.command("adapt")(flat(adapt.adapt))
app.command("train")(flat(train.train))
app.command("degrade", context_settings=degrade.ANY_OPTION)(flat(degrade.degrade))


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"anyir {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", callback=_version, is_eager=True
        ),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line with the arguments of the process.

    Examples
    --------
    >>> import sys
    >>> before, sys.argv = sys.argv, ["anyir", "--version"]
    >>> try:
    ...     main()
    ... except SystemExit as end:
    ...     print("exit status", end.code)
    ... finally:
    ...     sys.argv = before
    anyir ...
    exit status 0
    """
    for stream in (sys.stdout, sys.stderr):
        # A file's name that the terminal's encoding has not must not end a run.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    app(prog_name="anyir")
