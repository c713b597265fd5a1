"""How much memory a pass through any network holds at its peak, counted without running it."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveMemory(TorchDispatchMode):
    """Adds up the tensors that are alive while it is entered.

    Attributes
    ----------
    peak : int
        Most bytes at a time, of tensors that were made inside. What an operation needs for itself,
        such as the workspace of a convolution, is not seen.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.weights.live_memory import LiveMemory
    >>> x = torch.empty(1000, device="meta")
    >>> with LiveMemory() as memory:
    ...     y = (x + 1) * 2
    >>> memory.peak
    8000
    """

    def __init__(self) -> None:
        super().__init__()
        self.live = self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run an operation and note what it made."""
        result = func(*args, **(kwargs or {}))
        given = {id(t.untyped_storage()) for t in tree_leaves(args) if isinstance(t, Tensor)}
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                self._note(tensor.untyped_storage(), given)
        return result

    def _note(self, storage: torch.UntypedStorage, given: set[int]) -> None:
        key, size = id(storage), storage.nbytes()
        if key in self._known or key in given:
            return
        self._known.add(key)
        self.live += size
        self.peak = max(self.peak, self.live)

        def forget() -> None:
            self._known.discard(key)
            self.live -= size

        weakref.finalize(storage, forget)


def peak_bytes(network: Callable[[Tensor], Tensor], image: Tensor) -> int:
    """Count the memory of one pass.

    Parameters
    ----------
    network : callable
        Takes the image; on the ``"meta"`` device nothing is computed.
    image : Tensor
        (B, C, H, W).

    Returns
    -------
    int
        Bytes, the image included, the weights not.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.weights.live_memory import peak_bytes
    >>> convolution = torch.nn.Conv2d(3, 5, 1, device="meta")
    >>> peak_bytes(convolution, torch.empty(1, 3, 10, 10, device="meta"))
    3200
    """
    with torch.inference_mode(), LiveMemory() as memory:
        network(image)
    return memory.peak + image.untyped_storage().nbytes()
