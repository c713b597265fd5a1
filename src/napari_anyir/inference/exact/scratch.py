"""Memory that a worker uses again and again, so that no large temporary is ever allocated.

On a CPU the allocator hands large pieces back to the system, and taking them again costs a page
fault for every 4 KiB: in a plain run of the network as much time as the arithmetic.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


class Scratch:
    """Named pieces of memory that grow to the largest size asked for.

    Parameters
    ----------
    device : torch.device
        Where.
    dtype : torch.dtype
        Type of the elements.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.inference.exact.scratch import Scratch
    >>> scratch = Scratch(torch.device("cpu"), torch.float32)
    >>> scratch.take("x", 3, 4).shape
    torch.Size([3, 4])
    >>> scratch.take("x", 2, 2).data_ptr() == scratch.take("x", 3, 4).data_ptr()
    True
    """

    def __init__(self, device: torch.device, dtype: torch.dtype) -> None:
        self.device, self.dtype = device, dtype
        self._pieces: dict[str, Tensor] = {}
        self._views: dict[tuple[str, tuple[int, ...]], Tensor] = {}

    def take(self, name: str, *shape: int) -> Tensor:
        """Return a piece of memory; it holds what was last written to this name.

        Parameters
        ----------
        name : str
            Which piece.
        *shape : int
            Its shape now.

        Returns
        -------
        Tensor
            Contiguous.
        """
        key = (name, shape)
        view = self._views.get(key)
        if view is None:
            size = math.prod(shape)
            piece = self._pieces.get(name)
            if piece is None or piece.numel() < size:
                piece = torch.empty(size, device=self.device, dtype=self.dtype)
                self._pieces[name] = piece
                self._views = {k: v for k, v in self._views.items() if k[0] != name}
            view = piece[:size].view(shape)
            self._views[key] = view
        return view
