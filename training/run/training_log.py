"""What a run says, in its folder as well: with the time, for those who look the next morning."""

from __future__ import annotations

import contextlib
import logging
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path


class TrainingLog(logging.Handler):
    """Says lines, and keeps them with the time.

    Lines before `open` wait: a run that is refused leaves no folder. A disk that is full is no
    reason to end a run, so what cannot be written is only said.

    Parameters
    ----------
    say : callable
        Told each line.

    Examples
    --------
    >>> import tempfile
    >>> from napari_anyir.training.run.training_log import TrainingLog
    >>> path = Path(tempfile.mkdtemp()) / "log.txt"
    >>> log = TrainingLog(print)
    >>> log("one")
    one
    >>> log.open(path); log.note("two")
    >>> [line.split("  ")[1] for line in path.read_text().splitlines()]
    ['one', 'two']
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._say = say
        self._path: Path | None = None
        self._waiting: list[str] = []

    def __call__(self, line: str) -> None:
        """Say a line and keep it."""
        self._say(line)
        self.note(line)

    def note(self, line: str) -> None:
        """Keep a line without saying it."""
        text = f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {line}\n"
        if self._path is None:
            self._waiting.append(text)
            return
        with contextlib.suppress(OSError), self._path.open("a", encoding="utf-8") as file:
            file.write(text)

    def open(self, path: Path) -> None:
        """Keep lines in a file from here on, after those that are there."""
        waiting, self._waiting, self._path = "".join(self._waiting), [], path
        with contextlib.suppress(OSError), path.open("a", encoding="utf-8") as file:
            file.write(waiting)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a warning of this package."""
        self.note(record.getMessage())

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Keep warnings of this package, and the error that ends the run.

        Raises
        ------
        BaseException
            Whatever ended it.
        """
        package = logging.getLogger("napari_anyir")
        package.addHandler(self)
        try:
            yield
        except KeyboardInterrupt:
            self.note("Ended by hand.")
            raise
        except (ValueError, OSError) as error:  # sentences for users
            self.note(f"Ended: {error}")
            raise
        except BaseException as error:
            self.note("Ended by an error.\n" + "".join(traceback.format_exception(error)))
            raise
        finally:
            package.removeHandler(self)
