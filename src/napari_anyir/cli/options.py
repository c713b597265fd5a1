"""Options that several commands share, and how their text becomes a value."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = [
    "Axes",
    "Cluster",
    "Device",
    "Events",
    "Inputs",
    "Intensity",
    "Interventions",
    "Model",
    "Output",
    "Precision",
    "parse_intensity",
    "parse_tile",
    "shown",
    "torch_first",
]

Inputs = Annotated[
    list[str],
    typer.Argument(metavar="IN", help="Files, folders (with those inside) or glob patterns."),
]
Output = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        metavar="OUT",
        help="Folder for the results; for one input file also the result's name.",
        show_default=False,
    ),
]
Model = Annotated[
    str, typer.Option("--model", "-m", help="Name of a model, or path of a checkpoint.")
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1 or mps.")]
Cluster = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="ADDRESS",
        help="Scheduler of a dask.distributed cluster, such as tcp://10.0.0.1:8786, whose workers "
        "do the work: with the same package, models and folders as here.",
        show_default=False,
    ),
]
Intensity = Annotated[
    str,
    typer.Option(
        "--intensity",
        help="Values that the network sees as 0 and 1: dtype (0 and the type's maximum), range "
        "(percentiles 0.1 and 99.9), photons (for noise that grows with brightness), auto, or "
        "LOW,HIGH.",
    ),
]
Precision = Annotated[str, typer.Option("--precision", help="auto, float32, bfloat16 or float16.")]
Axes = Annotated[
    str | None,
    typer.Option(
        "--axes",
        help="One letter per axis: T, Z, C, Y, X, S (colours). Default: as each file says.",
        show_default=False,
    ),
]
Interventions = Annotated[
    list[str] | None,
    typer.Option(
        "--intervene",
        metavar="BLOCK:PART=CHANGE",
        help="Change the network to see what a part does: BLOCK such as encoder1.0, 'decoder*' "
        "or '*'; PART of alpha, beta, gamma, tau_adj, attention, gated, spatial, frequency, "
        "fused and lambda; CHANGE off, mean (of each channel) or a number, as in "
        "'encoder1.*:alpha=off' or '*:lambda=0.3'. May be given again. Planes are then run as "
        "a whole.",
        show_default=False,
    ),
]
Events = Annotated[
    bool,
    typer.Option(
        "--events",
        help="For programs: one JSON object a line on standard output tells how it goes; a line on "
        "standard input, or its end, ends the work early and keeps the best so far.",
    ),
]


def torch_first() -> None:
    """Import torch before anything else that brings large libraries.

    On Windows torch can fail to load after others have (WinError 1114).

    Raises
    ------
    OSError
        If torch's libraries do not load; the sentence names the usual remedy.

    Examples
    --------
    >>> torch_first() is None
    True
    """
    if os.name != "nt":
        return
    try:
        import torch  # noqa: F401
    except OSError as error:
        raise OSError(
            f"torch does not load ({error}); install the Microsoft Visual C++ Redistributable, "
            "then torch again."
        ) from error


def parse_tile(text: str) -> str | int | None:
    """Read the option ``--tile``.

    Parameters
    ----------
    text : str
        ``"auto"``, ``"whole"`` or a number of pixels.

    Returns
    -------
    str, int or None
        As `napari_anyir.restore` takes it.

    Raises
    ------
    typer.BadParameter
        If it is none of these.

    Examples
    --------
    >>> parse_tile("512"), parse_tile("whole")
    (512, None)
    """
    if text == "whole":
        return None
    if text == "auto":
        return text
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise typer.BadParameter(f"'{text}' is none of auto, whole and a side length in pixels.")


def parse_intensity(text: str) -> str | tuple[float, float]:
    """Read the option ``--intensity``.

    Parameters
    ----------
    text : str
        A name, or two numbers with a comma between them.

    Returns
    -------
    str or (float, float)
        As `napari_anyir.restore` takes it.

    Raises
    ------
    typer.BadParameter
        If it is neither.

    Examples
    --------
    >>> parse_intensity("100,4000"), parse_intensity("range")
    ((100.0, 4000.0), 'range')
    """
    if text in ("auto", "dtype", "range", "photons"):
        return text
    low, comma, high = text.partition(",")
    try:
        if comma:
            return float(low), float(high)
    except ValueError:
        pass
    raise typer.BadParameter(f"'{text}' is none of auto, dtype, range, photons and LOW,HIGH.")


def shown(path: Any) -> str:
    """Path as a person would type it: relative to the current folder if it lies there.

    Parameters
    ----------
    path : str or Path
        Any path.

    Returns
    -------
    str
        One spelling of it.

    Examples
    --------
    >>> shown(Path.cwd() / "a.png")
    'a.png'
    """
    path = Path(path)
    try:
        return str(Path(os.path.realpath(path)).relative_to(Path.cwd()))
    except ValueError:
        return str(path)
