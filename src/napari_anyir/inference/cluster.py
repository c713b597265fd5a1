"""A dask.distributed cluster as a place to restore: reached, and sure to do what is done here.

The processes of a cluster are their own: another version of this package or another model of the
same name would give other pictures without an error. So they are asked before any work.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from napari_anyir import __version__

__all__ = ["Asked", "agree", "connect", "from_anywhere", "one_at_a_time", "places"]

ANSWER = 20.0
"""Seconds in which a scheduler must answer, and its first worker be there."""

_turn = threading.Lock()


@contextmanager
def connect(address: str) -> Iterator[Any]:
    """Reach a cluster.

    Parameters
    ----------
    address : str
        Of its scheduler, for instance ``"tcp://10.0.0.1:8786"``.

    Yields
    ------
    distributed.Client
        With one worker at least; closed at the end, which leaves the cluster running.

    Raises
    ------
    ValueError
        If the package is missing, nobody answers, or there is no worker; one sentence.

    Examples
    --------
    >>> with connect("no-address"):  # doctest: +ELLIPSIS
    ...     pass
    Traceback (most recent call last):
    ...
    ValueError: ...
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise ValueError(
            "A cluster needs the package distributed, here and on its workers: pip install "
            "'napari-anyir[cluster]'."
        ) from error
    if "://" not in address:
        raise ValueError(
            f"'{address}' is no address of a scheduler; give one such as tcp://10.0.0.1:8786, as "
            "'dask scheduler' prints it."
        )
    try:
        client = Client(address, timeout=ANSWER, set_as_default=False)
    except (OSError, TimeoutError, ValueError, ImportError) as error:
        raise ValueError(
            f"No scheduler answers at '{address}'; start one with 'dask scheduler', and workers "
            "with 'dask worker ADDRESS'."
        ) from error
    try:
        try:
            client.wait_for_workers(1, timeout=ANSWER)
        except TimeoutError as error:
            raise ValueError(
                f"The cluster at '{address}' has no workers; start some with 'dask worker "
                f"{address}'."
            ) from error
        yield client
    finally:
        client.close()


def agree(client: Any, facts: Callable[..., Any], *arguments: Any) -> None:
    """Make sure that all workers would do what this process does.

    Parameters
    ----------
    client : distributed.Client
        A cluster.
    facts : callable
        Says what results depend on: models by their hashes, for instance. It is called here and on
        every worker.
    *arguments
        Of it.

    Raises
    ------
    ValueError
        If a worker answers otherwise, or cannot.
    """
    here = (__version__, facts(*arguments))
    try:
        told = client.run(_facts, facts, arguments, on_error="return")
    except Exception as error:  # noqa: BLE001 - what cannot be unpacked there fails in many ways
        told = {"one of them": error}
    for worker, there in told.items():
        if isinstance(there, BaseException):
            why = str(there).strip().partition("\n")[0]
            raise ValueError(
                f"A worker of the cluster cannot take part ({worker}: {type(there).__name__}: "
                f"{why}); install the same napari-anyir and the same models there."
            )
        if there != here:
            what = "napari-anyir" if there[0] != here[0] else "models"
            raise ValueError(
                f"A worker of the cluster has other {what} than this machine ({worker}); install "
                "the same there."
            )


def _facts(facts: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[str, Any]:
    return __version__, facts(*arguments)


def from_anywhere(model: str) -> str:
    """Name a model so that a process in another folder finds it: the path of a file in full.

    Examples
    --------
    >>> from_anywhere("nano")
    'nano'
    """
    path = Path(model).expanduser()
    return str(path.absolute()) if path.is_file() else model


def places(client: Any) -> int:
    """Tasks that a cluster can hold at a time, and as many to wait at hand."""
    return 2 * max(1, sum(client.nthreads().values()))


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Let one task at a time use the network in a worker, whatever its threads.

    The network uses all processors by itself, and plans its memory by what is free: two at a time
    would both take it.

    Examples
    --------
    >>> with one_at_a_time():
    ...     pass
    """
    with _turn:
        yield


class Asked:
    """Whether the wish to end was heard on a worker: asked of the scheduler once a second.

    Parameters
    ----------
    name : str
        Of the cluster's event.
    """

    def __init__(self, name: str) -> None:
        self._name, self._asked, self._next = name, False, 0.0

    def is_set(self) -> bool:
        """Whether it is to end."""
        if not self._asked and time.monotonic() >= self._next:
            from distributed import Event

            self._asked = bool(Event(self._name).is_set())
            self._next = time.monotonic() + 1.0
        return self._asked
