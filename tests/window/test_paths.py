"""Real windows: each path lives to its end, whatever image is open; a crash or an error fails it.

Tests of widgets on a viewer without a window, and of windows without napari's own event loop, do
not show what ends a process.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

pytestmark = [pytest.mark.window, pytest.mark.slow]

KINDS = ("stack", "series", "photo", "multiscale", "lazy")


def check(played: Callable, path: str, kind: str) -> None:
    done = played(path, kind)
    told = f"{path} on {kind} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert done.returncode == 0, told
    assert "the event loop has ended" in done.stdout, told


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("path", ["restore"])
def test_the_main_job_lives_on_every_image(path: str, kind: str, played: Callable) -> None:
    check(played, path, kind)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("restore_by_kind", "series"),
        ("restore_by_kind", "photo"),
        ("restore_by_kind", "grey_photo"),
        ("compare", "series"),
        ("compare", "multiscale"),
        ("degrade", "photo"),
        ("folder", "stack"),
        ("look_inside", "lazy"),
        ("what_if", "multiscale"),
        ("analyses", "stack"),
        ("again", "stack"),
        ("learn", "series"),
        ("tabs", "stack"),
        ("nothing_is_cut", "series"),
    ],
)
def test_every_job_lives(path: str, kind: str, played: Callable) -> None:
    check(played, path, kind)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("restore_ends", "long"),
        ("degrade_ends", "deep"),
        ("folder_ends", "long"),
        ("look_inside_ends", "wide"),
        ("what_if_ends", "wide"),
        ("analyses_ends", "wide"),
    ],
)
def test_a_run_may_be_ended_by_anything(path: str, kind: str, played: Callable) -> None:
    check(played, path, kind)
