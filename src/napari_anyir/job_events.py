"""What a long command and the program that started it say to each other: one JSON object a line.

``anyir adapt --events`` and ``anyir train --events`` write them, the docks that start these
commands read them. What the program says back is one line, or the end of its input: then the
command ends early, and keeps what it has.
"""

from __future__ import annotations

import base64
import json
import threading
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["StopOnInput", "pack_pixels", "read_event", "unpack_pixels", "write_event"]


def write_event(stream: TextIO, event: str, **values: Any) -> None:
    r"""Write an event at once.

    Parameters
    ----------
    stream : file
        Where to.
    event : str
        Its name.
    **values
        What JSON can hold.

    Examples
    --------
    >>> import io
    >>> stream = io.StringIO()
    >>> write_event(stream, "progress", done=3, total=10)
    >>> stream.getvalue()
    '{"event": "progress", "done": 3, "total": 10}\n'
    """
    stream.write(json.dumps({"event": event, **values}) + "\n")
    stream.flush()


def read_event(line: str) -> dict[str, Any] | None:
    """Read a line that may be an event; None for any other, such as a library's own words.

    Parameters
    ----------
    line : str
        A line of the command's output.

    Returns
    -------
    dict or None
        The event.

    Examples
    --------
    >>> read_event('{"event": "progress", "done": 3}')
    {'event': 'progress', 'done': 3}
    >>> read_event("a warning of somebody") is None
    True
    """
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and isinstance(found.get("event"), str) else None


def pack_pixels(pixels: Any) -> dict[str, Any]:
    """Turn an array of uint8 into what JSON can hold.

    Parameters
    ----------
    pixels : array
        (H, W, 3), uint8.

    Returns
    -------
    dict
        For `unpack_pixels`.

    Examples
    --------
    >>> import numpy as np
    >>> pixels = np.arange(12, dtype="uint8").reshape(2, 2, 3)
    >>> size, data = unpack_pixels(pack_pixels(pixels))
    >>> size, data == pixels.tobytes()
    ((2, 2, 3), True)
    """
    return {"shape": list(pixels.shape), "data": base64.b64encode(pixels.tobytes()).decode()}


def unpack_pixels(packed: dict[str, Any]) -> tuple[tuple[int, ...], bytes]:
    r"""Return shape and bytes of what `pack_pixels` made.

    Parameters
    ----------
    packed : dict
        From an event.

    Returns
    -------
    shape : tuple of int
        (H, W, 3).
    data : bytes
        In C order.

    Examples
    --------
    >>> unpack_pixels({"shape": [1, 1, 3], "data": "AAEC"})
    ((1, 1, 3), b'\x00\x01\x02')
    """
    return tuple(packed["shape"]), base64.b64decode(packed["data"])


class StopOnInput:
    r"""Something with ``is_set()`` that becomes true when a line, or the end, is read.

    So a command ends when it is told to, and when the program that started it is gone.

    Parameters
    ----------
    stream : file
        What is read, in a thread of its own.
    also : callable, optional
        Called then, from that thread.

    Examples
    --------
    >>> import io, time
    >>> stop = StopOnInput(io.StringIO("stop\n"))
    >>> while not stop.is_set():
    ...     time.sleep(0.001)
    """

    def __init__(self, stream: TextIO, also: Callable[[], None] | None = None) -> None:
        self._event = threading.Event()
        self._also = also
        threading.Thread(target=self._wait, args=(stream,), daemon=True).start()

    def is_set(self) -> bool:
        """Whether to end."""
        return self._event.is_set()

    def _wait(self, stream: TextIO) -> None:
        stream.readline()
        self._event.set()
        if self._also is not None:
            self._also()
