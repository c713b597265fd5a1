"""Plays the paths ahead, two at a time: each in a process of its own, under the same display."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# These run in the processes that are started here, and import each other there.
collect_ignore = ["eyes.py", "hands.py", "images.py", "paths.py", "stage.py"]
TIMEOUT = 240

Played = subprocess.CompletedProcess[str]


def _play(name: str, kind: str, folder: Path) -> Played:
    environment = {
        **os.environ,
        "NAPARI_CONFIG": str(folder / "settings.yaml"),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(HERE),
    }
    (folder / "files").mkdir(parents=True)
    return subprocess.run(
        [sys.executable, str(HERE / "stage.py"), name, kind, str(folder / "files")],
        env=environment,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=TIMEOUT,
        cwd=folder,
        stdin=subprocess.DEVNULL,
    )


@pytest.fixture(scope="session")
def _started(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[tuple[str, str], Future[Played]]]:
    wanted = [
        tuple(item.callspec.params[key] for key in ("path", "kind"))
        for item in request.session.items
        if Path(item.path).parent == HERE and "path" in getattr(item, "fixturenames", ())
    ]
    folder = tmp_path_factory.mktemp("window")
    with ThreadPoolExecutor(2) as pool:
        yield {
            (name, kind): pool.submit(_play, name, kind, folder / f"{name}-{kind}")
            for name, kind in wanted
        }
        pool.shutdown(cancel_futures=True)


@pytest.fixture
def played(_started: dict[tuple[str, str], Future[Played]]) -> Callable[[str, str], Played]:
    """Return a function that gives what became of a path on an image."""
    return lambda name, kind: _started[name, kind].result()
