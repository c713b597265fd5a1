"""What every test shares: private napari settings, and a clear word where there is no display."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_anyir.model import AnyIR

# Set before anything imports napari: otherwise a test inherits the settings and the window size of
# the person who runs it, and leaves its own behind. The folder lives as long as this module does,
# which is as long as the run.
_settings = tempfile.TemporaryDirectory(prefix="napari-anyir-tests-")
os.environ["NAPARI_CONFIG"] = str(Path(_settings.name) / "settings.yaml")

# A shell lets what it starts in the background ignore Ctrl-C, and processes started from there too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Fixtures behind which Qt starts; without a display Qt ends the whole process, not one test.
_WINDOW_FIXTURES = {"qtbot", "qapp", "make_napari_viewer", "make_napari_viewer_proxy"}


def _no_display() -> bool:
    return (
        sys.platform.startswith("linux")
        and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
        and "QT_QPA_PLATFORM" not in os.environ
    )


def _load_triton_first(items: list[pytest.Item]) -> None:
    """Load torch's compiler before the first window.

    Mesa draws windows in software with one copy of LLVM, and triton brings another: where Mesa's
    is loaded first, loading triton's ends the process. Lightning, which trains, loads it; no widget
    does, which tests/widgets/test_manners.py holds.
    """
    if not any(set(getattr(item, "fixturenames", ())) & _WINDOW_FIXTURES for item in items):
        return
    with contextlib.suppress(ImportError):
        import triton  # noqa: F401


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a screen where there is none, naming the command that gives one."""
    if not _no_display():
        _load_triton_first(items)
        return
    skip = pytest.mark.skip(reason="needs a display: run `make test`, or xvfb-run -a pytest")
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if item.get_closest_marker("window") or fixtures & _WINDOW_FIXTURES:
            item.add_marker(skip)


@pytest.fixture
def repository() -> Path:
    """Return the top of the source tree; skip where the tests were taken out of it."""
    top = Path(__file__).resolve().parents[1]
    if not (top / "pyproject.toml").is_file():
        pytest.skip("the source tree is not here")
    return top


@pytest.fixture(scope="session")
def nano() -> AnyIR:
    """Return a `nano` network with fixed random weights, in evaluation mode."""
    import torch

    from napari_anyir.model import build_model

    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build_model("nano").eval().requires_grad_(False)


@pytest.fixture
def shared() -> Path:
    """Return the folder of real images for development; skip where there is none."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real images for development are not here")
    return folder


@pytest.fixture
def run_python() -> Callable[[str], str]:
    """Return a function that runs code in a fresh interpreter and gives what it prints."""

    def run(code: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    return run
