"""One measurement in this process: seconds and peak memory of one way to restore one image.

Started by `benchmarks.inference`, afresh for each measurement, so that no way inherits memory or a
tuned allocator from another: ``python -m benchmarks.measure strips 512 --repeats 3``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import torch

OURS = ("strips", "tiles", "whole")
PEERS = ("Restormer", "NAFNet", "SwinIR")


class PeakMemory:
    """A context that watches this process's resident memory every 5 milliseconds."""

    def __enter__(self) -> PeakMemory:
        self._process = psutil.Process()
        self.idle = self.peak = self._process.memory_info().rss
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._stop.wait(0.005):
            self.peak = max(self.peak, self._process.memory_info().rss)

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()
        # The kernel's own high-water mark is exact, where there is one.
        status = Path("/proc/self/status")
        if status.is_file():
            line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
            self.peak = max(self.peak, int(line.split()[1]) * 1024)


def multiply_rate(size: int = 2048, repeats: int = 9) -> float:
    """Measure the float32 matrix product, in floating-point operations per second."""
    left = torch.rand(size, size)
    out = torch.empty(size, size)
    seconds = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        torch.mm(left, left, out=out)
        seconds.append(time.perf_counter() - start)
    return 2 * size**3 / statistics.median(seconds[1:])


def our_way(way: str, variant: str, features: str) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return a function that restores (1, 3, H, W) with our network, weights random."""
    from napari_anyir.inference.engine.execution import Placement, run
    from napari_anyir.model import build_model

    model = build_model(variant).eval().requires_grad_(False)
    if way == "whole":
        # As anyone would run it: channels last, no gradients.
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

        def whole(image: torch.Tensor) -> torch.Tensor:
            with torch.inference_mode():
                return model(image.contiguous(memory_format=torch.channels_last))

        return whole
    placement = Placement(torch.device("cpu"), features, 512 if way == "tiles" else None)

    def exact(image: torch.Tensor) -> torch.Tensor:
        return run(model, image, placement)[0]

    return exact


def import_torchvision() -> None:
    """Import torchvision, which spandrel needs for other networks than these.

    Its compiled operators fit one build of torch only. No network here uses one, but without them
    its import stops at the two that it describes itself; so these are declared.
    """
    try:
        import torchvision
    except RuntimeError:
        schema = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        for name in ("nms", "qnms"):
            torch.library.define(f"torchvision::{name}", schema)
        import torchvision  # noqa: F401


def peer(name: str) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return a function that runs a peer as its authors publish it, weights random.

    Restormer has 26.1 M parameters; NAFNet is the width 32 of its denoising model; SwinIR is the
    denoising model in colour.
    """
    import_torchvision()
    if name == "Restormer":
        from spandrel_extra_arches.architectures.Restormer import Restormer

        network = Restormer(LayerNorm_type="BiasFree")
    elif name == "NAFNet":
        from spandrel.architectures.NAFNet import NAFNet

        network = NAFNet(
            img_channel=3,
            width=32,
            middle_blk_num=12,
            enc_blk_nums=[2, 2, 4, 8],
            dec_blk_nums=[2, 2, 2, 2],
        )
    else:
        from spandrel.architectures.SwinIR import SwinIR

        network = SwinIR(
            upscale=1,
            in_chans=3,
            img_size=128,
            window_size=8,
            img_range=1.0,
            depths=[6] * 6,
            embed_dim=180,
            num_heads=[6] * 6,
            mlp_ratio=2,
            upsampler="",
            resi_connection="1conv",
        )
    network = network.eval().requires_grad_(False)

    def forward(image: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            return network(image)

    return forward


def measure(
    way: str,
    height: int,
    width: int,
    *,
    variant: str,
    features: str,
    threads: int,
    repeats: int,
    warm: bool = False,
) -> dict[str, object]:
    """Measure one way on one size.

    Returns
    -------
    dict
        ``seconds`` and ``processor_seconds`` (of all threads; on a machine that does other work as
        well it says more), one for each repeat; ``peak_bytes`` over the idle process, and
        ``multiply_rate``, the mean of just before and just after: clocks change within seconds.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    forward = peer(way) if way in PEERS else our_way(way, variant, features)
    forward(torch.rand(1, 3, 64, 64))  # weights are arranged, threads are started
    image = torch.rand(1, 3, height, width)
    seconds, processor_seconds = [], []
    with PeakMemory() as memory:
        if warm:
            forward(image)
        rates = [multiply_rate()]
        for _ in range(repeats):
            start, used = time.perf_counter(), time.process_time()
            forward(image)
            seconds.append(time.perf_counter() - start)
            processor_seconds.append(time.process_time() - used)
        rates.append(multiply_rate())
    return {
        "seconds": seconds,
        "processor_seconds": processor_seconds,
        "peak_bytes": memory.peak - memory.idle,
        "multiply_rate": statistics.mean(rates),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("way", choices=(*OURS, *PEERS))
    parser.add_argument("height", type=int)
    parser.add_argument("width", type=int, nargs="?")
    parser.add_argument("--variant", default="tiny")
    parser.add_argument("--features", default="float32")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--warm", action="store_true", help="run once on the size, not counted")
    options = parser.parse_args()
    found = measure(
        options.way,
        options.height,
        options.width or options.height,
        variant=options.variant,
        features=options.features,
        threads=options.threads,
        repeats=options.repeats,
        warm=options.warm,
    )
    print(json.dumps(found))


if __name__ == "__main__":
    main()
