"""Several methods on the same images, side by side, with a part enlarged (Fig. 5, 6, 16 and 17)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from scipy.ndimage import uniform_filter

from napari_anyir.training.evaluation.evaluated_runs import Run
from napari_anyir.training.evaluation.score_files import INPUT, OUTPUT
from napari_anyir.training.writing import replace_file

FOLDER = "side-by-side"
"""Folder of the pictures, beside those of the runs."""

GAP = 8
"""White columns between the images of a strip."""

SHARE = 5
"""The enlarged part is so many times smaller than the image's shorter side."""

SMALLEST = 16
"""Its least side in pixels."""

_FRAME = "#d62728"


@dataclass(frozen=True)
class Views:
    """One image as several methods leave it.

    Parameters
    ----------
    set_name, image : str
        Where it belongs, and its name.
    labels : tuple of str
        Degraded, the methods, clean.
    pixels : tuple of numpy.ndarray
        The same, (H, W, 3) of uint8.
    psnrs : tuple of float
        Against the clean image, which has infinity.
    """

    set_name: str
    image: str
    labels: tuple[str, ...]
    pixels: tuple[NDArray[np.uint8], ...]
    psnrs: tuple[float, ...]


def split_strip(strip: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], ...]:
    """Take degraded, restored and clean out of a strip that an evaluation kept.

    Examples
    --------
    >>> strip = np.zeros((4, 3 * 10 + 2 * GAP, 3), np.uint8)
    >>> [part.shape for part in split_strip(strip)]
    [(4, 10, 3), (4, 10, 3), (4, 10, 3)]
    """
    width = (strip.shape[1] - 2 * GAP) // 3
    return tuple(strip[:, at : at + width] for at in (0, width + GAP, 2 * (width + GAP)))


def find_views(runs: Sequence[Run]) -> list[Views]:
    """Find the images of which all runs kept a strip.

    Parameters
    ----------
    runs : sequence of Run
        Of one protocol, measured with ``--images``.

    Returns
    -------
    list of Views
        In the order of the sets and names.

    Examples
    --------
    >>> find_views([])
    []
    """
    if not runs:
        return []
    kept = [
        {path.relative_to(run.folder).as_posix() for path in (run.folder / "strips").rglob("*.png")}
        for run in runs
    ]
    sets = {name.replace(" ", "_"): name for run in runs for name in run.counts}
    views = []
    for place in sorted(set.intersection(*kept)):
        strips = []
        for run in runs:
            with Pillow.open(run.folder / place) as opened:
                strips.append(split_strip(np.asarray(opened.convert("RGB"))))
        if len({strip[0].shape for strip in strips}) > 1:
            continue  # measured with another crop
        set_name = sets.get(Path(place).parent.name, Path(place).parent.name)
        image = Path(place).stem
        scores = [
            {
                one.method: one.psnr
                for one in run.scores().scores
                if one.set == set_name and one.image.replace("/", "_") == image
            }
            for run in runs
        ]
        views.append(
            Views(
                set_name,
                image,
                ("degraded", *(run.label for run in runs), "clean"),
                (strips[0][0], *(strip[1] for strip in strips), strips[0][2]),
                (
                    scores[0].get(INPUT, math.nan),
                    *(score.get(OUTPUT, math.nan) for score in scores),
                    math.inf,
                ),
            )
        )
    return views


def zoom_window(views: Views) -> tuple[int, int, int]:
    """Choose the part to enlarge: where the methods differ most in their errors.

    Parameters
    ----------
    views : Views
        One image.

    Returns
    -------
    top, left, side : int
        In pixels. Of one method, where it changed the error of the degraded image most.

    Examples
    --------
    >>> clean = np.zeros((100, 120, 3), np.uint8)
    >>> other = clean.copy(); other[60:80, 30:50] = 200
    >>> views = Views("a", "b", ("degraded", "m", "clean"), (clean, other, clean), (0, 0, 0))
    >>> top, left, side = zoom_window(views)
    >>> side, 55 <= top <= 65, 25 <= left <= 35
    (20, True, True)
    """
    clean = views.pixels[-1].astype(np.float64)
    compared = views.pixels[1:-1] if len(views.pixels) > 3 else views.pixels[:-1]
    errors = [np.abs(pixels - clean).mean(2) for pixels in compared]
    height, width = clean.shape[:2]
    side = min(max(SMALLEST, min(height, width) // SHARE), height, width)
    spread = uniform_filter(np.max(errors, 0) - np.min(errors, 0), side, mode="constant")
    inside = spread[side // 2 : height - (side - 1) // 2, side // 2 : width - (side - 1) // 2]
    top, left = np.unravel_index(int(inside.argmax()), inside.shape)
    return int(top), int(left), side


def draw_views(views: Views, path: Path) -> Path:
    """Draw an image as each method leaves it, and below each the same part enlarged.

    Parameters
    ----------
    views : Views
        One image.
    path : Path
        PNG to write.

    Returns
    -------
    Path
        The same.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    top, left, side = zoom_window(views)
    height, width = views.pixels[0].shape[:2]
    across, tall = 2.4, 2.4 * height / width
    figure = Figure((across * len(views.pixels), tall + across + 0.45), layout="constrained")
    grid = figure.subplots(2, len(views.pixels), squeeze=False, height_ratios=(tall, across))
    for column, (label, pixels, psnr) in enumerate(
        zip(views.labels, views.pixels, views.psnrs, strict=True)
    ):
        whole, part = grid[:, column]
        whole.imshow(pixels)
        whole.add_patch(Rectangle((left - 0.5, top - 0.5), side, side, fill=False, ec=_FRAME, lw=1))
        told = f"{label}\n{psnr:.2f} dB" if math.isfinite(psnr) else f"{label}\n"
        whole.set_title(told, fontsize=8)
        # Not smoothed: noise and its remains must look as they are.
        part.imshow(pixels[top : top + side, left : left + side], interpolation="nearest")
        part.spines[:].set_color(_FRAME)
        for axes in (whole, part):
            axes.set_xticks([])
            axes.set_yticks([])
    replace_file(path, lambda temporary: figure.savefig(temporary, dpi=130, format="png"))
    return path


def write_views(runs: Sequence[Run], folder: Path) -> list[Path]:
    """Draw all images of which several runs kept strips.

    Parameters
    ----------
    runs : sequence of Run
        Of one protocol.
    folder : Path
        That of the protocol; pictures go to its ``side-by-side/SET-IMAGE.png``.

    Returns
    -------
    list of Path
        The pictures.
    """
    drawn = []
    for views in find_views(runs):
        name = f"{views.set_name.replace(' ', '_')}-{views.image}.png"
        drawn.append(draw_views(views, folder / FOLDER / name))
    return drawn
