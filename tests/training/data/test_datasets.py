"""Items of an epoch: their order, their noise, and that nothing but seed and number counts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.io import imsave
from torch.utils.data import DataLoader

from napari_anyir.degradations import RandomDegradation
from napari_anyir.training.data.datasets import FolderSet, Item, PairSet, ProtocolSet, unit
from napari_anyir.training.data.sampling import EpochOrder, EpochSampler
from napari_anyir.training.paper.protocols import Task
from napari_anyir.training.pixels.cache import MemoryImages
from napari_anyir.training.pixels.cache_file import open_cache
from napari_anyir.training.pixels.cropping import Cropping, add_noise
from napari_anyir.training.sets.layouts import find_training
from napari_anyir.training.sets.pairing import Pair, find_pairs

DENOISE = Task("denoise", 2, (15, 25, 50))
DERAIN = Task("derain", 3)


def ramp(height: int, width: int, blue: int = 0) -> np.ndarray:
    """Make an image whose pixels tell where they are: red the row, green the column."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows, columns, np.full_like(rows, blue)], -1).astype(np.uint8)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    rain = tmp_path / "Rain100L" / "train"
    for folder in (tmp_path / "WED", rain / "rainy", rain / "gt"):
        folder.mkdir(parents=True)
    for number in range(3):
        imsave(tmp_path / "WED" / f"{number}.png", ramp(70, 90, number), check_contrast=False)
    for number in range(2):
        imsave(rain / "gt" / f"norain-{number}.png", ramp(50, 60), check_contrast=False)
        imsave(rain / "rainy" / f"rain-{number}.png", ramp(50, 60, 200), check_contrast=False)
    return tmp_path


def protocol_set(root: Path, seed: int = 0, **options: object) -> ProtocolSet:
    found = [(task, find_training(root, task)) for task in (DENOISE, DERAIN)]
    options = {"cropping": Cropping(32), **options}
    return ProtocolSet(found, seed=seed, **options)  # type: ignore[arg-type]


def same(first: Item, second: Item) -> bool:
    values = zip(first, second, strict=True)
    return all(torch.equal(torch.as_tensor(a), torch.as_tensor(b)) for a, b in values)


# --- what an epoch holds --------------------------------------------------------------------------


def test_each_image_is_repeated_as_the_task_says(root: Path) -> None:
    data = protocol_set(root)
    assert len(data) == 3 * 2 * 3 + 2 * 3
    assert data.counts == [18, 6]
    shown = Counter(
        (w, pair.name, sigma) for w, pair, sigma in map(data.describe, range(len(data)))
    )
    assert set(shown.values()) == {2, 3}
    assert shown[0, "WED/1", 25] == 2
    assert shown[1, "rain-0", 0] == 3
    assert len(shown) == 9 + 2


def test_shared_repeats_give_each_image_every_sigma_in_turn(root: Path) -> None:
    task = Task("denoise", 4, (15, 25, 50), shared=1)
    data = ProtocolSet([(task, find_training(root, task))])
    assert len(data) == 13 * 3
    for epoch in range(3):
        sigmas = Counter(data.describe(number, epoch)[2] for number in range(len(data)))
        assert sigmas == {15: 13, 25: 13, 50: 13}
    last = [data.describe(36, epoch)[2] for epoch in range(3)]
    assert sorted(last) == [15, 25, 50]


def test_items_are_crops_of_one_place_with_task_and_sigma(root: Path) -> None:
    data = protocol_set(root)
    for number in (0, 7, 17, 18, 23):
        item = data[number]
        assert item.degraded.shape == item.clean.shape == (3, 32, 32)
        assert item.degraded.dtype == item.clean.dtype == torch.uint8
        which, pair, sigma = data.describe(number)
        assert (item.task, item.sigma) == (which, sigma)
        if not sigma:  # rain differs in blue only: same place, same turn
            assert torch.equal(item.degraded[:2], item.clean[:2])
            assert (item.degraded[2] == 200).all()
            assert (item.clean[2] == 0).all()
        else:
            assert (item.clean[2] == int(pair.name[-1])).all()
            noise = item.degraded.float() - item.clean.float()
            assert noise[1].std() > 0.5 * sigma


def test_trap_a_sigma_belongs_to_its_item_not_to_a_place_in_a_list(root: Path) -> None:
    one = ProtocolSet([(Task("denoise", 1, (50, 15)), find_training(root, DENOISE))])
    assert [one[number].sigma for number in range(6)] == [50, 50, 50, 15, 15, 15]


def test_the_centre_is_cut_to_a_multiple_of_16_before_the_crop(root: Path) -> None:
    # 70 x 90 becomes 64 x 80 around its centre: rows 3 to 66, columns 5 to 84
    data = protocol_set(root)
    rows, columns = set(), set()
    for epoch in range(60):
        clean = data[epoch * len(data)].clean
        rows |= set(clean[0].unique().tolist())
        columns |= set(clean[1].unique().tolist())
    assert (min(rows), max(rows), min(columns), max(columns)) == (3, 66, 5, 84)


def test_flips_are_drawn_and_rotations_are_a_switch(root: Path) -> None:
    def turns(cropping: Cropping) -> set[tuple[int, ...]]:
        data = protocol_set(root, cropping=cropping)
        seen = set()
        for epoch in range(60):
            crop = data[epoch * len(data)].clean.int()
            down, right = crop[:2, 1, 0] - crop[:2, 0, 0], crop[:2, 0, 1] - crop[:2, 0, 0]
            seen.add((*down.tolist(), *right.tolist()))
        return seen

    assert len(turns(Cropping(32))) == 4
    assert len(turns(Cropping(32, rotations=True))) == 8
    assert turns(Cropping(32, flips=False)) == {(1, 0, 0, 1)}
    assert turns(Cropping(32, always=True)) == turns(Cropping(32, rotations=True)) - {(1, 0, 0, 1)}
    with pytest.raises(ValueError, match="turns anyway"):
        Cropping(32, rotations=True, always=True)


def test_cdd11_draws_folder_and_image_at_random_if_asked(tmp_path: Path) -> None:
    sizes = {"low": 2, "haze": 8}
    pairs = [
        Pair(f"{folder}/{number}", tmp_path / f"{number}.png", tmp_path / folder / f"{number}.png")
        for folder, count in sizes.items()
        for number in range(count)
    ]
    task = Task("cdd11", 60)
    listed = ProtocolSet([(task, pairs)])
    drawn = ProtocolSet([(task, pairs)], draw="random", seed=1)
    again = ProtocolSet([(task, pairs)], draw="random", seed=1)
    assert len(listed) == len(drawn) == 600
    every = Counter(listed.describe(number)[1].name for number in range(600))
    assert set(every.values()) == {60}
    some = [drawn.describe(number)[1].name for number in range(600)]
    assert some == [again.describe(number)[1].name for number in range(600)]
    assert some != [drawn.describe(number, epoch=1)[1].name for number in range(600)]
    # The folder first: each as often as the other, though one has four times the images.
    low = sum(name.startswith("low/") for name in some)
    assert 240 < low < 360
    assert len(set(Counter(some).values())) > 1


def test_smaller_images_are_extended_by_reflection() -> None:
    image = ramp(20, 40)
    (crop,) = Cropping(48, flips=False)(np.random.default_rng(0), image)
    assert crop.shape == (48, 48, 3)
    # 16 rows 2 to 17, then back
    assert crop[:, 0, 0].tolist()[:20] == [*range(2, 18), 16, 15, 14, 13]
    (tiny,) = Cropping(16)(np.random.default_rng(0), ramp(1, 1))
    assert tiny.shape == (16, 16, 3)


# --- noise ----------------------------------------------------------------------------------------


def test_noise_is_truncated_and_rounding_is_the_switch() -> None:
    grey = np.full((400, 400, 3), 128, np.uint8)
    bias = {
        storage: add_noise(grey, 25, np.random.default_rng(0), storage).mean() - 128
        for storage in ("truncate", "round")
    }
    assert bias["truncate"] == pytest.approx(-0.5, abs=0.1)
    assert bias["round"] == pytest.approx(0, abs=0.1)
    dark = add_noise(np.zeros((50, 50, 3), np.uint8), 25, np.random.default_rng(0))
    assert dark.min() == 0
    assert 40 < dark.max() < 140  # clipped, not wrapped around


def test_storage_reaches_the_items(root: Path) -> None:
    first, second = protocol_set(root)[0], protocol_set(root, storage="round")[0]
    difference = second.degraded.int() - first.degraded.int()
    assert set(difference.unique().tolist()) == {0, 1}
    with pytest.raises(ValueError, match="'truncate' or 'round'"):
        protocol_set(root, storage="floor")


# --- seeds ----------------------------------------------------------------------------------------


def test_an_item_depends_on_seed_epoch_and_number_alone(root: Path) -> None:
    data, again = protocol_set(root), protocol_set(root)
    for number in (5, 20, 5):
        assert same(data[number], again[number])
    length = len(data)
    assert not same(data[5], data[5 + length])
    assert not same(data[5], protocol_set(root, seed=1)[5])
    later = data[5 + 2 * length]
    data.set_epoch(2)
    assert same(data[5], later)


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_workers_give_the_same_items_even_if_they_live_on(root: Path) -> None:
    data = protocol_set(root)
    alone = [data[number] for number in range(len(data), 2 * len(data))]
    loader = DataLoader(data, batch_size=4, num_workers=2, persistent_workers=True)
    next(iter(loader))
    data.set_epoch(1)
    clean = torch.cat([batch.clean for batch in loader])
    assert torch.equal(clean, torch.stack([item.clean for item in alone]))
    sampler = EpochSampler(len(data), seed=3)
    sampler.set_epoch(4)
    data.set_epoch(0)
    numbers = list(sampler)
    shuffled = DataLoader(data, batch_size=4, sampler=sampler, num_workers=1)
    degraded = torch.cat([batch.degraded for batch in shuffled])
    assert torch.equal(degraded, torch.stack([data[number].degraded for number in numbers]))


def test_all_ways_to_keep_images_give_the_same_items(root: Path, tmp_path: Path) -> None:
    plain = protocol_set(root)
    kept = MemoryImages(plain.paths())
    file = open_cache(tmp_path / "pixels", plain.paths())
    for images in (kept, file):
        other = protocol_set(root, images=images)
        assert all(same(plain[number], other[number]) for number in range(0, len(plain), 5))


def test_an_item_may_ask_for_another_side(root: Path) -> None:
    data = protocol_set(root)
    assert data[(3, 16)].degraded.shape == (3, 16, 16)
    assert same(data[(3, 32)], data[3])
    with pytest.raises(IndexError):
        data[-1]


# --- order and shards -----------------------------------------------------------------------------


@pytest.mark.parametrize("world", [1, 2, 3])
def test_trap_shards_of_several_devices_do_not_overlap(world: int) -> None:
    for epoch in range(2):
        shares = []
        for rank in range(world):
            sampler = EpochSampler(20, seed=7, rank=rank, world=world)
            sampler.set_epoch(epoch)
            shares.append(list(sampler))
            assert len(sampler) == len(shares[-1]) == 20 // world
        flat = [number for share in shares for number in share]
        assert len(set(flat)) == len(flat) == 20 // world * world
        assert all(number // 20 == epoch for number in flat)
    with pytest.raises(ValueError, match="Device 2 is none of 2"):
        EpochSampler(20, rank=2, world=2)
    with pytest.raises(ValueError, match="cannot be divided"):
        EpochSampler(1, rank=0, world=2)


def test_an_epoch_can_be_resumed_within() -> None:
    whole = list(EpochSampler(20, seed=1, rank=1, world=2))
    rest = EpochSampler(20, seed=1, rank=1, world=2, start=6)
    assert len(rest) == 4
    assert list(rest) == whole[6:]
    rest.set_epoch(1)
    assert len(list(rest)) == 10


def test_epochs_are_shuffled_anew() -> None:
    order = EpochOrder(50, seed=0)
    epochs = [[order[n] % 50 for n in range(50 * e, 50 * (e + 1))] for e in range(3)]
    assert all(sorted(epoch) == list(range(50)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    assert EpochOrder(50, seed=1)[0] != order[0] or EpochOrder(50, seed=1)[1] != order[1]
    with pytest.raises(ValueError, match="at least one"):
        EpochOrder(0)


# --- one's own images -----------------------------------------------------------------------------


def test_any_two_folders_are_pairs(tmp_path: Path) -> None:
    for side, blue in (("bad", 9), ("good", 0)):
        (tmp_path / side / "in").mkdir(parents=True)
        imsave(tmp_path / side / "a.png", ramp(40, 40, blue), check_contrast=False)
        imsave(tmp_path / side / "in" / "a.png", ramp(40, 48, blue), check_contrast=False)
    (tmp_path / "good" / "a.png").rename(tmp_path / "good" / "a.bmp")
    imsave(tmp_path / "good" / "a.bmp", ramp(40, 40), check_contrast=False)
    pairs = find_pairs(tmp_path / "bad", tmp_path / "good")
    assert [(pair.name, pair.clean.suffix) for pair in pairs] == [("a", ".bmp"), ("in/a", ".png")]
    data = PairSet(pairs, repeats=3, cropping=Cropping(16))
    assert len(data) == 6
    assert data.tasks == ("pairs",)
    assert not same(data[0], data[2])  # repeats are other crops
    for number in range(6):
        item = data[number]
        assert torch.equal(item.degraded[:2], item.clean[:2])
        assert int(item.degraded[2].max()) == 9
    assert len(data.paths()) == 4


def test_pairs_that_do_not_fit_are_told(tmp_path: Path) -> None:
    for side, sizes in (("bad", (40, 40)), ("good", (40, 48))):
        (tmp_path / side).mkdir()
        imsave(tmp_path / side / "a.png", ramp(*sizes), check_contrast=False)
    data = PairSet(find_pairs(tmp_path / "bad", tmp_path / "good"))
    with pytest.raises(ValueError, match=r"40 x 40 but its clean partner .* is 48 x 40"):
        data[0]
    imsave(tmp_path / "bad" / "b.png", ramp(8, 8), check_contrast=False)
    with pytest.raises(FileNotFoundError, match=r"1 of 2 images .* the first is 'b.png'"):
        find_pairs(tmp_path / "bad", tmp_path / "good")
    with pytest.raises(ValueError, match="named twice"):
        find_pairs(tmp_path / "bad", tmp_path / "bad")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="No images"):
        find_pairs(tmp_path / "empty", tmp_path / "good")
    with pytest.raises(ValueError, match="no degraded image"):
        PairSet([Pair("a", tmp_path / "good" / "a.png", None)])


def test_nothing_to_train_on_is_told() -> None:
    with pytest.raises(ValueError, match="'derain' has no image"):
        ProtocolSet([(DERAIN, [])])
    with pytest.raises(ValueError, match="nothing to train on"):
        ProtocolSet([])
    with pytest.raises(ValueError, match="repeats"):
        PairSet([], repeats=0)
    with pytest.raises(ValueError, match="positive"):
        Cropping(0)


def test_any_folder_of_photographs_is_degraded_on_the_fly(root: Path) -> None:
    kinds = RandomDegradation({"noise": 1.0, "haze": 1.0, "micrograph": 1.0})
    data = FolderSet(root / "WED", repeats=8, degrade=kinds, cropping=Cropping(32, multiple=1))
    again = FolderSet(root / "WED", repeats=8, degrade=kinds, cropping=Cropping(32, multiple=1))
    assert len(data) == 24
    assert data.tasks == ("noise", "haze", "micrograph")
    seen = set()
    for number in range(24):
        item = data[number]
        assert item.degraded.dtype == item.clean.dtype == torch.float32
        assert item.degraded.shape == item.clean.shape == (3, 32, 32)
        assert 0 <= item.degraded.min() <= item.degraded.max() <= 1
        assert not torch.equal(item.degraded, item.clean)
        assert same(item, again[number])
        seen.add(item.task)
    assert seen == {0, 1, 2}
    with pytest.raises(FileNotFoundError, match="No folder"):
        FolderSet(root / "absent")


def test_units() -> None:
    assert unit(torch.tensor([51], dtype=torch.uint8)).item() == pytest.approx(0.2)
    assert unit(torch.tensor([0.3])).item() == pytest.approx(0.3)
