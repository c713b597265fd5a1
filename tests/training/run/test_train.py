"""Whole runs, tiny ones: they learn, continue exactly, and survive full disks."""

from __future__ import annotations

import csv
import json
import os
import signal
from shutil import which

import numpy as np
import pytest
import torch
from skimage.io import imread, imsave

from napari_anyir.model import AnyIR
from napari_anyir.training.config import TrainingConfig
from napari_anyir.training.config_files import read_config
from napari_anyir.training.data.data_sources import open_source
from napari_anyir.training.data.folder_source import FolderSource
from napari_anyir.training.run import callbacks, saving
from napari_anyir.training.run.callbacks import Saving
from napari_anyir.training.run.module import RestorationModule
from napari_anyir.training.run.train import read_run, train
from napari_anyir.weights import load_model

pytest.importorskip("lightning")

SMALL = {"dim": 4, "blocks": [1, 1, 1, 1], "refinement": 1, "heads": [1, 1, 1, 1]}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Two folders of twelve blocky images, the degraded ones darker."""
    root = tmp_path_factory.mktemp("data")
    generator = np.random.default_rng(0)
    for folder in ("input", "target"):
        (root / folder).mkdir()
    for index in range(12):
        blocks = generator.integers(0, 255, (5, 6, 3))
        image = np.kron(blocks, np.ones((8, 8, 1))).astype(np.uint8)
        imsave(root / "target" / f"{index:02}.png", image, check_contrast=False)
        imsave(root / "input" / f"{index:02}.png", image // 2, check_contrast=False)
    return root


def config(photos, source="folder", **values):
    """Return a run of a few steps of a few small crops."""
    data = {"source": source, "root": photos / "target" if source == "folder" else photos}
    if source == "pairs":
        data["workers"] = 0
    settings = {
        "network": SMALL,
        "data": data,
        "steps": 20,
        "warm_up_steps": 0 if values.get("steps") == 1 else 1,
        "phases": [{"crop": 16, "batch": 4}, {"start": 0.6, "crop": 24, "batch": 2}],
        "optimiser": {"learning_rate": 2e-3, "clip": 1.0},
        "average": 0.99,
        "validation": {"images": 0},
    }
    return TrainingConfig.model_validate(settings | values)


def quietly(line):
    """Say nothing."""


def run(settings, out, **named):
    """Train on the CPU."""
    return train(settings, out, device="cpu", say=named.pop("say", quietly), **named)


def interrupt(monkeypatch, after):
    """Kill the next run after so many steps, as a power cut would."""
    step = RestorationModule.optimizer_step

    def killed(self, *arguments, **named):
        if self.position.step == after:
            monkeypatch.setattr(RestorationModule, "optimizer_step", step)
            raise _KilledError
        step(self, *arguments, **named)

    monkeypatch.setattr(RestorationModule, "optimizer_step", killed)


def save_at(monkeypatch, step):
    """Let the minute be over at one step."""

    def due(self, trainer, module, *rest):
        if module.position.step == step:
            assert self.save(trainer, module) is None

    monkeypatch.setattr(Saving, "on_train_batch_end", due)


class _KilledError(Exception):
    pass


@pytest.mark.slow
@pytest.mark.parametrize("source", ["folder", "pairs"])
def test_twenty_steps_equal_ten_and_a_resumed_ten(photos, tmp_path, monkeypatch, source):
    whole = run(config(photos, source), tmp_path / "whole")
    save_at(monkeypatch, 10)
    interrupt(monkeypatch, after=12)
    with pytest.raises(_KilledError):
        run(config(photos, source), tmp_path / "broken")
    resumed = run(config(photos, source), tmp_path / "broken", resume=True)
    assert resumed.began.step == 10
    assert (resumed.position.step, resumed.position.seen) == (20, 12 * 4 + 8 * 2)
    states = [
        torch.load(tmp_path / name / "state.ckpt", weights_only=True)
        for name in ("whole", "broken")
    ]
    # Weights, averages and the moments of the optimiser, to the bit.
    for key in states[0]["state_dict"]:
        assert torch.equal(*(s["state_dict"][key] for s in states)), key
    moments = [s["optimizer_states"][0]["state"] for s in states]
    for index, values in moments[0].items():
        for name, value in values.items():
            assert torch.equal(value, moments[1][index][name])
    assert any(key.startswith("average.") for key in states[0]["state_dict"])
    assert whole.position.seen == resumed.position.seen


@pytest.mark.slow
@pytest.mark.parametrize("network", [SMALL, SMALL | {"stem": 2}], ids=["full", "half size"])
def test_a_step_in_parts_is_the_step_of_all_crops(photos, tmp_path, network, assert_same_steps):
    """The mean of the parts' gradients is the gradient of the mean, so the weights are the same."""
    whole, parts = (
        run(
            config(
                photos,
                steps=3,
                network=network,
                accumulate=count,
                precision="32-true",
                phases=[{"crop": 16, "batch": 4}],
            ),
            tmp_path / str(count),
        )
        for count in (1, 4)
    )
    assert whole.position.seen == parts.position.seen == 12
    assert_same_steps(whole, parts)
    start = RestorationModule(config(photos, network=network), whole.source).network
    moved = [
        float((a - b).abs().max().detach())
        for a, b in zip(start.parameters(), parts.network.parameters(), strict=True)
    ]
    assert min(moved) > 1e-5  # nothing was left behind


def test_a_batch_that_has_no_equal_parts_is_refused(photos):
    with pytest.raises(ValueError, match="4 crops cannot be taken in 3 equal parts"):
        config(photos, accumulate=3)


@pytest.mark.slow
def test_loss_falls_and_curves_pictures_and_cards_are_left(photos, tmp_path):
    said = []
    settings = config(
        photos,
        "pairs",
        steps=40,
        phases=[{"crop": 16, "batch": 4}],
        log_steps=5,
        validation={"images": 2, "crop": 16},
    )
    run(settings, tmp_path / "run", say=said.append)
    (file,) = (tmp_path / "run").glob("csv/*/metrics.csv")
    rows = [row for row in csv.DictReader(file.open()) if row["loss"]]
    assert float(rows[-1]["loss"]) < 0.8 * float(rows[0]["loss"])
    assert int(rows[-1]["step"]) == 40
    (scores,) = (row for row in csv.DictReader(file.open()) if row["psnr"])
    assert float(scores["psnr"]) > 0
    assert list((tmp_path / "run" / "tensorboard").glob("events*"))
    picture = imread(tmp_path / "run" / "samples" / "step-0000040.png")
    assert picture.shape == (48, 16, 3)  # degraded, restored, clean of one held-out pair
    assert abs(2.0 * picture[:16].mean() / picture[32:].mean() - 1) < 0.05
    card = json.loads((tmp_path / "run" / "weights.json").read_text())
    assert card["training"]["steps"] == 40
    assert card["training"]["data"] == "11 pairs; 1 more for validation"
    assert load_model(tmp_path / "run" / "weights.safetensors").config.dim == 4
    assert any("100%" in line and "left" in line and "crops/s" in line for line in said)
    assert read_run(tmp_path / "run") == settings
    assert not list((tmp_path / "run").rglob("*.part"))


@pytest.mark.slow
def test_a_full_disk_keeps_the_old_checkpoint_and_the_run_goes_on(photos, tmp_path, monkeypatch):
    save, attempts, said = torch.save, [], []

    def full(content, path, **named):
        attempts.append(path)
        if 1 < len(attempts) < 4:
            path.write_bytes(b"half")
            raise OSError(28, "No space left on device")
        save(content, path, **named)

    monkeypatch.setattr(saving.torch, "save", full)
    settings = config(photos, steps=6, save_minutes=1e-9)
    trained = run(settings, tmp_path / "run", say=said.append)
    assert trained.position.step == 6
    assert sum("No space left" in line and "stays" in line for line in said) == 2
    assert saving.read_state(tmp_path / "run" / "state.ckpt")["position"]["step"] == 6
    assert not list((tmp_path / "run").glob("*.part"))


@pytest.mark.slow
def test_a_disk_that_stays_full_ends_the_run_in_a_sentence(photos, tmp_path, monkeypatch):
    save = torch.save

    def full(content, path, **named):
        if content["position"]["step"] > 2:
            raise RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 128")
        save(content, path, **named)

    monkeypatch.setattr(saving.torch, "save", full)
    settings = config(photos, steps=4, save_minutes=1e-9)
    with pytest.raises(OSError, match=r"could not be saved .* make room, then continue"):
        run(settings, tmp_path / "run")
    assert saving.read_state(tmp_path / "run" / "state.ckpt")["position"]["step"] == 2


@pytest.mark.slow
def test_half_precision_weights_go_on_elsewhere(photos, tmp_path, monkeypatch):
    settings = config(photos)
    save_at(monkeypatch, 8)
    interrupt(monkeypatch, after=8)
    with pytest.raises(_KilledError):
        run(settings, tmp_path / "here")
    there = tmp_path / "there"
    there.mkdir()
    for name in ("resume.safetensors", "resume.json"):
        (there / name).write_bytes((tmp_path / "here" / name).read_bytes())
    elsewhere = read_run(there)
    assert elsewhere.data.root is None
    assert elsewhere.phases == settings.phases
    said = []
    resumed = run(settings, there, resume=True, say=said.append)
    assert (resumed.began.step, resumed.position.step) == (8, 20)
    assert resumed.position.restart == 8
    assert any("half-precision weights, with a fresh optimiser" in line for line in said)


@pytest.mark.slow
def test_tinys_half_precision_weights_can_be_committed(tmp_path):
    trained = RestorationModule(read_config("bundled-tiny"), _Nothing())
    saving.save_results(trained, tmp_path, "none")
    light = (tmp_path / "resume.safetensors", tmp_path / "resume.json")
    assert sum(path.stat().st_size for path in light) < 12e6


class _Nothing:
    """A source that is never asked for crops."""

    def __init__(self):
        self.items, self.facts = None, {}


def test_a_finished_run_another_network_and_a_taken_folder_are_refused(photos, tmp_path):
    out = tmp_path / "run"
    with pytest.raises(FileNotFoundError, match="Nothing to resume"):
        run(config(photos), out, resume=True)
    settings = config(photos, steps=2)
    run(settings, out)
    with pytest.raises(ValueError, match="holds a run already; continue it with --resume"):
        run(settings, out)
    with pytest.raises(ValueError, match="is complete"):
        run(settings, out, resume=True)
    with pytest.raises(ValueError, match="trains another network"):
        run(config(photos, network="nano"), out, resume=True)
    (out / "state.ckpt").write_bytes(b"half")
    with pytest.raises(ValueError, match="damaged"):
        run(settings, out, resume=True)
    with pytest.raises(ValueError, match="divided among 3 devices"):
        run(settings, tmp_path / "other", devices=3)


def test_more_cards_than_there_are_is_told(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "napari_anyir.training.run.train.resolve_device", lambda name: torch.device("cuda")
    )
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ValueError, match="not 2 devices of the kind 'cuda' here, but 1"):
        run(config(photos), tmp_path / "run", devices=2)


def test_a_bad_pair_is_told_in_a_sentence_though_a_worker_found_it(photos, tmp_path):
    data = tmp_path / "pairs"
    for folder, size in (("input", 24), ("target", 32)):
        (data / folder).mkdir(parents=True)
        image = np.zeros((size, 24, 3), np.uint8)
        imsave(data / folder / "a.png", image, check_contrast=False)
    settings = config(data, "pairs").model_dump()
    settings["data"] |= {"workers": 1}
    with pytest.raises(ValueError, match=r"^'.*a\.png' is 24 x 24 but its clean partner") as caught:
        run(TrainingConfig.model_validate(settings), tmp_path / "run")
    assert "\n" not in str(caught.value)


def test_a_batch_that_does_not_fit_is_told(photos, tmp_path, monkeypatch):
    def full(self, *arguments, **named):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(RestorationModule, "training_step", full)
    with pytest.raises(ValueError, match="A step of 4 crops of 16 pixels, in 1 part"):
        run(config(photos), tmp_path / "run")


def test_steps_without_finite_gradient_are_counted_and_change_nothing(
    photos, tmp_path, monkeypatch
):
    batch = open_source(config(photos)).__class__.batch

    def spoilt(self, loaded, *rest):
        degraded, clean = batch(self, loaded, *rest)
        if loaded[0] == 4:  # the second step
            degraded = degraded * float("inf")
        return degraded, clean

    monkeypatch.setattr("napari_anyir.training.data.folder_source.FolderSource.batch", spoilt)
    trained = run(config(photos, steps=4), tmp_path / "run")
    assert (trained.position.step, trained.position.skipped) == (4, 1)
    assert all(bool(p.isfinite().all()) for p in trained.kept.parameters())
    card = json.loads((tmp_path / "run" / "weights.json").read_text())
    assert card["training"]["steps_without_finite_gradient"] == 1


@pytest.mark.slow
def test_fine_tuning_begins_with_the_weights_and_a_fresh_optimiser(photos, tmp_path, nano):
    before = {k: v.clone() for k, v in nano.state_dict().items()}
    settings = config(
        photos, "pairs", network="nano", steps=1, average=0.0, optimiser={"learning_rate": 1e-9}
    )
    trained = run(settings, tmp_path / "run", start=load_copy(nano))
    for name, value in trained.network.state_dict().items():
        assert torch.allclose(value, before[name], atol=1e-7)


def load_copy(network):
    """Return a network of its own with the same weights."""
    import copy

    return copy.deepcopy(network)


def test_stopping_by_hand_keeps_the_last_checkpoint(photos, tmp_path, monkeypatch):
    step = RestorationModule.optimizer_step

    def interrupted(self, *arguments, **named):
        if self.position.step == 3:
            raise KeyboardInterrupt
        step(self, *arguments, **named)

    handler = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(RestorationModule, "optimizer_step", interrupted)
    try:
        with pytest.raises(KeyboardInterrupt):
            run(config(photos, save_minutes=1e-9), tmp_path / "run")
    finally:
        signal.signal(signal.SIGINT, handler)
    assert saving.read_state(tmp_path / "run" / "state.ckpt")["position"]["step"] == 3


@pytest.mark.slow
def test_ctrl_c_ends_after_its_step_which_is_saved_and_nothing_is_lost(
    photos, tmp_path, monkeypatch
):
    whole = run(config(photos), tmp_path / "whole")
    step, said = RestorationModule.optimizer_step, []

    def pressed(self, *arguments, **named):
        if self.position.step == 3:
            signal.raise_signal(signal.SIGINT)
        step(self, *arguments, **named)

    handler = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(RestorationModule, "optimizer_step", pressed)
    with pytest.raises(KeyboardInterrupt):
        run(config(photos, save_minutes=60), tmp_path / "run", say=said.append)
    assert signal.getsignal(signal.SIGINT) is handler
    assert saving.read_state(tmp_path / "run" / "state.ckpt")["position"]["step"] == 4
    assert said[-1] == (
        f"Saved after 4 steps; continue with: anyir train --resume --out {tmp_path / 'run'}"
    )
    monkeypatch.setattr(RestorationModule, "optimizer_step", step)
    resumed = run(read_run(tmp_path / "run"), tmp_path / "run", resume=True)
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)


def test_bfloat16_is_for_the_network_and_not_for_the_data(photos, tmp_path, monkeypatch):
    seen = []
    batch, forward = FolderSource.batch, AnyIR.forward

    def watched_batch(self, *arguments):
        seen.append(torch.is_autocast_enabled("cpu"))
        return batch(self, *arguments)

    def watched_forward(self, x, *rest):
        if x.device.type == "cpu":  # operations are counted without pixels
            seen.append(torch.is_autocast_enabled("cpu"))
        return forward(self, x, *rest)

    monkeypatch.setattr(FolderSource, "batch", watched_batch)
    monkeypatch.setattr(AnyIR, "forward", watched_forward)
    trained = run(config(photos, steps=2, precision="bf16-mixed"), tmp_path / "run")
    # Before the first batch, memory is measured by passes of the network.
    assert seen[seen.index(False) :] == [False, True, False, True]
    assert all(p.dtype == torch.float32 for p in trained.network.parameters())
    assert trained.position.skipped == 0


@pytest.mark.parametrize(("bf16", "told"), [(0.7e9, True), (80e9, False)])
def test_bfloat16_that_only_costs_time_is_told(photos, tmp_path, monkeypatch, bf16, told):
    # Only the rates are given: a machine has one kind of processor, and both are needed.
    rates = {torch.bfloat16: bf16, torch.float32: 35e9}
    monkeypatch.setattr(callbacks, "multiply_rate", lambda device, dtype: rates[dtype])
    said = []
    run(config(photos, steps=1, precision="bf16-mixed"), tmp_path / "run", say=said.append)
    sentence = "at 2% of its rate in float32: it has no arithmetic for it; precision=32-true is"
    assert any(sentence in line for line in said) is told


@pytest.mark.slow
def test_a_run_by_the_clock_ends_with_it(photos, tmp_path):
    settings = config(photos, steps=None, minutes=0.02)
    trained = run(settings, tmp_path / "run")
    assert 1.2 <= trained.position.seconds < 10
    assert trained.progress == 1


def compiled_with(backend, monkeypatch):
    """Let networks be compiled by another backend than the default; count what is compiled."""
    graphs, compile_ = [], torch.nn.Module.compile

    def counted(graph, inputs):
        graphs.append(graph)
        return torch._dynamo.lookup_backend(backend)(graph, inputs)

    monkeypatch.setattr(
        torch.nn.Module, "compile", lambda self, **named: compile_(self, backend=counted, **named)
    )
    return graphs


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
def test_compiled_networks_train_alike(photos, tmp_path, monkeypatch, backend):
    """Blocks of one width are one graph; inductor takes a minute where g++ has a processor."""
    if backend == "inductor" and not (os.environ.get("ANYIR_TEST_INDUCTOR") and which("g++")):
        pytest.skip("takes minutes on a busy machine: set ANYIR_TEST_INDUCTOR=1, and have g++")
    one = {"dim": 4, "blocks": [1, 0, 0, 0], "refinement": 0, "heads": [1, 1, 1, 1]}
    settings = {"network": one, "steps": 1, "phases": [{"crop": 16, "batch": 1}]}
    plain = run(config(photos, **settings), tmp_path / "plain")
    torch._dynamo.reset()
    graphs = compiled_with(backend, monkeypatch)
    compiled = run(config(photos, **settings, compile=True), tmp_path / "compiled")
    assert len(graphs) == 2
    for a, b in zip(compiled.network.parameters(), plain.network.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-3)
    assert load_model(tmp_path / "compiled" / "weights.safetensors").config.dim == 4
