"""How fast a training step is: steps and crops per second, and the share of the device's rate.

``python -m benchmarks.training`` measures the phases of a recipe on made-up photographs: crops and
degradations on the device, forward, backward, optimiser and average, as in a run. The rate of the
device is that of a matrix product in the type that the step computes with. ``--network nano
--phases 64x8`` on a CPU; ``--compile`` where a compiler is. It tells peak memory on CUDA cards.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import platform
import statistics
import tempfile
from pathlib import Path

import numpy as np
import torch
from skimage.io import imsave

from napari_anyir.inference.engine.device import resolve_device
from napari_anyir.training.config import TrainingConfig
from napari_anyir.training.config_files import read_config
from napari_anyir.training.data.crop_source import Draw
from napari_anyir.training.data.folder_source import FolderSource
from napari_anyir.training.run.averaging import update_average
from napari_anyir.training.run.losses import restoration_loss
from napari_anyir.training.run.module import RestorationModule
from napari_anyir.training.run.speed import multiply_rate, step_operations, timed

RESULTS = Path(__file__).parent / "results"


def made_up_photographs(folder: Path, count: int = 8, side: int = 512) -> None:
    """Write photographs of coarse noise."""
    generator = np.random.default_rng(0)
    for index in range(count):
        blocks = generator.integers(0, 255, (side // 16, side // 16, 3))
        image = np.kron(blocks, np.ones((16, 16, 1))).astype(np.uint8)
        imsave(folder / f"{index}.png", image, check_contrast=False)


def measure(
    config: TrainingConfig, crop: int, batch: int, device: torch.device, bf16: bool, repeats: int
) -> dict[str, float]:
    """Measure one phase: its parts, and the whole step."""
    with tempfile.TemporaryDirectory() as folder:
        made_up_photographs(Path(folder))
        source = FolderSource(config.data.model_copy(update={"root": Path(folder)}), seed=0)
        source.bank(device)
    # Network, compilation, average and optimiser are those of a run.
    module = RestorationModule(config, source, device=device).to(device)
    network, average = module.network, module.average
    optimiser = module.configure_optimizers()
    number = iter(range(10**9))

    def load() -> tuple[torch.Tensor, torch.Tensor]:
        return source.batch(Draw(next(number) * batch, batch, crop), device, 0, 1)

    def load_together() -> None:
        for _ in range(source.together):
            load()

    degraded, clean = load()
    if module.channels_last:
        degraded = degraded.contiguous(memory_format=torch.channels_last)

    def step() -> None:
        autocast = torch.autocast(device.type, torch.bfloat16) if bf16 else contextlib.nullcontext()
        with autocast:
            loss = restoration_loss(network(degraded), clean)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        if average is not None:
            update_average(average, network, config.average, 1000)

    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    # One step in many makes the crops of all of them, so data are timed apart and shared out.
    loading = statistics.median(timed(load_together, device, repeats, 1)) / source.together
    seconds = statistics.median(timed(step, device, repeats, 2)) + loading
    rate = multiply_rate(device, torch.bfloat16 if bf16 else torch.float32)
    found = {
        "seconds": seconds,
        "steps_per_second": 1 / seconds,
        "crops_per_second": batch / seconds,
        "data_share": loading / seconds,
        "multiply_rate": rate,
        "rate_share": step_operations(config.network_config, crop) * batch / seconds / rate,
    }
    if device.type == "cuda":
        found["peak_gigabytes"] = torch.cuda.max_memory_allocated(device) / 1e9
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipe", default="bundled-tiny", help="one that trains on a folder")
    parser.add_argument("--network", help="another size")
    parser.add_argument("--phases", nargs="+", help="such as 128x64: side x crops per step")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", choices=["auto", "float32", "bf16"], default="auto")
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--name", default="training", help="of the file in benchmarks/results")
    options = parser.parse_args()

    changes = [f"network={options.network}"] if options.network else []
    if options.compile is not None:
        changes.append(f"compile={str(options.compile).lower()}")
    config = read_config(options.recipe, changes)
    phases = [(p.crop, p.batch) for p in config.phases]
    if options.phases:
        phases = [tuple(map(int, text.split("x"))) for text in options.phases]  # type: ignore[misc]
    device = resolve_device(options.device)
    bf16 = options.precision == "bf16" or (options.precision == "auto" and device.type == "cuda")
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    rows = []
    print(f"{name}, {'bf16' if bf16 else 'float32'}, compile={config.compile}")
    print("| crop | batch | steps/s | crops/s | data | matrix product | share | peak memory |")
    print("|---|---|---|---|---|---|---|---|")
    for crop, batch in phases:
        found = measure(config, crop, batch, device, bf16, options.repeats)
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
