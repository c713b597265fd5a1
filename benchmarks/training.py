"""How fast a training step is: steps and crops per second, and the share of the device's rate.

``python -m benchmarks.training`` measures the phases of a recipe on made-up photographs: crops and
degradations on the device, forward, backward, optimiser and average, as in a run. The rate of the
device is that of a matrix product in the type that the step computes with. ``--network nano
--phases 64x8`` on a CPU; ``--compile`` where a compiler is; ``--before`` compares with the
arithmetic as it was. It tells peak memory on CUDA cards.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as functional
from skimage.io import imsave
from torch import Tensor

from napari_anyir.inference.engine.device import resolve_device
from napari_anyir.inference.exact.allocator import settle_allocator
from napari_anyir.model import AnyIR
from napari_anyir.model.blocks import DAB, STD_DELTA, FeedForward, GatedDA, Observer
from napari_anyir.training.config import TrainingConfig
from napari_anyir.training.config_files import read_config
from napari_anyir.training.data.crop_source import StepCrops
from napari_anyir.training.data.folder_source import FolderSource
from napari_anyir.training.run.averaging import update_average
from napari_anyir.training.run.losses import restoration_loss
from napari_anyir.training.run.module import RestorationModule
from napari_anyir.training.run.precision import resolve_precision
from napari_anyir.training.run.speed import multiply_rate, step_operations, timed

RESULTS = Path(__file__).parent / "results"


def made_up_photographs(folder: Path, count: int = 8, side: int = 512) -> None:
    """Write photographs of coarse noise."""
    generator = np.random.default_rng(0)
    for index in range(count):
        blocks = generator.integers(0, 255, (side // 16, side // 16, 3))
        image = np.kron(blocks, np.ones((16, 16, 1))).astype(np.uint8)
        imsave(folder / f"{index}.png", image, check_contrast=False)


class StridedFeedForward(FeedForward):
    """The feed-forward network as it was: halves of one tensor, which lie in strides."""

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, C, H, W) to the same shape."""
        gate, value = self.mix(self.expand(x)).chunk(2, dim=1)
        projected: Tensor = self.project(functional.gelu(gate) * value)
        return projected


class StridedGatedDA(GatedDA):
    """The gate as it was: parts of one product, which lie in strides (published switches only)."""

    def forward(self, x: Tensor, observer: Observer | None = None) -> Tensor:
        """Gate x (B, c, H, W); there is nothing to observe."""
        alpha_width, beta_width, gamma_width = self.widths
        normalised = self.norm(x)
        variance, mean = torch.var_mean(normalised, dim=(2, 3), correction=0, keepdim=True)
        tau = self.tau * torch.sigmoid(mean + torch.sqrt(variance + STD_DELTA))
        parts = self.expand(normalised).split((gamma_width, beta_width, alpha_width), dim=1)
        gamma, beta, alpha = parts
        alpha = self.alpha_depthwise(alpha) * (1 + tau[:, :alpha_width])
        gated = self.activation(gamma) * self.gate(torch.cat((beta, alpha), dim=1))
        projected: Tensor = self.project(gated + x)
        return projected


class StridedDAB(DAB):
    """A block as it was: every second channel of its input, read where it lies."""

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Divide (B, C, H, W) into views of the attention and the gate channels."""
        return x[:, 0::2], x[:, 1::2]


def use_strides(network: AnyIR) -> None:
    """Arrange a network's arithmetic as it was before its halves became contiguous."""
    for _, _, block in network.named_blocks():
        block.__class__ = StridedDAB
        block.feed_forward.__class__ = StridedFeedForward
        block.gated.__class__ = StridedGatedDA


class Step:
    """A training step of a run: crops and degradations, forward, backward, optimiser, average."""

    def __init__(
        self, config: TrainingConfig, crop: int, batch: int, device: torch.device, *, bf16: bool
    ) -> None:
        with tempfile.TemporaryDirectory() as folder:
            made_up_photographs(Path(folder))
            data = config.data.model_copy(update={"root": Path(folder)})
            self.source = FolderSource(data, seed=0)
            self.source.bank(device)
        self.config, self.crop, self.batch = config, crop, batch
        self.device, self.dtype = device, torch.bfloat16 if bf16 else torch.float32
        # Network, compilation, average and optimiser are those of a run.
        self.module = RestorationModule(config, self.source, device=device).to(device)
        self.optimiser = self.module.configure_optimizers()
        self.number = 0
        self.degraded, self.clean = self.load()

    def load(self) -> tuple[Tensor, Tensor]:
        """Make the crops of a step."""
        draw = StepCrops(self.number * self.batch, self.batch, self.crop)
        self.number += 1
        degraded, clean = self.source.batch(draw, self.device, 0, 1)
        if self.module.channels_last:
            degraded = degraded.contiguous(memory_format=torch.channels_last)
        return degraded, clean

    def load_together(self) -> None:
        """Make as many as are made at once."""
        for _ in range(self.source.together):
            self.load()

    def __call__(self) -> None:
        """Take the step, with the same crops every time."""
        module, bf16 = self.module, self.dtype == torch.bfloat16
        autocast = torch.autocast(self.device.type, self.dtype) if bf16 else nullcontext()
        with autocast:
            loss = restoration_loss(module.network(self.degraded), self.clean)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.network.parameters(), 1.0)
        self.optimiser.step()
        if module.average is not None:
            update_average(module.average, module.network, self.config.average, 1000)


def measure(step: Step, repeats: int) -> dict[str, float]:
    """Measure one phase: its parts, and the whole step."""
    device = step.device
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    # One step in many makes the crops of all of them, so data are timed apart and shared out.
    together = step.source.together
    loading = statistics.median(timed(step.load_together, device, repeats, 1)) / together
    seconds = statistics.median(timed(step, device, repeats, 2)) + loading
    rate = multiply_rate(device, step.dtype)
    operations = step_operations(step.config.network_config, step.crop)
    found = {
        "seconds": seconds,
        "steps_per_second": 1 / seconds,
        "crops_per_second": step.batch / seconds,
        "data_share": loading / seconds,
        "multiply_rate": rate,
        "rate_share": operations * step.batch / seconds / rate,
    }
    if device.type == "cuda":
        found["peak_gigabytes"] = torch.cuda.max_memory_allocated(device) / 1e9
    return found


def compare(config: TrainingConfig, crop: int, batch: int, repeats: int) -> None:
    """Print crops per second of one thread as it was and as it is, in turns, and the ratio.

    In processor time: other work on the machine changes it least. Without data, which are the same.
    """
    device = torch.device("cpu")
    plain = config.model_copy(update={"compile": False})
    steps = {
        (halves, bf16): Step(plain, crop, batch, device, bf16=bf16)
        for halves in ("strided", "contiguous")
        for bf16 in (False, True)
    }
    for (halves, _), step in steps.items():
        if halves == "strided":
            use_strides(step.module.network)
    found: dict[tuple[str, bool], list[float]] = {key: [] for key in steps}
    for turn in range(repeats + 1):
        for key, step in steps.items():
            start = time.process_time()
            step()
            if turn:
                found[key].append(time.process_time() - start)
    before = statistics.median(found["strided", False])
    for (halves, bf16), seconds in found.items():
        taken = statistics.median(seconds)
        print(
            f"| {crop} | {batch} | {halves} | {'bf16' if bf16 else 'float32'} "
            f"| {batch / taken:.3g} | {before / taken:.2f} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipe", default="bundled-tiny", help="one that trains on a folder")
    parser.add_argument("--network", help="another size")
    parser.add_argument("--phases", nargs="+", help="such as 128x64: side x crops per step")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", choices=["auto", "32-true", "bf16-mixed"], default="auto")
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument(
        "--before",
        action="store_true",
        help="compare one processor thread's steps with those before the halves of blocks were "
        "contiguous, in both precisions and in turns",
    )
    parser.add_argument("--name", default="training", help="of the file in benchmarks/results")
    options = parser.parse_args()

    changes = [f"network={options.network}"] if options.network else []
    if options.compile is not None:
        changes.append(f"compile={str(options.compile).lower()}")
    config = read_config(options.recipe, [*changes, f"precision={options.precision}"])
    phases = [(p.crop, p.batch) for p in config.phases]
    if options.phases:
        phases = [tuple(map(int, text.split("x"))) for text in options.phases]  # type: ignore[misc]
    if options.before:
        torch.set_num_threads(1)
        settle_allocator()
        print("| crop | batch | halves of a block | precision | crops/s | over strided float32 |")
        print("|---|---|---|---|---|---|")
        for crop, batch in phases:
            compare(config, crop, batch, options.repeats)
        return
    settle_allocator()
    device = resolve_device(options.device)
    bf16 = resolve_precision(config, device) == "bf16-mixed"
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    rows = []
    print(f"{name}, {'bf16' if bf16 else 'float32'}, compile={config.compile}")
    print("| crop | batch | steps/s | crops/s | data | matrix product | share | peak memory |")
    print("|---|---|---|---|---|---|---|---|")
    for crop, batch in phases:
        found = measure(Step(config, crop, batch, device, bf16=bf16), options.repeats)
        rows.append({"crop": crop, "batch": batch, **found})
        peak = f"{found['peak_gigabytes']:.1f} GB" if "peak_gigabytes" in found else "-"
        print(
            f"| {crop} | {batch} | {found['steps_per_second']:.3g} "
            f"| {found['crops_per_second']:.3g} | {found['data_share']:.0%} "
            f"| {found['multiply_rate'] / 1e12:.3g} TFLOP/s | {found['rate_share']:.0%} | {peak} |",
            flush=True,
        )
    RESULTS.mkdir(exist_ok=True)
    content = {
        "device": name,
        "network": config.network,
        "bf16": bf16,
        "compile": config.compile,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "rows": rows,
    }
    (RESULTS / f"{options.name}.json").write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
