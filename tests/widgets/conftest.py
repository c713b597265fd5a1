"""What the widget tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Run torch on one thread: tiny images gain nothing from more, and wait on a busy machine."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def fresh_settings(request, monkeypatch, tmp_path) -> None:
    """Let no test start with the choices of another; a test that wants napari's own says so."""
    if request.node.get_closest_marker("window") or "in_its_preferences" in request.node.name:
        return
    from napari_anyir.widgets.kit import last_choices

    monkeypatch.setattr(last_choices, "_napari_section", lambda section: None)
    monkeypatch.setattr(last_choices, "_file", lambda: tmp_path / "settings" / "napari-anyir.json")


@pytest.fixture
def finish(qtbot) -> Callable[..., None]:
    """Return a function that waits until a widget's runner is idle."""

    def wait(runner, timeout: int = 60_000) -> None:
        qtbot.waitUntil(lambda: not runner.running, timeout=timeout)

    return wait


@pytest.fixture
def cell_of() -> Callable[..., tuple[int, int]]:
    """Return a function that gives row and column of a layer in the grid, on any napari."""
    from napari_anyir.widgets.layers.viewer import grid

    def find(viewer, layer) -> tuple[int, int]:
        view, layers = grid(viewer), viewer.layers
        try:
            return tuple(view.position(layers.index(layer), layers))
        except TypeError:  # before 0.8 napari wants to know how many layers there are
            return tuple(view.position(layers.index(layer), len(layers)))

    return find
