"""Sets on disk: found under all their names, paired by rule, counted, and their traps told."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from napari_anyir.training.paper.protocols import (
    CDD11_FOLDERS,
    PROTOCOLS,
    Task,
    TestSet,
    find_protocol,
)
from napari_anyir.training.sets.layouts import (
    Finding,
    check,
    count_items,
    expected_items,
    find_test,
    find_training,
)
from napari_anyir.training.sets.pairing import (
    Folder,
    Pair,
    hazy_name,
    pair_files,
    rain_name,
    scan,
)

DENOISE = Task("denoise", 3, (15, 25, 50))
DERAIN = Task("derain", 120)
DEHAZE = Task("dehaze", 1)
DEBLUR = Task("deblur", 5)
LOW_LIGHT = Task("low-light", 20)
RAIN = TestSet("Rain100L", "rain100l")
SOTS = TestSet("SOTS outdoor", "sots-outdoor")
GOPRO = TestSet("GoPro", "gopro")
LOL = TestSet("LOL-v1", "lol-v1")


def touch(folder: Path, *names: str) -> Path:
    """Make empty files; pairing and counting never open one."""
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return folder


def fill(folder: Path, names: Iterator[str] | list[str]) -> None:
    """Make many empty files quickly."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        os.close(os.open(f"{folder}/{name}", os.O_CREAT | os.O_WRONLY))


def listed(tree: Folder, place: str, names: list[str]) -> None:
    """Put names into a tree as if files of these names had been found there."""
    for name in place.split("/"):
        tree = tree.folders.setdefault(name, Folder(tree.path / name))
    tree.images[:] = sorted(names)


def named(findings: list[Finding], name: str, split: str = "test") -> Finding:
    return next(f for f in findings if f.name == name and f.split == split)


# --- counts of the protocols ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """List the training sets of 3deg and 5deg: empty files, and the names of the larger sets."""
    root = tmp_path_factory.mktemp("everything") / "data"
    fill(root / "BSD400", [f"{i}.jpg" for i in range(400)])
    rain = root / "Rain100L" / "train"
    fill(rain / "rainy", [f"rain-{i}.png" for i in range(1, 201)])
    fill(rain / "gt", [f"norain-{i}.png" for i in range(1, 201)])
    for side in ("low", "high"):
        fill(root / "LOL-v1" / "our485" / side, [f"{i}.png" for i in range(485)])
        fill(root / "LOL-v1" / "eval15" / side, [f"{i}.png" for i in range(15)])
    tree = scan(root)
    listed(tree, "WED", [f"{i:05}.bmp" for i in range(1, 4745)])
    for side in ("blur", "sharp"):
        listed(tree, f"GoPro/train/{side}", [f"{i:06}.png" for i in range(2103)])
    listed(tree, "RESIDE/original", [f"{i:04}.jpg" for i in range(2061)])
    light = [f"{a}_{b}" for a in (0.8, 0.85, 0.9, 0.95, 1) for b in range(7)]
    for part, (first, last) in enumerate([(0, 520), (520, 1040), (1040, 1560), (1560, 2061)], 1):
        hazy = [f"{i:04}_{x}.jpg" for i in range(first, last) for x in light]
        listed(tree, f"RESIDE/synthetic/part{part}", hazy)
    return tree


@pytest.mark.slow
def test_made_up_trees_have_142431_and_162646_items(tree: Folder) -> None:
    three, five = find_protocol("3deg"), find_protocol("5deg")
    start = time.process_time()
    counts = count_items(tree, five)
    assert time.process_time() - start < 3
    assert counts == {
        "denoise": 46_296,
        "derain": 24_000,
        "dehaze": 72_135,
        "deblur": 10_515,
        "low-light": 9700,
    }
    assert sum(counts.values()) == 162_646
    # the same tasks, so that they need not be paired again
    assert set(three.tasks) < set(five.tasks)
    assert sum(counts[task.name] for task in three.tasks) == 142_431


def test_balanced_tree_has_127272_items_of_which_36400_hazy(tree: Folder) -> None:
    counts = count_items(tree, find_protocol("3deg-balanced"))
    assert counts == {"denoise": 66_872, "derain": 24_000, "dehaze": 36_400}
    assert sum(counts.values()) == 127_272


@pytest.mark.slow
def test_check_is_content_with_the_whole_tree(tree: Folder) -> None:
    findings = check(tree, [find_protocol("5deg")])
    trained = [f for f in findings if f.split == "train"]
    assert [(f.found, f.status) for f in trained] == [
        (n, "complete") for n in (400, 4744, 200, 72_135, 2103, 485)
    ]
    # empty files are no images, which is said where a set's colours are looked at
    assert [f.name for f in trained if f.notes] == ["BSD400"]
    assert named(findings, "LOL-v1").found == 15


# --- layouts --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "folders",
    [
        ("Rain100L/train/rainy", "Rain100L/train/gt"),
        ("rain_data_train_Light/rain", "rain_data_train_Light/norain"),
        ("Train/Derain/rainy", "Train/Derain/gt"),
        ("some/where/rain100l/TRAIN/Rainy", "some/where/rain100l/TRAIN/NoRain"),
        ("RainTrainL/rain", "RainTrainL/norain"),
    ],
)
def test_rain_is_paired_with_norain(tmp_path: Path, folders: tuple[str, str]) -> None:
    touch(tmp_path / folders[0], "rain-1.png", "rain-2.png", "rain-10.png")
    touch(tmp_path / folders[1], "norain-1.png", "norain-2.png", "norain-10.png")
    pairs = find_training(tmp_path, DERAIN)
    assert [pair.name for pair in pairs] == ["rain-1", "rain-10", "rain-2"]
    for pair in pairs:
        assert pair.degraded is not None
        assert pair.clean.name == f"no{pair.degraded.name}"
        assert pair.clean.is_file()


def test_input_and_target_have_equal_names(tmp_path: Path) -> None:
    for split, count in (("train", 3), ("test", 2)):
        for side in ("input", "target"):
            touch(tmp_path / "Rain100L" / split / side, *(f"{i}.png" for i in range(count)))
    assert len(find_training(tmp_path, DERAIN)) == 3
    assert [pair.name for pair in find_test(tmp_path, RAIN)] == ["0", "1"]


@pytest.mark.parametrize(
    ("files", "count"),
    [
        (("BSD400/1.jpg", "WED/1.bmp", "WED/2.bmp"), 3),
        (("Train/Denoise/1.jpg", "Train/Denoise/2.bmp"), 2),
        (("denoise/CBSD400/1.jpg", "denoise/WaterlooExplorationDatabase/pristine_images/1.bmp"), 2),
        (("bsd400_wed/1.jpg",), 1),
    ],
)
def test_denoising_images_lie_flat_or_in_two_folders(
    tmp_path: Path, files: tuple[str, ...], count: int
) -> None:
    touch(tmp_path, *files)
    pairs = find_training(tmp_path, DENOISE)
    assert len({pair.name for pair in pairs}) == len(pairs) == count
    assert all(pair.degraded is None and pair.clean.is_file() for pair in pairs)


def test_wed_alone_trains_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(tmp_path, "WED/1.bmp")
    assert len(find_training(tmp_path, DENOISE)) == 1
    assert "BSD400 is not below" in caplog.text


@pytest.mark.parametrize("gap", ["synthetic", "hazy", "Haze"])
def test_hazy_files_find_the_clean_one_up_to_the_underscore(tmp_path: Path, gap: str) -> None:
    touch(tmp_path / "RESIDE" / gap / "part1", "0025_0.8_0.04.jpg", "0025_1_0.1.jpg")
    touch(tmp_path / "RESIDE" / gap / "part2", "0026_1_0.2.jpg")
    touch(tmp_path / "RESIDE" / "original", "0025.jpg", "0025.png", "0026.png")
    if gap != "synthetic":
        (tmp_path / "RESIDE").rename(tmp_path / "OTS")
    pairs = find_training(tmp_path, DEHAZE)
    # the suffix of the hazy file first, then .png
    assert [pair.clean.name for pair in pairs] == ["0025.jpg", "0025.jpg", "0026.png"]
    only = find_training(tmp_path, Task("dehaze", 1, parts=(2,)))
    assert [pair.name for pair in only] == ["part2/0026_1_0.2"]
    with pytest.raises(FileNotFoundError, match=r"Part 3 of RESIDE .* lay|Part 3 of RESIDE"):
        find_training(tmp_path, Task("dehaze", 1, parts=(1, 3)))


@pytest.mark.parametrize("sides", [("blur", "sharp"), ("input", "target")])
def test_gopro_in_two_folders(tmp_path: Path, sides: tuple[str, str]) -> None:
    for split in ("train", "test"):
        for side in sides:
            touch(tmp_path / "GoPro" / split / side, f"{split}.png")
    (trained,), (tested,) = find_training(tmp_path, DEBLUR), find_test(tmp_path, GOPRO)
    assert (trained.name, tested.name) == ("train", "test")
    assert tested.degraded is not None
    assert tested.degraded.parent.name == sides[0]


def test_gopro_in_its_original_tree_never_blur_gamma(tmp_path: Path) -> None:
    for split, sequences in (("train", ("GOPR0372_07_00", "GOPR0384_11_01")), ("test", ("GOPR1",))):
        for sequence in sequences:
            for side in ("blur", "blur_gamma", "sharp"):
                touch(tmp_path / "GOPRO_Large" / split / sequence / side, "000047.png", "48.png")
    pairs = find_training(tmp_path, DEBLUR)
    assert [pair.name for pair in pairs[:3]] == [
        "GOPR0372_07_00/000047",
        "GOPR0372_07_00/48",
        "GOPR0384_11_01/000047",
    ]
    assert all(p.degraded is not None and p.degraded.parent.name == "blur" for p in pairs)
    assert len(pairs) == 4
    assert len(find_test(tmp_path, GOPRO)) == 2
    note = named(check(tmp_path), "GoPro", "train").notes
    assert any("blur_gamma lies beside blur and is not used" in text for text in note)


@pytest.mark.parametrize("sides", [("blur", "sharp"), ("input", "target")])
def test_gopro_with_its_sequences_below_blur_and_sharp(
    tmp_path: Path, sides: tuple[str, str]
) -> None:
    for split, sequences in (("train", ("GOPR0372_07_00", "GOPR0384_11_01")), ("test", ("GOPR1",))):
        for sequence in sequences:
            for side in (*sides, "blur_gamma"):
                touch(tmp_path / "GoPro" / split / side / sequence, "000047.png", "48.png")
    pairs = find_training(tmp_path, DEBLUR)
    assert [pair.name for pair in pairs] == [
        f"GOPR{name}/{number}"
        for name in ("0372_07_00", "0384_11_01")
        for number in ("000047", "48")
    ]
    for pair in pairs:
        assert pair.degraded is not None
        assert pair.degraded.parts[-3:-1] == (sides[0], pair.name.split("/")[0])
        assert pair.clean.parts[-3:-1] == (sides[1], pair.name.split("/")[0])
    assert len(find_test(tmp_path, GOPRO)) == 2


def test_without_bsd400_epochs_are_those_of_the_authors_runs(
    tree: Folder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    denoise = find_protocol("3deg").tasks[0]
    assert denoise.items(len(find_training(tree, denoise, bsd=False))) == 42_696
    for name, items, steps in (("3deg", 138_831, 4338), ("5deg", 159_046, 4970)):
        assert sum(expected_items(find_protocol(name), bsd=False).values()) == items
        assert items // 32 == steps  # "epoch=78-step=342702" is 79 x 4,338
    # In one folder they are told apart by name: WED's are 00001 to 04744, BSD's other numbers.
    touch(tmp_path / "Denoise", "00001.bmp", "04744.png", "100075.jpg", "2092.jpg", "12003.jpg")
    names = {pair.clean.name for pair in find_training(tmp_path, denoise, bsd=False)}
    assert names == {"00001.bmp", "04744.png"}
    assert "WED has 2 images" in caplog.text
    assert len(find_training(tmp_path, denoise)) == 5


def test_no_wed_is_told_where_only_it_is_wanted(tmp_path: Path) -> None:
    touch(tmp_path / "Denoise", "100075.jpg")
    with pytest.raises(FileNotFoundError, match="lay WED out in a folder of its name"):
        find_training(tmp_path, find_protocol("3deg").tasks[0], bsd=False)


@pytest.mark.parametrize("bright", ["high", "gt"])
def test_low_light(tmp_path: Path, bright: str) -> None:
    for split, count in (("our485", 3), ("eval15", 2)):
        for side in ("low", bright):
            touch(tmp_path / "LOLdataset" / split / side, *(f"{i}.png" for i in range(count)))
    assert len(find_training(tmp_path, LOW_LIGHT)) == 3
    assert len(find_test(tmp_path, LOL)) == 2


def test_other_sets_of_similar_names_are_not_taken(tmp_path: Path) -> None:
    for folder in ("LOL-v2/Real_captured/Train", "LOL-v2/Synthetic/Train"):
        touch(tmp_path / folder, "low/1.png", "high/1.png")
    touch(tmp_path / "Rain100H" / "train", "rainy/rain-1.png", "gt/norain-1.png")
    touch(tmp_path / "HIDE" / "test", "blur/1.png", "sharp/1.png")
    touch(tmp_path / "BSD400_gray", "1.png")
    assert {finding.status for finding in check(tmp_path)} == {"missing"}


def test_cdd11_has_eleven_folders_and_one_truth(tmp_path: Path) -> None:
    for split, numbers in (("train", range(3)), ("test", range(2))):
        for folder in ("clear", *CDD11_FOLDERS):
            names = [f"{i:05}.png" for i in numbers]
            touch(tmp_path / f"CDD-11_{split}" / folder, *names)
    protocol = find_protocol("cdd11")
    pairs = find_training(tmp_path, protocol.tasks[0])
    assert len(pairs) == len({pair.name for pair in pairs}) == 33
    assert {pair.clean.parent.name for pair in pairs} == {"clear"}
    assert count_items(tmp_path, protocol) == {"cdd11": 198}
    for test in protocol.tests:
        found = find_test(tmp_path, test)
        assert [pair.clean.name for pair in found] == ["00000.png", "00001.png"]
        assert found[0].degraded is not None
        assert found[0].degraded.parent.name == test.layout.split("/")[1]
    # none of its folders is taken for rain, haze or low light of another set
    rest = {f.name for f in check(tmp_path) if f.status != "missing"}
    assert rest == {"CDD-11"}


def test_zero_shot_and_denoising_tests(tmp_path: Path) -> None:
    touch(tmp_path / "CSD" / "Test", "Gt/1.tif", "Snow/1.tif", "Mask/1.tif")
    touch(tmp_path / "UIEB", "raw-890/2_img_.png", "reference-890/2_img_.png")
    touch(tmp_path / "CBSD68", "original_png/3096.png", "noisy15/3096.png")
    touch(tmp_path / "Urban100", "img_001.png")
    touch(tmp_path / "SOTS" / "outdoor", "hazy/0001_0.8_0.2.jpg", "gt/0001.png")
    touch(tmp_path / "SOTS" / "indoor", "hazy/1400_1.png", "gt/1400.png")
    for name in ("zeroshot-snow", "zeroshot-underwater", "denoise", "dehaze"):
        for test in find_protocol(name).tests:
            (pair,) = find_test(tmp_path, test)
            assert pair.clean.is_file()
    (pair,) = find_test(tmp_path, TestSet("CBSD68 sigma 15", "cbsd68", 15))
    assert pair.clean.parent.name == "original_png"
    (pair,) = find_test(tmp_path, SOTS)
    assert pair.clean.parent == tmp_path / "SOTS" / "outdoor" / "gt"


def test_the_tree_of_the_codes_before(tmp_path: Path) -> None:
    touch(tmp_path / "test" / "dehaze", "input/0001_0.8_0.2.jpg", "target/0001.png")
    touch(tmp_path / "test" / "derain" / "Rain100L", "input/1.png", "target/1.png")
    touch(tmp_path / "test" / "denoise" / "bsd68", "1.jpg")
    touch(tmp_path / "test" / "deblur" / "gopro", "input/1.png", "target/1.png")
    touch(tmp_path / "test" / "enhance" / "lol", "low/1.png", "gt/1.png")
    touch(tmp_path / "Train" / "Derain", "rainy/rain-1.png", "gt/norain-1.png")
    touch(tmp_path / "Train" / "Dehaze", "synthetic/part1/1_1_0.1.jpg", "original/1.jpg")
    touch(tmp_path / "Train" / "Deblur", "blur/1.png", "sharp/1.png")
    touch(tmp_path / "Train" / "Enhance", "low/1.png", "gt/1.png")
    touch(tmp_path / "Train" / "Denoise", "1.bmp")
    protocol = find_protocol("5deg")
    for task in protocol.tasks:
        assert len(find_training(tmp_path, task)) == 1
    for test in protocol.tests:
        assert len(find_test(tmp_path, test)) == 1


def test_rain_in_one_folder_or_beside(tmp_path: Path) -> None:
    beside, one = tmp_path / "beside" / "Rain100L", tmp_path / "one" / "Rain100L"
    touch(beside, "norain-001.png", "rainy/rain-001.png")
    touch(one, "norain-001.png", "rain-001.png", "norain-002.png", "rain-002.png")
    assert len(find_test(tmp_path / "beside", RAIN)) == 1
    pairs = find_test(tmp_path / "one", RAIN)
    assert [(p.name, p.clean.name) for p in pairs] == [
        ("rain-001", "norain-001.png"),
        ("rain-002", "norain-002.png"),
    ]


def test_parts_of_reside_beside_the_clear_images(tmp_path: Path) -> None:
    touch(tmp_path / "OTS", "part1/1_1_0.1.jpg", "part2/2_1_0.1.jpg", "clear/1.jpg", "clear/2.jpg")
    assert [pair.name for pair in find_training(tmp_path, DEHAZE)] == [
        "part1/1_1_0.1",
        "part2/2_1_0.1",
    ]
    assert len(find_training(tmp_path, Task("dehaze", 1, parts=(2,)))) == 1


def test_folders_within_folders_of_the_same_name(tmp_path: Path) -> None:
    touch(tmp_path / "UIEB", "raw-890/raw-890/1.png", "reference-890/reference-890/1.png")
    touch(tmp_path / "CBSD68" / "CBSD68", "1.png")
    (pair,) = find_test(tmp_path, TestSet("UIEB", "uieb"))
    assert pair.clean.is_file()
    assert len(find_test(tmp_path, TestSet("CBSD68 sigma 15", "cbsd68", 15))) == 1


def test_trap_images_to_test_denoising_are_not_trained_on(tmp_path: Path) -> None:
    touch(tmp_path / "test" / "denoise", "1.png")
    with pytest.raises(FileNotFoundError, match="Neither BSD400 nor WED"):
        find_training(tmp_path, DENOISE)


def test_the_root_may_be_the_set_itself(tmp_path: Path) -> None:
    touch(tmp_path / "Rain100L", "rainy/rain-1.png", "norain/norain-1.png")
    assert len(find_test(tmp_path / "Rain100L", RAIN)) == 1
    touch(tmp_path / "CBSD68", "1.png")
    assert len(find_test(tmp_path / "CBSD68", TestSet("CBSD68", "cbsd68", 25))) == 1


def test_what_is_no_photograph_is_not_counted(tmp_path: Path) -> None:
    touch(tmp_path / "WED", "1.bmp", "._1.bmp", "Thumbs.db", "readme.txt", "2.BMP")
    touch(tmp_path / "__MACOSX" / "WED", "._1.bmp")
    (tmp_path / "WED" / "circle").symlink_to(tmp_path)
    assert len(find_training(tmp_path, DENOISE)) == 2


def test_linked_folders_are_followed_and_counted_once(tmp_path: Path) -> None:
    touch(tmp_path / "disk" / "Rain100L" / "test", "input/1.png", "target/1.png")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "Rain100L").symlink_to(tmp_path / "disk" / "Rain100L")
    assert len(find_test(tmp_path / "data", RAIN)) == 1
    assert len(find_test(tmp_path, RAIN)) == 1


def test_the_real_sets_for_development(shared: Path) -> None:
    counts = {
        test.name: len(find_test(shared / "dev", test)) for test in find_protocol("dev").tests
    }
    assert counts == {
        "CBSD68 sigma 15": 68,
        "CBSD68 sigma 25": 68,
        "CBSD68 sigma 50": 68,
        "Rain100L": 25,
        "LOL-v1": 15,
        "SOTS indoor": 10,
        "GoPro": 3,
    }
    finding = named(check(shared / "dev"), "CBSD68")
    assert (finding.status, finding.notes) == ("complete", ())


# --- traps ----------------------------------------------------------------------------------------


def test_trap_only_blur_gamma(tmp_path: Path) -> None:
    touch(tmp_path / "GoPro" / "train", "blur_gamma/1.png", "sharp/1.png")
    with pytest.raises(FileNotFoundError, match="has blur_gamma but no blur"):
        find_training(tmp_path, DEBLUR)
    assert named(check(tmp_path), "GoPro", "train").status == "unusable"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (("part1/1_1_0.1.jpg", "part2/1_1_0.2.jpg"), "Parts 3, 4 are missing"),
        (("part1/1_1_0.1.jpg", "part7/1_1_0.2.jpg"), "Part 7 is not one of the protocol's"),
        (("part1/1_4_0.90179.png",), "named as the images of the indoor training set"),
        (("1_1_0.1.jpg",), "no part folders, so 3deg-balanced cannot be trained"),
    ],
)
def test_trap_wrong_parts_of_reside(tmp_path: Path, files: tuple[str, ...], said: str) -> None:
    touch(tmp_path / "RESIDE" / "synthetic", *files)
    touch(tmp_path / "RESIDE" / "original", "1.jpg")
    notes = named(check(tmp_path), "RESIDE outdoor (OTS)", "train").notes
    assert any(said in note for note in notes), notes


def test_trap_more_hazy_images_than_the_protocol_has() -> None:
    tree = Folder(Path("RESIDE"))
    listed(tree, "hazy/part1", [f"{i:05}_1_0.1.jpg" for i in range(72_136)])
    listed(tree, "clear", ["00001.jpg"])
    finding = named(check(tree, [find_protocol("dehaze")]), "RESIDE outdoor (OTS)", "train")
    assert any("72,136 hazy images are more than the 72,135" in note for note in finding.notes)


@pytest.mark.parametrize("count", [492, 500])
def test_trap_492_instead_of_500(tmp_path: Path, count: int) -> None:
    tree = Folder(tmp_path)
    hazy = [f"{i % 492:04}_{1 - 0.1 * (i // 492)}_0.1.jpg" for i in range(count)]
    listed(tree, "SOTS/outdoor/hazy", hazy)
    listed(tree, "SOTS/outdoor/gt", [f"{i:04}.png" for i in range(492)])
    finding = named(check(tree), "SOTS outdoor")
    assert finding.found == count
    if count == 492:
        assert finding.status == "differs"
        assert any("has 492 pairs" in note for note in finding.notes)
    else:
        assert finding.status == "complete"
        assert any("share 492 clean ones" in note for note in finding.notes)


def test_trap_missing_partner(tmp_path: Path) -> None:
    touch(tmp_path / "Rain100L" / "train", "rainy/rain-1.png", "rainy/rain-2.png")
    touch(tmp_path / "Rain100L" / "train", "gt/norain-1.png", "gt/norain-3.png")
    with pytest.raises(
        FileNotFoundError, match=r"^1 of 2 images of Rain100L .* first is 'rain-2.png'"
    ):
        find_training(tmp_path, DERAIN)
    finding = named(check(tmp_path), "Rain100L", "train")
    assert finding.found == 1
    assert any("1 degraded files have no clean partner" in note for note in finding.notes)
    assert any("'norain-3.png'" in note for note in finding.notes)


def test_trap_no_partner_folder(tmp_path: Path) -> None:
    touch(tmp_path / "LOL-v1" / "our485", "low/1.png")
    with pytest.raises(FileNotFoundError, match="has low but no partner folder high or gt"):
        find_training(tmp_path, LOW_LIGHT)


def test_trap_files_not_found_says_how_to_lay_them_out(tmp_path: Path) -> None:
    for task in (DERAIN, DEHAZE, DEBLUR, LOW_LIGHT, Task("cdd11", 6), DENOISE):
        with pytest.raises(FileNotFoundError, match=r"lay (it|them) out as ROOT/"):
            find_training(tmp_path, task)
    for protocol in PROTOCOLS.values():
        for test in protocol.tests:
            with pytest.raises(FileNotFoundError, match="lay it out as ROOT/"):
                find_test(tmp_path, test)
    with pytest.raises(FileNotFoundError, match="No folder"):
        check(tmp_path / "absent")


def test_trap_two_copies_none_is_guessed(tmp_path: Path) -> None:
    touch(tmp_path / "a" / "Rain100L" / "test", "input/1.png", "target/1.png")
    touch(tmp_path / "b" / "Rain100L" / "test", "input/1.png", "target/1.png")
    with pytest.raises(ValueError, match="Two folders could be Rain100L"):
        find_test(tmp_path, RAIN)
    assert any("fits as well" in note for note in named(check(tmp_path), "Rain100L").notes)


def test_the_copy_with_the_right_count_is_taken_and_the_other_told(tmp_path: Path) -> None:
    names = [f"{i}.png" for i in range(100)]
    touch(tmp_path / "a" / "Rain100L" / "test", "input/1.png", "target/1.png")
    for side in ("input", "target"):
        fill(tmp_path / "b" / "Rain100L" / "test" / side, names)
    assert len(find_test(tmp_path, RAIN)) == 100
    assert any("(1) fits less well" in note for note in named(check(tmp_path), "Rain100L").notes)


def test_trap_a_test_set_is_never_trained_on(tmp_path: Path) -> None:
    touch(tmp_path / "Rain100L", "rainy/rain-1.png", "norain/norain-1.png")
    with pytest.raises(FileNotFoundError, match="says neither train nor test, and its 1 images"):
        find_training(tmp_path, DERAIN)
    for side, name in (("rainy", "rain"), ("norain", "norain")):
        fill(tmp_path / "Rain100L" / side, [f"{name}-{i}.png" for i in range(2, 201)])
    assert len(find_training(tmp_path, DERAIN)) == 200
    with pytest.raises(FileNotFoundError, match="says neither train nor test"):
        find_test(tmp_path, RAIN)


def test_validation_parts_are_neither(tmp_path: Path) -> None:
    touch(tmp_path / "GoPro" / "val", "blur/1.png", "sharp/1.png")
    for findings in (named(check(tmp_path), "GoPro", split) for split in ("train", "test")):
        assert findings.found == 0


def test_trap_grey_copies_of_colour_sets(tmp_path: Path) -> None:
    (tmp_path / "CBSD68").mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "CBSD68" / "1.png")
    assert any("is grey" in note for note in named(check(tmp_path), "CBSD68").notes)


def test_trap_clean_images_with_a_frame_around(tmp_path: Path) -> None:
    for folder, size in (("hazy", (620, 460)), ("gt", (640, 480))):
        (tmp_path / "SOTS" / "indoor" / folder).mkdir(parents=True)
        name = "1400_1.png" if folder == "hazy" else "1400.png"
        Image.new("RGB", size).save(tmp_path / "SOTS" / "indoor" / folder / name)
    notes = named(check(tmp_path), "SOTS indoor").notes
    assert any("is 620 x 460 but its clean partner 640 x 480" in note for note in notes)


def test_counts_that_differ_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(tmp_path / "Rain100L" / "test", "input/1.png", "target/1.png")
    with caplog.at_level(logging.INFO, "napari_anyir.training"):
        find_test(tmp_path, RAIN)
    assert "the protocol counts 100" in caplog.text
    assert str(tmp_path / "Rain100L" / "test") in caplog.text


# --- rules ----------------------------------------------------------------------------------------


def test_rules_of_names() -> None:
    assert rain_name("rain-3")[0] == "norain-3"
    assert rain_name("rainy_day")[-1] == "rainy_day"
    assert hazy_name("1400_1")[0] == "1400"


def test_folders_of_equal_names_are_paired_within() -> None:
    files = ["a/1.png", "b/1.png"]
    pairs, without, unused = pair_files(Path("x"), files, Path("y"), files)
    assert [(p.degraded, p.clean) for p in pairs] == [
        (Path("x") / file, Path("y") / file) for file in files
    ]
    assert (without, unused) == ([], [])
    assert pairs[0] == Pair("a/1", Path("y/a/1.png"), Path("x/a/1.png"))


def test_scan_counts_and_stops_at_its_depth(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.png", "a/b/2.png", "a/b/c/3.png")
    assert scan(tmp_path).count() == 3
    assert scan(tmp_path, depth=1).count() == 1
    assert isinstance(scan(tmp_path).folders["a"], Folder)


def test_finding_files_needs_no_torch(run_python: object) -> None:
    code = "import sys, napari_anyir.training.sets.layouts; print('torch' in sys.modules)"
    assert run_python(code) == "False"  # type: ignore[operator]
    assert "napari_anyir.training.sets.layouts" in sys.modules
