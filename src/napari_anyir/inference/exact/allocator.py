"""What the C library does with large pieces of memory."""

from __future__ import annotations

import torch


def settle_allocator() -> None:
    """Let the C library keep pieces of up to 32 MiB instead of handing them back to the system.

    The convolutions allocate their results. glibc maps pieces above a threshold anew each time,
    and the page faults cost as much as the arithmetic; the threshold follows the largest mapped
    piece that was freed, up to 32 MiB. So one such piece is taken, never touched, and freed.
    Elsewhere it is a no-op.

    Examples
    --------
    >>> from napari_anyir.inference.exact.allocator import settle_allocator
    >>> settle_allocator()
    """
    torch.empty(32 * 2**20 - 2**16, dtype=torch.uint8)
