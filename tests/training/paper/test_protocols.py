"""Protocols as data: what the paper and its lineage say, and nothing that cannot be trained."""

from __future__ import annotations

import pytest

from napari_anyir.training.paper.protocols import PROTOCOLS, Task, find_protocol
from napari_anyir.training.sets.catalogue import find_layout

# images on disk: BSD400 and WED, Rain100L, RESIDE, GoPro, LOL-v1, CDD-11
IMAGES = {
    "denoise": 400 + 4744,
    "derain": 200,
    "dehaze": 72_135,
    "deblur": 2103,
    "low-light": 485,
    "cdd11": 11 * 1183,
}


def total(name: str, **images: int) -> int:
    counts = IMAGES | images
    return sum(task.items(counts[task.name]) for task in find_protocol(name).tasks)


def test_epochs_have_the_items_of_the_papers() -> None:
    assert total("3deg") == 142_431
    assert total("5deg") == 162_646
    assert total("cdd11") == 78_078
    assert total("denoise") == 46_296
    assert total("derain") == 24_000
    assert total("3deg", denoise=4744) == 142_431 - 46_296 + 42_696


def test_balanced_epoch_is_89_percent_of_the_original() -> None:
    tasks = {task.name: task for task in find_protocol("3deg-balanced").tasks}
    assert tasks["denoise"].items(IMAGES["denoise"]) == 13 * 5144
    assert tasks["dehaze"].parts == (1, 2)
    assert total("3deg-balanced", dehaze=36_400) == 127_272
    assert round(127_272 / 142_431, 2) == 0.89


def test_names_and_zero_shot_checkpoints() -> None:
    expected = "3deg 5deg cdd11 zeroshot-snow zeroshot-underwater denoise derain dehaze"
    assert {*expected.split(), "3deg-balanced", "dev"} <= set(PROTOCOLS)
    for name, protocol in PROTOCOLS.items():
        assert protocol.name == name
        assert bool(protocol.tasks) == bool(protocol.epochs)
        if protocol.trained_by:
            assert find_protocol(protocol.trained_by).tasks
    assert PROTOCOLS["zeroshot-snow"].trained_by == "3deg"
    assert PROTOCOLS["zeroshot-underwater"].trained_by == "5deg"
    assert [PROTOCOLS[name].epochs for name in ("3deg", "5deg", "cdd11")] == [120, 130, 150]


def test_every_test_set_has_a_layout_and_noise_comes_in_the_order_of_its_stream() -> None:
    for protocol in PROTOCOLS.values():
        sigmas = [test.sigma for test in protocol.tests if test.layout == "cbsd68"]
        assert sigmas == sorted(sigmas)
        for test in protocol.tests:
            assert find_layout("test", test.layout).split == "test"
            assert (test.sigma is None) == (test.layout not in ("cbsd68", "urban100"))
            assert test.sigma is None or test.name.endswith(f"sigma {test.sigma}")
    assert len(PROTOCOLS["3deg"].tests) == len(PROTOCOLS["5deg"].tests) == 5
    assert [test.sigma for test in PROTOCOLS["5deg"].tests].count(25) == 1


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'7deg'; known are 3deg, 5deg, .*dev"):
        find_protocol("7deg")
    with pytest.raises(ValueError, match=r"'desnow'; known are denoise"):
        Task("desnow", 1)
    with pytest.raises(ValueError, match="Unknown layout 'nothing' to test"):
        find_layout("test", "nothing")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("denoise", 3), "Sigmas"),  # a sigma must not be chosen by silence
        (("derain", 1, (15,)), "Sigmas"),
        (("derain", 0), "at least once"),
        (("derain", -1), "at least once"),
        (("derain", 1, (), (1,)), "Parts"),
        (("dehaze", 1, (), ()), "Parts"),
        (("derain", 1, (), None, 1), "shared"),
    ],
)
def test_tasks_that_make_no_sense_are_refused(arguments: tuple[object, ...], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Task(*arguments)  # type: ignore[arg-type]
