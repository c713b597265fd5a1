"""How much memory a run needs and how much is free, told before it starts; no Qt.

Called once torch is there: the estimate is the one by which the engine chooses strips or tiles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from napari_anyir.model import AnyIRConfig


def needs_in_words(
    configs: Sequence[Mapping[str, Any]],
    size: tuple[int, int],
    kept: int,
    *,
    device: str,
    precision: str = "auto",
    tile: str | int | None = "auto",
) -> tuple[str, bool]:
    """Say how much memory a run takes and how much is free.

    Parameters
    ----------
    configs : sequence of mapping
        Fields of each network's configuration, as its card has them; empty if it has none. They
        run one after the other, and their results are kept side by side.
    size : (int, int)
        Height and width of a plane.
    kept : int
        Bytes of one result that stays in memory.
    device : str
        Where, never ``"auto"``.
    precision, tile
        As for `napari_anyir.restore`.

    Returns
    -------
    text : str
        One sentence; empty where nothing is known of one of them.
    tight : bool
        Whether the memory does not suffice.

    Examples
    --------
    >>> text, tight = needs_in_words([{}], (512, 512), 0, device="cpu")
    >>> text, tight
    ('', False)
    """
    import torch

    from napari_anyir.inference.engine.memory_estimate import free_bytes
    from napari_anyir.model import AnyIRConfig

    if not all(configs):
        return "", False
    try:
        networks = [
            AnyIRConfig(**{key: _plain(value) for key, value in config.items()})
            for config in configs
        ]
    except (TypeError, ValueError):  # a card of another version: the run itself will tell
        return "", False
    where = torch.device(device)
    needed = max(_needed(network, size, where, precision, tile) for network in networks)
    if where.type == "cpu":
        needed += kept * len(networks)
    free = free_bytes(where)
    if free is None:
        return f"Needs about {gigabytes(needed)} of memory.", False
    on = "memory" if where.type == "cpu" else f"memory on {device}"
    return f"Needs about {gigabytes(needed)} of the {gigabytes(free)} of {on} that are free.", (
        needed > free
    )


def _needed(
    network: AnyIRConfig,
    size: tuple[int, int],
    where: torch.device,
    precision: str,
    tile: str | int | None,
) -> int:
    """Bytes that one pass takes, by the plan that the engine would make."""
    import torch

    from napari_anyir.inference.engine.device import PRECISIONS
    from napari_anyir.inference.engine.memory_estimate import pass_bytes
    from napari_anyir.inference.engine.run_plan import plan_run, strip_bytes, working_precision
    from napari_anyir.inference.exact.workers import MOST_WORKERS

    working = working_precision(precision, network, size, where, tile)
    plan = plan_run(network, (1, 3, *size), where, working, tile)
    part = (plan.tile, plan.tile) if plan.tile else size
    part = (min(part[0], size[0]), min(part[1], size[1]))
    itemsize = PRECISIONS[working].itemsize
    if plan.inner == "strips":
        workers = min(torch.get_num_threads(), MOST_WORKERS) if where.type == "cpu" else 1
        return strip_bytes(network, *part, itemsize, workers)
    return pass_bytes(network, *part, itemsize)


def gigabytes(size: int) -> str:
    """Say a number of bytes as people do.

    Examples
    --------
    >>> gigabytes(3_440_000_000), gigabytes(52_000_000), gigabytes(200_000)
    ('3.4 GB', '52 MB', '1 MB')
    """
    return f"{size / 1e9:.1f} GB" if size > 1e8 else f"{max(1, round(size / 1e6))} MB"


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
