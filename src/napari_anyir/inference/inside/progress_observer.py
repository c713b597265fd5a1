"""An observer of blocks that tells how far a pass is, and stops it."""

from __future__ import annotations

from torch import Tensor

from napari_anyir.model.network import BlockObserver
from napari_anyir.progress import Watch


def watched(observer: BlockObserver | None, watch: Watch) -> BlockObserver:
    """Let an observer of blocks be watched: asked before each part, told after each block.

    Parameters
    ----------
    observer : callable or None
        As `napari_anyir.inference.engine.execution.run` takes it; None changes nothing.
    watch : Watch
        Counts blocks.

    Returns
    -------
    callable
        An observer that does what ``observer`` does, and raises `Cancelled` when it is asked to.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.inference.inside.progress_observer import watched
    >>> from napari_anyir.model import build_model
    >>> from napari_anyir.progress import Watch
    >>> watch = Watch(15)
    >>> _ = build_model("nano")(torch.rand(1, 3, 8, 8), watched(None, watch))
    >>> watch.done
    15
    """

    def watching(block: str, part: str, tensor: Tensor) -> Tensor:
        watch.check()
        if observer is not None:
            tensor = observer(block, part, tensor)
        if part == "output":  # each block shows it last
            watch.done += 1
            watch.tell()
        return tensor

    return watching
