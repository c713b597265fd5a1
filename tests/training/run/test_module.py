"""One step: loss, gradients that are not finite, averages."""

from __future__ import annotations

import copy
import traceback

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback, Trainer
from skimage.io import imsave
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from napari_anyir.training.config import TrainingConfig
from napari_anyir.training.config_files import list_recipes, read_config
from napari_anyir.training.data.crop_source import StepCrops, hold_out, leave_out, mix_seed
from napari_anyir.training.data.data_sources import open_source
from napari_anyir.training.run.averaging import start_average, update_average
from napari_anyir.training.run.losses import restoration_loss
from napari_anyir.training.run.module import RestorationModule

SMALL = {"dim": 4, "blocks": [1, 1, 1, 1], "refinement": 1, "heads": [1, 1, 1, 1]}


class NoData:
    """A source that is never asked."""

    items = 10


def module(**values):
    return RestorationModule(TrainingConfig(network=SMALL, steps=10, **values), NoData())


def test_loss_is_l1_plus_a_tenth_of_the_spectrum():
    a, b = torch.rand(2, 3, 8, 8, dtype=torch.float64), torch.rand(2, 3, 8, 8, dtype=torch.float64)
    spectra = [torch.fft.rfft2(x.float()) for x in (a, b)]
    stacked = [torch.stack((s.real, s.imag), -1) for s in spectra]
    expected = (a - b).abs().mean() + 0.1 * (stacked[0] - stacked[1]).abs().mean()
    assert float(restoration_loss(a, b)) == pytest.approx(float(expected), rel=1e-5)
    assert float(restoration_loss(a, b, 0)) == pytest.approx(float((a - b).abs().mean()), rel=1e-5)


def test_gradients_are_clipped_and_those_that_are_not_finite_are_dropped():
    trained = module(optimiser={"clip": 1.0})
    optimiser = trained.configure_optimizers()
    weights = list(trained.network.parameters())
    before = [w.detach().clone() for w in weights]
    for w in weights:
        w.grad = torch.ones_like(w)
    weights[0].grad[0] = float("inf")
    trained.configure_gradient_clipping(optimiser)
    optimiser.step()
    assert all(torch.equal(a, b) for a, b in zip(before, weights, strict=True))
    for state in optimiser.state.values():
        assert all(not bool(kept.any()) for kept in state.values())
    for w in weights:
        w.grad = torch.ones_like(w)
    trained.configure_gradient_clipping(optimiser)
    assert float(torch.stack([w.grad.norm() for w in weights]).norm()) == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize("method", ["muon", "adamw"])
def test_a_gradient_that_is_dropped_leaves_moments_and_weights_to_the_bit(method):
    trained = module(optimiser={"method": method, "weight_decay": 0.1, "learning_rate": 0.1})
    optimiser = trained.configure_optimizers()
    weights = list(trained.network.parameters())

    def step(value):
        for w in weights:
            w.grad = torch.full_like(w, value)
        trained.configure_gradient_clipping(optimiser)
        optimiser.step()
        kept = [w.detach().clone() for w in weights]
        return kept, copy.deepcopy(optimiser.state_dict()["state"])

    before, state = step(0.5)
    after, dropped = step(float("nan"))
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    for number, moments in state.items():
        for name, kept in moments.items():
            assert torch.equal(kept, dropped[number][name]), name
    moved, _ = step(0.5)
    assert all(not torch.equal(a, b) for a, b in zip(before, moved, strict=True))


def test_a_run_without_finite_gradients_ends_in_a_sentence():
    trained = module()
    optimiser = trained.configure_optimizers()
    weight = next(iter(trained.network.parameters()))
    for _ in range(99):
        weight.grad = torch.full_like(weight, float("nan"))
        trained.configure_gradient_clipping(optimiser)
    weight.grad = torch.full_like(weight, float("nan"))
    with pytest.raises(ValueError, match="100 gradients were not finite; continue from"):
        trained.configure_gradient_clipping(optimiser)


@pytest.mark.parametrize("name", [n for n in list_recipes() if n.startswith("tab")] + ["3deg"])
def test_every_weight_of_every_ablation_learns(name):
    """A weight without a gradient stops a run on several devices that is not told of it."""
    network = {"dim": 8, "blocks": [1, 1, 1, 1], "refinement": 1}
    config = read_config(name, network=network, steps=1)
    trained = RestorationModule(config, NoData())
    trained.network(torch.rand(1, 3, 16, 16)).abs().mean().backward()
    missing = [n for n, p in trained.network.named_parameters() if p.grad is None]
    assert not [n for n in missing if name != "tab8-no-alpha" or not n.endswith(".tau")]


def test_average_forgets_the_start_and_then_follows_slowly():
    network = torch.nn.Linear(1, 1, bias=False)
    average = start_average(network)
    torch.nn.init.zeros_(average.weight)
    torch.nn.init.ones_(network.weight)
    update_average(average, network, 0.999, step=1)
    assert float(average.weight) == pytest.approx(1 - 2 / 11)
    torch.nn.init.zeros_(network.weight)
    update_average(average, network, 0.999, step=10**6)
    assert float(average.weight) == pytest.approx(0.999 * (1 - 2 / 11))


def test_what_is_kept_is_the_average_where_there_is_one():
    assert module(average=0.9).kept is not module(average=0.9).network
    plain = module()
    assert plain.kept is plain.network


def test_the_same_seed_gives_the_same_start():
    a, b, c = module(), module(), module(seed=1)
    weights = [next(iter(m.network.parameters())) for m in (a, b, c)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_draws_follow_each_other_and_are_divided_without_overlap():
    draws = module(
        phases=[{"crop": 16, "batch": 4}, {"start": 0.5, "crop": 24, "batch": 2}]
    ).coming_steps()
    some = [next(draws) for _ in range(8)]
    assert [(d.batch, d.crop) for d in some[4:6]] == [(4, 16), (2, 24)]
    assert [d.first for d in some] == [0, 4, 8, 12, 16, 20, 22, 24]
    shares = [set(StepCrops(40, 8, 64).share(rank, 4)) for rank in range(4)]
    assert set().union(*shares) == set(range(40, 48))
    assert sum(map(len, shares)) == 8
    with pytest.raises(ValueError, match="cannot be divided among 3 devices"):
        StepCrops(0, 8, 64).share(0, 3)


def test_seeds_are_mixed():
    assert len({mix_seed(a, b) for a in range(20) for b in range(20)}) == 400


def test_held_out_images_are_spread_and_few(tmp_path):
    trained, kept = hold_out(list(range(100)), 4)
    assert kept == [12, 37, 62, 87]
    assert sorted(trained + kept) == list(range(100))
    assert hold_out(list(range(9)), 8)[1] == []
    with pytest.raises(ValueError, match=r"'c\.png' is to be left out, but is not"):
        leave_out([tmp_path / "a.png"], ["c.png"], tmp_path)
    with pytest.raises(ValueError, match="Everything"):
        leave_out([tmp_path / "a.png"], ["a.png"], tmp_path)


class Reads:
    """Notes who reads numbers from a device, which waits for it."""

    def __init__(self):
        self.readers = readers = []

        def note():
            readers.append(
                [f"{frame.filename}:{frame.name}" for frame in traceback.extract_stack()]
            )

        class Scalars(TorchDispatchMode):
            def __torch_dispatch__(self, function, types, args=(), kwargs=None):
                aten = torch.ops.aten
                if function.overloadpacket in (aten._local_scalar_dense, aten.equal, aten.nonzero):
                    note()
                return function(*args, **(kwargs or {}))

        class Copies(TorchFunctionMode):
            def __torch_function__(self, function, types, args=(), kwargs=None):
                if getattr(function, "__name__", "") in ("tolist", "cpu", "numpy"):
                    note()
                return function(*args, **(kwargs or {}))

        self.modes = (Scalars(), Copies())

    def __enter__(self):
        for mode in self.modes:
            mode.__enter__()

    def __exit__(self, *error):
        for mode in reversed(self.modes):
            mode.__exit__(*error)


@pytest.mark.parametrize("method", ["muon", "adamw"])
def test_a_step_waits_for_no_number_of_its_device(tmp_path, method):
    """One wait in a step empties a card's queue, and no CUDA graph can hold it."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    (tmp_path / "photos").mkdir()
    imsave(tmp_path / "photos" / "a.png", pixels)
    config = TrainingConfig(
        network=SMALL,
        data={"source": "folder", "root": tmp_path / "photos"},
        phases=[{"crop": 16, "batch": 2}],
        optimiser={"method": method},
        steps=4,
    )

    class Watched(Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            pl_module.waits_are_free = False  # as on a card
            if batch_idx == 2:
                self.reads = Reads()
                self.reads.__enter__()

        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            if batch_idx == 2:
                self.reads.__exit__(None, None, None)

    watched = Watched()
    source = open_source(config)
    trained = RestorationModule(config, source)
    trainer = Trainer(
        max_steps=4,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[watched],
    )
    trainer.fit(trained)
    assert trained.position.step == 4
    # Data are made for many steps at once, outside of the step.
    ours = [r for r in watched.reads.readers if not any("source.py:batch" in f for f in r)]
    assert ours == []
    assert watched.reads.readers  # those of the data are seen, so others would be
