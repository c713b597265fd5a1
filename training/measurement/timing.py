"""How long a protocol takes (Tab. 13): the whole run, and the network alone, apart.

The paper's seconds are those of a whole run: reading, adding noise, restoring, measuring. What a
network costs is its latency, which is measured here on the same images: after a warm-up, and with
the device's work finished before a clock is read.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from napari_anyir.inference.engine import execution
from napari_anyir.inference.engine.device import resolve_device
from napari_anyir.inference.models import get_model
from napari_anyir.training.evaluation.evaluated_runs import default_switches
from napari_anyir.training.evaluation.examples import Example, NoiseStream, read_examples
from napari_anyir.training.evaluation.metrics import as_measured, psnr, ssim
from napari_anyir.training.measurement.baselines import PromptIR
from napari_anyir.training.paper.protocols import find_protocol
from napari_anyir.training.sets.found_sets import find_sets
from napari_anyir.training.writing import write_json

FILE = "timing.json"

PROMPTIR = "PromptIR"
"""Name by which the baseline of Tab. 13 is timed; its weights are random, which costs the same."""

Forward = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Timing:
    """One model on one set.

    Parameters
    ----------
    model : str
        Name of the model.
    device : str
        Where it ran, with the number of threads on a CPU.
    set : str
        Test set.
    images : int
        How many were restored.
    expected : int or None
        How many the protocol counts.
    whole_seconds : float
        Wall clock of the loop: reading, noise, restoring, PSNR and SSIM.
    network_seconds : float
        Sum of the network's latencies within it.
    pixels : int
        Pixels that were restored.

    Examples
    --------
    >>> from dataclasses import fields
    >>> [field.name for field in fields(Timing)][:3]
    ['model', 'device', 'set']
    """

    model: str
    device: str
    set: str
    images: int
    expected: int | None
    whole_seconds: float
    network_seconds: float
    pixels: int


def forward_of(model: str, device: torch.device, precision: str = "float32") -> tuple[str, Forward]:
    """Make a function that restores (1, 3, H, W) on a device and gives the result to the CPU.

    Parameters
    ----------
    model : str
        Name or path of a model, or ``"PromptIR"``.
    device : torch.device
        Where to run.
    precision : str
        Working precision of our networks; PromptIR runs in float32.

    Returns
    -------
    name : str
        What to call it.
    forward : callable
        Blocks until the result is there.

    Examples
    --------
    >>> name, forward = forward_of("nano", torch.device("cpu"))
    >>> name, forward(torch.rand(1, 3, 16, 24)).shape
    ('nano', torch.Size([1, 3, 16, 24]))
    """
    if model == PROMPTIR:
        baseline = PromptIR().eval().requires_grad_(False).to(device)

        def peer(image: Tensor) -> Tensor:
            with torch.inference_mode():
                restored: Tensor = baseline(image.to(device)).cpu()
            return restored

        return PROMPTIR, peer
    loaded = get_model(model)
    placement = execution.Placement(device, precision, tile=None)

    def ours(image: Tensor) -> Tensor:
        return execution.run(loaded.network, image, placement)[0]

    return loaded.name, ours


def measure_time(
    root: Path,
    models: Sequence[str],
    *,
    protocol_name: str = "3deg",
    device: str = "auto",
    limit: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> list[Timing]:
    """Time models on the test sets of a protocol that are there.

    Parameters
    ----------
    root : Path
        Folder of the test sets.
    models : sequence of str
        Names or paths of models, and ``"PromptIR"``.
    protocol_name : str
        Name of a protocol.
    device : str
        Where to run.
    limit : int, optional
        At most so many images of each set.
    progress : callable, optional
        Called with what comes next.

    Returns
    -------
    list of Timing
        Model by model, set by set.

    Raises
    ------
    FileNotFoundError
        If no set is there.
    ModelError
        If a model is unknown or does not load.
    """
    place = resolve_device(device)
    found, missing = find_sets(root, find_protocol(protocol_name))
    if not found:
        raise FileNotFoundError(
            f"None of {', '.join(missing)} is below '{root}'; 'anyir data check {root}' says how "
            "to lay them out."
        )
    crop = default_switches(protocol_name).crop
    timings = []
    for model in models:
        name, forward = forward_of(model, place)
        stream = NoiseStream()
        for one in found:
            if progress:
                progress(f"{name}, {one.test.name}")
            pairs = one.pairs[:limit]
            warm = next(read_examples(pairs[:1], one.test.sigma, NoiseStream(), crop=crop))
            forward(_batch(warm))
            started, network, pixels = time.perf_counter(), 0.0, 0
            for example in read_examples(pairs, one.test.sigma, stream, crop=crop):
                network += _restore(example, forward)
                pixels += example.clean.shape[0] * example.clean.shape[1]
            whole = time.perf_counter() - started
            timings.append(
                Timing(
                    name,
                    _words(place),
                    one.test.name,
                    len(pairs),
                    one.expected,
                    round(whole, 3),
                    round(network, 3),
                    pixels,
                )
            )
    return timings


def _batch(example: Example) -> Tensor:
    return torch.from_numpy(example.degraded).permute(2, 0, 1)[None]


def _restore(example: Example, forward: Forward) -> float:
    batch = _batch(example)
    started = time.perf_counter()
    output = forward(batch)
    seconds = time.perf_counter() - started
    image = as_measured(output[0].permute(1, 2, 0).numpy())
    psnr(image, example.clean)
    ssim(image, example.clean)
    return seconds


def _words(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    count = torch.get_num_threads()
    return f"cpu, {count} thread{'s' * (count > 1)}" if device.type == "cpu" else str(device)


def write_timings(timings: Sequence[Timing], results: Path) -> Path:
    """Write timings where ``anyir report`` looks, beside those of other models and devices.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from napari_anyir.training.measurement.timing import Timing, read_timings, write_timings
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> path = write_timings([Timing("nano", "cpu", "Rain100L", 1, 100, 2.0, 1.0, 9)], folder)
    >>> read_timings(folder)[0].network_seconds
    1.0
    """
    new = {(one.model, one.device) for one in timings}
    kept = [one for one in read_timings(results) if (one.model, one.device) not in new]
    path = results / FILE
    write_json(path, [asdict(one) for one in (*kept, *timings)])
    return path


def read_timings(results: Path) -> list[Timing]:
    """Read what `write_timings` wrote; empty if nothing was timed.

    Raises
    ------
    ValueError
        If the file is no list of timings.

    Examples
    --------
    >>> import tempfile
    >>> read_timings(Path(tempfile.mkdtemp()))
    []
    """
    path = results / FILE
    if not path.is_file():
        return []
    try:
        return [Timing(**values) for values in json.loads(path.read_text(encoding="utf-8"))]
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"'{path}' holds no timings ({error}); remove it and measure again."
        ) from error
