"""How long napari's window ever fails to answer while a large image is restored.

``python -m benchmarks.responsiveness 2048`` (on a screen, or in ``xvfb-run -a``) opens napari with
a noisy image of 2048 x 2048 pixels, restores it through the *Restore image* widget and listens to
a timer that should tick in the window's thread every 5 ms. A gap between two ticks is time in which
the window answered nobody. It prints the median, the 99th percentile and the worst gap of each
stretch: the window at rest; napari alone, when another layer of this size is added and removed with
nothing running; the restoration; the moment at which its result becomes a layer; and at rest again.

The machine's part is told apart twice. A second process that does nothing but tick shows what the
machine did to anyone in the same seconds. And "own" gaps leave out the time in which the window's
thread was ready but waited for a processor (Linux tells): with one processor for the window and the
network, that is most of it. For every gap above the limit, it prints where the window stood.

``--json FILE`` writes the numbers, ``--threads 1`` limits torch, ``--rgb`` takes a colour image.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import os
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

EVERY = 0.005
"""Seconds between two ticks."""

LIMIT = 0.1
"""Longest gap, in seconds, that a user takes for an answer at once."""

DEPTH = 8
"""How many callers are named where the window was late."""


def queued() -> float:
    """Seconds that the calling thread was ready to run and got no processor, since it began.

    Linux tells; elsewhere it is not known, and 0.
    """
    place = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat")
    return int(place.read_text().split()[1]) / 1e9 if place.exists() else 0.0


@dataclass
class Ticks:
    """Times of ticks, of one thread or process.

    Parameters
    ----------
    times : list of float
        By `time.perf_counter`, which on one machine counts alike in all processes.
    queues : list of float
        As `queued` tells at each tick.
    """

    times: list[float] = field(default_factory=list)
    queues: list[float] = field(default_factory=list)

    def tick(self) -> None:
        """Note the time."""
        self.times.append(time.perf_counter())
        self.queues.append(queued())

    def gaps(self, start: float, stop: float, *, own: bool = False) -> np.ndarray[Any, Any]:
        """Return the seconds between ticks, of all gaps that end between two times.

        Of ``own`` gaps the time is left out in which the thread waited for a processor.
        """
        times = np.asarray(self.times)
        values = np.diff(times) - (np.diff(self.queues) if own else 0)
        return values[(times[1:] >= start) & (times[1:] < stop)]


def summarise(gaps: np.ndarray[Any, Any]) -> dict[str, float]:
    """Return median, 99th percentile and worst gap in milliseconds, and their number."""
    if not gaps.size:
        return {"count": 0, "median": 0.0, "p99": 0.0, "worst": 0.0}
    values = 1000 * gaps
    return {
        "count": int(gaps.size),
        "median": round(float(np.median(values)), 1),
        "p99": round(float(np.percentile(values, 99)), 1),
        "worst": round(float(values.max()), 1),
    }


def tick_alone(connection: Connection) -> None:
    """Tick until told to stop, then send all times: the process that the window is compared to."""
    ticks = Ticks()
    while not connection.poll(EVERY):
        ticks.tick()
    connection.send((ticks.times, ticks.queues))


class Watcher(threading.Thread):
    """Notes where the window's thread stands whenever its ticks are late.

    Parameters
    ----------
    ticks : Ticks
        Of the window.
    limit : float
        Seconds without a tick.
    """

    def __init__(self, ticks: Ticks, limit: float) -> None:
        super().__init__(daemon=True)
        self._ticks, self._limit = ticks, limit
        self._window = threading.main_thread().ident
        self.places: dict[float, str] = {}
        self._over = threading.Event()

    def run(self) -> None:
        """Look every 20 ms."""
        while not self._over.wait(0.02):
            last = self._ticks.times[-1] if self._ticks.times else time.perf_counter()
            if time.perf_counter() - last > self._limit and last not in self.places:
                frame = sys._current_frames().get(self._window or 0)
                stack = traceback.extract_stack(frame)[-DEPTH:]
                del frame  # it would keep the window's variables, such as painters, alive
                self.places[last] = " < ".join(
                    f"{Path(step.filename).name}:{step.lineno} {step.name}"
                    for step in reversed(stack)
                )

    def stop(self) -> None:
        """Stop looking."""
        self._over.set()
        self.join()


def wait(until: Callable[[], bool], seconds: float) -> None:
    """Let the window work until something is so, as its own event loop would."""
    from qtpy.QtCore import QEventLoop, QTimer

    loop, check = QEventLoop(), QTimer()
    end = time.monotonic() + seconds
    check.timeout.connect(lambda: loop.quit() if until() or time.monotonic() > end else None)
    check.start(20)
    loop.exec()


def measure(size: int, *, rgb: bool, model: str, idle: float, patience: float) -> dict[str, Any]:
    """Restore one image in a real window and return the gaps of each stretch."""
    import napari
    from qtpy.QtCore import Qt, QTimer

    shape = (size, size, 3) if rgb else (size, size)
    image = np.random.default_rng(0).integers(0, 255, shape, np.uint8)
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1366, 768)
    layer = viewer.add_image(image, name="noise", rgb=rgb)
    _, widget = viewer.window.add_plugin_dock_widget("napari-anyir", "Restore image")
    widget.form.layer_box.choose(layer)
    widget.form.model_box.setCurrentText(model)
    widget.form.device_box.setCurrentText("cpu")
    wait(lambda: not widget.form._probe.running, 120)

    here, there = multiprocessing.Pipe()
    other = multiprocessing.get_context("spawn").Process(target=tick_alone, args=(there,))
    other.start()
    ticks = Ticks()
    timer = QTimer()
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.timeout.connect(ticks.tick)
    timer.start(round(1000 * EVERY))
    watcher = Watcher(ticks, LIMIT)
    wait(lambda: False, 2.0)  # the second process starts
    watcher.start()

    marks = {"rest": time.perf_counter()}
    wait(lambda: False, idle)
    # What napari alone takes to draw a second layer of this size, with nothing running.
    marks["napari"] = time.perf_counter()
    twin = viewer.add_image(image.copy(), rgb=rgb, **({} if rgb else {"contrast_limits": (0, 255)}))
    wait(lambda: False, 1.0)
    viewer.layers.remove(twin)
    wait(lambda: False, 1.0)
    widget.form.layer_box.choose(layer)
    marks["run"] = time.perf_counter()
    widget.run_button.click()
    wait(lambda: len(viewer.layers) > 1 or not widget.runner.running, patience)
    # The layer is there once the tick that follows it has been seen: it belongs to the adding.
    added = len(viewer.layers) > 1
    marks["add"] = ticks.times[-1] - 0.5
    wait(lambda: False, 1.0)
    marks["after"] = time.perf_counter()
    wait(lambda: False, idle)
    marks["end"] = time.perf_counter()
    timer.stop()
    watcher.stop()
    here.send(None)
    alone = Ticks(*here.recv())
    other.join()
    said = widget.status_label.text()
    viewer.close()
    names = list(marks)
    stretches = {
        name: {
            "window": summarise(ticks.gaps(marks[name], marks[following])),
            "own": summarise(ticks.gaps(marks[name], marks[following], own=True)),
            "other process": summarise(alone.gaps(marks[name], marks[following])),
            "seconds": round(marks[following] - marks[name], 2),
        }
        for name, following in itertools.pairwise(names)
    }
    gaps = np.diff(ticks.times)
    own = gaps - np.diff(ticks.queues)
    worst = [
        {
            "milliseconds": round(1000 * float(gap), 1),
            "own": round(1000 * float(share), 1),
            "stretch": next(name for name in reversed(names) if marks[name] <= start + gap),
            "where": watcher.places.get(start, "unknown: Python itself was not let in"),
        }
        for start, gap, share in zip(ticks.times[:-1], gaps, own, strict=True)
        if gap > LIMIT and start > marks["rest"]
    ]
    return {"size": size, "rgb": rgb, "added": added, "said": said} | {
        "stretches": stretches,
        "above the limit": sorted(worst, key=lambda item: -item["milliseconds"])[:20],
    }


def print_table(result: dict[str, Any]) -> None:
    """Print the gaps of each stretch."""
    print(f"{result['size']} x {result['size']}{' RGB' if result['rgb'] else ''}: {result['said']}")
    heads = ("gaps in ms", "seconds", "median", "99 %", "worst", "own 99 %", "own worst")
    print(f"{heads[0]:<12}" + "".join(f"{head:>10}" for head in heads[1:]) + "   other process")
    for name, stretch in result["stretches"].items():
        window, own, other = stretch["window"], stretch["own"], stretch["other process"]
        values = (window["median"], window["p99"], window["worst"], own["p99"], own["worst"])
        print(
            f"{name:<12}{stretch['seconds']:>10.1f}"
            + "".join(f"{value:>10.1f}" for value in values)
            + f"   99 %: {other['p99']:.1f}, worst: {other['worst']:.1f}"
        )
    for item in result["above the limit"]:
        print(
            f"{item['milliseconds']:.0f} ms, own {item['own']:.0f} ({item['stretch']}): "
            f"{item['where']}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description="Gaps in the window's answers.")
    parser.add_argument("size", type=int, nargs="?", default=512, help="pixels of a side")
    parser.add_argument("--rgb", action="store_true", help="a colour image")
    parser.add_argument("--model", default="nano")
    parser.add_argument("--threads", type=int, help="threads of torch; default: torch's own choice")
    parser.add_argument("--idle", type=float, default=5.0, help="seconds at rest")
    parser.add_argument("--patience", type=float, default=3600.0, help="most seconds of the run")
    parser.add_argument("--json", type=Path, help="where to write the numbers")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as settings:
        os.environ["NAPARI_CONFIG"] = str(Path(settings) / "settings.yaml")
        if chosen.threads:
            os.environ["OMP_NUM_THREADS"] = str(chosen.threads)
        result = measure(
            chosen.size,
            rgb=chosen.rgb,
            model=chosen.model,
            idle=chosen.idle,
            patience=chosen.patience,
        )
    print_table(result)
    if chosen.json:
        chosen.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
