"""Planes: read, written and counted."""

from __future__ import annotations

import numpy as np
import pytest

from napari_anyir.inference.axes import Layout
from napari_anyir.inference.planes import PlaneProgress, read_plane, write_plane


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


def told(planes: int, reports: list[list[tuple[int, int]]]) -> list[tuple[int, int]]:
    seen: list[tuple[int, int]] = []
    report = PlaneProgress(lambda done, total: seen.append((done, total)), planes)
    for steps in reports:
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
