"""Scores of single images, appended to a CSV file so that a killed run loses at most one image."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from napari_anyir.training.writing import write_text

FILE = "per-image.csv"

INPUT, OUTPUT = "input", "output"
"""Methods that every image is measured by: as it is, and restored by the model."""


@dataclass(frozen=True)
class ImageScore:
    """One image by one method.

    Parameters
    ----------
    set : str
        Name of the test set.
    image : str
        Name of the image, unique within its set.
    method : str
        ``"input"``, ``"output"`` or a classical denoiser.
    psnr : float
        Decibels.
    ssim : float
        At most 1.
    height, width : int
        Pixels that were measured.
    seconds : float
        Wall clock of the method on this image.

    Examples
    --------
    >>> ImageScore("CBSD68", "1.png", "output", 30.1, 0.91, 320, 480, 2.5).method
    'output'
    """

    set: str
    image: str
    method: str
    psnr: float
    ssim: float
    height: int
    width: int
    seconds: float


_COLUMNS = [field.name for field in fields(ImageScore)]


class ScoreFile:
    """The CSV file of a run.

    Parameters
    ----------
    path : Path
        File; made with its folder when the first score is added.

    Raises
    ------
    ValueError
        If it is there and is not such a file.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from napari_anyir.training.evaluation.score_files import ImageScore, ScoreFile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "per-image.csv"
    >>> score = ImageScore("Rain100L", "rain-001", "input", 26.9, 0.85, 320, 480, 0.0)
    >>> ScoreFile(path).add([score])
    >>> ScoreFile(path).scores[0].psnr
    26.9
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.scores: list[ImageScore] = self._read()

    def _read(self) -> list[ImageScore]:
        if not self.path.is_file():
            return []
        text = self.path.read_text(encoding="utf-8")
        lines = text.splitlines(keepends=True)
        if lines and not lines[-1].endswith("\n"):
            # A run was killed while it wrote this line; its image is measured again.
            lines.pop()
            write_text(self.path, "".join(lines))
        rows = list(csv.reader(lines))
        if not rows:
            return []
        if rows[0] != _COLUMNS:
            raise ValueError(
                f"'{self.path}' is not a table of scores; its first line must be "
                f"{','.join(_COLUMNS)}. Choose another folder."
            )
        try:
            return [
                ImageScore(
                    set_, image, method, float(psnr), float(ssim), int(high), int(wide), float(took)
                )
                for set_, image, method, psnr, ssim, high, wide, took in rows[1:]
            ]
        except ValueError as error:
            raise ValueError(
                f"'{self.path}' holds a line that is no score ({error}); remove that line."
            ) from error

    def add(self, scores: Iterable[ImageScore]) -> None:
        """Append scores; they are on disk when this returns."""
        scores = list(scores)
        new = not self.path.is_file() or not self.path.stat().st_size
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            if new:
                writer.writerow(_COLUMNS)
            writer.writerows(astuple(score) for score in scores)
        self.scores += scores

    def done(self, set_name: str, methods: Iterable[str]) -> set[str]:
        """Names of the images of a set that every method was measured on."""
        found: dict[str, set[str]] = {}
        for score in self.scores:
            if score.set == set_name:
                found.setdefault(score.image, set()).add(score.method)
        return {image for image, there in found.items() if there >= set(methods)}


@dataclass(frozen=True)
class Mean:
    """Means over the images of a set.

    Parameters
    ----------
    psnr, ssim : float
        Means of the images' values; images that came out equal to the clean one are left out of
        the PSNR, which is infinite there.
    images : int
        How many were measured.
    seconds : float
        Mean wall clock per image.

    Examples
    --------
    >>> Mean(psnr=30.1, ssim=0.91, images=68, seconds=2.5).images
    68
    """

    psnr: float
    ssim: float
    images: int
    seconds: float


def means(scores: Iterable[ImageScore]) -> Mapping[str, Mapping[str, Mean]]:
    """Average per set and method.

    Parameters
    ----------
    scores : iterable of ImageScore
        In any order; of an image that was measured twice the last counts.

    Returns
    -------
    mapping
        Set to method to means, in the order of appearance.

    Examples
    --------
    >>> from napari_anyir.training.evaluation.score_files import ImageScore, means
    >>> rows = [ImageScore("A", str(i), "input", 20.0 + i, 0.5, 9, 9, 1.0) for i in range(3)]
    >>> means(rows)["A"]["input"]
    Mean(psnr=21.0, ssim=0.5, images=3, seconds=1.0)
    """
    last = {(score.set, score.method, score.image): score for score in scores}
    grouped: dict[str, dict[str, list[ImageScore]]] = {}
    for score in last.values():
        grouped.setdefault(score.set, {}).setdefault(score.method, []).append(score)
    return {
        name: {method: _mean(rows) for method, rows in methods.items()}
        for name, methods in grouped.items()
    }


def _mean(rows: list[ImageScore]) -> Mean:
    decibels = [row.psnr for row in rows if math.isfinite(row.psnr)]
    return Mean(
        sum(decibels) / len(decibels) if decibels else math.inf,
        sum(row.ssim for row in rows) / len(rows),
        len(rows),
        sum(row.seconds for row in rows) / len(rows),
    )
