"""Self-supervised adaptation: better where it can be, the old weights where not, the same again."""

from __future__ import annotations

import copy
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from skimage.metrics import peak_signal_noise_ratio

import napari_anyir
from napari_anyir.model import VARIANTS, AnyIR
from napari_anyir.training.adaptation.adapted_model import check_target, save_adapted
from napari_anyir.training.adaptation.method import adapt, adapt_with_record, open_sources
from napari_anyir.training.adaptation.neighbours import (
    SHARE,
    blind_errors,
    draw_pairs,
    held_out,
    hide,
    neighbour_errors,
    neighbour_loss,
    noise_correlation,
    take,
)
from napari_anyir.training.adaptation.noisy_windows import NoisySource, NoisyWindows
from napari_anyir.training.adaptation.self_supervised import AdaptationRecipe, SelfSupervised
from napari_anyir.weights import add_model, find_model, load_model, verify_model
from napari_anyir.weights.loading import save_network

RNG = np.random.default_rng(0)
SMALL = AdaptationRecipe(side=32, pixels=2048, check_side=32, check_pixels=2048, check_every=5)
KEEP = replace(SMALL, confidence=-1e9)  # the new weights, whatever they are worth
WILD = AdaptationRecipe(
    0.5, warm_up=1, ema=0.0, side=32, pixels=2048, check_pixels=2048, check_every=2
)


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def scene(height: int, width: int) -> np.ndarray[Any, Any]:
    """Return smooth shapes with edges, in [0, 1]."""
    rows, columns = np.mgrid[:height, :width]
    waves = 0.5 + 0.3 * np.sin(rows / 9.0) * np.cos(columns / 7.0)
    return np.where((rows - columns) % 40 < 20, waves, 0.9 - waves)


def weights(network: AnyIR) -> list[torch.Tensor]:
    return list(network.state_dict().values())


def same(one: AnyIR, other: AnyIR) -> bool:
    return all(torch.equal(a, b) for a, b in zip(weights(one), weights(other), strict=True))


# --- neighbours and held-out pixels ---------------------------------------------------------------


def test_pairs_are_neighbours_in_one_cell_and_all_eight_occur() -> None:
    first, second = draw_pairs(3, 64, 70, torch.Generator().manual_seed(0))
    assert first.shape == (3, 32, 35)

    def cell(places: torch.Tensor) -> torch.Tensor:
        return torch.stack((places // 70 // 2, places % 70 // 2))

    expected = torch.stack(torch.meshgrid(torch.arange(32), torch.arange(35), indexing="ij"))
    for places in (first, second):
        assert (cell(places) == expected.unsqueeze(1)).all()
    steps, counts = torch.unique(second - first, return_counts=True)
    assert steps.tolist() == [-70, -1, 1, 70]
    assert counts.min() > 0.23 * first.numel()
    corners = torch.stack((first // 70 % 2, first % 70 % 2, second // 70 % 2, second % 70 % 2))
    assert len(torch.unique(corners.flatten(1), dim=1).T) == 8


def test_loss_is_that_of_the_paper_and_held_out_pixels_are_no_targets() -> None:
    noisy = torch.rand(2, 3, 16, 16)
    scale = torch.tensor(0.7, requires_grad=True)

    def network(y: torch.Tensor) -> torch.Tensor:
        return scale * y

    targets = (~held_out(16, 16, 5)).float().expand(2, 1, 16, 16).clone()
    loss = neighbour_loss(network, noisy, targets, 2.0, torch.Generator().manual_seed(1))
    first, second = draw_pairs(2, 16, 16, torch.Generator().manual_seed(1))
    one, two, weight = take(noisy, first), take(noisy, second), take(targets, second)
    plain = 0.7 * one - two
    regular = plain - 0.7 * (one - two)
    expected = (weight * (plain**2 + 2 * regular**2)).mean() / weight.mean()
    assert float(loss.detach()) == pytest.approx(float(expected), rel=1e-5)
    # no gradient flows through f(y): d/ds |(s y1 - y2) - e|^2 holds e still
    (gradient,) = torch.autograd.grad(loss, scale)
    still = (weight * 2 * one * (plain + 2 * regular)).mean() / weight.mean()
    assert float(gradient) == pytest.approx(float(still), rel=1e-4)
    hidden = held_out(16, 16, 5).expand(2, 3, 16, 16)
    noisy.requires_grad_(True)
    fixed = neighbour_loss(lambda y: 0 * y, noisy, targets, 0.0, torch.Generator().manual_seed(1))
    fixed.backward()
    assert noisy.grad is not None
    assert not noisy.grad[hidden].any()
    assert noisy.grad[~hidden].any()


@pytest.mark.parametrize("phase", range(0, SHARE, 4))
def test_held_out_pixels_are_one_in_seventeen_and_never_neighbours(phase: int) -> None:
    whole = held_out(68, 85, phase)[0, 0]
    assert whole.float().mean() == pytest.approx(1 / SHARE)
    for turn in ((0, 1), (1, 0), (1, 1), (1, -1)):
        assert not (whole & whole.roll(turn, (0, 1)))[2:-2, 2:-2].any()
    assert torch.equal(held_out(20, 30, phase, 7, 11)[0, 0], whole[7:27, 11:41])
    rows, columns = whole.nonzero().T
    for period in (2, 4):  # all phases of colour filters are met
        assert len(
            set(zip((rows % period).tolist(), (columns % period).tolist(), strict=True))
        ) == (period**2)


def test_hidden_pixels_are_not_seen() -> None:
    images = torch.rand(2, 3, 20, 24)
    hidden = held_out(20, 24, 3)
    changed = torch.where(hidden, torch.tensor(1e6), images)
    assert torch.equal(hide(images, hidden), hide(changed, hidden))
    assert torch.equal(hide(images, hidden)[~hidden.expand(2, 3, -1, -1)],
                       images[~hidden.expand(2, 3, -1, -1)])  # fmt: skip


def test_blind_error_is_the_true_error_plus_the_variance_of_the_noise() -> None:
    draw = torch.Generator().manual_seed(0)
    clean = torch.full((4, 3, 170, 170), 0.5)
    noisy = clean + 0.2 * torch.randn(clean.shape, generator=draw)
    hidden = held_out(170, 170, 0)
    for offset in (0.0, 0.1, 0.3):
        errors = blind_errors(lambda y, by=offset: torch.full_like(y, 0.5 + by), noisy, hidden)
        assert len(errors) == 4 * 1700
        assert float(errors.mean()) == pytest.approx(0.04 + offset**2, rel=0.03)


def test_error_from_a_neighbour_shows_noise_that_is_let_through() -> None:
    draw = torch.Generator().manual_seed(0)
    noisy = 0.5 + 0.2 * torch.randn((2, 3, 272, 272), generator=draw)
    hidden = held_out(272, 272, 4)
    for through in (0.0, 0.5, 1.0):

        def network(y: torch.Tensor, share: float = through) -> torch.Tensor:
            return 0.5 + share * (y - 0.5)

        errors = neighbour_errors(network, noisy, hidden, draw)
        assert len(errors) == 2 * int(hidden.sum())
        assert float(errors.mean()) == pytest.approx(0.04 * (1 + through**2), rel=0.03)
    # predicted are the held-out pixels, all of them and no others
    marks = torch.where(hidden, 9.0, 1.0).expand(2, 3, -1, -1)
    assert torch.unique(neighbour_errors(lambda y: y, marks, hidden, draw)).tolist() == [64.0]


# --- windows --------------------------------------------------------------------------------------


@pytest.mark.parametrize("axes", ["TYX", "YTX", "XYT"])
def test_windows_are_those_of_the_array(axes: str) -> None:
    stack = RNG.integers(100, 4000, (2, 40, 56), np.uint16)
    array = stack.transpose(["TYX".index(letter) for letter in axes])
    (source,) = open_sources(array, axes, (0.0, 4000.0))
    windows = NoisyWindows([source], torch.Generator().manual_seed(0))
    for _ in range(4):
        window = windows.draw(16)
        seen = source.read(window)
        rows = slice(window.top, window.top + 16)
        expected = stack[window.plane[0], rows, window.left : window.left + 16] / 4000
        assert seen.shape == (3, 16, 16)
        np.testing.assert_allclose(seen[1], expected, rtol=1e-6)


def test_colours_are_read_and_alpha_is_not() -> None:
    image = RNG.integers(0, 255, (40, 33, 4), np.uint8)
    (source,) = open_sources(image, None, "auto")
    windows = NoisyWindows([source], torch.Generator().manual_seed(0))
    window = windows.draw(128)
    assert (window.height, window.width) == (32, 32)
    part = image[window.top : window.top + 32, window.left : window.left + 32, :3]
    np.testing.assert_allclose(source.read(window).permute(1, 2, 0), part / 255, rtol=1e-6)


def test_windows_to_judge_by_do_not_overlap_and_reach_every_plane() -> None:
    sources = open_sources([np.zeros((3, 70, 100)), np.zeros((33, 50))], ["ZYX", "YX"], "auto")
    windows = NoisyWindows(sources, torch.Generator().manual_seed(0)).spread(32, 10**6)
    covered = [np.zeros((3, 70, 100), int), np.zeros((1, 33, 50), int)]
    for w in windows:
        plane = covered[w.source][w.plane[0] if w.plane else 0]
        plane[w.top : w.top + w.height, w.left : w.left + w.width] += 1
    assert [c.max() for c in covered] == [1, 1]
    assert covered[0].sum() == 3 * 2 * 3 * 1024
    assert covered[1].sum() == 1024
    few = NoisyWindows(sources, torch.Generator().manual_seed(0)).spread(32, 2048)
    assert len(few) == 2


def test_lattice_turns_with_its_window() -> None:
    image = np.where(held_out(64, 64, 6)[0, 0].numpy(), 1.0, 0.25)
    windows = NoisyWindows(open_sources(image, None, "auto"), torch.Generator().manual_seed(0))
    for _ in range(8):
        noisy, targets = windows.batch(32, 2048, 6)
        assert torch.equal(noisy[:, :1] == 1, targets == 0)


# --- adapting -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_noise_that_a_model_leaves_is_removed_better(tmp_path: Path) -> None:
    start = copy.deepcopy(load_model("nano"))
    start.output.weight.data *= 0.5  # takes off half of what it finds
    save_network(start, tmp_path / "half.safetensors")
    # Smooth, so that three standard errors prove it on few pixels.
    y, x = np.mgrid[:160, :160] / 160
    clean = 0.5 + 0.3 * np.sin(9 * x) * np.cos(7 * y) + 0.2 * (np.hypot(x - 0.5, y - 0.5) < 0.3)
    noisy = (np.random.default_rng(1).poisson(clean * 20) / 20).astype(np.float32)
    model = tmp_path / "half.safetensors"
    network, record = adapt_with_record(noisy, model=model, steps=15, intensity=(0, 1))
    assert record.kept
    assert record.unseen.after < record.unseen.before
    assert record.beside.after < record.beside.before
    before, after = (
        peak_signal_noise_ratio(
            clean, napari_anyir.restore(noisy, model=m, intensity=(0, 1)), data_range=1
        )
        for m in (model, network)
    )
    assert after > before + 0.2
    assert "Adapted 'half' in 15 steps" in str(record)


def test_what_does_not_help_is_said_and_the_weights_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "napari_anyir.training.adaptation.method.AdaptationRecipe", lambda loss: WILD
    )
    noisy = scene(32, 32) + 0.1 * RNG.standard_normal((32, 32))
    with pytest.warns(UserWarning, match="did not surely help .* weights of 'nano' are kept"):
        network = adapt(noisy, model="nano", steps=2)
    assert same(network, load_model("nano"))
    assert not network.training


@pytest.mark.parametrize(
    ("image", "model"),
    [
        (np.zeros((40, 40), np.uint8), "denoise"),
        (np.zeros((40, 40, 3), np.uint8), "nano"),
        (np.zeros((40, 40, 3), np.uint16), "denoise"),
    ],
    ids=["grey", "photograph", "16-bit colour"],
)
def test_a_model_that_nobody_names_is_the_one_that_would_restore(image: Any, model: str) -> None:
    image[::2] = 200
    axes = "YXS" if image.ndim == 3 else "YX"  # 16-bit colour is not guessed
    _, record = adapt_with_record(image, axes=axes, steps=1, recipe=SMALL)
    assert record.model == model


def test_training_stops_when_nothing_improves_any_more() -> None:
    noisy = scene(32, 32) + 0.1 * RNG.standard_normal((32, 32))
    wild = replace(WILD, check_every=1, patience=2)
    _, record = adapt_with_record(noisy, model="nano", steps=500, recipe=wild)
    assert record.steps < 60
    assert record.kept_step in (0, record.steps - 2)


def test_noise_that_neighbours_share_teaches_nothing() -> None:
    noise = gaussian_filter(np.random.default_rng(2).standard_normal((64, 64)), 1.0)
    told: list[tuple[int, int]] = []
    network, record = adapt_with_record(
        scene(64, 64) + 0.4 * noise,
        model="nano",
        steps=9,
        recipe=SMALL,
        progress=lambda done, total: told.append((done, total)),
    )
    assert record.correlation > 0.2
    assert (record.kept, record.steps) == (False, 0)
    assert "share their noise" in str(record)
    assert same(network, load_model("nano"))
    assert told == [(9, 9)]


def test_correlation_tells_shared_noise_and_not_brightness() -> None:
    noise = np.random.default_rng(0).standard_normal((200, 200))

    def correlation(taken: np.ndarray[Any, Any]) -> float:
        images = torch.from_numpy(taken).float().expand(1, 3, 200, 200)
        return noise_correlation(images, torch.zeros(1, 3, 200, 200))

    assert correlation(noise) < 0.02
    assert correlation(noise + 5 * scene(200, 200)[:1] + 3) < 0.1
    assert correlation(gaussian_filter(noise, (0.0, 0.8))) > 0.2
    assert correlation(gaussian_filter(noise, (0.8, 0.0))) > 0.2


def salt_and_pepper(clean: np.ndarray[Any, Any], share: float) -> np.ndarray[Any, Any]:
    """Make so many of the pixels black or white."""
    noisy, drawn = clean.copy(), np.random.default_rng(4).random(clean.shape)
    noisy[drawn < share / 2], noisy[drawn > 1 - share / 2] = 0, 1
    return noisy


def test_shared_outliers_are_told_from_single_ones_by_their_values_alone() -> None:
    clean = np.full((200, 200), 0.25)
    # What a network leaves around outliers is what it took off from most pixels: smooth.
    blurred = gaussian_filter(salt_and_pepper(clean, 0.1), 2.0)

    def correlation(noisy: np.ndarray[Any, Any], loss: Any) -> float:
        pair = (torch.from_numpy(a).float().expand(1, 3, 200, 200) for a in (noisy, blurred))
        return noise_correlation(*pair, loss)

    single = salt_and_pepper(clean, 0.1)
    blocks = np.kron(salt_and_pepper(clean[::2, ::2], 0.1), np.ones((2, 2)))
    assert correlation(single, "l2") > 0.1
    assert correlation(single, "l1") < 0.05
    assert correlation(blocks, "l1") > 0.3


def test_outliers_are_learned_by_the_size_of_errors_and_not_by_their_squares() -> None:
    # The best constant is the mean of the targets for squares, and their median for sizes.
    noisy = torch.full((1, 3, 32, 32), 0.25)
    noisy[:, :, ::4, ::2] = 1.0  # an eighth of the pixels
    found = {}
    for loss in ("l2", "l1"):
        value = torch.tensor(0.5, requires_grad=True)
        optimiser = torch.optim.Adam([value], 0.02)
        for step in range(60):
            draw = torch.Generator().manual_seed(step)
            optimiser.zero_grad()
            neighbour_loss(
                lambda y, v=value: v + 0 * y, noisy, torch.ones(1, 1, 32, 32), 2.0, draw, loss
            ).backward()
            optimiser.step()
        found[loss] = value.item()
    assert found["l1"] == pytest.approx(0.25, abs=0.03)
    assert found["l2"] == pytest.approx(0.25 + 0.75 / 8, abs=0.03)


def test_a_loss_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="loss must be 'l2' or 'l1', not 'L1'"):
        adapt(scene(32, 32), model="nano", steps=1, loss="L1")  # type: ignore[arg-type]


def test_the_loss_reaches_training_held_out_pixels_and_the_card(tmp_path: Path) -> None:
    noisy = salt_and_pepper(scene(32, 32), 0.12)
    found = {}
    for loss in ("l2", "l1"):
        recipe = replace(KEEP, loss=loss, most_correlation=1.0)
        found[loss] = adapt_with_record(
            noisy, model="nano", intensity=(0, 1), steps=1, recipe=recipe
        )
    assert not same(found["l2"][0], found["l1"][0])
    # Sizes of values in [0, 1] are larger than their squares.
    assert found["l1"][1].unseen.before > found["l2"][1].unseen.before
    card = save_adapted(*found["l1"], tmp_path / "mine.safetensors")
    assert card.training["recipe"].endswith("loss l1")


@pytest.mark.slow
def test_same_seed_same_weights_and_none_of_the_callers_randomness() -> None:
    noisy = np.random.default_rng(1).poisson(scene(48, 48) * 3) / 3.0

    def run(seed: int) -> AnyIR:
        torch.rand(3)
        return adapt_with_record(noisy, model="nano", steps=2, seed=seed, recipe=KEEP)[0]

    one, two, other = run(0), run(0), run(1)
    assert same(one, two)
    assert not same(one, other)
    before = torch.random.get_rng_state()
    adapt_with_record(noisy, model="nano", steps=1, recipe=SMALL)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_run_that_time_ended_is_repeated_by_its_steps() -> None:
    noisy = scene(48, 48) + 0.3 * RNG.standard_normal((48, 48))
    timed, record = adapt_with_record(noisy, model="nano", minutes=0.005, recipe=KEEP)
    again, second = adapt_with_record(noisy, model="nano", steps=record.steps, recipe=KEEP)
    assert record.seconds < 20
    assert second.kept_step == record.kept_step
    assert same(timed, again)


def test_model_and_image_are_left_as_they_are(nano: AnyIR) -> None:
    noisy = (4000 * scene(40, 40)).astype(np.uint16)
    kept = noisy.copy()
    before = [w.clone() for w in weights(nano)]
    network, record = adapt_with_record(noisy, model=nano, steps=3, recipe=SMALL)
    assert network is not nano
    assert record.model == "custom"
    assert all(torch.equal(a, b) for a, b in zip(before, weights(nano), strict=True))
    np.testing.assert_array_equal(noisy, kept)
    assert all(not p.requires_grad for p in network.parameters())


@pytest.mark.slow
def test_stacks_of_every_kind_give_the_same_weights() -> None:
    stack = RNG.integers(100, 4000, (3, 40, 36), np.uint16)
    one, record = adapt_with_record(stack, axes="ZYX", model="nano", steps=2, recipe=KEEP)
    lazy, _ = adapt_with_record(
        da.from_array(stack, chunks=(1, 20, 36)), axes="ZYX", model="nano", steps=2, recipe=KEEP
    )
    assert record.planes == 3
    assert record.intensity[0][1] > 3000  # 16 bits: by percentiles, as in restore
    assert same(one, lazy)
    big = stack.astype(">u2")
    assert same(one, adapt_with_record(big, axes="ZYX", model="nano", steps=2, recipe=KEEP)[0])


def test_only_windows_are_read() -> None:
    read: list[int] = []
    array = RNG.integers(0, 255, (4, 512, 512), np.uint8)

    def block(part: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        read.append(part.size)
        return part

    lazy = da.from_array(array, chunks=(1, 64, 64)).map_blocks(block, dtype=np.uint8)
    read.clear()
    (source,) = open_sources(lazy, "TYX", "dtype")
    windows = NoisyWindows([source], torch.Generator().manual_seed(0))
    source.read(windows.draw(64))
    assert sum(read) <= 4 * 64 * 64


def test_progress_rises_to_its_total() -> None:
    noisy = RNG.random((32, 32))
    told: list[tuple[int, int]] = []
    adapt_with_record(
        noisy, model="nano", steps=4, recipe=SMALL, progress=lambda d, t: told.append((d, t))
    )
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    told.clear()
    adapt_with_record(
        noisy, model="nano", minutes=0.005, recipe=SMALL, progress=lambda d, t: told.append((d, t))
    )
    assert [d for d, _ in told] == sorted({d for d, _ in told})
    assert told[-1] == (1000, 1000)


def test_cancel_stops_before_the_next_step() -> None:
    stop = threading.Event()
    steps: list[int] = []

    def progress(done: int, total: int) -> None:
        steps.append(done)
        if done == 2:
            stop.set()

    with pytest.raises(napari_anyir.Cancelled):
        adapt_with_record(
            RNG.random((32, 32)),
            model="nano",
            steps=50,
            recipe=SMALL,
            progress=progress,
            cancel=stop,
        )
    assert steps == [1, 2]


HOLES = np.where(RNG.random((40, 40)) < 0.1, np.nan, 0.5)


@pytest.mark.parametrize(
    ("image", "options", "says"),
    [
        (HOLES, {}, "NaN"),
        (np.where(np.isnan(HOLES), np.inf, HOLES), {}, "infinite"),
        (np.zeros((0, 40)), {}, "no pixels"),
        (np.zeros((40, 31), np.uint8), {}, "at least 32 x 32"),
        (np.zeros((1, 1), np.uint8), {}, "at least 32 x 32"),
        (np.zeros((3, 40, 40), np.uint8), {}, "axes='CYX'"),
        ([], {}, "at least one"),
        ([np.zeros((40, 40))], {"axes": ["YX", "YX"]}, "1 images and 2 axes"),
        (np.zeros((40, 40)), {"minutes": 0}, "above 0"),
        (np.zeros((40, 40)), {"minutes": float("nan")}, "above 0"),
        (np.zeros((40, 40)), {"steps": 0}, "at least 1"),
        (np.zeros((40, 40)), {"seed": -1}, "at least 0"),
        (np.zeros((40, 40)), {"intensity": "much"}, "intensity"),
        (np.zeros((40, 40)), {"device": "cuda:77"}, "device|cuda"),
    ],
)
def test_what_cannot_be_adapted_to_is_one_sentence(
    image: Any, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        adapt(image, model="nano", **{"steps": 1, **options})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "options", [{"steps": 1.5}, {"minutes": "3"}, {"seed": True}, {"progress": 3}, {"cancel": 3}]
)
def test_wrong_types_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        adapt(np.zeros((40, 40)), model="nano", **options)


# --- saving ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_saved_model_is_a_model_with_a_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAPARI_ANYIR_MODELS", str(tmp_path / "models"))
    clean = scene(48, 48)
    noisy = np.random.default_rng(1).poisson(clean * 3).astype(np.uint16)
    network, record = adapt_with_record(noisy, model="nano", steps=5, recipe=KEEP)
    path = tmp_path / "new" / "mine.safetensors"
    card = save_adapted(network, record, path, images=["cells.tif"])
    assert find_model(path).training == card.training
    assert verify_model(find_model(path)) == card.sha256
    assert card.training["adapted_from"] == "nano"
    assert card.training["adapted_from_sha256"] == find_model("nano").sha256
    assert card.training["kept"] is True
    assert card.training["steps"] == 5
    assert card.training["images"] == ["cells.tif"]
    assert "CVPR 2021" in card.training["citation"][0]
    assert card.licence == find_model("nano").licence
    expected = napari_anyir.restore(noisy, model=network)
    np.testing.assert_array_equal(napari_anyir.restore(noisy, model=path), expected)
    added = add_model(path)
    assert added.training["adapted_from"] == "nano"
    np.testing.assert_array_equal(napari_anyir.restore(noisy, model="mine"), expected)
    assert sorted(p.name for p in path.parent.iterdir()) == ["mine.json", "mine.safetensors"]


def test_card_says_when_it_did_not_help(tmp_path: Path) -> None:
    network, record = adapt_with_record(
        RNG.random((32, 32)), model="nano", steps=2, recipe=replace(WILD, check_every=1)
    )
    card = save_adapted(network, record, tmp_path / "mine.safetensors")
    assert card.training["kept"] is False
    assert "did not surely help" in card.summary
    assert "did not surely help" in card.training["result"]


def test_nothing_is_replaced_unasked(tmp_path: Path) -> None:
    network, record = adapt_with_record(np.zeros((32, 32)), model="nano", steps=1, recipe=SMALL)
    path = tmp_path / "mine.safetensors"
    save_adapted(network, record, path)
    with pytest.raises(ValueError, match="exists already"):
        save_adapted(network, record, path)
    save_adapted(network, record, path, overwrite=True)
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(ValueError, match="card would replace"):
        check_target(tmp_path / "other.safetensors", overwrite=True)
    with pytest.raises(ValueError, match="cannot name"):
        check_target(tmp_path / "default.safetensors")


def test_batch_statistics_stay() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = AnyIR(replace(VARIANTS["nano"], gate_norm="batch"))
    source = NoisySource.open(RNG.random((32, 32)), None, "auto")
    run = SelfSupervised(network, [source], SMALL, 0, torch.device("cpu"))
    run.train(steps=2)
    for (name, kept), (_, new) in zip(
        network.named_buffers(), run.average.named_buffers(), strict=True
    ):
        assert torch.equal(kept, new), name
