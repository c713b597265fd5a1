"""What every test shares: private napari settings, and a clear word where there is no display."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_anyir.model import AnyIR

# Set before anything imports napari: otherwise a test inherits the settings and the window size of
# the person who runs it, and leaves its own behind. The folder lives as long as this module does,
# which is as long as the run.
_settings = tempfile.TemporaryDirectory(prefix="napari-anyir-tests-")
os.environ["NAPARI_CONFIG"] = str(Path(_settings.name) / "settings.yaml")

# Without a card Triton's kernels run in its interpreter. That is chosen as Triton is imported, so
# before anything that does so, PyTorch's compiler for one.
if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")

# A shell lets what it starts in the background ignore Ctrl-C, and processes started from there too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# spandrel brings torchvision, whose operators torchmetrics and Lightning need to be imported.
if importlib.util.find_spec("torchvision"):
    from napari_anyir.weights.torchvision_operators import declare_operators

    declare_operators()

# Fixtures behind which Qt starts; without a display Qt ends the whole process, not one test.
_WINDOW_FIXTURES = {"qtbot", "qapp", "make_napari_viewer", "make_napari_viewer_proxy"}

# What cannot even be collected where napari and Qt cannot be imported.
_QT_ROOMS = ("tests/widgets", "tests/window", "src/napari_anyir/widgets")

_TOP = Path(__file__).resolve().parents[1]
_no_window = pytest.StashKey[str]()
_no_qt = pytest.StashKey[bool]()
_skipped = pytest.StashKey[int]()


def _try_qt(statement: str) -> str:
    """Run a statement on Qt in a process of its own, since Qt ends it; return what went wrong."""
    code = f"import napari; from qtpy.QtWidgets import QApplication; {statement}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    said = [line for line in done.stderr.splitlines() if line.strip()]
    # Qt says what is wrong first and lists its plugins last; Python says what is wrong last.
    told = [line for line in said if "could not" in line.lower()] or said[-1:]
    return told[0] if told else f"exit status {done.returncode}"


def _what_to_do() -> str:
    """Return the sentence that names the missing system packages, if that is what is missing."""
    script = _TOP / ".ci" / "system_packages.py"
    if not script.is_file():
        return ""
    done = subprocess.run(
        [sys.executable, str(script), "window"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def pytest_configure(config: pytest.Config) -> None:
    """Find out whether a window can be opened; where it cannot, plan to skip what needs one."""
    if not sys.platform.startswith("linux"):
        return
    wrong = _try_qt("QApplication([])")
    if not wrong:
        return
    why = _what_to_do() or (
        f"Qt cannot open a window ({wrong}): run `make test`, or xvfb-run -a pytest."
    )
    if os.environ.get("CI"):
        raise pytest.UsageError(f"In continuous integration windows are tested: {why}")
    config.stash[_no_window], config.stash[_skipped] = why, 0
    config.stash[_no_qt] = bool(_try_qt("pass"))
    if config.stash[_no_qt]:
        config.option.ignore_glob = [
            *(config.option.ignore_glob or []),
            *(f"{_TOP / room}/*" for room in _QT_ROOMS),
        ]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> Iterator[None]:
    """Say in one line, at the end, what was not tested for want of a window, and what to do."""
    yield
    if _no_window not in config.stash:
        return
    ignored = _QT_ROOMS if config.stash[_no_qt] else ()
    skipped = config.stash[_skipped]
    if not (ignored or skipped):
        return
    what = [f"{skipped} tests that need a window"] if skipped else []
    what += [f"all of {', '.join(ignored)}"] if ignored else []
    terminalreporter.write_line(
        f"Skipped {' and '.join(what)}. {config.stash[_no_window]}", yellow=True
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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what needs a window where none can be opened."""
    if _no_window not in config.stash:
        _load_triton_first(items)
        return
    skip = pytest.mark.skip(reason="needs a window, see the end")
    for item in items:
        window = item.get_closest_marker("window") or (
            set(getattr(item, "fixturenames", ())) & _WINDOW_FIXTURES
        )
        if window or (config.stash[_no_qt] and item.get_closest_marker("qt")):
            item.add_marker(skip)
            config.stash[_skipped] += 1


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


@pytest.fixture(scope="session")
def foreign() -> Any:
    """Return tests/foreign_checkpoints.py, which makes other people's networks."""
    place = Path(__file__).with_name("foreign_checkpoints.py")
    spec = importlib.util.spec_from_file_location(place.stem, place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
