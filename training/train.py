"""Train a network on clean photographs with degradations made on the fly.

``python -m napari_anyir.training.train --data PHOTOS --out RUN --variant nano --max-time 90``

The schedule ends with the given time, not after a number of steps, so that a run makes the most
of whatever machine it is on; it is saved every minute and continues with ``--resume``.
"""

from __future__ import annotations

import argparse
import copy
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from napari_anyir.degradations import RandomDegradation
from napari_anyir.model import build_model
from napari_anyir.training.losses import restoration_loss
from napari_anyir.training.photos import PhotoBank, find_photos
from napari_anyir.weights.loading import save_network


@dataclass(frozen=True)
class TrainingConfig:
    """What a training run is made of.

    Parameters
    ----------
    variant : str
        Network size, a name of `napari_anyir.model.VARIANTS`.
    max_time : float
        Minutes until the learning rate reaches zero and the run ends.
    phases : tuple of (float, int, int)
        (fraction of the time at which it starts, crop side, batch). Larger crops at the end
        narrow the gap that channel attention and the gate's statistics open between crops and
        whole images.
    learning_rate, weight_decay : float
        Peak rate of AdamW (betas 0.9, 0.999) and its decay.
    warm_up : int
        Steps of linear warm-up.
    ema : float
        Decay of the averaged weights that are kept; lower during the first steps.
    clip : float
        Largest norm of the gradient.
    fourier_weight : float
        Weight of the spectral term of the loss.
    seed : int
        Seed of weights, crops and degradations.

    Examples
    --------
    >>> from napari_anyir.training.train import TrainingConfig
    >>> TrainingConfig(max_time=10).phase(0.5)
    (64, 8)
    """

    variant: str = "nano"
    max_time: float = 90.0
    phases: tuple[tuple[float, int, int], ...] = ((0.0, 64, 8), (0.7, 96, 4), (0.9, 128, 3))
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    warm_up: int = 300
    ema: float = 0.999
    clip: float = 1.0
    fourier_weight: float = 0.1
    seed: int = 0

    def phase(self, progress: float) -> tuple[int, int]:
        """Crop side and batch at a fraction of the run."""
        current = max((p for p in self.phases if p[0] <= progress), key=lambda p: p[0])
        return current[1], current[2]

    def rate(self, step: int, progress: float) -> float:
        """Learning rate: linear warm-up from the first step, times a cosine to zero."""
        warm = min(1.0, (step + 1) / max(self.warm_up, 1))
        return self.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))


class Trainer:
    """One run: network, averaged weights, optimiser, and where they are saved.

    Parameters
    ----------
    config : TrainingConfig
        The run.
    bank : PhotoBank
        Clean photographs; its device is the run's device.
    out : Path
        Folder of ``state.pt`` (to continue), ``weights.safetensors`` (EMA) and ``log.csv``.
    """

    def __init__(self, config: TrainingConfig, bank: PhotoBank, out: Path) -> None:
        torch.manual_seed(config.seed)
        self.config, self.bank, self.out = config, bank, out
        device = bank.pixels.device
        self.network = build_model(config.variant).to(device)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.network).requires_grad_(False)
        # Fused: hundreds of small tensors are updated in one call, which counts on a CPU too.
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(),
            config.learning_rate,
            weight_decay=config.weight_decay,
            fused=True,
        )
        self.degrade = RandomDegradation()
        self.generator = torch.Generator(device=device).manual_seed(config.seed)
        self.step, self.seen, self.seconds = 0, 0, 0.0
        out.mkdir(parents=True, exist_ok=True)

    @property
    def progress(self) -> float:
        """Fraction of the run's time that is over."""
        return self.seconds / (60 * self.config.max_time)

    def train_step(self) -> float:
        """Take one optimiser step; return the loss."""
        side, batch = self.config.phase(self.progress)
        rate = self.config.rate(self.step, self.progress)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        with torch.no_grad():
            degraded, clean, _ = self.degrade(
                self.bank.crops(batch, side, self.generator), self.generator
            )
        degraded = degraded.contiguous(memory_format=torch.channels_last)
        self.network.train()
        loss = restoration_loss(self.network(degraded), clean, self.config.fourier_weight)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip)
        value = float(loss.detach())
        if math.isfinite(value) and math.isfinite(float(norm)):
            self.optimiser.step()
        self.step += 1
        self.seen += batch
        self._average()
        return value

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(self.config.ema, (1 + self.step) / (10 + self.step))
        means: list[Tensor] = list(self.average.parameters())
        values: list[Tensor] = list(self.network.parameters())
        torch._foreach_lerp_(means, values, 1 - decay)
        for kept, current in zip(self.average.buffers(), self.network.buffers(), strict=True):
            kept.copy_(current)

    def save(self) -> None:
        """Write the state and the averaged weights, each to a temporary name and renamed."""
        state: dict[str, Any] = {
            "config": asdict(self.config),
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "generator": self.generator.get_state(),
            "step": self.step,
            "seen": self.seen,
            "seconds": self.seconds,
        }
        temporary = self.out / "state.pt.part"
        torch.save(state, temporary)
        temporary.replace(self.out / "state.pt")
        temporary = self.out / "weights.safetensors.part"
        save_network(self.average, temporary)
        temporary.replace(self.out / "weights.safetensors")

    def resume(self) -> None:
        """Continue from ``state.pt``.

        Raises
        ------
        FileNotFoundError
            If there is none.
        ValueError
            If it belongs to another network.
        """
        path = self.out / "state.pt"
        if not path.is_file():
            raise FileNotFoundError(f"Nothing to resume: there is no '{path}'.")
        state = torch.load(path, map_location=self.bank.pixels.device, weights_only=True)
        if state["config"]["variant"] != self.config.variant:
            raise ValueError(
                f"'{path}' is a run of '{state['config']['variant']}', not of "
                f"'{self.config.variant}'; name another folder or variant."
            )
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.generator.set_state(state["generator"].cpu())
        self.step, self.seen, self.seconds = state["step"], state["seen"], state["seconds"]

    def run(self, report_every: float = 60.0) -> Iterator[dict[str, float]]:
        """Train to the end of the time; save and yield a report every minute and at the end."""
        started = time.monotonic() - self.seconds
        last, losses = time.monotonic(), []
        log = self.out / "log.csv"
        if not log.exists():
            log.write_text("step,crops,seconds,loss\n")
        while self.progress < 1:
            losses.append(self.train_step())
            self.seconds = time.monotonic() - started
            if time.monotonic() - last >= report_every or self.progress >= 1:
                last = time.monotonic()
                self.save()
                mean = sum(losses) / len(losses)
                losses.clear()
                with log.open("a") as file:
                    file.write(f"{self.step},{self.seen},{self.seconds:.1f},{mean:.5f}\n")
                yield {
                    "step": self.step,
                    "crops": self.seen,
                    "minutes": self.seconds / 60,
                    "loss": mean,
                }


def main(arguments: list[str] | None = None) -> None:
    """Run from a shell; see the head of the module."""
    parser = argparse.ArgumentParser(prog="napari_anyir.training.train", description=__doc__)
    parser.add_argument("--data", required=True, help="folder of clean photographs")
    parser.add_argument("--out", required=True, type=Path, help="folder of the run")
    parser.add_argument("--variant", default="nano", help="nano, tiny or small")
    parser.add_argument("--max-time", default=90.0, type=float, help="minutes")
    parser.add_argument("--seed", default=0, type=int)
    parser.add_argument("--leave-out", nargs="*", default=[], help="photographs to keep out")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--resume", action="store_true", help="continue the run in --out")
    given = parser.parse_args(arguments)
    paths = find_photos(given.data)
    if absent := sorted(set(given.leave_out) - {path.name for path in paths}):
        parser.error(f"--leave-out names '{absent[0]}', which is not below '{given.data}'.")
    bank = PhotoBank([p for p in paths if p.name not in given.leave_out], given.device)
    config = TrainingConfig(variant=given.variant, max_time=given.max_time, seed=given.seed)
    trainer = Trainer(config, bank, given.out)
    if given.resume:
        trainer.resume()
    for report in trainer.run():
        print("  ".join(f"{name} {value:.5g}" for name, value in report.items()), flush=True)


if __name__ == "__main__":
    main()
