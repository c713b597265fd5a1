"""What a step takes is known before the first one, and what is done about it changes no result."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.io import imsave

from napari_anyir.model import VARIANTS, build_model
from napari_anyir.training.config import Phase, TrainingConfig
from napari_anyir.training.run import module as module_file
from napari_anyir.training.run import step_memory
from napari_anyir.training.run.machines import Machines
from napari_anyir.training.run.module import RestorationModule
from napari_anyir.training.run.recomputation import recompute_blocks
from napari_anyir.training.run.step_memory import (
    CropMemory,
    Parts,
    measure_crop,
    plan_parts,
)
from napari_anyir.training.run.step_plan import StepPlan, plan_steps
from napari_anyir.training.run.train import train

SMALL = {"dim": 4, "blocks": [1, 1, 1, 1], "refinement": 1, "heads": [1, 1, 1, 1]}
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("photos")
    generator = np.random.default_rng(0)
    for index in range(4):
        image = generator.integers(0, 255, (160, 170, 3), np.uint8)
        imsave(root / f"{index}.png", image, check_contrast=False)
    return root


def config(photos: Path, **values: object) -> TrainingConfig:
    settings = {
        "network": SMALL,
        "data": {"source": "folder", "root": photos},
        "steps": 3,
        "phases": [{"crop": 16, "batch": 4}],
        "optimiser": {"learning_rate": 2e-3, "clip": 1.0},
        "validation": {"images": 0},
        "precision": "32-true",
    }
    return TrainingConfig.model_validate(settings | values)


PEAK = """
import resource, sys, torch
from napari_anyir.model import VARIANTS, AnyIR
from napari_anyir.training.run.losses import restoration_loss
from napari_anyir.training.run.recomputation import recompute_blocks
size, crops, side, precision, again = sys.argv[1], *map(int, sys.argv[2:4]), *sys.argv[4:]
network = AnyIR(VARIANTS[size]).train().to(memory_format=torch.channels_last)
if again == "again":
    recompute_blocks(network)
before = int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
images = torch.rand(crops, 3, side, side)
with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16-mixed"):
    loss = restoration_loss(network(images), torch.rand_like(images))
loss.backward()
# Not ru_maxrss: that begins with the size of the process that started this one.
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(peak.split()[1]) * 1024 - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="peaks are read from Linux")
@pytest.mark.parametrize(
    ("size", "crops", "side", "precision", "again"),
    [
        ("nano", 4, 96, "32-true", "kept"),
        ("nano", 4, 96, "bf16-mixed", "kept"),
        ("nano", 4, 96, "32-true", "again"),
    ],
)
def test_the_estimate_covers_what_a_step_takes_and_not_twice_as_much(
    size: str, crops: int, side: int, precision: str, again: str
) -> None:
    told = subprocess.run(
        [sys.executable, "-c", PEAK, size, str(crops), str(side), precision, again],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    measured = int(told.stdout)
    crop = measure_crop(VARIANTS[size], side, precision=precision)
    estimated = step_memory.WORKING + crops * (crop.again if again == "again" else crop.kept)
    assert 0.95 * measured < estimated < 2.5 * measured + step_memory.WORKING


def test_steps_are_split_then_recomputed_then_refused() -> None:
    phase, crop = Phase(crop=128, batch=12), CropMemory(64, 250_000_000, 50_000_000)
    seen = []
    for room in (14e9, 7e9, 1.5e9, 0.5e9):
        seen.append(plan_parts(phase, crop, 10**8, int(room), devices=1))
    assert seen == [Parts(1), Parts(2), Parts(12), Parts(12, again=True)]
    # what an accelerator of four has to take is a quarter
    assert plan_parts(phase, crop, 10**8, int(4e9), devices=4) == Parts(1)
    with pytest.raises(
        ValueError, match=r"One crop of 128 pixels takes 0\.5 GB .* 0\.4 GB of memo"
    ):
        plan_parts(phase, crop, 10**8, int(0.4e9), devices=1)
    assert plan_parts(phase, crop, 10**8, None, devices=1) == Parts(1)
    assert plan_parts(phase, crop, 10**8, int(14e9), devices=1, least=3) == Parts(3)


def test_activations_computed_again_give_the_same_gradients() -> None:
    torch.manual_seed(0)
    plain, again = build_model("nano"), build_model("nano")
    again.load_state_dict(plain.state_dict())
    recompute_blocks(again)
    assert list(again.state_dict()) == list(plain.state_dict())
    image = torch.rand(2, 3, 24, 24)
    for network in (plain, again):
        network(image).square().mean().backward()
    for one, other in zip(plain.parameters(), again.parameters(), strict=True):
        assert torch.equal(one.grad, other.grad)
    with torch.no_grad():
        assert torch.equal(plain(image), again(image))


@pytest.mark.slow
def test_a_run_in_little_memory_says_so_and_ends_as_one_in_much(
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    assert_same_steps: Callable[[RestorationModule, RestorationModule], None],
) -> None:
    said: list[str] = []
    much = train(config(photos), tmp_path / "much", device="cpu", say=said.append)
    assert not any("Memory" in line for line in said)
    crop = measure_crop(much.config.network_config, 16)
    constant = step_memory.constant_bytes(much.config.network_config, averaged=False)
    one = step_memory.step_bytes(much.config.phases[0], crop, constant, Parts(4, True), 1)
    monkeypatch.setattr(step_memory, "free_bytes", lambda device: int(one / step_memory.SHARE) + 1)
    little = train(config(photos), tmp_path / "little", device="cpu", say=said.append)
    assert any("it is taken in 4 parts, with activations computed again" in line for line in said)
    assert little.plan.of(little.config.phases[0]) == Parts(4, again=True)
    assert_same_steps(much, little)
    monkeypatch.setattr(step_memory, "free_bytes", lambda device: 10**6)
    with pytest.raises(ValueError, match="network=nano"):
        train(config(photos), tmp_path / "none", device="cpu", say=said.append)
    assert not (tmp_path / "none").exists()


@pytest.mark.slow
def test_a_lack_of_memory_within_a_step_splits_it_further(
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    assert_same_steps: Callable[[RestorationModule, RestorationModule], None],
) -> None:
    loss, said = module_file.restoration_loss, []

    def short(restored: torch.Tensor, *rest: object) -> torch.Tensor:
        if len(restored) > 1:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate")
        return loss(restored, *rest)

    whole = train(config(photos), tmp_path / "whole", device="cpu", say=said.append)
    monkeypatch.setattr(module_file, "restoration_loss", short)
    split = train(config(photos), tmp_path / "split", device="cpu", say=said.append)
    assert [line for line in said if "Memory was short" in line][-1].endswith(
        "a step is taken in 4 parts from here on."
    )
    assert_same_steps(whole, split)
    state = torch.load(tmp_path / "split" / "state.ckpt", weights_only=True)
    assert state["parts"] == {"16x4": [4, 0]}


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: not enough memory"),
        torch.cuda.OutOfMemoryError("CUDA out of memory."),
    ],
)
def test_every_lack_of_memory_is_the_same_sentence(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def short(*_: object) -> None:
        raise error

    monkeypatch.setattr(module_file, "restoration_loss", short)
    with pytest.raises(ValueError, match=r"4 crops of 16 pixels, in 4 part.*accumulate=4") as told:
        train(config(photos), tmp_path / "run", device="cpu", say=lambda line: None)
    assert "\n" not in str(told.value)


def test_other_errors_are_not_taken_for_it(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a shape does not fit")

    monkeypatch.setattr(module_file, "restoration_loss", broken)
    with pytest.raises(RuntimeError, match="a shape does not fit"):
        train(config(photos), tmp_path / "run", device="cpu", say=lambda line: None)


def test_a_resumed_run_keeps_its_parts_unless_asked(photos: Path) -> None:
    before, said = StepPlan({"16x4": Parts(2)}), []
    settings = config(photos)
    phase = settings.phases[0]
    kept = plan_steps(settings, "32-true", Machines(CPU), before=before, say=said.append)
    assert kept.of(phase) == Parts(2)
    asked = plan_steps(config(photos, accumulate=4), "32-true", Machines(CPU), before=before)
    assert asked.of(phase) == Parts(4)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space")
def test_the_first_command_runs_in_three_gigabytes(photos: Path, tmp_path: Path) -> None:
    """`tiny` on 16 crops: 1.3 GB for each crop of 128, so 24 GB as a whole."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (5 * 10**9, 5 * 10**9))

    command = [sys.executable, "-m", "napari_anyir", "train", "--config", "folder"]
    command += ["--data", photos, "--out", tmp_path / "run", "--device", "cpu"]
    command += ["steps=1", "warm_up_steps=0", "phases=[{crop: 96, batch: 8}]"]
    done = subprocess.run(
        [*map(str, command), "validation.images=0", "precision=32-true"],
        capture_output=True,
        text=True,
        preexec_fn=limit,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    assert "it is taken in" in done.stdout
    assert (tmp_path / "run" / "weights.safetensors").is_file()


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no such signal")
def test_a_run_in_parts_that_was_killed_goes_on_to_the_bit(photos: Path, tmp_path: Path) -> None:
    """All by commands, as a process that computed other things before may round otherwise."""
    settings = config(photos, accumulate=2, steps=40, average=0.9, save_minutes=1e-4)
    (tmp_path / "run.yaml").write_text(settings.to_yaml())
    command = [sys.executable, "-m", "napari_anyir", "train", "--device", "cpu"]
    begin = [*command, "--config", str(tmp_path / "run.yaml"), "--out"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    killed = subprocess.Popen([*begin, str(tmp_path / "killed")], env=environment)
    state = tmp_path / "killed" / "state.ckpt"
    until = time.monotonic() + 250
    while time.monotonic() < until and killed.poll() is None:
        if state.is_file() and torch.load(state, weights_only=True)["position"]["step"] >= 3:
            break
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    reached = torch.load(state, weights_only=True)["position"]["step"]
    assert 3 <= reached < 40
    resume = [*command, "--resume", "--out", str(tmp_path / "killed"), "save_minutes=100"]
    for arguments in ([*begin, str(tmp_path / "whole"), "save_minutes=100"], resume):
        done = subprocess.run(
            arguments, env=environment, capture_output=True, text=True, timeout=250, check=False
        )
        assert done.returncode == 0, done.stderr
    assert f"Resumes exactly after {reached} steps" in done.stdout
    states = [
        torch.load(tmp_path / name / "state.ckpt", weights_only=True)
        for name in ("whole", "killed")
    ]
    assert states[0]["position"]["step"] == states[1]["position"]["step"] == 40
    assert states[0]["parts"] == states[1]["parts"] == {"16x4": [2, 0]}
    for key in states[0]["state_dict"]:
        assert torch.equal(*(one["state_dict"][key] for one in states)), key
