"""Let torchvision be imported where its compiled operators do not fit the installed torch."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import torch

_DECLARED: list[torch.library.Library] = []  # a declaration lives as long as its library


def declare_operators() -> bool:
    """Declare the operators without which torchvision refuses to be imported, where they miss.

    torchvision from PyPI is compiled for CUDA; beside a torch for processors its operators cannot
    be loaded, and ``import torchvision`` ends in "operator torchvision::nms does not exist". That
    breaks spandrel, whose networks use none of them, and torchmetrics, and so Lightning. A
    declaration is all that the import asks for; a call of an operator would still be refused.

    Returns
    -------
    bool
        Whether operators had to be declared.

    Examples
    --------
    >>> from napari_anyir.weights.torchvision_operators import declare_operators
    >>> first = declare_operators()
    >>> declare_operators()
    False
    """
    if _DECLARED or "torchvision" in sys.modules:
        return False
    found = find_spec("torchvision")
    if found is None or not found.submodule_search_locations:
        return False
    for folder in found.submodule_search_locations:
        for compiled in Path(folder).glob("_C.*"):
            try:
                torch.ops.load_library(str(compiled))
            except OSError:
                continue
            return False
    library = torch.library.Library("torchvision", "FRAGMENT")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _DECLARED.append(library)
    return True
