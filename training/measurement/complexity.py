"""Weights, multiply-adds and memory of networks, measured (Tab. 6, 9 and 11).

Counting needs shapes and no numbers, so networks are built on the meta device: seconds, no memory.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from torch.utils.flop_counter import FlopCounterMode

from napari_anyir.model import VARIANTS, AnyIR
from napari_anyir.training.measurement.baselines import DEPTHS, PromptIR, count_parameters
from napari_anyir.training.writing import write_json

SIZE = 224
"""Height and width of the paper's counts, in pixels."""

FILE = "complexity.json"


@dataclass(frozen=True)
class Complexity:
    """What one network costs.

    Parameters
    ----------
    name : str
        As tables print it.
    parameters : int
        Weights.
    used : int
        Weights with a part in the output; fewer than ``parameters`` where some stand idle.
    multiply_adds : int
        At (1, 3, size, size): half of what `torch.utils.flop_counter` counts, which leaves out
        normalisations and activations.
    peak_bytes : int
        Most bytes of tensors, weights included, alive at once in a train-mode forward pass of one
        image in float32; working space inside an operation is not seen.
    size : int
        Height and width in pixels.
    cuda_bytes : int or None
        The same by the CUDA allocator, with that working space.
    cuda_name : str
        The card; empty if there is none.

    Examples
    --------
    >>> from napari_anyir.model import build_model
    >>> from napari_anyir.training.measurement.complexity import measure_complexity
    >>> found = measure_complexity("nano", build_model("nano"), size=32, cuda=False)
    >>> found.name, found.parameters
    ('nano', 1541427)
    """

    name: str
    parameters: int
    used: int
    multiply_adds: int
    peak_bytes: int
    size: int = SIZE
    cuda_bytes: int | None = None
    cuda_name: str = ""


class _LiveBytes(TorchDispatchMode):
    """Watch every operation's results, and add up the storages that are still referenced."""

    def __init__(self, tensors: Iterable[Tensor]) -> None:
        super().__init__()
        self._live: dict[int, tuple[StorageWeakRef, int]] = {}
        self.peak = 0
        for tensor in tensors:
            self._add(tensor)
        self._look()

    def _add(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        reference = StorageWeakRef(storage)
        # A held weak reference keeps the address from being used again for another storage.
        self._live.setdefault(reference.cdata, (reference, storage.nbytes()))

    def _look(self) -> None:
        self._live = {k: v for k, v in self._live.items() if not v[0].expired()}
        self.peak = max(self.peak, sum(size for _, size in self._live.values()))

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        results = function(*args, **(kwargs or {}))
        for result in tree_iter(results):
            if isinstance(result, Tensor):
                self._add(result)
        self._look()
        return results


def count_multiply_adds(network: nn.Module, size: int = SIZE) -> int:
    """Count the multiply-adds of one forward pass.

    Parameters
    ----------
    network : nn.Module
        Maps (1, 3, H, W) to an image.
    size : int
        Height and width of the image.

    Returns
    -------
    int
        Half the floating-point operations of convolutions and matrix products.

    Examples
    --------
    >>> from torch import nn
    >>> from napari_anyir.training.measurement.complexity import count_multiply_adds
    >>> count_multiply_adds(nn.Conv2d(3, 8, 3, padding=1), 10) == 10 * 10 * 8 * 3 * 9
    True
    """
    weightless = copy.deepcopy(network).to("meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        weightless(torch.zeros(1, 3, size, size, device="meta"))
    return int(counter.get_total_flops()) // 2


def peak_training_bytes(network: nn.Module, size: int = SIZE, device: str = "meta") -> int:
    """Find the most memory that tensors hold at once in a train-mode forward pass.

    Parameters
    ----------
    network : nn.Module
        Maps (1, 3, H, W) to an image; left as it is.
    size : int
        Height and width of the image.
    device : str
        ``"meta"`` computes nothing; any other device runs the pass.

    Returns
    -------
    int
        Bytes, weights and the image included.

    Examples
    --------
    >>> from torch import nn
    >>> from napari_anyir.training.measurement.complexity import peak_training_bytes
    >>> peak_training_bytes(nn.ReLU(), 10)  # input and output, 3 x 10 x 10 float32 each
    2400
    """
    placed = copy.deepcopy(network).to(device).train().requires_grad_(True)
    image = torch.zeros(1, 3, size, size, device=device)
    watch = _LiveBytes((*placed.parameters(), *placed.buffers(), image))
    with torch.enable_grad(), watch:
        output = placed(image)
    del output
    return watch.peak


def peak_cuda_bytes(network: nn.Module, size: int = SIZE) -> int:
    """Find the peak of the CUDA allocator in a train-mode forward pass of one image.

    Parameters
    ----------
    network : nn.Module
        Maps (1, 3, H, W) to an image; on the CPU.
    size : int
        Height and width of the image.

    Returns
    -------
    int
        Bytes over what was allocated before.

    Raises
    ------
    ValueError
        If there is no CUDA device.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.training.measurement.complexity import peak_cuda_bytes
    >>> torch.cuda.is_available() or peak_cuda_bytes(torch.nn.ReLU())
    Traceback (most recent call last):
    ...
    ValueError: There is no CUDA device; ...
    """
    if not torch.cuda.is_available():
        raise ValueError("There is no CUDA device; use peak_training_bytes, which needs none.")
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    placed = copy.deepcopy(network).to("cuda").train().requires_grad_(True)
    with torch.enable_grad():
        output = placed(torch.zeros(1, 3, size, size, device="cuda"))
    torch.cuda.synchronize()
    peak = torch.cuda.max_memory_allocated() - before
    del output, placed
    return int(peak)


def networks() -> Iterator[tuple[str, nn.Module]]:
    """Build the networks of Tab. 6, 9 and 11 that can be built here, one at a time.

    Yields
    ------
    name : str
        ``"nano"``, ``"tiny"``, ``"small"``, ``"PromptIR [4,6,6,8]"`` or ``"PromptIR, no prompt
        [3,5,5,7]"``.
    network : nn.Module
        On the meta device.

    Examples
    --------
    >>> from napari_anyir.training.measurement.complexity import networks
    >>> next(networks())[0]
    'nano'
    """
    for name, config in VARIANTS.items():
        with torch.device("meta"):
            ours = AnyIR(config)
        yield name, ours
    for blocks, prompts in ((DEPTHS[0], True), *((blocks, False) for blocks in DEPTHS)):
        with torch.device("meta"):
            baseline = PromptIR(blocks, prompts=prompts)
        depth = ",".join(map(str, blocks))
        yield f"PromptIR{'' if prompts else ', no prompt'} [{depth}]", baseline


def measure_complexity(
    name: str, network: nn.Module, size: int = SIZE, *, cuda: bool | None = None
) -> Complexity:
    """Measure what a network costs.

    Parameters
    ----------
    name : str
        As tables print it.
    network : nn.Module
        Maps (1, 3, H, W) to an image.
    size : int
        Height and width of the image.
    cuda : bool, optional
        Ask the CUDA allocator as well; by default if there is a device.

    Returns
    -------
    Complexity
        The numbers.

    Examples
    --------
    >>> from napari_anyir.model import build_model
    >>> from napari_anyir.training.measurement.complexity import measure_complexity
    >>> found = measure_complexity("tiny", build_model("tiny"), cuda=False)
    >>> found.parameters, round(found.multiply_adds / 1e9, 2)
    (5736376, 26.25)
    """
    weightless = copy.deepcopy(network).to("meta")
    held, used = count_parameters(weightless)
    found = Complexity(
        name,
        held,
        used,
        count_multiply_adds(weightless, size),
        peak_training_bytes(weightless, size),
        size,
    )
    if cuda is None:
        cuda = torch.cuda.is_available()
    if not cuda:
        return found
    # What is counted does not depend on the values, so that weights from nowhere will do.
    real = copy.deepcopy(weightless).to_empty(device="cpu")
    values = {**asdict(found), "cuda_bytes": peak_cuda_bytes(real, size)}
    return Complexity(**{**values, "cuda_name": torch.cuda.get_device_name()})


def write_complexity(found: Sequence[Complexity], folder: Path) -> Path:
    """Write measurements where `anyir report` looks for them.

    Parameters
    ----------
    found : sequence of Complexity
        The measurements.
    folder : Path
        Folder of results; made if it is missing.

    Returns
    -------
    Path
        The file.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from napari_anyir.training.measurement.complexity import (
    ...     Complexity,
    ...     read_complexity,
    ...     write_complexity,
    ... )
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> path = write_complexity([Complexity("tiny", 3, 3, 9, 24)], folder)
    >>> read_complexity(folder)["tiny"].multiply_adds
    9
    """
    path = folder / FILE
    write_json(path, [asdict(one) for one in found])
    return path


def read_complexity(folder: Path) -> Mapping[str, Complexity]:
    """Read what `write_complexity` wrote.

    Parameters
    ----------
    folder : Path
        Folder of results.

    Returns
    -------
    mapping of str to Complexity
        By name; empty if nothing was measured.

    Raises
    ------
    ValueError
        If the file is no such list.

    Examples
    --------
    >>> import tempfile
    >>> from napari_anyir.training.measurement.complexity import read_complexity
    >>> read_complexity(Path(tempfile.mkdtemp()))
    {}
    """
    path = folder / FILE
    if not path.is_file():
        return {}
    try:
        found = [Complexity(**values) for values in json.loads(path.read_text("utf-8"))]
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"'{path}' is no complexity measurement ({error}); remove it and measure again."
        ) from error
    return {one.name: one for one in found}
