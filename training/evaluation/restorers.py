"""Who restores the images of an evaluation: this process, or the workers of a cluster."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_anyir.inference import restore
from napari_anyir.inference.cluster import agree, connect, one_at_a_time, places
from napari_anyir.inference.models import get_model
from napari_anyir.training.evaluation.classical import Restorer, classical
from napari_anyir.training.evaluation.examples import Example
from napari_anyir.training.evaluation.metrics import Image, as_measured
from napari_anyir.training.evaluation.own_pairs import Deep
from napari_anyir.training.evaluation.score_files import OUTPUT

Result = tuple[str, Image | Deep, float]
"""Method, its image as it is measured, and the seconds that it took."""

Work = Callable[[Iterable[Example]], Iterator[tuple[Example, Iterable[Result]]]]
"""From examples to the same with their results, in order."""


@dataclass(frozen=True)
class Methods:
    """What restores the images, said so that another process can make it.

    Parameters
    ----------
    model : str
        Name or path.
    device, precision : str
        As for `napari_anyir.restore`.
    tile : int, str or None
        As for `napari_anyir.restore`.
    classical : bool
        Scikit-image's denoisers, too.

    Examples
    --------
    >>> from napari_anyir.training.evaluation.restorers import Methods
    >>> list(Methods("nano", classical=True).restorers())
    ['output', 'wavelet', 'bilateral']
    """

    model: str
    device: str = "auto"
    precision: str = "float32"
    tile: int | str | None = None
    classical: bool = False

    def restorers(self) -> dict[str, Restorer]:
        """Return the methods by name."""
        network = get_model(self.model).network

        def output(image: Image | Deep) -> NDArray[np.float32]:
            deep = isinstance(image, Deep)
            restored: NDArray[np.float32] = restore(
                image.array if isinstance(image, Deep) else image,
                axes=image.axes if isinstance(image, Deep) else "YXS",
                model=network,
                device=self.device,
                precision=self.precision,
                tile=self.tile,
                intensity="auto" if deep else "dtype",
            )
            return restored

        return {OUTPUT: output} | (classical() if self.classical else {})


def restored_by(
    image: Image | Deep, restorers: Mapping[str, Restorer], rounding: str
) -> Iterator[Result]:
    """Restore an image by every method.

    Parameters
    ----------
    image : numpy.ndarray or Deep
        (H, W, 3), float32 in [0, 1]; or a file's own pixels.
    restorers : mapping
        By name.
    rounding : str
        A key of `napari_anyir.training.evaluation.metrics.ROUNDINGS`.

    Yields
    ------
    Result
        One of each.
    """
    for method, restorer in restorers.items():
        started = time.perf_counter()
        output = restorer(image)
        seconds = time.perf_counter() - started
        if isinstance(image, Deep):
            yield method, Deep(output, image.axes), seconds
        else:
            yield method, as_measured(output, rounding), seconds


def restore_here(restorers: Mapping[str, Restorer], rounding: str) -> Work:
    """Restore in this process, one image after the other."""

    def work(examples: Iterable[Example]) -> Iterator[tuple[Example, Iterable[Result]]]:
        for example in examples:
            yield example, restored_by(example.degraded, restorers, rounding)

    return work


@contextmanager
def restore_on_cluster(address: str, methods: Methods, rounding: str) -> Iterator[Work]:
    """Restore on the workers of a cluster; a few images per worker are on their way at a time.

    Parameters
    ----------
    address : str
        Of the scheduler.
    methods : Methods
        What restores.
    rounding : str
        As for `restored_by`.

    Raises
    ------
    ValueError
        If the cluster cannot be reached, or its workers have other models.
    """
    with connect(address) as client:
        agree(client, _hash_of, methods.model)

        def work(examples: Iterable[Example]) -> Iterator[tuple[Example, Iterable[Result]]]:
            waiting: deque[tuple[Example, Any]] = deque()
            for example in examples:
                image = client.scatter(example.degraded, hash=False)
                future = client.submit(_restore_there, image, methods, rounding, pure=False)
                waiting.append((example, future))
                if len(waiting) >= places(client):
                    first, future = waiting.popleft()
                    yield first, future.result()
            for example, future in waiting:
                yield example, future.result()

        yield work


def _hash_of(model: str) -> str:
    return get_model(model).sha256


def _restore_there(image: Image | Deep, methods: Methods, rounding: str) -> list[Result]:
    with one_at_a_time():
        return list(restored_by(image, methods.restorers(), rounding))
