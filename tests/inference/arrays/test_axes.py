"""Axes: what is guessed, what is refused, and where the planes are."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from napari_anyir.inference import check_axes, guess_axes
from napari_anyir.inference.arrays.axes import Layout


@pytest.mark.parametrize(
    ("shape", "dtype", "axes"),
    [
        ((7, 9), "uint8", "YX"),
        ((1, 1), "float64", "YX"),
        ((3, 4), "uint8", "YX"),
        ((64, 48, 3), "uint8", "YXS"),
        ((64, 48, 4), "float32", "YXS"),
        ((64, 48, 3), ">f8", "YXS"),
        ((64, 48, 3), "float16", "YXS"),
        ((5, 64, 48), "uint16", "ZYX"),
        ((1, 64, 48), "uint8", "ZYX"),
        ((64, 48, 5), "uint8", "ZYX"),
        ((3, 4, 64, 48), "uint16", "TZYX"),
        ((2, 64, 48, 3), "uint8", "ZYXS"),
        ((3, 2, 64, 48, 3), "float32", "TZYXS"),
        ((2, 5, 3, 64, 48), "int16", "TZCYX"),
        ((2, 5, 3, 64, 48, 4), "uint8", "TZCYXS"),
        ((0, 5), "uint8", "YX"),
    ],
)
def test_guess(shape: tuple[int, ...], dtype: str, axes: str) -> None:
    assert guess_axes(shape, dtype) == axes
    assert check_axes(axes, shape, dtype) == axes


@pytest.mark.parametrize("first", [3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_channels_first_is_refused_with_both_readings(first: int, dtype: str) -> None:
    with pytest.raises(ValueError, match=r"more than one way") as caught:
        guess_axes((first, 64, 48), dtype)
    assert "axes='CYX'" in str(caught.value)
    assert "axes='SYX'" in str(caught.value)
    assert "axes='YXS'" not in str(caught.value)


def test_three_rows_of_colour_name_all_readings() -> None:
    with pytest.raises(ValueError, match="more than one way") as caught:
        guess_axes((3, 64, 3), "uint8")
    assert all(f"axes='{axes}'" in str(caught.value) for axes in ("CYX", "YXS", "SYX"))


@pytest.mark.parametrize(
    ("shape", "colour", "planes"),
    [((64, 48, 3), "YXS", "ZYX"), ((2, 64, 48, 4), "ZYXS", "TZYX")],
)
def test_last_axis_of_other_integers_is_refused(
    shape: tuple[int, ...], colour: str, planes: str
) -> None:
    with pytest.raises(ValueError, match="two ways") as caught:
        guess_axes(shape, "uint16")
    assert f"axes='{colour}'" in str(caught.value)
    assert f"axes='{planes}'" in str(caught.value)


@pytest.mark.parametrize("shape", [(), (5,)])
def test_too_few_axes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="at least rows and columns"):
        guess_axes(shape, "uint8")


def test_too_many_axes() -> None:
    with pytest.raises(ValueError, match="reshape"):
        guess_axes((2, 2, 2, 2, 8, 8), "uint8")


@pytest.mark.parametrize(
    ("labels", "shape", "axes"),
    [
        (("t", "c", "y", "x"), (3, 2, 8, 8), "TCYX"),
        (("Time", "Channels", "height", "width"), (3, 2, 8, 8), "TCYX"),
        (("y", "x"), (8, 8, 3), "YXS"),
        (("c", "y", "x"), (3, 8, 8), "CYX"),
        (("x", "y"), (8, 8), "XY"),
        # napari's own labels, and others that do not name all axes, say nothing
        (("axis -2", "axis -1"), (8, 8), "YX"),
        (("0", "1", "2"), (5, 8, 8), "ZYX"),
        (("z", "banana", "x"), (5, 8, 8), "ZYX"),
        (("y", "y"), (8, 8), "YX"),
        (("t", "z"), (8, 8), "YX"),
    ],
)
def test_labels(labels: tuple[str, ...], shape: tuple[int, ...], axes: str) -> None:
    assert guess_axes(shape, "uint8", labels) == axes


@pytest.mark.parametrize(
    ("axes", "shape", "word"),
    [
        ("YXQ", (8, 8, 3), "unknown letter 'Q'"),
        ("YY", (8, 8), "Y twice"),
        ("ZYX", (8, 8), "3 axes"),
        ("", (8, 8), "0 axes"),
        ("ZX", (8, 8), "lacks Y"),
        ("ZY", (8, 8), "lacks X"),
        ("YXS", (8, 8, 5), "5 elements"),
        ("YXS", (8, 8, 1), "1 elements"),
    ],
)
def test_wrong_letters(axes: str, shape: tuple[int, ...], word: str) -> None:
    with pytest.raises(ValueError, match=word) as caught:
        check_axes(axes, shape, "uint8")
    message = str(caught.value)
    assert message.endswith(".")
    assert "\n" not in message


def test_letters_must_be_text() -> None:
    with pytest.raises(TypeError, match="must be a string"):
        check_axes(("Y", "X"), (8, 8))  # type: ignore[arg-type]


@pytest.mark.parametrize("axes", ["".join(p) for p in itertools.permutations("CYXS")])
def test_planes_are_found_in_any_order(axes: str) -> None:
    sizes = {"C": 2, "Y": 5, "X": 7, "S": 3}
    shape = tuple(sizes[letter] for letter in axes)
    array = np.arange(np.prod(shape)).reshape(shape)
    layout = Layout(axes, shape)
    moved = array.transpose(layout.order)
    assert moved.shape == (2, 5, 7, 3)
    np.testing.assert_array_equal(moved.transpose(layout.inverse), array)
    assert layout.count == 2
    for plane in layout.indices():
        found = array[layout.index(plane)].transpose(layout.plane_order)
        np.testing.assert_array_equal(found, moved[plane])


def test_a_single_plane_has_one_empty_index() -> None:
    assert list(Layout("YX", (2, 3)).indices()) == [()]
    assert Layout("ZYX", (0, 2, 3)).count == 0
