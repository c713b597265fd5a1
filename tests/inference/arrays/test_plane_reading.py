"""Planes: read, written and counted."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_anyir.inference.arrays import plane_reading, statistics
from napari_anyir.inference.arrays.axes import Layout
from napari_anyir.inference.arrays.plane_reading import (
    find_range,
    read_plane,
    row_bands,
    write_plane,
)
from napari_anyir.inference.volumes.plane_restoration import PlaneProgress, planes_together


@pytest.mark.parametrize(
    ("axes", "shape"),
    [("YX", (4, 5)), ("ZYX", (3, 4, 5)), ("SYX", (3, 4, 5)), ("YCXS", (4, 2, 5, 3))],
)
def test_written_planes_are_those_read(axes: str, shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).random(shape)
    layout = Layout(axes, shape)
    copy = np.zeros_like(array)
    for plane in layout.indices():
        values = read_plane(array, layout, plane)
        assert values.shape == ((4, 5, 3) if "S" in axes else (4, 5))
        write_plane(copy, layout, plane, values)
    np.testing.assert_array_equal(copy, array)


def told(
    count: int, reports: list[list[tuple[int, int]]], together: int = 1
) -> list[tuple[int, int]]:
    seen: list[tuple[int, int]] = []
    report = PlaneProgress(lambda done, total: seen.append((done, total)), count)
    for number, steps in enumerate(reports):
        report.begin(min(together, count - number * together))
        for done, total in steps:
            report(done, total)
        report.finish()
    return seen


def test_steps_of_all_planes_are_one_count() -> None:
    assert told(2, [[(1, 2), (2, 2)]] * 2) == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_planes_without_steps_count_as_one() -> None:
    assert told(3, [[], [], []]) == [(1, 3), (2, 3), (3, 3)]


def test_more_steps_later_keep_the_total() -> None:
    # tiles that were halved for lack of memory: the count goes back and starts again
    seen = told(2, [[(1, 2), (2, 2)], [(1, 2), (1, 8), (4, 8), (8, 8)]])
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_planes_that_go_together_are_counted_one_by_one() -> None:
    seen = told(5, [[(1, 2), (2, 2)]] * 2 + [[(1, 1)]], together=2)
    assert seen == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]


def test_bands_follow_the_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plane_reading, "_VALUES", 1000)
    layout = Layout("ZYXS", (2, 100, 30, 3))

    class Chunked:
        def __init__(self, chunks: object) -> None:
            self.chunks = chunks

    def stops(array: object) -> list[int]:
        return [rows.stop for rows in row_bands(array, layout)]

    assert stops(None) == [*range(11, 100, 11), 100]
    assert stops(Chunked((1, 4, 30, 3))) == [*range(8, 100, 8), 100]
    assert stops(Chunked((1, 40, 30, 3))) == [40, 80, 100]
    assert stops(Chunked(((1, 1), (25, 75), (30,), (3,)))) == [75, 100]


def test_range_of_bands_is_that_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    array = np.random.default_rng(0).random((3, 50, 40)) * 7
    layout = Layout("ZYX", array.shape)
    whole = find_range(array, layout, "range")
    monkeypatch.setattr(plane_reading, "_VALUES", 333)
    assert find_range(array, layout, "range") == whole
    monkeypatch.setattr(statistics, "EXACT", 500)  # by samples, whose rows bands must not shift
    sampled = find_range(array, layout, "range")
    assert sampled != whole
    monkeypatch.setattr(plane_reading, "_VALUES", 2**24)
    assert find_range(array, layout, "range") == sampled


def test_only_small_planes_on_a_processor_go_together() -> None:
    cpu, card = torch.device("cpu"), torch.device("cuda")
    small, large = Layout("ZYX", (9, 256, 256)), Layout("ZYX", (9, 257, 256))
    assert planes_together(small, cpu, changed=False) > 1
    assert planes_together(small, cpu, changed=True) == 1
    assert planes_together(small, card, changed=False) == 1
    assert planes_together(large, cpu, changed=False) == 1
