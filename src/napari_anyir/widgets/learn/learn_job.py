"""Learn in a process of its own: ``anyir adapt`` or ``anyir train``, followed line by line.

The house keeps training out of all that a window imports, and a training that shared the window's
process would share its lock of Python and its threads of torch, too. So the dock starts the same
commands that a person would type, reads the events that they write (`napari_anyir.job_events`) and
ends them with a line.
"""

from __future__ import annotations

import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_anyir.errors import Cancelled, ModelError
from napari_anyir.inference.arrays.array_layout import make_layout
from napari_anyir.inference.model_choice import choose_model
from napari_anyir.job_events import read_event
from napari_anyir.weights import DEFAULT
from napari_anyir.widgets.learn.learn_files import LayerPixels, write_layers, write_pairs

__all__ = ["LearnChoices", "LearnJob", "Learned"]

LISTEN_EVERY = 0.1
"""Seconds between two looks at whether the work is to end."""

PATIENCE = 20.0
"""Seconds that a command may take to end once its input is closed, before it is killed."""


@dataclass(frozen=True)
class LearnChoices:
    """What is to be learned from what.

    Parameters
    ----------
    name : str
        Of the new model.
    model : str
        What to start from.
    minutes : float
        Time after which to end.
    noisy : sequence of LayerPixels, or Path
        Layers, or a folder.
    clean : sequence of LayerPixels, Path or None
        What each noisy one should be, layer by layer or by equal file names; None to learn from
        noisy images alone.
    outliers : bool
        Whether some pixels are far off, as salt and pepper.
    device : str
        As for `napari_anyir.restore`.

    Examples
    --------
    >>> LearnChoices("mine", "denoise", 3.0, Path("noisy")).outliers
    False
    """

    name: str
    model: str
    minutes: float
    noisy: Sequence[LayerPixels] | Path
    clean: Sequence[LayerPixels] | Path | None = None
    outliers: bool = False
    device: str = "auto"


@dataclass(frozen=True)
class Learned:
    """How it ended.

    Parameters
    ----------
    text : str
        One sentence.
    added : str or None
        Name of the model that is known now; None if it was not surely better.
    seconds : float
        Time that training took.
    peak_memory : int or None
        The most bytes that the process held.

    Examples
    --------
    >>> Learned("It is not surely better, so nothing was added.", None, 180.0, None).added is None
    True
    """

    text: str
    added: str | None
    seconds: float
    peak_memory: int | None


class LearnJob:
    """A job for `Runner`: progress and events out, an early end or a cancellation in.

    Parameters
    ----------
    wish : LearnChoices
        What is to be done.

    Examples
    --------
    >>> job = LearnJob(LearnChoices("mine", "denoise", 3.0, Path("noisy")))
    >>> str(job)
    'Learning the noise'
    >>> job.finish()
    >>> job.finishing
    True
    """

    def __init__(self, wish: LearnChoices) -> None:
        self.wish = wish
        self._enough = threading.Event()

    def __str__(self) -> str:
        return "Training on pairs" if self.wish.clean is not None else "Learning the noise"

    @property
    def finishing(self) -> bool:
        """Whether it was told to end."""
        return self._enough.is_set()

    def finish(self) -> None:
        """End early, and keep the best so far."""
        self._enough.set()

    def __call__(self, progress: Callable[..., None], cancel: Any) -> Learned:
        """Run to the end.

        Parameters
        ----------
        progress : callable
            ``progress(done, total)``, or ``progress(0, 0, event)`` with an event.
        cancel : object
            ``is_set()``: kill the command and keep nothing.

        Returns
        -------
        Learned
            How it ended.

        Raises
        ------
        Cancelled
            If it was cancelled.
        ValueError, ModelError
            What the command said on its way out, as one sentence.
        """
        with tempfile.TemporaryDirectory(prefix="napari-anyir-", ignore_cleanup_errors=True) as at:
            command = self._command(Path(at), cancel)
            with subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
                cwd=at,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            ) as process:
                try:
                    return self._follow(process, progress, cancel)
                finally:
                    _end(process)

    def _command(self, folder: Path, cancel: Any) -> list[str]:
        wish = self.wish
        model = starting_model(wish)
        command = [sys.executable, "-m", "napari_anyir"]
        common = ["--events", "--add", "--device", wish.device]
        if wish.clean is not None:
            data = write_pairs(wish.noisy, wish.clean, folder / "pairs", cancel)
            return [
                *(*command, "train", *data.options, "--config", "pairs", "--data", str(data.root)),
                *("--out", str(folder / wish.name), "--from", model),
                *("--max-time", f"{wish.minutes:g}", *common),
                *("phases.0.batch=4", f"validation.minutes={max(0.1, wish.minutes / 20):g}"),
                *("report_seconds=1", f"save_minutes={wish.minutes:g}", "data.workers=0"),
            ]
        images = wish.noisy
        inputs = [images] if isinstance(images, Path) else write_layers(images, folder, cancel)
        loss = "l1" if wish.outliers else "l2"
        return [
            *(*command, "adapt", *map(str, inputs), "-o", str(folder / f"{wish.name}.safetensors")),
            *("--model", model, "--minutes", f"{wish.minutes:g}", "--loss", loss, *common),
        ]

    def _follow(
        self, process: subprocess.Popen[str], progress: Callable[..., None], cancel: Any
    ) -> Learned:
        lines: queue.Queue[str | None] = queue.Queue()
        words: list[str] = []
        threading.Thread(target=_read, args=(process.stdout, lines.put), daemon=True).start()
        listener = threading.Thread(target=_read, args=(process.stderr, words.append), daemon=True)
        listener.start()
        result: dict[str, Any] | None = None
        told = False
        while True:
            if cancel is not None and cancel.is_set():
                process.kill()
                raise Cancelled("The training was cancelled.")
            if self._enough.is_set() and not told:
                told = True
                _say(process, "stop\n")
            try:
                line = lines.get(timeout=LISTEN_EVERY)
            except queue.Empty:
                continue
            if line is None:
                break
            event = read_event(line)
            if event is None:
                continue
            if event["event"] == "progress":
                progress(int(event["done"]), int(event["total"]))
            elif event["event"] == "result":
                result = event
            else:
                progress(0, 0, event)
        process.wait()
        listener.join(1.0)
        if process.returncode or result is None:
            raise _failure([word for word in words if word], process.returncode)
        return Learned(
            result["text"], result["added"], float(result["seconds"]), result["peak_memory"]
        )


def starting_model(wish: LearnChoices) -> str:
    """Name the model to start from.

    Parameters
    ----------
    wish : LearnChoices
        Whose model may be left to the kind of its first image.

    Returns
    -------
    str
        Its name; of noisy files alone still ``"default"``, which ``anyir adapt`` decides itself.

    Examples
    --------
    >>> import numpy as np
    >>> layer = LayerPixels("cells", np.zeros((3, 64, 64), np.uint16), "ZYX")
    >>> starting_model(LearnChoices("mine", "default", 3.0, [layer], [layer]))
    'denoise'
    """
    if wish.model != DEFAULT or (wish.clean is None and isinstance(wish.noisy, Path)):
        return wish.model
    if isinstance(wish.noisy, Path):
        from napari_anyir.files import read_image
        from napari_anyir.files.finding import find_images

        found = next((item for item in find_images(wish.noisy) if not item.problem), None)
        if found is None:  # the command says what is wrong with the folder
            return wish.model
        image = read_image(found.path)
        array, axes = image.array, image.axes
    else:
        array, axes = wish.noisy[0].array, wish.noisy[0].axes
    return str(choose_model(DEFAULT, array.dtype, colour=make_layout(array, axes).colour).model)


def _failure(words: list[str | None], status: int | None) -> Exception:
    """Make of a command's last words on standard error what it would have raised."""
    said = str(words[-1]).strip() if words else ""
    if status == 1 and said.startswith("Error: "):
        return ValueError(said.removeprefix("Error: "))
    return ModelError(
        f"The training ended with status {status} ({said or 'it said nothing'}); if memory was "
        "short, choose fewer images or a smaller model."
    )


def _read(stream: Any, put: Callable[[str | None], None]) -> None:
    """Pass on line after line, and None at the end."""
    for line in stream:
        put(line.rstrip("\n"))
    put(None)


def _say(process: subprocess.Popen[str], line: str) -> None:
    if process.stdin is None:
        return
    try:
        process.stdin.write(line)
        process.stdin.flush()
    except OSError:  # it is at its end already
        pass


def _end(process: subprocess.Popen[str]) -> None:
    """Leave no process behind."""
    try:
        process.wait(0 if process.poll() is not None else PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
