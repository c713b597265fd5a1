"""Commands take their options in groups: a dataclass, each field of which is an option."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Annotated, Any, get_type_hints

import typer

from napari_anyir.cli.options import Axes, Device, Intensity, Interventions, Model, Precision

__all__ = ["NetworkOptions", "PassOptions", "ResultOptions", "flat"]


@dataclass(frozen=True)
class NetworkOptions:
    """Which network sees the image, where, and with which intensities as 0 and 1.

    Examples
    --------
    >>> NetworkOptions(model="nano").device
    'auto'
    """

    model: Model = "default"
    device: Device = "auto"
    intensity: Intensity = "auto"


@dataclass(frozen=True)
class PassOptions(NetworkOptions):
    """How the network is run on it.

    Examples
    --------
    >>> PassOptions(axes="ZYX").model
    'default'
    """

    precision: Precision = "auto"
    axes: Axes = None
    intervene: Interventions = None


@dataclass(frozen=True)
class ResultOptions:
    """Names and formats of results, and whether they may replace what is there.

    Examples
    --------
    >>> ResultOptions(suffix="_restored").overwrite
    False
    """

    suffix: Annotated[
        str, typer.Option(help="Added to every name, for instance _new.", show_default=False)
    ] = ""
    format: Annotated[
        str | None,
        typer.Option(
            help="Format of all results: tif, ome.tif, png, jpg, webp, bmp, npy or ome.zarr. "
            "Default: each as its input.",
            show_default=False,
        ),
    ] = None
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Replace files that stand where results go; results that are up to date stay.",
        ),
    ] = False


def flat(command: Callable[..., None]) -> Callable[..., None]:
    """Let typer see each field of a command's groups as a parameter of the command.

    Parameters
    ----------
    command : callable
        Its parameters are arguments, options, and groups of options (dataclasses).

    Returns
    -------
    callable
        The same command, with the fields in place of the groups.

    Examples
    --------
    >>> import inspect
    >>> from napari_anyir.cli.option_groups import NetworkOptions, flat
    >>> def look(name: str, network: NetworkOptions) -> None:
    ...     print(name, network.device)
    >>> list(inspect.signature(flat(look)).parameters)
    ['name', 'model', 'device', 'intensity']
    >>> flat(look)(name="a", device="cpu")
    a cpu
    """
    hints = get_type_hints(command, include_extras=True)
    parameters: list[inspect.Parameter] = []
    groups: dict[str, type[Any]] = {}
    for name, parameter in inspect.signature(command).parameters.items():
        if not is_dataclass(hints[name]):
            parameters.append(
                parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
            )
            continue
        groups[name] = hints[name]
        of_group = get_type_hints(hints[name], include_extras=True)
        parameters += [
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=inspect.Parameter.empty if field.default is MISSING else field.default,
                annotation=of_group[field.name],
            )
            for field in fields(hints[name])
        ]

    @functools.wraps(command)
    def run(**given: Any) -> None:
        for name, group in groups.items():
            names = [field.name for field in fields(group) if field.name in given]
            given[name] = group(**{one: given.pop(one) for one in names})
        command(**given)

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run
