"""``anyir data``: which of the sets are there, what is wrong with them, and what is missing."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_anyir.cli.options import shown

if TYPE_CHECKING:
    from napari_anyir.training.paper.protocols import Protocol
    from napari_anyir.training.sets.layouts import Finding
    from napari_anyir.training.sets.pairing import Folder

__all__ = ["app"]

app = typer.Typer(help="Look at datasets on disk.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _data() -> None:
    # With a single command typer would do without its name.
    pass


@app.command()
def check(
    root: Annotated[
        Path, typer.Argument(metavar="ROOT", help="Folder that the sets lie in, anywhere below.")
    ],
    protocol: Annotated[
        str | None,
        typer.Option(
            help="Only what this protocol needs, such as 3deg. Default: all.", show_default=False
        ),
    ] = None,
) -> None:
    """Tell what was found, what is missing, and how to lay it out; no image is decoded.

    Exit status 1 if nothing was found, or with --protocol if that cannot be trained and tested.
    """
    from napari_anyir.training.paper.protocols import PROTOCOLS, find_protocol
    from napari_anyir.training.sets.layouts import check as look
    from napari_anyir.training.sets.pairing import scan

    wanted = [find_protocol(protocol)] if protocol else list(PROTOCOLS.values())
    tree = scan(root)
    findings = look(tree, wanted)
    there = [finding for finding in findings if finding.found]
    _print_found(there)
    _print_notes(findings)
    _print_missing([finding for finding in findings if not finding.found])
    with _quiet():
        able = _print_protocols(tree, wanted)
    if not there:
        typer.echo(f"Error: None of the known sets is below '{root}'.", err=True)
    if not there or (protocol and not able):
        raise typer.Exit(1)


def _print_found(there: list[Finding]) -> None:
    from napari_anyir.cli.tables import print_table

    if not there:
        return
    rows = [
        [
            finding.name,
            finding.split,
            f"{finding.found:,}",
            "not stated" if finding.expected is None else f"{finding.expected:,}",
            "" if finding.status == "complete" else "differs",
            "\n".join(shown(path) for path in finding.where[:3]),
        ]
        for finding in there
    ]
    columns = ["set", "for", "found", "expected", "", "taken from"]
    print_table(columns, rows, numbers=["found", "expected"])


def _print_notes(findings: list[Finding]) -> None:
    noted: dict[str, list[str]] = {}
    for finding in findings:
        for note in finding.notes:
            noted.setdefault(note, []).append(f"{finding.name} ({finding.split})")
    if noted:
        typer.echo("To know, or to mend:")
    for note, names in noted.items():
        typer.echo(f"- {', '.join(names)}: {note}")


def _print_missing(missing: list[Finding]) -> None:
    if missing:
        typer.echo("Missing (what each is and where to ask for it: docs/datasets.md):")
    for finding in missing:
        typer.echo(f"- {finding.name} ({finding.split}): {finding.advice}")


def _print_protocols(tree: Folder, wanted: list[Protocol]) -> bool:
    """Print what can be run; say whether all of it can."""
    from napari_anyir.cli.tables import print_table
    from napari_anyir.training.sets.layouts import count_items, expected_items, find_test

    rows, able = [], True
    for protocol in wanted:
        expected = sum(expected_items(protocol).values())
        try:
            items = sum(count_items(tree, protocol).values())
            found = f"{items:,}" if expected else _instead(protocol)
        except (FileNotFoundError, ValueError):
            found, able = "not all there", False
        ready = 0
        for test in protocol.tests:
            try:
                ready += bool(find_test(tree, test))
            except (FileNotFoundError, ValueError):
                able = False
        counted = f"{expected:,}" if expected else ""
        rows.append([protocol.name, found, counted, f"{ready} of {len(protocol.tests)}"])
    columns = ["protocol", "items of an epoch", "expected", "tests that can be run"]
    print_table(columns, rows, numbers=columns[1:3])
    return able


def _instead(protocol: Protocol) -> str:
    return f"trained as {protocol.trained_by}" if protocol.trained_by else "trains nothing"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what is printed in tables anyway out of the log."""
    log = logging.getLogger("napari_anyir.training")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)
