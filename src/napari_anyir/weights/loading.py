"""Checkpoint files in, networks out: the configuration is read from the file or its tensors."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from napari_anyir.errors import ModelError
from napari_anyir.model import AnyIR, AnyIRConfig
from napari_anyir.weights.card import ModelCard

# What trainers wrap around a state dictionary and around the names in it.
CONTAINERS = (
    "params_ema",
    "average",
    "state_dict",
    "model_state_dict",
    "model",
    "params",
    "network",
)
PREFIXES = ("module.", "_orig_mod.", "network.", "model.", "net.")


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the tensors of a checkpoint without running any code in it.

    Parameters
    ----------
    path : Path
        .safetensors, or a torch file (read with ``weights_only``).

    Returns
    -------
    tensors : dict of str to Tensor
        Names without the prefixes that trainers add.
    config : dict
        Fields of `AnyIRConfig` if the file holds them, else empty.

    Raises
    ------
    ModelError
        If the file is damaged or holds no tensors.
    """
    config: dict[str, Any] = {}
    try:
        if path.suffix.lower() == ".safetensors":
            with safe_open(path, framework="pt") as file:
                config = json.loads((file.metadata() or {}).get("config", "{}"))
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
            tensors = _find_tensors(content)
    except (
        SafetensorError,
        pickle.UnpicklingError,
        EOFError,
        RuntimeError,
        ValueError,
        OSError,
    ) as error:
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise ModelError(
            f"'{path.name}' is not a whole checkpoint, or holds more than weights ({reason}); "
            "get it again, or save it as safetensors."
        ) from error
    if not tensors:
        raise ModelError(f"'{path.name}' holds no weights; name a checkpoint of an AnyIR network.")
    return _strip_prefixes(tensors), config


def _find_tensors(content: Any) -> dict[str, Tensor]:
    """Look for a state dictionary, in the containers that trainers use."""
    if not isinstance(content, Mapping):
        return {}
    for container in CONTAINERS:
        if isinstance(content.get(container), Mapping):
            return _find_tensors(content[container])
    return {str(k): v for k, v in content.items() if isinstance(v, Tensor)}


def _strip_prefixes(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    while prefix := next((p for p in PREFIXES if all(n.startswith(p) for n in tensors)), None):
        tensors = {name.removeprefix(prefix): value for name, value in tensors.items()}
    return tensors


def infer_config(tensors: Mapping[str, Tensor]) -> AnyIRConfig:
    """Read the configuration off the names and shapes of the tensors.

    Two switches leave no trace, the split and the activation of the gate: the published ones are
    taken. A fixed fusion leaves none either, and is refused.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        A state dictionary.

    Returns
    -------
    AnyIRConfig
        The configuration.

    Raises
    ------
    ModelError
        If the tensors are not those of an AnyIR network of this package.

    Examples
    --------
    >>> from napari_anyir.model import VARIANTS, build_model
    >>> from napari_anyir.weights.loading import infer_config
    >>> infer_config(build_model("tiny").state_dict()) == VARIANTS["tiny"]
    True
    """

    def shape(name: str) -> torch.Size:
        if name not in tensors:
            raise ModelError(
                f"The checkpoint is not of an AnyIR network as built here: it has no '{name}'."
            )
        return tensors[name].shape

    def count(stage: str) -> int:
        found = {int(m[1]) for n in tensors if (m := re.match(rf"{stage}\.(\d+)\.", n))}
        return max(found, default=-1) + 1

    dim = shape("embed.weight")[0]
    stages = ("encoder1", "encoder2", "encoder3", "latent")
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
    if f"{block}.fusion.weight" not in tensors:
        raise ModelError(
            "The checkpoint does not say how its branches are fused; save it with its "
            "configuration as 'config' in the safetensors metadata."
        )
    half = channels // 2
    gated = f"{block}.gated.tau" in tensors
    fractions = None
    if gated:
        hidden = shape(f"{block}.gated.expand.weight")[0]
        name = f"{block}.gated.alpha_depthwise.weight"
        alpha = tensors[name].shape[0] if name in tensors else 0
        beta = shape(f"{block}.gated.gate.weight")[1] - alpha
        if hidden != round(8 * half / 3):
            fractions = (alpha / hidden, beta / hidden, (hidden - alpha - beta) / hidden)
    return AnyIRConfig(
        dim=dim,
        blocks=blocks,  # type: ignore[arg-type]
        refinement=count("refinement"),
        heads=heads,  # type: ignore[arg-type]
        feed_forward_factor=shape(f"{block}.feed_forward.project.weight")[1] // channels,
        gate="gated_da" if gated else "none",
        gate_norm="batch" if f"{block}.gated.norm.running_mean" in tensors else "layer",
        gate_fractions=fractions,
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
    """
    tensors, stored = read_checkpoint(card.file)
    try:
        fields = dict(card.config) or stored
        config = AnyIRConfig.from_dict(fields) if fields else infer_config(tensors)
        network = AnyIR(config)
    except ValueError as error:
        raise ModelError(f"The configuration of '{card.name}' is not usable: {error}") from error
    expected = network.state_dict()
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
    16
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
