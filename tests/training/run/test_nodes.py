"""Two processes as two machines, by the scripts that users start; one of them under a queue."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from napari_anyir.files import write_image
from napari_anyir.training.config import TrainingConfig
from napari_anyir.training.run.saving import read_state
from napari_anyir.training.run.train import train

pytest.importorskip("lightning")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="the scripts are for bash"),
]

LAUNCH = Path(__file__).parents[3] / "training" / "launch"

SRUN = """#!/usr/bin/env bash
# Starts as many tasks as nodes, one on each, as srun does with --ntasks-per-node=1.
shift  # --kill-on-bad-exit
for task in 0 1; do
    SLURM_PROCID=$task SLURM_NODEID=$task SLURM_LOCALID=0 "$@" &
    tasks[task]=$!
done
for task in 0 1; do wait "${tasks[task]}" || exit 1; done
"""


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    for index in range(8):
        image = generator.integers(0, 255, (20, 24, 3), np.uint8)
        for folder in ("input", "target"):
            write_image(tmp_path / "data" / folder / f"{index}.png", image)
    return tmp_path / "data"


def config(pairs: Path, **values: Any) -> TrainingConfig:
    return TrainingConfig.model_validate(
        {
            "network": {"dim": 4, "blocks": [1, 0, 0, 0], "refinement": 0, "heads": [1, 1, 1, 1]},
            "data": {"source": "pairs", "root": pairs, "workers": 0, "hold_out": 0},
            "phases": [{"crop": 16, "batch": 4}],
            "validation": {"images": 0},
            "steps": 4,
            "precision": "32-true",
            **values,
        }
    )


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def start(script: str, arguments: list[str], **environment: str) -> subprocess.Popen[str]:
    environment = {"OMP_NUM_THREADS": "1", "PYTHON": sys.executable, **environment}
    return subprocess.Popen(
        ["bash", str(LAUNCH / script), *arguments, "--device", "cpu"],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def end(process: subprocess.Popen[str]) -> str:
    try:
        said, _ = process.communicate(timeout=280)
    finally:
        process.kill()
    assert process.returncode == 0, said
    return said


def check(pairs: Path, out: Path, steps: int) -> None:
    """Compare with a run of one process: the same crops, so the same weights but for rounding."""
    alone = out.with_name(f"alone-{steps}")
    train(config(pairs, steps=steps), alone, device="cpu", say=lambda line: None)
    assert read_state(out / "state.ckpt")["position"]["seen"] == 4 * steps
    one, other = (load_file(folder / "weights.safetensors") for folder in (alone, out))
    apart = torch.cat([(other[name] - tensor).abs().flatten() for name, tensor in one.items()])
    # Where a gradient is next to nothing, its normalised step follows the last bits of sums.
    assert (apart > 2e-5).float().mean() < 1e-3
    assert apart.max() < 1e-3


def test_two_machines_by_torchrun(pairs: Path, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(config(pairs).to_yaml())
    arguments = ["--config", str(tmp_path / "run.yaml"), "--out", str(tmp_path / "out")]
    network = {"HEAD": "127.0.0.1", "PORT": str(free_port()), "NODES": "2", "DEVICES": "1"}
    machines = [start("torchrun.sh", arguments, NODE=str(node), **network) for node in (0, 1)]
    said = [end(machine) for machine in machines]
    assert "4 steps, 16 crops" in said[0]
    assert "steps, " not in said[1]  # the first machine speaks for all
    check(pairs, tmp_path / "out", 4)


def test_two_machines_of_a_queue_and_again(pairs: Path, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(config(pairs).to_yaml())
    (tmp_path / "bin").mkdir()
    srun = tmp_path / "bin" / "srun"
    srun.write_text(SRUN)
    srun.chmod(0o755)
    arguments = ["--config", str(tmp_path / "run.yaml"), "--out", str(tmp_path / "out")]
    queue = {
        "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "SLURM_JOB_NUM_NODES": "2",
        "SLURM_NNODES": "2",
        "SLURM_NTASKS": "2",
        "SLURM_NTASKS_PER_NODE": "1",
        "SLURM_JOB_NAME": "anyir",
        "SLURM_NODELIST": "127.0.0.1",
        "MASTER_ADDR": "127.0.0.1",
    }
    jobs = []
    for steps in ("steps=2", "steps=4"):  # the second job finds the checkpoint of the first
        number = {"SLURM_JOB_ID": str(free_port()), "MASTER_PORT": str(free_port())}
        jobs.append(end(start("slurm.sh", [*arguments, steps], **queue, **number)))
    assert "2 steps, 8 crops" in jobs[0]
    assert "Resumes exactly after 2 steps" in jobs[1]
    assert "4 steps, 16 crops" in jobs[1]
