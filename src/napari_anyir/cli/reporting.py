"""How a long command tells how far it is: a bar for a person, events for another program."""

from __future__ import annotations

import math
import os
import sys
from typing import TYPE_CHECKING, Any, Self

from napari_anyir.job_events import StopOnInput, pack_pixels, write_event

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Proof", "Reporter", "peak_memory"]


class Reporter:
    """A context in which progress is told.

    Parameters
    ----------
    title : str
        What is done.
    events : bool
        Write events (`napari_anyir.job_events`) to standard output, listen for the wish to end on
        standard input, and leave other programs their turn; otherwise draw a bar.
    also_stop : callable, optional
        Called from a thread of its own once that wish was heard.

    Attributes
    ----------
    stop : StopOnInput or None
        For a job's ``stop``; None where nobody can ask for it.

    Examples
    --------
    >>> with Reporter("Learning", events=False) as told:  # a bar, silent where no terminal is
    ...     told.progress(1, 2)
    >>> told.stop is None
    True
    """

    def __init__(
        self, title: str, *, events: bool, also_stop: Callable[[], None] | None = None
    ) -> None:
        self.stop: StopOnInput | None = None
        self._bar: Any = None
        self._task: Any = None
        if events:
            if hasattr(os, "nice"):  # whoever reads events has a window to keep alive
                os.nice(5)
            self.stop = StopOnInput(sys.stdin, also_stop)
        else:
            from napari_anyir.cli.tables import bar

            self._bar = bar(title)

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task("", total=None)
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def progress(self, done: int, total: int) -> None:
        """Tell how far it is."""
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=total)
        else:
            write_event(sys.stdout, "progress", done=done, total=total)

    def look(self, look: Any) -> None:
        """Tell a look at the held-out pixels, with a preview if it is the best so far."""
        values = {
            name: {
                "before": change.before,
                "after": change.after,
                "standard_error": change.standard_error,
            }
            for name, change in (("unseen", look.unseen), ("beside", look.beside))
        }
        self.tell(
            "look",
            step=look.step,
            loss=None if math.isnan(look.loss) else look.loss,
            best=look.best,
            **values,
        )
        if look.best:
            self.tell("preview", images=look.preview())

    def tell(self, event: str, **values: Any) -> None:
        """Write an event of another kind; nothing where a bar is drawn.

        Pixels, two arrays under the name ``images``, are packed.
        """
        if "images" in values:
            before, after = values.pop("images")
            values |= {"before": pack_pixels(before), "after": pack_pixels(after)}
        if self._bar is None:
            write_event(sys.stdout, event, **values)


class Proof:
    """What held-out images say of a training: better than the start, or not.

    Examples
    --------
    >>> proof = Proof()
    >>> proof.take("psnr", {"step": 0, "psnr": 30.0, "before": 20.0})
    >>> proof.take("psnr", {"step": 9, "psnr": 31.0, "before": 20.0})
    >>> proof.better, str(proof)
    (True, 'Held-out images went from 30.00 to 31.00 dB in 9 steps; as they were given, 20.00 dB.')
    """

    def __init__(self) -> None:
        self._looks: list[dict[str, Any]] = []

    def take(self, event: str, values: dict[str, Any]) -> None:
        """Take an event of `napari_anyir.training.run.event_callbacks`."""
        if event == "psnr":
            self._looks.append(values)

    @property
    def better(self) -> bool:
        """Whether the last look was better than the first, and than the images as given."""
        if len(self._looks) < 2:
            return False
        first, last = self._looks[0], self._looks[-1]
        return bool(last["psnr"] > max(first["psnr"], last["before"]))

    def __str__(self) -> str:
        """Say it in numbers."""
        if len(self._looks) < 2:
            return "Nothing was held out, so nothing proves that the result is better."
        first, last = self._looks[0], self._looks[-1]
        return (
            f"Held-out images went from {first['psnr']:.2f} to {last['psnr']:.2f} dB in "
            f"{last['step']} steps; as they were given, {last['before']:.2f} dB."
        )


def peak_memory() -> int | None:
    """Return the most bytes that this process has held, None where the system does not say.

    Examples
    --------
    >>> found = peak_memory()
    >>> found is None or found > 1e6
    True
    """
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
