"""How fast crops are loaded, beside how fast a network eats them: it must never wait for them.

``python -m benchmarks.loading PHOTOS`` decodes each time, reads from memory and from a
memory-mapped cache, without workers and with one and two; it adds the noise of the denoising task,
so that the numbers are those of a protocol. Then it measures training steps, and tells how many
workers a GPU needs that takes 500 crops a second. It prints a table and writes it to
``benchmarks/results``.

Besides seconds it counts processor seconds, of the workers as well: on a machine that does other
work too they say more. A crop costs what it costs in processor seconds; workers only divide them.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import resource
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch.utils.data import DataLoader, Subset

from napari_anyir.inference.engine.device import resolve_device
from napari_anyir.model import build_model
from napari_anyir.training.data.datasets import FolderSet, ProtocolSet, unit
from napari_anyir.training.data.sampling import EpochSampler
from napari_anyir.training.paper.protocols import Task
from napari_anyir.training.pixels.cache import DirectImages, Images, MemoryImages
from napari_anyir.training.pixels.cache_file import open_cache
from napari_anyir.training.pixels.cropping import Cropping
from napari_anyir.training.pixels.photos import find_photos
from napari_anyir.training.run.losses import restoration_loss
from napari_anyir.training.sets.pairing import single_files

RESULTS = Path(__file__).parent / "results"
WANTED = 500
"""Crops of 128 pixels per second that one large GPU takes."""


@dataclass
class Row:
    """Crops per second of one way."""

    way: str
    workers: str
    per_second: float
    per_processor_second: float


class Meter:
    """Seconds, and processor seconds of this process and of those that it started and ended."""

    def __init__(self) -> None:
        self.start, self.used = time.perf_counter(), self._processor()

    @staticmethod
    def _processor() -> float:
        mine, theirs = (
            resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        )
        return mine.ru_utime + mine.ru_stime + theirs.ru_utime + theirs.ru_stime

    def rates(self, crops: int) -> tuple[float, float]:
        """Return crops per second and per processor second."""
        return (
            crops / (time.perf_counter() - self.start),
            crops / (self._processor() - self.used),
        )


def load(
    data: ProtocolSet | FolderSet, workers: int, crops: int, batch: int
) -> tuple[float, float]:
    """Load some crops; the start of workers counts, for they also end within."""
    order = list(EpochSampler(len(data)))[:crops]
    subset = Subset(data, order)
    meter = Meter()
    loader = DataLoader(subset, batch_size=batch, num_workers=workers)
    seen = sum(len(item.clean) for item in loader)
    del loader
    return meter.rates(seen)


def eat(variant: str, device: torch.device, batch: int, side: int, steps: int) -> Row:
    """Measure training steps: forward, loss, backward, optimiser."""
    torch.manual_seed(0)
    network = build_model(variant).to(device)
    optimiser = torch.optim.AdamW(network.parameters(), 2e-4, fused=True)
    crops = torch.randint(0, 256, (batch, 3, side, side), dtype=torch.uint8).to(device)

    def step() -> None:
        loss = restoration_loss(network(unit(crops)), unit(crops))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        if device.type == "cuda":
            torch.cuda.synchronize()

    step()
    meter = Meter()
    for _ in range(steps):
        step()
    return Row(f"{variant} trains, {device}, batch {batch}", "", *meter.rates(batch * steps))


@contextmanager
def ways(paths: list[Path], folder: Path) -> Iterator[list[tuple[str, Images, float]]]:
    """Prepare images in every way; give each with the processor seconds per file it took."""
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        found: list[tuple[str, Images, float]] = [("decoded each time", DirectImages(), 0.0)]
        for name, prepare in (
            ("in memory", lambda: MemoryImages(paths, threads=1)),
            ("memory-mapped file", lambda: open_cache(Path(temporary) / "pixels", paths, 1)),
        ):
            meter = Meter()
            found.append((name, prepare(), 1 / meter.rates(len(paths))[1]))
        yield found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", type=Path, help="folder of photographs")
    parser.add_argument("--files", type=int, default=200, help="photographs that are used")
    parser.add_argument("--crops", type=int, default=512, help="per measurement")
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--network", default="nano")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--name", default="loading", help="of the files in benchmarks/results")
    options = parser.parse_args()
    # Fewer processors than workers are asked for on purpose.
    warnings.filterwarnings("ignore", message="This DataLoader will create")

    photos = find_photos(options.photos)
    paths = photos[:: max(len(photos) // options.files, 1)][: options.files]
    rows = [eat(options.network, resolve_device(options.device), options.batch, 128, options.steps)]
    task = Task("denoise", max(-(-options.crops // (3 * len(paths))), 1), (15, 25, 50))
    pairs = single_files(Path(), [str(path) for path in paths])
    cropping = Cropping(options.side)
    with ways(paths, options.cache) as prepared:
        for name, images, _ in prepared:
            for workers in options.workers:
                data = ProtocolSet([(task, pairs)], cropping=cropping, images=images)
                found = load(data, workers, options.crops, options.batch)
                rows.append(Row(f"noise, {name}", str(workers), *found))
        costs = {name: cost for name, _, cost in prepared if cost}
        repeats = -(-options.crops // len(paths))
        mixed = FolderSet(paths, repeats=repeats, cropping=cropping, images=prepared[1][1])
        found = load(mixed, 0, options.crops // 4, options.batch)
        rows.append(Row("all degradations, in memory", "0", *found))

    text = report(rows, costs, options.side)
    print(text)
    RESULTS.mkdir(exist_ok=True)
    facts = {
        "machine": f"{platform.machine()}, {os.cpu_count()} processors",
        "torch": torch.__version__,
        "photographs": len(paths),
        "side": options.side,
        "prepare_processor_seconds_per_file": costs,
        "rows": [asdict(row) for row in rows],
    }
    for suffix, content in ((".json", json.dumps(facts, indent=1)), (".md", text)):
        target = RESULTS / f"{options.name}{suffix}"
        part = target.with_name(target.name + ".part")
        part.write_text(content + "\n", encoding="utf-8")
        part.replace(target)


def _digits(rate: float) -> int:
    return 0 if rate >= 10 else 2


def report(rows: list[Row], costs: dict[str, float], side: int) -> str:
    """Make the table and the plan."""
    lines = [
        f"Crops of {side} x {side}:",
        "",
        f"| way | workers | crops / s | crops / processor s | workers for {WANTED} crops / s |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        needed = str(math.ceil(WANTED / row.per_processor_second)) if row.workers else ""
        lines.append(
            f"| {row.way} | {row.workers} | {row.per_second:.{_digits(row.per_second)}f} | "
            f"{row.per_processor_second:.{_digits(row.per_processor_second)}f} | {needed} |"
        )
    lines += ["", "Decoding once, processor milliseconds per file: "]
    lines[-1] += ", ".join(f"{name} {1000 * cost:.1f}" for name, cost in costs.items()) + "."
    return "\n".join(lines)


if __name__ == "__main__":
    main()
