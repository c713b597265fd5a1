"""Checkpoint files in, networks out: the configuration is read from the file or its tensors."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from napari_anyir.errors import ModelError
from napari_anyir.model import AnyIR, AnyIRConfig
from napari_anyir.model.config import LEVELS, STAGES
from napari_anyir.weights import authors
from napari_anyir.weights.card import ModelCard

# What trainers wrap around a state dictionary and around the names in it.
CONTAINERS = (
    "params_ema",
    "params-ema",
    "average",
    "state_dict",
    "model_state_dict",
    "model",
    "params",
    "network",
    "net",
)
# Where a file holds both, the averaged weights before those of the last step.
PREFIXES = ("average.", "ema.", "module.", "_orig_mod.", "network.", "model.", "net.")
_FIRST = ("embed.weight", "patch_embed.proj.weight")  # of a network of ours, of the authors'

PUBLISHED = {"split": "skip", "gate_activation": "gelu", "repeat": "tile"}
"""Switches that leave no trace in the tensors, as `napari_anyir.model.VARIANTS` sets them."""


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the tensors of a checkpoint without running any code in it.

    Parameters
    ----------
    path : Path
        .safetensors, or a torch file (read with ``weights_only``); of this package, or of the
        paper's authors, plain or as Lightning writes it.

    Returns
    -------
    tensors : dict of str to Tensor
        Under our names, without the prefixes that trainers add.
    config : dict
        Fields of `AnyIRConfig`, as far as the file says them; empty if it says nothing.

    Raises
    ------
    ModelError
        If the file is damaged or holds no tensors.

    Examples
    --------
    >>> from napari_anyir.weights import find_model
    >>> tensors, config = read_checkpoint(find_model("nano").file)
    >>> "embed.weight" in tensors, config["dim"]
    (True, 24)
    """
    tensors, config = read_tensors(path)
    tensors = strip_prefixes(tensors)
    if authors.is_theirs(tensors):
        return authors.from_theirs(tensors), {**authors.SWITCHES, **config}
    return tensors, config


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the tensors of a checkpoint of any network, under the names that they have there.

    Parameters
    ----------
    path : Path
        As for `read_checkpoint`.

    Returns
    -------
    tensors : dict of str to Tensor
        At least one.
    config : dict
        As from `read_checkpoint`.

    Raises
    ------
    ModelError
        If the file is damaged or holds no tensors.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "some.pt"
    >>> torch.save({"weight": torch.ones(2)}, path)
    >>> read_tensors(path)[0]["weight"]
    tensor([1., 1.])
    """
    config: dict[str, Any] = {}
    try:
        if path.suffix.lower() == ".safetensors":
            with safe_open(path, framework="pt") as file:
                config = json.loads((file.metadata() or {}).get("config", "{}"))
                if not isinstance(config, dict):
                    raise ValueError("its configuration holds no keys and values")
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
            tensors, config = _find_tensors(content)
    except Exception as error:  # whatever torch and safetensors say of what is no checkpoint
        lines = str(error).strip().splitlines()
        reason = lines[0][:120] if lines else type(error).__name__
        raise ModelError(
            f"'{path.name}' is not a whole checkpoint, or holds more than weights ({reason}); "
            "get it again, or save it as safetensors."
        ) from error
    if not tensors:
        raise ModelError(f"'{path.name}' holds no weights; name a checkpoint of an AnyIR network.")
    return tensors, config


def _find_tensors(content: Any) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Look for a state dictionary, in the containers that trainers use, and its configuration."""
    if not isinstance(content, Mapping):
        return {}, {}
    for container in CONTAINERS:
        if isinstance(content.get(container), Mapping):
            return _find_tensors(content[container])
    # A state dictionary of torch carries what each of its modules says; see `AnyIR`.
    tensors = {str(k): v for k, v in content.items() if isinstance(v, Tensor)}
    for module in dict(getattr(content, "_metadata", {})).values():
        if isinstance(module, Mapping) and isinstance(module.get("config"), Mapping):
            return tensors, dict(module["config"])
    return tensors, {}


def strip_prefixes(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Take the prefixes away that trainers put before all names.

    Parameters
    ----------
    tensors : dict of str to Tensor
        A state dictionary.

    Returns
    -------
    dict of str to Tensor
        What lay beside an AnyIR network in it, such as a loss, is left out.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.weights.loading import strip_prefixes
    >>> list(strip_prefixes({"module.net.a": torch.ones(1)}))
    ['a']
    """
    while prefix := _prefix(tensors):
        tensors = {
            name.removeprefix(prefix): value
            for name, value in tensors.items()
            if name.startswith(prefix)
        }
    return tensors


def _prefix(tensors: Mapping[str, Tensor]) -> str | None:
    """Find a prefix that all names have, or that tells a network from what lies beside it."""
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in tensors):
            return prefix
    if any(first in tensors for first in _FIRST):
        return None
    return next((p for p in PREFIXES if any(p + first in tensors for first in _FIRST)), None)


def infer_config(
    tensors: Mapping[str, Tensor], said: Mapping[str, Any] | None = None
) -> AnyIRConfig:
    """Read the configuration off the names and shapes of the tensors.

    The split, the activation of the gate and the repeat of the frequency branch leave no trace, nor
    does a fusion without a learnable weight. They have to be said: a wrong guess would go unnoticed
    in all but the pictures.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        A state dictionary.
    said : mapping, optional
        Fields of the configuration that are known otherwise.

    Returns
    -------
    AnyIRConfig
        The configuration.

    Raises
    ------
    ModelError
        If the tensors are not those of an AnyIR network of this package, or a switch that they
        cannot show is not said.

    Examples
    --------
    >>> from napari_anyir.model import VARIANTS, build_model
    >>> from napari_anyir.weights.loading import PUBLISHED, infer_config
    >>> infer_config(build_model("tiny").state_dict(), PUBLISHED) == VARIANTS["tiny"]
    True
    """
    said = dict(said or {})

    def shape(name: str) -> torch.Size:
        if name not in tensors:
            raise ModelError(
                f"The checkpoint is not of an AnyIR network as built here: it has no '{name}'."
            )
        return tensors[name].shape

    def count(stage: str) -> int:
        found = {int(m[1]) for n in tensors if (m := re.match(rf"{stage}\.(\d+)\.", n))}
        return max(found, default=-1) + 1

    dim, entering = shape("embed.weight")[:2]
    stages = list(STAGES)[:LEVELS]  # the way down
    blocks = tuple(count(stage) for stage in stages)
    heads = tuple(
        int(shape(f"{stage}.0.attention.temperature")[0]) if blocks[level] else 2**level
        for level, stage in enumerate(stages)
    )
    block, channels = (
        next((f"{stage}.0", dim * 2**level) for level, stage in enumerate(stages) if blocks[level])
        if any(blocks)
        else ("refinement.0", 2 * dim)
    )
    if f"{block}.fusion.weight" not in tensors and "fusion" not in said:
        raise ModelError(
            "The checkpoint does not say how its branches are fused; save it with its "
            "configuration as 'config' in the safetensors metadata."
        )
    half = channels // 2
    gated = f"{block}.gated.tau" in tensors
    fractions = None
    opened = 0  # width of gamma
    if gated:
        hidden = shape(f"{block}.gated.expand.weight")[0]
        name = f"{block}.gated.alpha_depthwise.weight"
        alpha = tensors[name].shape[0] if name in tensors else 0
        beta = shape(f"{block}.gated.gate.weight")[1] - alpha
        opened = hidden - alpha - beta
        if hidden != round(8 * half / 3):
            fractions = (alpha / hidden, beta / hidden, opened / hidden)
    seen = {
        "dim": dim,
        "blocks": blocks,
        "refinement": count("refinement"),
        "heads": heads,
        "stem": 2 if entering == 12 else 1,
        "feed_forward_factor": shape(f"{block}.feed_forward.project.weight")[1] // channels,
        "gate": "gated_da" if gated else "none",
        "gate_norm": "batch" if f"{block}.gated.norm.running_mean" in tensors else "layer",
        "gate_fractions": fractions,
    }
    matters = {
        "split": True,
        "gate_activation": bool(opened),
        "repeat": said.get("fusion", "spatial_frequency") not in ("none", "spatial"),
    }
    if open_switches := [n for n, matter in matters.items() if matter and n not in said]:
        raise ModelError(
            f"The checkpoint does not say its {', '.join(open_switches)}, which its tensors cannot "
            "show; add it with: anyir models add FILE --switches published, or with what it was "
            "trained with, such as --switches "
            + ",".join(f"{name}={PUBLISHED[name]}" for name in open_switches)
            + "."
        )
    return AnyIRConfig.from_dict({**seen, **said})


def _compare_sizes(config: AnyIRConfig, tensors: Mapping[str, Tensor]) -> None:
    """Refuse more blocks than there are tensors, before thousands of modules are made."""
    blocks = sum(config.blocks) + sum(config.blocks[:-1]) + config.refinement
    if blocks > len(tensors):
        raise ValueError(
            f"it asks for {blocks} blocks, and the file holds {len(tensors)} tensors; choose the "
            "checkpoint that belongs to it."
        )


def load_network(card: ModelCard) -> AnyIR:
    """Build the network of a card and fill in its weights.

    Parameters
    ----------
    card : ModelCard
        The model; its hash is not checked here.

    Returns
    -------
    AnyIR
        In evaluation mode, on the CPU, float32 whatever the file's precision.

    Raises
    ------
    ModelError
        If the file is damaged or does not fit the configuration.

    Examples
    --------
    >>> from napari_anyir.weights import find_model
    >>> network = load_network(find_model("nano"))
    >>> sum(parameter.numel() for parameter in network.parameters())
    1541427
    """
    tensors, stored = read_checkpoint(card.file)
    try:
        fields = {**stored, **card.config}
        whole = {"dim", "blocks", "refinement"} <= set(fields)
        config = AnyIRConfig.from_dict(fields) if whole else infer_config(tensors, fields)
        _compare_sizes(config, tensors)
        # On the meta device nothing is allocated: what a file claims is compared first.
        with torch.device("meta"):
            expected = AnyIR(config).state_dict()
    except (ValueError, TypeError, OverflowError) as error:
        raise ModelError(f"The configuration of '{card.name}' is not usable: {error}") from error
    missing = sorted(set(expected) - set(tensors))
    unknown = sorted(set(tensors) - set(expected))
    wrong = sorted(n for n in set(expected) & set(tensors) if expected[n].shape != tensors[n].shape)
    for names, fault in (
        (missing, "lacks"),
        (unknown, "has the unknown"),
        (wrong, "has a wrong size of"),
    ):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise ModelError(
                f"'{card.file.name}' does not fit the network of '{card.name}': it {fault} "
                f"'{names[0]}'{more}; choose the checkpoint that belongs to it."
            )
    if bad := next((n for n, t in tensors.items() if not bool(torch.isfinite(t).all())), None):
        raise ModelError(
            f"'{card.file.name}' holds NaN or infinite weights in '{bad}'; get it again."
        )
    with torch.device("cpu"):
        network = AnyIR(config).to(torch.float32)
    network.load_state_dict(tensors)
    return network.eval().requires_grad_(False)


def save_network(network: AnyIR, path: Path, dtype: torch.dtype = torch.float32) -> None:
    """Save a network's weights as safetensors, with its configuration in the metadata.

    Parameters
    ----------
    network : AnyIR
        The network.
    path : Path
        Target file.
    dtype : torch.dtype
        Floating type to store, for instance ``torch.float16`` for half the size.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from napari_anyir.model import build_model
    >>> from napari_anyir.weights.loading import read_checkpoint, save_network
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "random.safetensors"
    >>> save_network(build_model("nano"), path)
    >>> read_checkpoint(path)[1]["dim"]
    24
    """
    tensors = {
        name: value.detach()
        .to("cpu", dtype if value.is_floating_point() else value.dtype)
        .contiguous()
        for name, value in network.state_dict().items()
    }
    save_file(tensors, path, {"format": "pt", "config": json.dumps(network.config.to_dict())})
    # safetensors makes files that only their owner may read; a wheel would keep that.
    path.chmod(0o644)
