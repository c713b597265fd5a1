"""How far a run is: in words under the buttons, and as a bar in napari's activity dock."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from napari.utils.progress import cancelable_progress
from qtpy.QtWidgets import QProgressBar

EARLIEST = 20
"""A time left is told once one part in so many is done."""


def progress_text(done: int, total: int, planes: int, seconds: float) -> str:
    """Say how far a run is and how long it will still take.

    Parameters
    ----------
    done, total : int
        Steps over all planes.
    planes : int
        How many planes there are.
    seconds : float
        Time since the start.

    Returns
    -------
    str
        For the line under the buttons.

    Examples
    --------
    >>> progress_text(30, 100, planes=10, seconds=6.0)
    'Plane 4 of 10, 30 %, about 14 s left.'
    >>> progress_text(1, 200, planes=1, seconds=9.5)
    '0 %.'
    """
    if not total:
        return ""
    parts = [f"Plane {plane_of(done, total, planes)} of {planes}"] if planes > 1 else []
    parts.append(f"{100 * done // total} %")
    # What loading torch and the weights takes says nothing of the rest, and weighs too much at
    # first: a run of 15 s once promised 19 minutes.
    if done * EARLIEST >= total and seconds > 1:
        left = seconds * (total - done) / done
        parts.append(f"about {left / 60:.0f} min left" if left > 90 else f"about {left:.0f} s left")
    return f"{', '.join(parts)}."


PLAIN = (
    "In strips: the image is computed piece by piece to save memory, and comes out exactly as in "
    "one piece. In tiles: squares are restored one by one, which changes the result a little. "
    "float32, bfloat16 and float16: with how many digits, seven or two to three."
)
"""What `summary` means, in plain words."""


def summary(record: Any) -> str:
    """Say in a line what ran where and how long.

    Parameters
    ----------
    record : mapping
        Provenance.

    Returns
    -------
    str
        For the line under the buttons.

    Examples
    --------
    >>> summary({"model": "nano", "device": "cpu", "precision": "float32", "mode": "strips",
    ...          "tile": None, "seconds": 1.25, "planes": 1})
    'nano on cpu, float32, in strips: 1.2 s.'
    """
    how = {"whole": "in one piece", "strips": "in strips"}.get(record["mode"], "")
    if record["mode"] == "tiles":
        how = f"in tiles of {record['tile']} pixels"
    parts = [f"{record['model']} on {record['device']}", str(record["precision"]), how]
    if record["planes"] > 1:
        parts.append(f"{record['planes']} planes")
    took = "when shown" if record["seconds"] is None else f"{record['seconds']:.1f} s"
    return f"{', '.join(part for part in parts if part)}: {took}."


def plane_of(done: int, total: int, planes: int) -> int:
    """Number of the plane that is under way, from 1.

    Parameters
    ----------
    done, total : int
        Steps over all planes.
    planes : int
        How many planes there are.

    Returns
    -------
    int
        In [1, planes].

    Examples
    --------
    >>> plane_of(0, 20, 5), plane_of(4, 20, 5), plane_of(20, 20, 5)
    (1, 2, 5)
    """
    return min(planes, done * planes // max(1, total) + 1)


def show_progress(bar: QProgressBar, done: int, total: int) -> None:
    """Move a widget's own bar, without painting it at once.

    Qt's bar paints itself inside ``setValue``, and with it all that shares its window, the canvas
    included; so it is only marked here, and painted together with whatever else has changed.

    Parameters
    ----------
    bar : QProgressBar
        The bar.
    done, total : int
        Where it is to stand.

    Examples
    --------
    >>> from qtpy.QtWidgets import QApplication, QProgressBar
    >>> application = QApplication.instance() or QApplication([])
    >>> bar = QProgressBar()
    >>> show_progress(bar, 30, 100)
    >>> bar.text()
    '30%'
    """
    bar.setUpdatesEnabled(False)
    if bar.maximum() != total:
        bar.setRange(0, total)
    bar.setValue(done)
    bar.setUpdatesEnabled(True)


def end_progress(bar: QProgressBar, *, whole: bool) -> None:
    """Leave a widget's bar where the run ended: it never falls back to 0 %.

    Parameters
    ----------
    bar : QProgressBar
        The bar.
    whole : bool
        Whether the run came to its end; otherwise the bar stays where it was stopped.

    Examples
    --------
    >>> from qtpy.QtWidgets import QApplication, QProgressBar
    >>> application = QApplication.instance() or QApplication([])
    >>> bar = QProgressBar()
    >>> bar.setRange(0, 0)
    >>> end_progress(bar, whole=True)
    >>> bar.text()
    '100%'
    """
    if whole:
        bar.setRange(0, 1)
        bar.setValue(1)
    elif not bar.maximum():  # it was busy and had not begun to count
        bar.setRange(0, 1)
        bar.setValue(0)


def clear_progress(bar: QProgressBar) -> None:
    """Take a widget's bar back to its beginning: what it showed was of something else.

    Parameters
    ----------
    bar : QProgressBar
        The bar.
    """
    bar.setRange(0, 1)
    bar.setValue(0)


MOVE_EVERY = 1.0
"""Seconds between two moves of napari's bar, after each of which napari handles all its events."""


class Activity:
    """napari's bar of one run, made and moved in the window's thread.

    There is one bar and its text names the plane. A second one, nested under it, would end the
    process: napari asks the bars that it is just deleting whether they can be seen.

    Parameters
    ----------
    title : str
        What runs.
    planes : int
        How many planes; of more than one the text names the one that is under way.
    cancel : callable
        What the cancel button in the activity dock calls.
    """

    def __init__(self, title: str, planes: int, cancel: Callable[[], None]) -> None:
        self._title, self._planes = title, planes
        self._closed = False
        self._moved = 0.0
        # tqdm would print the same bar to the terminal, where nobody asked for it.
        self._bar = _Bar(total=0, desc=self._text(0, 0), cancel_callback=cancel, file=_Silent())

    def show(self, done: int, total: int) -> None:
        """Move the bar to ``done`` of ``total`` steps, at most once a second."""
        now = time.monotonic()
        if self._closed or (now - self._moved < MOVE_EVERY and done < total):
            return
        self._moved = now
        text = self._text(done, total)
        if text != self._bar.desc.removesuffix(": "):
            self._bar.set_description(text)
        # Every move lets napari handle events, in which the run may end and take the bar away.
        if not self._gone():
            _move(self._bar, done, total)

    def _text(self, done: int, total: int) -> str:
        if self._planes < 2:
            return self._title
        return f"{self._title}, plane {plane_of(done, total, self._planes)} of {self._planes}"

    def _gone(self) -> bool:
        return self._closed

    def close(self) -> None:
        """Take the bar away; once."""
        if not self._closed:
            self._closed = True
            self._bar.close()


class _Bar(cancelable_progress):
    """A bar whose cancel button acts at once.

    napari's own calls back only out of a loop over its bar, and here nobody loops: the run is in
    another thread.
    """

    def cancel(self) -> None:
        super().cancel()
        if self.cancel_callback is not None:
            self.cancel_callback()


class _Silent:
    """A file that keeps nothing."""

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        pass


def _move(bar: cancelable_progress, done: int, total: int) -> None:
    if bar.total != total:
        bar.total = total
    if done != bar.n:
        bar.update(done - bar.n)
