"""Is there room for a whole plane and its feature maps: an estimate before anything is computed."""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch

from napari_anyir.model import AnyIRConfig
from napari_anyir.weights.foreign import ForeignConfig

GIGABYTE = 1e9


def pass_bytes(
    config: AnyIRConfig | ForeignConfig, height: int, width: int, itemsize: int = 4
) -> int:
    """Memory that one observed forward pass takes at its peak.

    The peak lies in the blocks at full resolution with twice the channels of the first level, which
    hold per pixel and channel 7 numbers besides their feed-forward part's 4 times its factor, and
    at least 11.5 in the fusion.

    Parameters
    ----------
    config : AnyIRConfig or ForeignConfig
        The network's sizes, or what was measured of a network from elsewhere.
    height, width : int
        Size of the plane, before padding.
    itemsize : int
        Bytes per number.

    Returns
    -------
    int
        Bytes, without the weights.

    Examples
    --------
    >>> from napari_anyir.inference.engine.memory_estimate import pass_bytes
    >>> from napari_anyir.model import VARIANTS
    >>> round(pass_bytes(VARIANTS["tiny"], 1024, 1024) / 1e9, 1)
    3.5
    """
    if isinstance(config, ForeignConfig):
        return config.pass_bytes(height, width, itemsize)
    rows, columns = config.padded_size(height, width)
    pixels = rows * columns // config.stem**2  # of level 1
    numbers = 2 * config.dim * max(7 + 4 * config.feed_forward_factor, 11.5)
    return int(pixels * numbers * itemsize)


def maps_bytes(shapes: Iterable[tuple[int, int, int]]) -> int:
    """Memory of feature maps in float32.

    Parameters
    ----------
    shapes : iterable of (C, H, W)
        Their shapes.

    Returns
    -------
    int
        Bytes.

    Examples
    --------
    >>> from napari_anyir.inference.engine.memory_estimate import maps_bytes
    >>> maps_bytes([(14, 256, 256), (28, 256, 256)])
    11010048
    """
    return sum(4 * channels * height * width for channels, height, width in shapes)


def free_bytes(device: torch.device) -> int | None:
    """Memory that is free on a device now.

    Parameters
    ----------
    device : torch.device
        The processor, a CUDA card, or an Apple GPU.

    Returns
    -------
    int or None
        Bytes; None where the system does not tell.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.inference.engine.memory_estimate import free_bytes
    >>> free = free_bytes(torch.device("cpu"))
    >>> free is None or free > 0
    True
    """
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        # What torch has reserved and not given out is free for it as well.
        return int(free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))
    if device.type == "mps":
        return int(torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory())
    system = platform.system()
    if system == "Linux":
        return _free_on_linux()
    if system == "Windows":
        return _free_on_windows()
    try:
        # macOS tells how much there is, not how much is free; half is a cautious guess.
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (ValueError, OSError):
        return None


def _free_on_linux() -> int | None:
    found = []
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        found += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable")]
    except (OSError, ValueError, IndexError):
        pass
    found += [free for group in _control_groups() if (free := _free_in_group(group)) is not None]
    if (left := _address_space_left()) is not None:
        found.append(left)
    return min(found, default=None)


def _control_groups() -> Iterator[Path]:
    """Groups that limit this process: a container's, or a job's of a cluster and those above it."""
    top = Path("/sys/fs/cgroup")
    yield top
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        if line.startswith("0::/"):
            group = top / line.removeprefix("0::/")
            yield from (one for one in (group, *group.parents) if top in one.parents)


def _free_in_group(group: Path) -> int | None:
    try:
        # A group may have less than its machine; "max" is no number, and no limit.
        limit = int((group / "memory.max").read_text(encoding="ascii"))
        used = int((group / "memory.current").read_text(encoding="ascii"))
        lines = (group / "memory.stat").read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return None
    # Files that were read lie in memory until it is needed.
    files = (int(line.split()[1]) for line in lines if line.startswith("inactive_file "))
    return max(limit - used + sum(files), 0)


def _address_space_left() -> int | None:
    """Bytes to the limit that a shell or a cluster set (``ulimit -v``), where there is one."""
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return None
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return None
    return max(limit - pages * resource.getpagesize(), 0)


def _free_on_windows() -> int | None:
    class Status(ctypes.Structure):
        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            *(
                (name, ctypes.c_ulonglong)
                for name in (
                    "total",
                    "free",
                    "page",
                    "free_page",
                    "virtual",
                    "free_virtual",
                    "more",
                )
            ),
        )

    status = Status(length=ctypes.sizeof(Status))
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009 - only there on Windows
    return int(status.free) if kernel.GlobalMemoryStatusEx(ctypes.byref(status)) else None


def check_memory(device: torch.device, on_device: int, on_processor: int, remedy: str) -> None:
    """Refuse work that would not fit.

    Parameters
    ----------
    device : torch.device
        Where the pass runs.
    on_device, on_processor : int
        Bytes that the pass takes there, and that its results take in main memory.
    remedy : str
        What to do instead, to end the sentence with.

    Raises
    ------
    ValueError
        If more is needed than is free; the sentence names both, in GB.

    Examples
    --------
    >>> check_memory(torch.device("cpu"), 10**15, 0, "choose a smaller image")
    Traceback (most recent call last):
    ...
    ValueError: This needs about 1000000.0 GB of memory, and ... are free; choose a smaller image.
    """
    needs = {device.type: on_device}
    needs["cpu"] = needs.get("cpu", 0) + on_processor
    for kind, needed in needs.items():
        free = free_bytes(device if kind == device.type else torch.device("cpu"))
        if free is not None and needed > free:
            where = "of memory" if kind == "cpu" else f"on {device}"
            raise ValueError(
                f"This needs about {_gigabytes(needed)} {where}, and {_gigabytes(free)} are free; "
                f"{remedy}."
            )


def _gigabytes(size: int) -> str:
    return f"{size / GIGABYTE:.1f} GB" if size > GIGABYTE / 10 else f"{size / 1e6:.0f} MB"
