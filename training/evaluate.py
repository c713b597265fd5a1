"""Measure a model on pairs of degraded and clean images.

``python -m napari_anyir.training.evaluate --data ROOT --model nano --out results.json``

Protocol: RGB, centre crop to a multiple of 16, whole images, output clipped to [0, 1] and not
rounded; PSNR with data range 1, SSIM with a uniform 7 x 7 window and data range 1, averaged over
channels; means over images. Noise: seed 0 once, files sorted, sigma 15, then 25, then 50, added in
grey levels, clipped to [0, 255] and truncated to 8 bits.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from napari_anyir.inference import restore
from napari_anyir.training.photos import find_photos, read_rgb

Image = NDArray[np.float32]
Restorer = Callable[[Image], Image]

SIGMAS = (15, 25, 50)
NOISE_FOLDERS = ("CBSD68",)
PAIR_FOLDERS: dict[str, tuple[str, str]] = {
    "Rain100L": ("rainy", "norain"),
    "LOLv1": ("low", "high"),
    "SOTS_indoor": ("hazy", "gt"),
    "GoPro": ("blur", "sharp"),
}


def centre_crop(image: NDArray[Any], multiple: int = 16) -> NDArray[Any]:
    """Crop (H, W, 3) around its centre to a multiple in height and width.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_anyir.training.evaluate import centre_crop
    >>> centre_crop(np.zeros((321, 481, 3))).shape
    (320, 480, 3)
    """
    height, width = image.shape[:2]
    rows, columns = height - height % multiple, width - width % multiple
    top, left = (height - rows) // 2, (width - columns) // 2
    return image[top : top + rows, left : left + columns]


def noisy_pairs(folder: Path) -> Iterator[tuple[str, Image, Image]]:
    """Add the protocol's noise to clean images.

    Yields
    ------
    set : str
        For instance ``"CBSD68 sigma 25"``.
    degraded, clean : numpy.ndarray
        (H, W, 3) float32 in [0, 1].
    """
    # The lineage draws from numpy's global generator; its stream is part of the protocol.
    generator = np.random.RandomState(0)
    paths = find_photos(folder)
    for sigma in SIGMAS:
        for path in paths:
            clean = centre_crop(read_rgb(path))
            noisy = clean + generator.randn(*clean.shape) * sigma
            stored = np.clip(noisy, 0, 255).astype(np.uint8)
            yield f"{folder.name} sigma {sigma}", _unit(stored), _unit(clean)


def stored_pairs(folder: Path, degraded: str, clean: str) -> Iterator[tuple[str, Image, Image]]:
    """Read pairs from two folders; names are equal but for ``norain-`` against ``rain-``.

    Yields
    ------
    set : str
        Name of the folder.
    degraded, clean : numpy.ndarray
        (H, W, 3) float32 in [0, 1].

    Raises
    ------
    FileNotFoundError
        If an image has no partner.
    """
    partners = {path.stem.removeprefix("no"): path for path in find_photos(folder / clean)}
    for path in find_photos(folder / degraded):
        if path.stem not in partners:
            raise FileNotFoundError(f"'{path}' has no clean partner in '{folder / clean}'.")
        pair = (centre_crop(read_rgb(p)) for p in (path, partners[path.stem]))
        yield folder.name, *map(_unit, pair)  # type: ignore[misc]


def _unit(image: NDArray[np.uint8]) -> Image:
    return image.astype(np.float32) / np.float32(255)


def find_pairs(root: Path) -> Iterator[tuple[str, Image, Image]]:
    """Iterate over all pairs of the sets that are below a folder.

    Raises
    ------
    FileNotFoundError
        If none is there.
    """
    found = False
    for name in NOISE_FOLDERS:
        if (root / name).is_dir():
            found = True
            yield from noisy_pairs(root / name)
    for name, (degraded, clean) in PAIR_FOLDERS.items():
        if (root / name / degraded).is_dir():
            found = True
            yield from stored_pairs(root / name, degraded, clean)
    if not found:
        known = ", ".join((*NOISE_FOLDERS, *PAIR_FOLDERS))
        raise FileNotFoundError(f"None of the sets {known} is in '{root}'; name their folder.")


def psnr_ssim(image: Image, clean: Image) -> tuple[float, float]:
    """PSNR in dB and SSIM of an image in [0, 1], as at the head of the module."""
    psnr = peak_signal_noise_ratio(clean, image, data_range=1)
    ssim = structural_similarity(clean, image, data_range=1, channel_axis=-1)
    return float(psnr), float(ssim)


def classical() -> dict[str, Restorer]:
    """Denoisers of scikit-image to compare with; each estimates the noise by itself."""
    from skimage.restoration import denoise_bilateral, denoise_wavelet, estimate_sigma

    def wavelet(image: Image) -> Image:
        restored: Image = denoise_wavelet(
            image, channel_axis=-1, convert2ycbcr=True, rescale_sigma=True
        )
        return restored

    def bilateral(image: Image) -> Image:
        # The best of 1 to 4 times the noise and of 1.5 and 3 pixels on other photographs.
        restored: Image = denoise_bilateral(
            image,
            sigma_color=estimate_sigma(image, channel_axis=-1, average_sigmas=True),
            sigma_spatial=3,
            channel_axis=-1,
        )
        return restored

    return {"wavelet": wavelet, "bilateral": bilateral}


def evaluate(
    root: Path, restorers: dict[str, Restorer], only: str = ""
) -> dict[str, dict[str, dict[str, float]]]:
    """Measure restorers on the sets below a folder.

    Parameters
    ----------
    root : Path
        Folder of the sets.
    restorers : dict of str to callable
        Each maps (H, W, 3) float32 in [0, 1] to the same.
    only : str
        Skip sets whose name does not contain this.

    Returns
    -------
    dict
        Set to ``input`` and restorers, each with ``psnr``, ``ssim`` and ``images``.
    """
    scores: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for name, degraded, clean in find_pairs(root):
        if only not in name:
            continue
        rows = scores.setdefault(name, {})
        rows.setdefault("input", []).append(psnr_ssim(degraded, clean))
        for key, restorer in restorers.items():
            output = np.clip(restorer(degraded), 0, 1).astype(np.float32)
            rows.setdefault(key, []).append(psnr_ssim(output, clean))
    return {
        name: {
            key: {
                "psnr": round(float(np.mean([s[0] for s in values])), 2),
                "ssim": round(float(np.mean([s[1] for s in values])), 4),
                "images": len(values),
            }
            for key, values in rows.items()
        }
        for name, rows in scores.items()
    }


def main(arguments: list[str] | None = None) -> None:
    """Run from a shell; see the head of the module."""
    parser = argparse.ArgumentParser(prog="napari_anyir.training.evaluate", description=__doc__)
    parser.add_argument("--data", required=True, type=Path, help="folder of the test sets")
    parser.add_argument("--model", default="default", help="name or path")
    parser.add_argument("--only", default="", help="part of the name of a set")
    parser.add_argument("--classical", action="store_true", help="also scikit-image's denoisers")
    parser.add_argument("--out", type=Path, help="JSON file for the numbers")
    given = parser.parse_args(arguments)
    restorers: dict[str, Restorer] = {"output": lambda x: restore(x, axes="YXS", model=given.model)}
    if given.classical:
        restorers |= classical()
    results = evaluate(given.data, restorers, given.only)
    for name, rows in results.items():
        line = "  ".join(f"{key} {v['psnr']:.2f} dB {v['ssim']:.4f}" for key, v in rows.items())
        print(f"{name} ({rows['input']['images']} images): {line}")
    if given.out:
        given.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
