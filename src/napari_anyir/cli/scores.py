"""PSNR and SSIM of files against clean ones."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_anyir.inference.image_quality import WINDOW, Score, full_scale, score

if TYPE_CHECKING:
    from napari_anyir.files import FileStatus, ImageFile

__all__ = ["Score", "compare", "find_references", "print_scores"]

HOW = (
    "PSNR over all pixels and colours, alpha left out; SSIM as scikit-image's default: uniform "
    f"{WINDOW} x {WINDOW} window, mean of colours and planes."
)


def find_references(reference: Path, statuses: Sequence[FileStatus]) -> dict[int, Path]:
    """Find the clean image of every file.

    Parameters
    ----------
    reference : Path
        A file, for one image; or a folder, in which each has the same place and name, or the same
        name but for the extension.
    statuses : sequence of FileStatus
        The files.

    Returns
    -------
    dict of int to Path
        Index of the file to its reference.

    Raises
    ------
    FileNotFoundError, ValueError
        If a file has none, or more than one.

    Examples
    --------
    >>> import tempfile
    >>> from napari_anyir.files import FileStatus
    >>> clean = Path(tempfile.mkdtemp()) / "clean.png"
    >>> clean.touch()
    >>> status = FileStatus(0, 1, "a.png", Path("raw/a.png"), Path("out/a.png"), "done")
    >>> find_references(clean, [status])[0].name
    'clean.png'
    """
    from napari_anyir.files.finding import find_images
    from napari_anyir.files.formats import extension_of

    if not reference.exists():
        raise FileNotFoundError(f"There is no reference '{reference}'; check the path.")
    clean = find_images(reference)
    if [image.path for image in clean] == [reference]:
        if len(statuses) != 1:
            raise ValueError(
                f"The reference '{reference}' is one image, but there are {len(statuses)}; "
                "name a folder."
            )
        return {statuses[0].index: reference}
    by_name = {image.relative.as_posix(): image.path for image in clean}
    by_stem: dict[str, list[Path]] = {}
    for name, path in by_name.items():
        by_stem.setdefault(name.removesuffix(extension_of(name)), []).append(path)
    found = {}
    for status in statuses:
        same = by_stem.get(status.name.removesuffix(extension_of(status.name)), [])
        if status.name in by_name:
            found[status.index] = by_name[status.name]
        elif len(same) == 1:
            found[status.index] = same[0]
        else:
            several = "several images" if same else "no image"
            raise ValueError(
                f"There is {several} for '{status.name}' in '{reference}'; names must be equal, "
                "but for the extension."
            )
    return found


def compare(image: ImageFile, clean: ImageFile) -> Score:
    """Compare an image with its reference, plane by plane.

    Full scale is 255 for uint8, 1 for floats in [0, 1], and otherwise the distance between the
    reference's extremes.

    Parameters
    ----------
    image, clean : ImageFile
        Of one shape, but for alpha and for the order of named axes, and of one type.

    Returns
    -------
    Score
        PSNR over all planes, SSIM as their mean.

    Raises
    ------
    ValueError
        If shapes or types differ.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_anyir.files import ImageFile
    >>> clean = np.tile(np.arange(16, dtype=np.uint8) * 15, (16, 1))
    >>> score = compare(ImageFile(clean + 5, "YX", "png"), ImageFile(clean, "YX", "png"))
    >>> round(score.psnr, 2), score.data_range
    (34.15, 255.0)
    """
    if image.array.dtype != clean.array.dtype:
        raise ValueError(
            f"'{clean.path}' is {clean.array.dtype} and '{image.path}' is {image.array.dtype}; "
            "compare images of one type."
        )
    if _shape(image) != _shape(clean):
        raise ValueError(
            f"'{clean.path}' has the shape {_shape(clean)} and '{image.path}' {_shape(image)}; "
            "compare images of one size."
        )
    span = full_scale(_planes(clean), clean.array.dtype)
    return score(zip(_planes(image), _planes(clean), strict=True), span)


def _order(image: ImageFile) -> list[int]:
    """Axes in one order for all formats: OME-Zarr stores T, C, Z where ImageJ stores T, Z, C."""
    axes = image.axes or ""
    if len(axes) != image.array.ndim:
        return list(range(image.array.ndim))
    return sorted(range(len(axes)), key=lambda at: "TZCYXS".index(axes[at]))


def _shape(image: ImageFile) -> tuple[int, ...]:
    shape = tuple(image.array.shape[at] for at in _order(image))
    if len(shape) > 2 and shape[-1] == 4 and (image.axes or "S").endswith("S"):
        shape = (*shape[:-1], 3)
    return shape


def _planes(image: ImageFile) -> Iterator[Any]:
    """Planes (Y, X) or (Y, X, 3), one at a time in memory."""
    import numpy as np

    from napari_anyir.files.lazy_arrays import plane_ndim

    array = image.array.transpose(_order(image))
    whole = plane_ndim(array.shape, image.axes)
    for index in np.ndindex(array.shape[: array.ndim - whole]):
        plane = np.asarray(array[index])
        yield plane[..., :3] if whole == 3 else plane


def print_scores(statuses: Sequence[FileStatus], references: Mapping[int, Path]) -> None:
    """Print PSNR and SSIM of inputs and results.

    Parameters
    ----------
    statuses : sequence of FileStatus
        The files; those that failed are left out.
    references : mapping of int to Path
        As from `find_references`.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> from napari_anyir.files import FileStatus
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name, value in (("noisy", 90), ("restored", 99), ("clean", 100)):
    ...     Image.new("L", (16, 16), value).save(folder / f"{name}.png")
    >>> paths = (folder / "noisy.png", folder / "restored.png")
    >>> print_scores([FileStatus(0, 1, "a.png", *paths, "done")], {0: folder / "clean.png"})
    <BLANKLINE>
    ...
    PSNR over all pixels and colours, ...
    """
    import numpy as np

    from napari_anyir.cli.tables import print_table
    from napari_anyir.files import read_image

    rows, numbers, ranges = [], [], set()
    for status in statuses:
        if status.state not in ("done", "skipped"):
            continue
        clean = read_image(references[status.index])
        before = compare(read_image(status.source), clean)
        after = compare(read_image(status.target), clean)
        numbers.append((before.psnr, after.psnr, before.ssim, after.ssim))
        ranges.add(before.data_range)
        rows.append([status.name, *_cells(numbers[-1])])
    if not rows:
        return
    if len(rows) > 1:
        rows.append(["mean", *_cells(np.mean(numbers, axis=0))])
    heads = ["PSNR in", "PSNR out", "SSIM in", "SSIM out"]
    full = ", ".join(f"{value:g}" for value in sorted(ranges)[:4])
    full += ", ..." if len(ranges) > 4 else ""
    print_table(["image", *heads], rows, numbers=heads, caption=f"{HOW} Full scale: {full}.")


def _cells(numbers: Any) -> list[str]:
    before, after, similar, more_similar = (float(number) for number in numbers)
    return [
        *(f"{value:.2f}" for value in (before, after)),
        *("-" if math.isnan(value) else f"{value:.4f}" for value in (similar, more_similar)),
    ]
