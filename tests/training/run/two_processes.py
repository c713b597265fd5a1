"""A small run on two processes, as ``anyir train --devices 2`` starts it, for `test_ddp`.

A program of its own, because the strategy that users get starts the interpreter's program again,
and because a process that has windows and threads, as that of the tests, must not be forked.

Usage: ``python two_processes.py ROOT CONFIG``; each process writes ``told-RANK.json`` into ROOT.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

from napari_anyir.training.config_files import read_config
from napari_anyir.training.data.set_source import SetSource
from napari_anyir.training.run.module import RestorationModule
from napari_anyir.training.run.train import train


def main(root: Path, config: Path) -> None:
    """Train, and write what each process saw and where it ended."""
    crops: list[float] = []
    batch, end = SetSource.batch, RestorationModule.on_train_end

    def watched(self, loaded, device, rank, world):
        crops.extend(loaded.clean.flatten(1).sum(1).tolist())
        return batch(self, loaded, device, rank, world)

    def ended(self):
        weights = torch.cat([p.detach().flatten() for p in self.network.parameters()])
        told = {
            "crops": crops,
            "weights": float(weights.double().sum()),
            "seen": self.position.seen,
        }
        (root / f"told-{self.global_rank}.json").write_text(json.dumps(told))
        end(self)

    SetSource.batch, RestorationModule.on_train_end = watched, ended
    train(read_config(str(config)), root / "run", device="cpu", devices=2, say=lambda line: None)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
