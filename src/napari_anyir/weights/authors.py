"""Checkpoints of the paper's authors: their names of the tensors, and ours.

Their network has exactly our parameters. It differs in three switches: its gate normalises by a
batch norm and opens by a sigmoid, and the frequency branch repeats each channel twice in a row.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

SWITCHES: Mapping[str, Any] = {
    "split": "skip",
    "gate_activation": "sigmoid",
    "repeat": "interleave",
}
"""What their tensors do not show; that they normalise by a batch norm is seen from its buffers."""

# Theirs to ours, in this order; the first that fits a name is taken.
_OUTSIDE = (
    (r"patch_embed\.proj\.", r"embed."),
    (r"(encoder|decoder)_level(\d)\.", r"\1\2."),
    (r"down(\d)_\d\.body\.0\.", r"down\1."),
    (r"up\d_(\d)\.body\.0\.", r"up\1."),
    (r"reduce_chan_level(\d)\.", r"reduce\1."),
    (r"reduce_dim_level3\.", r"reduce_latent."),
)
_INSIDE = (
    (r"\.norm1\.body\.", r".norm_mixer."),
    (r"\.norm2\.body\.", r".norm_feed_forward."),
    (r"\.attn\.gatedcnn\.W_exp\.", r".gated.expand."),
    (r"\.attn\.gatedcnn\.W_depth\.", r".gated.alpha_depthwise."),
    (r"\.attn\.gatedcnn\.W_gate\.", r".gated.gate."),
    (r"\.attn\.gatedcnn\.W_proj\.", r".gated.project."),
    (r"\.attn\.gatedcnn\.", r".gated."),
    (r"\.attn\.lam$", r".fusion.weight"),
    (r"\.attn\.project_out\.", r".fusion.project."),
    (r"\.attn\.qkv_dwconv\.", r".attention.qkv_depthwise."),
    (r"\.attn\.", r".attention."),
    (r"\.ffn\.project_in\.", r".feed_forward.expand."),
    (r"\.ffn\.dwconv\.", r".feed_forward.mix."),
    (r"\.ffn\.project_out\.", r".feed_forward.project."),
)
_SHAPES: tuple[tuple[str, tuple[int, ...]], ...] = (
    (".gated.tau", (1, -1, 1, 1)),
    (".fusion.weight", ()),
    (".attention.temperature", (-1, 1, 1)),
)


def is_theirs(names: Mapping[str, Tensor]) -> bool:
    """Tell whether tensors are named as the authors name them.

    Parameters
    ----------
    names : mapping of str to Tensor
        A state dictionary.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.weights.authors import is_theirs
    >>> is_theirs({"latent.0.attn.gatedcnn.tau": torch.ones(1)})
    True
    """
    return any(".gatedcnn." in name for name in names)


def our_name(name: str) -> str:
    """Translate the name of one tensor.

    Parameters
    ----------
    name : str
        Theirs, without the prefix of a trainer.

    Returns
    -------
    str
        Ours; a name that is not theirs stays as it is.

    Examples
    --------
    >>> from napari_anyir.weights.authors import our_name
    >>> our_name("encoder_level2.4.attn.gatedcnn.W_exp.weight")
    'encoder2.4.gated.expand.weight'
    >>> our_name("up4_3.body.0.weight")
    'up3.weight'
    """
    for rules, match in ((_OUTSIDE, re.match), (_INSIDE, re.search)):
        for pattern, ours in rules:
            if match(pattern, name):
                name = re.sub(pattern, ours, name, count=1)
                break
    return name


def from_theirs(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Name the authors' tensors as ours are named.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        Their state dictionary, buffers of the batch norm included.

    Returns
    -------
    dict of str to Tensor
        The same tensors; numbers kept in another shape, such as lambda, are brought to ours.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.weights.authors import from_theirs
    >>> found = from_theirs({"latent.0.attn.lam": torch.tensor([0.5])})
    >>> found["latent.0.fusion.weight"].shape
    torch.Size([])
    """
    found = {}
    for name, tensor in tensors.items():
        ours = our_name(name)
        shape = next((shape for end, shape in _SHAPES if ours.endswith(end)), None)
        fits = shape is not None and (shape or tensor.numel() == 1)
        found[ours] = tensor.reshape(shape) if fits and shape is not None else tensor
    return found
