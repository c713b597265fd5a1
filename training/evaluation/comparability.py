"""Whether a number of ours may stand beside the paper's: its network's size, and its training."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import torch

from napari_anyir.model import VARIANTS, AnyIR, AnyIRConfig
from napari_anyir.training.evaluation.evaluated_runs import AUTHORS, Run, trained_as

SWITCHES = (
    "split",
    "gate",
    "gate_activation",
    "gate_norm",
    "gate_fractions",
    "fusion",
    "repeat",
)
"""Fields of a configuration in which an ablation differs from the published network."""


def config_of(run: Run) -> AnyIRConfig:
    """Configuration of a run's network; how its frequency branch is computed does not count.

    Examples
    --------
    >>> from pathlib import Path
    >>> from napari_anyir.training.evaluation.comparability import config_of
    >>> from napari_anyir.training.evaluation.evaluated_runs import Run
    >>> literal = {**VARIANTS["tiny"].to_dict(), "frequency": "fft"}
    >>> config_of(Run(Path(), "3deg", "mine", "", literal)) == VARIANTS["tiny"]
    True
    """
    return replace(AnyIRConfig.from_dict(run.config), frequency="sum")


def switches_of(config: AnyIRConfig) -> tuple[object, ...]:
    """Values in which ablations differ, whatever the size of the network.

    Examples
    --------
    >>> switches_of(VARIANTS["nano"]) == switches_of(VARIANTS["small"])
    True
    """
    return tuple(getattr(config, name) for name in SWITCHES)


def is_ablation(run: Run) -> bool:
    """Whether a run's network differs from the published one in more than its size.

    The authors' own checkpoints are the published network: a batch norm, a sigmoid and the
    interleaved repeat are no ablation where they come together.
    """
    usual = VARIANTS["tiny"]
    theirs = AnyIRConfig.from_dict({**usual.to_dict(), **AUTHORS})
    return switches_of(config_of(run)) not in (switches_of(usual), switches_of(theirs))


def size_note(run: Run, method: str) -> str:
    """Say that a run's network is of another size than the paper's; empty if it is not.

    Parameters
    ----------
    run : Run
        An evaluation.
    method : str
        The paper's row: what is not ``"AnyIR-S"`` is AnyIR-T.

    Returns
    -------
    str
        A sentence.

    Examples
    --------
    >>> from pathlib import Path
    >>> from napari_anyir.training.evaluation.comparability import size_note
    >>> from napari_anyir.training.evaluation.evaluated_runs import Run
    >>> size_note(Run(Path(), "3deg", "mine", "", VARIANTS["nano"].to_dict()), "AnyIR-T")
    "Warning: 'mine' is another size than AnyIR-T: 1.54 M weights, not 5.74 M."
    """
    paper = VARIANTS["small" if method == "AnyIR-S" else "tiny"]
    try:
        config = config_of(run)
    except ValueError:  # somebody else's network
        return ""
    sizes = {name: getattr(config, name) for name in SWITCHES}
    if config == replace(paper, **sizes):
        return ""
    ours, theirs = (count_weights(one) / 1e6 for one in (config, replace(paper, **sizes)))
    name = method if method == "AnyIR-S" else "AnyIR-T"
    return (
        f"Warning: '{run.model}' is another size than {name}: {ours:.2f} M weights, not "
        f"{theirs:.2f} M."
    )


@lru_cache(maxsize=64)
def count_weights(config: AnyIRConfig) -> int:
    """Count the weights of a network that need not be built for it.

    Examples
    --------
    >>> from napari_anyir.training.evaluation.comparability import count_weights
    >>> count_weights(VARIANTS["small"])
    8513436
    """
    with torch.device("meta"):
        network = AnyIR(config)
    return sum(parameter.numel() for parameter in network.parameters())


def setting_note(run: Run, needed: str | None) -> str:
    """Say that a run's weights were trained in another setting; empty if not, or nobody knows.

    Parameters
    ----------
    run : Run
        An evaluation.
    needed : str or None
        The setting that is asked for.

    Returns
    -------
    str
        A sentence.

    Examples
    --------
    >>> from pathlib import Path
    >>> from napari_anyir.training.evaluation.comparability import setting_note
    >>> from napari_anyir.training.evaluation.evaluated_runs import Run
    >>> setting_note(Run(Path(), "3deg", "mine", "", {}, training={"recipe": "folder"}), "3deg")
    "Warning: 'mine' was trained as 'folder', not as 3deg."
    """
    recipe = str(run.training.get("recipe", ""))
    if not needed or not recipe or trained_as(run) == needed:
        return ""
    return f"Warning: '{run.model}' was trained as '{recipe}', not as {needed}."
