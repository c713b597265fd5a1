"""Networks as graphs for other programs (ONNX, TorchScript), held against our numbers."""

from __future__ import annotations

import inspect
import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from napari_anyir.errors import ModelError
from napari_anyir.weights.card import ModelCard
from napari_anyir.weights.foreign import ForeignNetwork
from napari_anyir.weights.networks import Network

INSTALL = "pip install 'napari-anyir[export]'"
"""What brings the programs that an exported file is checked with."""

INPUT, OUTPUT = "input", "output"
"""Names of the two tensors: (batch, 3, height, width), float32, 0 is black and 1 is white."""

SMALLEST, LARGEST = 64, 513
"""Sides in pixels between which a file is checked; it takes larger images, too."""

TOLERANCE = 1e-4
"""Largest difference that an exported file may show."""

SIZES = ((64, 64), (65, 130), (513, 64), (79, 513))
"""Heights and widths at which it is compared."""

OPSET = 18

Runner = Callable[[Tensor], Tensor]
"""Runs an exported file on images (B, 3, H, W)."""


class Exported(nn.Module):
    """A network with the padding of images to its multiple, for any size that is not known yet.

    Parameters
    ----------
    network : AnyIR or ForeignNetwork
        In evaluation mode, on the CPU.

    Examples
    --------
    >>> import torch
    >>> from napari_anyir.model import build_model
    >>> from napari_anyir.weights.graph_files import Exported
    >>> network = build_model("nano").eval()
    >>> image = torch.rand(1, 3, 65, 70)
    >>> with torch.inference_mode():
    ...     bool(torch.equal(Exported(network)(image), network(image)))
    True
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self.multiple = network.config.size_multiple

    def forward(self, x: Tensor) -> Tensor:
        """Restore images (B, 3, H, W) with sides of at least `SMALLEST`."""
        height, width = x.shape[-2:]
        for axis, size in ((-2, height), (-1, width)):
            padded = (size + self.multiple - 1) // self.multiple * self.multiple
            # Reflection as arithmetic: 0, 1, ..., n - 1, n - 2, ...
            index = size - 1 - (torch.arange(padded, device=x.device) - (size - 1)).abs()
            x = x.index_select(axis, index.clamp(min=0))
        if isinstance(self.network, ForeignNetwork):
            # Its own loop over images and the padding there would be fixed by tracing.
            restored: Tensor = self.network._call(self.network.network, x)
        else:
            restored = self.network(x)
        return restored[..., :height, :width]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep to ourselves what tracing warns of: its results are compared at other sizes."""
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        yield


def export_torchscript(network: Network, path: Path, facts: dict[str, str]) -> Runner:
    """Write a network as TorchScript.

    Parameters
    ----------
    network : AnyIR or ForeignNetwork
        In evaluation mode, on the CPU.
    path : Path
        The new file.
    facts : dict of str to str
        What to store beside it.

    Returns
    -------
    callable
        Runs the file.

    Examples
    --------
    >>> import tempfile
    >>> from napari_anyir.model import AnyIRConfig, build_model
    >>> config = AnyIRConfig(dim=4, blocks=(1, 1, 1, 1), refinement=1, heads=(1, 1, 1, 1))
    >>> network = build_model(config).eval()
    >>> run = export_torchscript(network, Path(tempfile.mkdtemp()) / "net.pt", {"name": "mine"})
    >>> run(torch.rand(1, 3, 80, 64)).shape
    torch.Size([1, 3, 80, 64])
    """
    with _quiet():
        traced = torch.jit.trace(Exported(network), torch.rand(1, 3, 72, 88), check_trace=False)
        torch.jit.save(traced, str(path), _extra_files={"card.json": json.dumps(facts)})
        loaded = torch.jit.load(str(path))

    def run(images: Tensor) -> Tensor:
        with _quiet():
            restored: Tensor = loaded(images)
        return restored

    return run


def export_onnx(network: Network, path: Path, facts: dict[str, str]) -> Runner:
    """Write a network as ONNX.

    Parameters
    ----------
    network, path, facts
        As for `export_torchscript`.

    Returns
    -------
    callable
        Runs the file in ONNX Runtime.

    Raises
    ------
    ModelError
        If onnx or ONNX Runtime is not installed.

    Examples
    --------
    >>> import pytest
    >>> onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    >>> import tempfile
    >>> from napari_anyir.model import AnyIRConfig, build_model
    >>> config = AnyIRConfig(dim=4, blocks=(1, 1, 1, 1), refinement=1, heads=(1, 1, 1, 1))
    >>> network = build_model(config).eval()
    >>> run = export_onnx(network, Path(tempfile.mkdtemp()) / "net.onnx", {"name": "mine"})
    >>> run(torch.rand(1, 3, 80, 64)).shape
    torch.Size([1, 3, 80, 64])
    """
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise ModelError(f"This needs {error.name}; install it with: {INSTALL}") from error
    options: dict[str, Any] = {}
    if "dynamo" in inspect.signature(torch.onnx.export).parameters:
        # The newer exporter gives the same numbers and takes minutes instead of seconds.
        options["dynamo"] = False
    axes = {0: "batch", 2: "height", 3: "width"}
    with _quiet():
        torch.onnx.export(
            Exported(network),
            (torch.rand(1, 3, 72, 88),),
            str(path),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: axes, OUTPUT: axes},
            opset_version=OPSET,
            **options,
        )
    written = onnx.load(str(path))
    onnx.helper.set_model_props(written, facts)
    written.doc_string = facts.get("summary", "")
    onnx.checker.check_model(written, full_check=True)
    onnx.save(written, str(path))
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])

    def run(images: Tensor) -> Tensor:
        return torch.from_numpy(session.run([OUTPUT], {INPUT: images.numpy()})[0])

    return run


def compare(
    network: Network, run: Runner, sizes: Sequence[tuple[int, int]] = SIZES, batch: int = 1
) -> float:
    """Compare an exported file with the network that it was made of.

    Parameters
    ----------
    network : AnyIR or ForeignNetwork
        On the CPU.
    run : callable
        Runs the file.
    sizes : sequence of (height, width)
        Of the images.
    batch : int
        Images at a time.

    Returns
    -------
    float
        The largest difference of any pixel.

    Raises
    ------
    ModelError
        If it is above `TOLERANCE`, or the file does not run at one of the sizes.

    Examples
    --------
    >>> from napari_anyir.model import build_model
    >>> from napari_anyir.weights.graph_files import compare
    >>> network = build_model("nano").eval()
    >>> compare(network, network.forward, [(64, 64)])
    0.0
    """
    largest = 0.0
    generator = torch.Generator().manual_seed(0)
    for height, width in sizes:
        images = torch.rand(batch, 3, height, width, generator=generator)
        with torch.inference_mode():
            expected = network(images)
        try:
            found = run(images)
        except Exception as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[-1][:120]
            raise ModelError(
                f"The exported network does not run on {height} x {width} pixels ({reason}), so "
                "nothing was written."
            ) from error
        same = found.shape == expected.shape
        gap = float((found - expected).abs().max()) if same else float("inf")
        if not gap <= TOLERANCE:  # NaN, too
            raise ModelError(
                f"The exported network differs from ours by {gap:.2g} on {height} x {width} "
                "pixels, so nothing was written."
            )
        largest = max(largest, gap)
    return largest


def facts_of(card: ModelCard) -> dict[str, str]:
    """Return what an exported file says of itself.

    Examples
    --------
    >>> from napari_anyir.weights import find_model
    >>> facts = facts_of(find_model("nano"))
    >>> facts["name"], facts["licence"]
    ('nano', 'BSD-3-Clause')
    """
    return {
        "name": card.name,
        "summary": card.summary,
        "licence": card.licence,
        "limits": card.limits,
        "architecture": card.architecture,
        "sha256": card.sha256,
        "input": "batch x 3 x height x width, float32, 0 black to 1 white, red green blue; sides "
        f"of at least {SMALLEST}; grey images as three equal colours",
        "config": json.dumps(dict(card.config)),
    }
