"""Images of any depth as planes: grey, colour, stacks and channels, mapped as the engine maps them.

A microscope's images have 16 bits or are floats, lie in stacks, and are mostly background. Their
intensities are brought to the network's range by the very mapping that `napari_anyir.restore` will
choose for such a file, one for each file, so that a network meets later what it was trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_anyir.files import read_image
from napari_anyir.inference.arrays.array_layout import make_layout
from napari_anyir.inference.arrays.axes import Layout
from napari_anyir.inference.arrays.intensity import Intensity, IntensityRange
from napari_anyir.inference.arrays.pixels import to_network
from napari_anyir.inference.arrays.plane_reading import find_range, read_plane

CELL = 16
"""Side, in pixels, of the cells in which content is looked for; its mean calms the noise."""

ANYWHERE = 0.25
"""Share of the crops that are cut out regardless of content, so that background is known too."""

_EIGHT_BIT = ("1", "L", "LA", "P", "PA", "RGB", "RGBA")


def is_photograph(path: Path) -> bool:
    """Whether a file is an 8-bit picture of one plane; only its header is read.

    Parameters
    ----------
    path : Path
        A file or an OME-Zarr folder.

    Returns
    -------
    bool
        False for what is deeper, has several planes, or is no picture.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.png"
    >>> Image.fromarray(np.zeros((4, 5), np.uint8)).save(path)
    >>> is_photograph(path)
    True
    """
    if path.suffix.lower() in (".npy", ".zarr"):
        return False
    try:
        with Image.open(path) as image:
            plain = image.mode in _EIGHT_BIT and getattr(image, "n_frames", 1) == 1
            return plain and _bits(image, path) <= 8
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return False


def _bits(image: Image.Image, path: Path) -> int:
    """Bits of a value: Pillow opens colours of 16 bits as if they had 8."""
    if image.format == "PNG":
        with path.open("rb") as stream:
            return stream.read(25)[24]  # after the signature: length, IHDR, width, height
    if image.format == "TIFF":
        bits = image.tag_v2.get(258, (1,))  # type: ignore[attr-defined]
        return int(max(bits))
    return 8


@dataclass(frozen=True, eq=False)
class PlaneFile:
    """An image file as planes of one intensity mapping.

    Parameters
    ----------
    path : Path
        Where it came from.
    image : array
        numpy, or dask where it is too large to be held.
    layout : Layout
        Where its planes are.
    mapping : IntensityRange
        Of the whole file.

    Examples
    --------
    >>> import tempfile
    >>> from napari_anyir.files import write_image
    >>> path = Path(tempfile.mkdtemp()) / "stack.tif"
    >>> stack = np.linspace(100, 900, 3 * 40 * 50).astype(np.uint16).reshape(3, 40, 50)
    >>> opened = PlaneFile.open(write_image(path, stack))
    >>> len(opened), opened.size, round(opened.mapping.low)
    (3, (40, 50), 100)
    >>> opened.crop(1, 8, 8, 16).shape
    (3, 16, 16)
    """

    path: Path
    image: Any
    layout: Layout
    mapping: IntensityRange
    _indices: tuple[tuple[int, ...], ...] = ()
    _content: dict[int, NDArray[np.float64]] = field(default_factory=dict, init=False)

    @classmethod
    def open(
        cls,
        path: Path,
        intensity: Intensity = "auto",
        *,
        axes: str | None = None,
        mapping: IntensityRange | None = None,
        lazy_above: int | None = None,
    ) -> PlaneFile:
        """Open a file and find its mapping; every pixel is read once for that.

        Parameters
        ----------
        path : Path
            Any image that `napari_anyir.files.read_image` reads.
        intensity : str or tuple
            As for `napari_anyir.restore`.
        axes : str, optional
            Letters of the axes where the file does not say, or says wrong.
        mapping : IntensityRange, optional
            A mapping to take instead, such as that of a partner.
        lazy_above : int, optional
            Bytes above which pixels stay in the file.

        Returns
        -------
        PlaneFile
            The file.

        Raises
        ------
        FileNotFoundError, ValueError
            If it cannot be used; the sentence names it.
        """
        file = read_image(path) if lazy_above is None else read_image(path, lazy_above=lazy_above)
        try:
            layout = make_layout(file.array, axes or file.axes)
            mapping = mapping or find_range(file.array, layout, intensity)
        except (ValueError, TypeError) as error:
            raise ValueError(f"'{path}' cannot be trained on: {error}") from error
        return cls(Path(path), file.array, layout, mapping, tuple(layout.indices()))

    def __len__(self) -> int:
        """Count the planes."""
        return len(self._indices)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of a plane."""
        return self.layout.plane_shape[0], self.layout.plane_shape[1]

    @property
    def grey(self) -> bool:
        """Whether planes have one colour."""
        return not self.layout.colour

    def crop(self, plane: int, top: int, left: int, side: int) -> NDArray[np.float32]:
        """Cut a square out of a plane; a smaller plane is extended by reflection.

        Parameters
        ----------
        plane : int
            Number of the plane.
        top, left : int
            Of its corner.
        side : int
            In pixels.

        Returns
        -------
        ndarray of float32
            (3, side, side), mapped; grey is repeated, as the engine does it.
        """
        rows = slice(top, min(top + side, self.size[0]))
        values = read_plane(self.image, self.layout, self._indices[plane], rows)
        crop = to_network(values[:, left : left + side], self.mapping)
        missing = (side - crop.shape[1], side - crop.shape[2])
        if any(missing):
            crop = np.pad(crop, ((0, 0), (0, missing[0]), (0, missing[1])), mode="reflect")
        return crop

    def place(self, plane: int, side: int, generator: np.random.Generator) -> tuple[int, int]:
        """Choose where to cut: mostly where something is.

        Of a plane that is dark but for a few cells, crops drawn evenly would show nothing. So a
        point is drawn by how far the mean of its cell is from the plane's median, a share of
        `ANYWHERE` of them regardless, and the crop laid around it at random.

        Parameters
        ----------
        plane : int
            Number of the plane.
        side : int
            Of the crop, in pixels.
        generator : numpy.random.Generator
            Source of the choice.

        Returns
        -------
        top, left : int
            Of the corner.
        """
        height, width = self.size
        chances = self._chances(plane)
        cell = int(np.searchsorted(chances, generator.random() * chances[-1], side="right"))
        across = -(-width // CELL)
        row, column = divmod(min(cell, chances.size - 1), across)
        inside = generator.integers(CELL, size=2)
        corner = generator.integers(side, size=2)
        top = row * CELL + int(inside[0] - corner[0])
        left = column * CELL + int(inside[1] - corner[1])
        return min(max(top, 0), max(height - side, 0)), min(max(left, 0), max(width - side, 0))

    def _chances(self, plane: int) -> NDArray[np.float64]:
        """Cumulated chances of the cells of a plane, row by row."""
        if plane not in self._content:
            values = read_plane(self.image, self.layout, self._indices[plane])
            mapped = to_network(values, self.mapping)
            self._content[plane] = np.cumsum(cell_chances(mapped.mean(axis=0)))
        return self._content[plane]


def cell_chances(plane: NDArray[np.float32]) -> NDArray[np.float64]:
    """Say of the cells of a plane how often each is to be seen.

    Parameters
    ----------
    plane : ndarray of float32
        (H, W).

    Returns
    -------
    ndarray of float64
        One chance for each cell of `CELL` x `CELL` pixels, row by row; their mean is 1.

    Examples
    --------
    >>> dark = np.zeros((64, 64), np.float32)
    >>> dark[20:24, 40:44] = 1
    >>> chances = cell_chances(dark)
    >>> int(chances.argmax()), float(chances.min()), float(chances.mean())
    (6, 0.25, 1.0)
    """
    starts = [np.arange(0, size, CELL) for size in plane.shape]
    sums = np.add.reduceat(np.add.reduceat(plane.astype(np.float64), starts[0], 0), starts[1], 1)
    sizes = [np.diff([*s, size]) for s, size in zip(starts, plane.shape, strict=True)]
    means = sums / np.outer(*sizes)
    away = np.abs(means - np.median(means)).ravel()
    content = away / away.mean() if away.mean() > 0 else np.ones_like(away)
    chances: NDArray[np.float64] = ANYWHERE + (1 - ANYWHERE) * content
    return chances


def check_partners(degraded: PlaneFile, clean: PlaneFile) -> None:
    """Refuse two files that do not show the same pixels.

    Raises
    ------
    ValueError
        If they differ in size, planes or colours.
    """
    if degraded.layout.planes != clean.layout.planes or degraded.size != clean.size:
        raise ValueError(
            f"'{degraded.path}' is {_shape(degraded)} but its clean partner '{clean.path}' is "
            f"{_shape(clean)}: pairs must show the same pixels, replace one of the two."
        )
    if degraded.grey != clean.grey:
        raise ValueError(
            f"Only one of '{degraded.path}' and its clean partner '{clean.path}' is in colour; "
            "convert one of the two."
        )


def _shape(file: PlaneFile) -> str:
    sizes: Sequence[int] = (*file.layout.planes, *file.size)
    return " x ".join(map(str, sizes))
