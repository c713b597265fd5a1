"""Tables and progress bars on a terminal, and plain text where there is none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

__all__ = ["bar", "console", "print_table"]

_WITHOUT_TERMINAL = 160


def console(*, error: bool = False) -> Console:
    """Where to print: as wide as the terminal, and wide enough where there is none.

    Parameters
    ----------
    error : bool
        Standard error instead of standard output.

    Returns
    -------
    rich.console.Console
        The place.

    Examples
    --------
    >>> console().width > 20
    True
    """
    from rich.console import Console

    made = Console(stderr=error, highlight=False, markup=False, soft_wrap=False)
    if not made.is_terminal:
        made.width = _WITHOUT_TERMINAL
    return made


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    title: str = "",
    caption: str = "",
    numbers: Sequence[str] = (),
) -> None:
    """Print a table.

    Parameters
    ----------
    columns : sequence of str
        Heads.
    rows : iterable of sequence of str
        Cells.
    title, caption : str
        Lines above and below.
    numbers : sequence of str
        Heads of columns that are set to the right.

    Examples
    --------
    >>> print_table(["name", "dB"], [["rain", "31.20"]], numbers=["dB"])
    <BLANKLINE>
      name      dB
     ──────────────
      rain   31.20
    <BLANKLINE>
    """
    from rich import box
    from rich.table import Table

    table = Table(
        box=box.SIMPLE, title=title or None, title_justify="left", header_style="", title_style=""
    )
    for name in columns:
        table.add_column(name, justify="right" if name in numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    place = console()
    place.print(table)
    if caption:
        place.print(caption)


def bar(what: str) -> Progress:
    """Progress bar on standard error; silent where that is no terminal.

    Parameters
    ----------
    what : str
        What is counted.

    Returns
    -------
    rich.progress.Progress
        To be used in a ``with`` statement.

    Examples
    --------
    >>> with bar("Restoring") as shown:  # silent here, where no terminal is
    ...     task = shown.add_task("Restoring", total=2)
    ...     shown.update(task, completed=2)
    """
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    place = console(error=True)
    return Progress(
        TextColumn(what, markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),  # names of files may look like markup
        console=place,
        transient=True,
        disable=not place.is_terminal,
    )
