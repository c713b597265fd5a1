"""Clean photographs, decoded once into one tensor, and random crops out of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from napari_anyir.training.sets.pairing import ANY_IMAGE, scan

_EIGHT_BIT = ("1", "L", "LA", "P", "PA", "RGB", "RGBA")


def find_photos(root: str | Path) -> list[Path]:
    """List the image files below a folder, sorted.

    Parameters
    ----------
    root : str or Path
        Folder to search, with its subfolders.

    Returns
    -------
    list of Path
        At least one file.

    Raises
    ------
    FileNotFoundError
        If the folder is missing or holds no image.

    Examples
    --------
    >>> from napari_anyir.training.pixels.photos import find_photos
    >>> find_photos("no-such-folder")
    Traceback (most recent call last):
    FileNotFoundError: No folder 'no-such-folder'; name one that holds photographs.
    """
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(f"No folder '{root}'; name one that holds photographs.")
    # The same rule as for pairs: hidden files, and what macOS leaves beside images, are none.
    paths = sorted(
        folder.path / name
        for _, folder in scan(root, suffixes=ANY_IMAGE).walk()
        for name in folder.images
    )
    if not paths:
        raise FileNotFoundError(f"No images in '{root}'; supported are {sorted(ANY_IMAGE)}.")
    return paths


def read_rgb(path: str | Path) -> np.ndarray:
    """Read an image file as 8-bit RGB.

    Parameters
    ----------
    path : str or Path
        An 8-bit grey, RGB or RGBA file; grey is replicated, alpha dropped.

    Returns
    -------
    numpy.ndarray
        (H, W, 3), uint8.

    Raises
    ------
    ValueError
        If the file is damaged, or not an 8-bit image of one plane.
    FileNotFoundError
        If there is no such file.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np
    >>> from skimage.io import imsave
    >>> from napari_anyir.training.pixels.photos import read_rgb
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "grey.png"
    >>> imsave(path, np.zeros((4, 5), np.uint8), check_contrast=False)
    >>> read_rgb(path).shape
    (4, 5, 3)
    """
    try:
        with Image.open(path) as image:
            if image.mode not in _EIGHT_BIT or getattr(image, "n_frames", 1) > 1:
                raise ValueError(
                    f"'{path}' is of mode {image.mode} with {getattr(image, 'n_frames', 1)} "
                    "frame(s); training reads 8-bit photographs."
                )
            # Alpha is dropped, not blended: its colours are pixels like all others.
            return np.array(image if image.mode == "RGB" else _opaque(image))
    except FileNotFoundError:
        raise
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(
            f"'{path}' cannot be read as an image ({error}); replace it or leave it out."
        ) from error


def _opaque(image: Image.Image) -> Image.Image:
    if image.mode in ("P", "PA", "LA", "RGBA"):
        image = image.convert("RGBA")
        return Image.merge("RGB", image.split()[:3])
    return image.convert("RGB")


def read_all(paths: Iterable[str | Path], threads: int) -> Iterator[np.ndarray]:
    """Read images in threads, in order, never more than a few ahead of who takes them.

    Parameters
    ----------
    paths : iterable of path
        As for `read_rgb`.
    threads : int
        Threads that decode.

    Yields
    ------
    numpy.ndarray
        (H, W, 3), uint8.

    Examples
    --------
    >>> from napari_anyir.training.pixels.photos import read_all
    >>> list(read_all([], threads=2))
    []
    """
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[np.ndarray]] = deque()
        for path in paths:
            waiting.append(pool.submit(read_rgb, path))
            if len(waiting) > 4 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _is_grey(photo: Tensor) -> bool:
    """Whether the colours of (H, W, 3) are equal everywhere."""
    return bool((photo[..., 1:] == photo[..., :1]).all())


class PhotoBank:
    """Photographs of any sizes in one flat uint8 tensor, cropped without a loop over images.

    Decoding a JPEG for a 64 x 64 crop costs more than a training step of a small network, so all
    files are decoded once; 256 megapixels take 0.77 GB, on the CPU or the GPU.

    Parameters
    ----------
    paths : iterable of path
        8-bit image files.
    device : str or torch.device
        Where the pixels live; crops are made there.
    workers : int
        Threads that decode.

    Raises
    ------
    ValueError
        If there is no file or one cannot be used.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np, torch
    >>> from skimage.io import imsave
    >>> from napari_anyir.training.pixels.photos import PhotoBank
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "photo.png"
    >>> imsave(path, np.full((40, 50, 3), 255, np.uint8), check_contrast=False)
    >>> PhotoBank([path]).crops(2, 32, torch.Generator().manual_seed(0)).shape
    torch.Size([2, 3, 32, 32])
    """

    def __init__(
        self, paths: Iterable[str | Path], device: str | torch.device = "cpu", workers: int = 2
    ) -> None:
        photos = [torch.from_numpy(pixels) for pixels in read_all(paths, workers)]
        if not photos:
            raise ValueError("A photo bank needs at least one photograph.")
        sizes = torch.tensor([photo.shape[:2] for photo in photos])
        counts = sizes.prod(1)
        self.pixels = torch.cat([photo.reshape(-1, 3) for photo in photos]).to(device)
        self.sizes = sizes.to(device)
        self.offsets = (counts.cumsum(0) - counts).to(device)
        # Each pixel has the same chance of being seen, whatever photo it is in.
        self.chances = counts.to(device, torch.float32)
        self.grey = torch.tensor([_is_grey(photo) for photo in photos], device=device)

    def __len__(self) -> int:
        """Count the photographs."""
        return len(self.sizes)

    def crops(self, count: int, size: int, generator: torch.Generator) -> Tensor:
        """Draw square crops, as `draw` does."""
        return self.draw(count, size, generator)[0]

    def draw(self, count: int, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw square crops, each turned and mirrored at random.

        Parameters
        ----------
        count : int
            Crops B.
        size : int
            Side in pixels; smaller photographs are wrapped by reflection.
        generator : torch.Generator
            Source of randomness, on the bank's device.

        Returns
        -------
        crops : Tensor
            (B, 3, size, size), float32 in [0, 1], channels-last.
        grey : Tensor
            (B,), whether the photograph of a crop has one colour.
        """
        device = self.pixels.device
        photo = torch.multinomial(self.chances, count, replacement=True, generator=generator)
        height, width = self.sizes[photo].unbind(1)
        place = torch.rand(2, count, generator=generator, device=device)
        # Each crop has its own: a batch that is turned as one has fewer directions to learn from.
        mirrored = torch.rand(3, count, generator=generator, device=device) < 0.5
        steps = torch.arange(size, device=device)
        rows = self._reflect((place[0] * (height - size + 1).clamp(min=1)).long(), steps, height)
        columns = self._reflect((place[1] * (width - size + 1).clamp(min=1)).long(), steps, width)
        rows = torch.where(mirrored[0, :, None], rows.flip(1), rows)
        columns = torch.where(mirrored[1, :, None], columns.flip(1), columns)
        index = self.offsets[photo, None, None] + rows[:, :, None] * width[:, None, None]
        crops = self.pixels[index + columns[:, None, :]]  # (B, size, size, 3)
        crops = torch.where(mirrored[2, :, None, None, None], crops.transpose(1, 2), crops)
        return (crops.float() / 255).permute(0, 3, 1, 2), self.grey[photo]

    @staticmethod
    def _reflect(start: Tensor, steps: Tensor, limit: Tensor) -> Tensor:
        index = start[:, None] + steps
        period = (2 * (limit - 1)).clamp(min=1)[:, None]
        index = index % period
        return torch.minimum(index, period - index)
