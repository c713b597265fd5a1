"""How a run is watched: images of one's own, the best and numbered weights, an early end, logs."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_anyir.files import write_image
from napari_anyir.training.config import TrainingConfig
from napari_anyir.training.config_files import read_config
from napari_anyir.training.data.data_sources import open_source
from napari_anyir.training.run import clock as clocks
from napari_anyir.training.run import validation
from napari_anyir.training.run.schedule import Position, Schedule
from napari_anyir.training.run.train import read_run, train
from napari_anyir.weights import load_model

pytest.importorskip("lightning")

SMALL = {"dim": 4, "blocks": [1, 0, 0, 0], "refinement": 0, "heads": [1, 1, 1, 1]}


def write_pairs(root: Path, count: int, dtype: str = "uint8") -> Path:
    """Write blocky images and the same at half their brightness."""
    generator = np.random.default_rng(count)
    scale = 200 if dtype == "uint16" else 1
    for index in range(count):
        image = np.kron(generator.integers(40, 255, (5, 6, 1)), np.ones((8, 8, 3)))
        image = image if dtype == "uint8" else image[..., 0] * scale
        for folder, pixels in (("target", image), ("input", image / 2)):
            write_image(root / folder / f"{index}.tif", pixels.astype(dtype))
    return root


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pairs(tmp_path_factory.mktemp("data"), 12)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pairs(tmp_path_factory.mktemp("own"), 3)


def config(root: Path, source: str = "pairs", **values: Any) -> TrainingConfig:
    folder = {"source": source, "root": root / "target" if source == "folder" else root}
    settings = {
        "network": SMALL,
        "data": folder | ({"workers": 0} if source == "pairs" else {}),
        "steps": 6,
        "phases": [{"crop": 16, "batch": 2}],
        "validation": {"crop": 16, "steps": 2},
    }
    return TrainingConfig.model_validate(settings | values)


def run(settings: TrainingConfig, out: Path, **named: Any) -> Any:
    return train(settings, out, device="cpu", **({"say": lambda line: None} | named))


@pytest.mark.parametrize("source", ["folder", "pairs"])
def test_images_of_ones_own_are_looked_at_each_once_and_nothing_else_is_kept(
    data: Path, own: Path, source: str
) -> None:
    settings = config(
        data, source, validation={"folder": own / "target" if source == "folder" else own}
    )
    opened = open_source(settings)
    assert opened.own_held == 3
    count = settings.validation.count(opened.own_held)
    degraded, clean = opened.validation(count, 16)
    assert len(clean) == 3
    # All twelve are trained on, and each of the three is seen: their blocks have other values.
    trained = len(opened.photos) if source == "folder" else len(opened.data)
    assert trained == 12
    values = [set(np.unique(np.asarray(crop * 255).round())) for crop in clean]
    files = [read_values(own / "target" / f"{index}.tif") for index in range(3)]
    assert all(any(value <= file for file in files) for value in values)
    assert len({next(i for i, file in enumerate(files) if v <= file) for v in values}) == 3
    again = opened.validation(count, 16)
    assert torch.equal(degraded, again[0])


def read_values(path: Path) -> set[float]:
    from napari_anyir.files import read_image

    return set(np.unique(np.asarray(read_image(path).array)).astype(float))


def test_deep_pairs_validate_a_run_on_deep_pairs(tmp_path: Path) -> None:
    data, own = write_pairs(tmp_path / "d", 12, "uint16"), write_pairs(tmp_path / "o", 3, "uint16")
    opened = open_source(config(data, validation={"folder": own}))
    assert (opened.own_held, len(opened.data)) == (3, 12)
    degraded, clean = opened.validation(3, 16)
    # Both by the mapping of the degraded ones, whose lowest values are 0.
    assert float(degraded.mean()) < 0.6 * float(clean.mean())
    assert any("validated on 3 pairs" in str(fact) for fact in opened.facts.values())


def test_what_lies_in_the_folder_for_validation_is_not_trained_on(
    data: Path, tmp_path: Path
) -> None:
    for index in range(4):
        image = np.full((20, 20, 3), 10 * index, np.uint8)
        write_image(tmp_path / ("held" if index > 2 else "") / f"{index}.png", image)
    settings = config(data, "folder", validation={"folder": tmp_path / "held"}).model_dump()
    settings["data"]["root"] = tmp_path
    opened = open_source(TrainingConfig.model_validate(settings))
    assert [path.name for path in opened.photos] == ["0.png", "1.png", "2.png"]
    settings["validation"]["folder"] = tmp_path
    with pytest.raises(ValueError, match=r"lies in the folder for validation"):
        open_source(TrainingConfig.model_validate(settings))


def test_a_folder_for_validation_that_is_not_there_is_one_sentence(data: Path) -> None:
    with pytest.raises(FileNotFoundError, match="No folder"):
        open_source(config(data, validation={"folder": "no-such-folder"}))


def test_the_best_the_last_and_the_newest_numbered_weights_stay(
    data: Path, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([20.0, 30.0, 25.0])

    def scored(images: Any, clean: Any) -> float:
        return next(scores) if images is not watched.degraded else 10.0

    settings = config(
        data,
        validation={"folder": own, "crop": 16, "steps": 2},
        checkpoints={"every": 1, "keep": 2},
    )
    watched: Any = None
    begin = validation.ValidationSamples.__init__

    def kept(self: Any, *arguments: Any) -> None:
        nonlocal watched
        watched = self
        begin(self, *arguments)

    # The PSNRs are given, since which of three looks is best must be known.
    monkeypatch.setattr(validation, "mean_psnr", scored)
    monkeypatch.setattr(validation.ValidationSamples, "__init__", kept)
    out = tmp_path / "run"
    said: list[str] = []
    trained = run(settings, out, say=said.append)
    assert (trained.position.best, trained.position.best_step) == (30.0, 4)
    names = sorted(path.name for path in (out / "checkpoints").iterdir())
    assert names == [
        f"step-000000{step}.{kind}" for step in (5, 6) for kind in ("json", "safetensors")
    ]
    steps = {
        name: json.loads((out / f"{name}.json").read_text())["training"]["steps"]
        for name in ("best", "weights", "checkpoints/step-0000005")
    }
    assert steps == {"best": 4, "weights": 6, "checkpoints/step-0000005": 5}
    for name in steps:  # each can be used as it is
        assert load_model(out / f"{name}.safetensors").config.dim == 4
    last = json.loads((out / "weights.json").read_text())["training"]
    assert last["held_out"] == "best PSNR 30.00 dB, after 4 steps"
    log = (out / "log.txt").read_text().splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  ", line) for line in log)
    assert [line.split("  ", 1)[1] for line in log] == said
    assert any("learning rate 0.0002 (adamw)" in line for line in log)


@pytest.mark.parametrize("resumed", [False, True])
def test_a_run_that_no_longer_becomes_better_ends_early(
    data: Path, own: Path, tmp_path: Path, resumed: bool
) -> None:
    settings = config(
        data,
        steps=40,
        optimiser={"learning_rate": 1e-12},  # it cannot become better by half a dB
        validation={"folder": own, "crop": 16, "steps": 2},
        early_stopping={"patience": 3, "min_delta": 0.5},
        save_minutes=1e-9,
    )
    out, said = tmp_path / "run", []
    if resumed:  # the count of looks goes on
        stop = _After(5)
        run(settings, out, stop=stop)
        assert 0 < Position(**torch.load(out / "state.ckpt")["position"]).step < 8
    trained = run(settings, out, resume=resumed, say=said.append)
    assert trained.position.step == 8  # one look to begin with, and three in vain
    assert any(line.startswith("Ends early: 3 validations") for line in said)
    assert said[-1].startswith("Try it:")


class _After:
    """Wishes the end after so many questions."""

    def __init__(self, count: int) -> None:
        self.count = count

    def is_set(self) -> bool:
        self.count -= 1
        return self.count < 0


def test_an_early_end_needs_something_to_watch(data: Path, tmp_path: Path) -> None:
    settings = config(data, validation={"images": 0}, early_stopping={})
    with pytest.raises(ValueError, match="early_stopping watches images that are held out"):
        run(settings, tmp_path / "run")


def test_warnings_and_the_error_that_ends_a_run_are_in_its_log(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_anyir.training.run.module import RestorationModule

    def broken(self: Any, *arguments: Any) -> None:
        logging.getLogger("napari_anyir.training").warning("Something is odd.")
        raise ArithmeticError("never seen before")

    monkeypatch.setattr(RestorationModule, "training_step", broken)
    with pytest.raises(ArithmeticError):
        run(config(data), tmp_path / "run")
    log = (tmp_path / "run" / "log.txt").read_text()
    assert "Something is odd." in log
    assert "Traceback" in log
    assert "never seen before" in log


def test_no_logger_but_those_that_are_named(data: Path, tmp_path: Path) -> None:
    run(config(data, steps=1, loggers=["csv"]), tmp_path / "run")
    assert (tmp_path / "run" / "csv").is_dir()
    assert not (tmp_path / "run" / "tensorboard").exists()


def test_a_logger_that_is_not_installed_is_told_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_anyir.training.run.loggers.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="pip install wandb, or leave wandb out of loggers"):
        run(config(tmp_path / "nothing", loggers=["wandb"]), tmp_path / "run")


@pytest.mark.slow
def test_weights_and_biases_keeps_a_run_offline(
    data: Path, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    settings = config(
        data, loggers=["wandb"], validation={"folder": own, "crop": 16, "steps": 3}, log_steps=1
    )
    out = tmp_path / "run"
    run(settings, out)
    name = (out / "wandb-run.txt").read_text()
    (folder,) = (out / "wandb").glob(f"offline-run-*-{name}")
    wandb.teardown()  # its own process writes the file, as late as the end of ours
    kept, until = folder / f"run-{name}.wandb", time.monotonic() + 120
    keys = (b"learning_rate", b"psnr_degraded", b"fourier_weight")
    while not all(key in kept.read_bytes() for key in keys):
        assert time.monotonic() < until
        time.sleep(0.2)
    assert list(folder.rglob("samples*.png"))  # the held-out crops, as pictures


def test_a_shorter_run_warms_up_for_a_shorter_time() -> None:
    short = read_config("folder", ["steps=100"])
    assert (short.warm_up_steps, short.warm_up_share) == (0, 0.1)
    rates = [Schedule(short).rate(Position(step=step)) for step in range(100)]
    assert max(rates) == pytest.approx(short.optimiser.learning_rate)
    assert int(np.argmax(rates)) in (9, 10)
    assert rates[0] == pytest.approx(rates[9] / 10)
    # What is long enough stays, and what is asked for holds in either order.
    assert read_config("folder", ["steps=100000"]).warm_up_steps == 500
    for asked in (["steps=100", "warm_up_steps=50"], ["warm_up_steps=50", "steps=100"]):
        assert read_config("folder", asked).warm_up_steps == 50
    with pytest.raises(ValueError, match="warm_up_steps must be less than steps"):
        read_config("folder", ["steps=10", "warm_up_steps=50"])


def test_a_clock_leaves_out_what_is_no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(clocks.time, "monotonic", lambda: now)
    monkeypatch.setattr(clocks, "TICK", 3600.0)  # the test looks itself
    clock = clocks.TrainingClock()
    clock.start()
    try:
        now += 2
        assert clock.seconds == pytest.approx(2)
        now += 3600  # the lid was closed
        assert clock.seconds == pytest.approx(2 + 3600.0)
        monkeypatch.setattr(clocks, "TICK", 0.5)
        now += 3600
        assert clock.seconds == pytest.approx(2 + 3600.5)
    finally:
        clock.stop()


PAUSED = """
import sys, time
from napari_anyir.training.run import clock as clocks
clocks.PAUSE = 2.0
clock = clocks.TrainingClock()
clock.start()
print("ready", flush=True)
sys.stdin.readline()
print(clock.seconds, flush=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="Windows stops no process")
def test_a_process_that_is_stopped_spends_no_time() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PAUSED],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        began = time.monotonic()
        process.send_signal(signal.SIGSTOP)
        time.sleep(6)
        process.send_signal(signal.SIGCONT)
        process.stdin.write("\n")
        process.stdin.flush()
        told = float(process.stdout.readline())
        passed = time.monotonic() - began
    assert told < passed - 5


def test_what_is_kept_of_a_run_reads_back(data: Path, own: Path, tmp_path: Path) -> None:
    settings = config(
        data,
        steps=1,
        validation={"folder": own, "crop": 16},
        checkpoints={"every": 10, "keep": None},
        early_stopping={"patience": 2},
        loggers=[],
    )
    run(settings, tmp_path / "run")
    assert read_run(tmp_path / "run") == settings
