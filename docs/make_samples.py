"""Make the sample images from clean CC0 photographs: ``python docs/make_samples.py PHOTOS``.

PHOTOS is the folder of the photographs named below. Photographs are scaled to 480 pixels; noise
and darkness are stored without loss, since JPEG would change what is to be restored.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import skimage
import tifffile
import torch
from PIL import Image
from skimage.io import imread
from skimage.transform import resize

from napari_anyir.degradations import degrade
from napari_anyir.samples import FOLDER, SAMPLES

# sample: photograph, rows and columns of the crop after scaling, degradation and its parameters
PHOTOGRAPHS: dict[str, tuple[str, tuple[slice, slice], str, dict[str, Any]]] = {
    "noise": (
        "hist_budgie-0012.jpg",
        (slice(30, 218), slice(160, 416)),
        "noise",
        {"sigma": 25.0, "seed": 1},
    ),
    "rain": (
        "hist_budgie-0013.jpg",
        (slice(None), slice(None)),
        "rain",
        {
            "angle": 12.0,
            "length": 22.0,
            "width": 0.9,
            "coverage": 0.25,
            "intensity": 0.45,
            "seed": 2,
        },
    ),
    "haze": (
        "hist_budgie-0027.jpg",
        (slice(None), slice(None)),
        "haze",
        {"beta": 1.4, "airlight": 0.9, "nearest": 0.0, "seed": 6},
    ),
    "blur": (
        "hist_budgie-0010.jpg",
        (slice(None), slice(None)),
        "motion_blur",
        {"length": 9.0, "objects": 0.0, "seed": 4},
    ),
    "darkness": (
        "hist_budgie-0011.jpg",
        (slice(None), slice(None)),
        "darkness",
        {"exposure": 0.03, "seed": 5},
    ),
    "mixture": (
        "hist_budgie-0006.jpg",
        (slice(None), slice(None)),
        "mixture",
        {"combination": "haze_rain", "seed": 6},
    ),
}
LONG_SIDE = 480


def degraded(clean: np.ndarray, kind: str, parameters: dict[str, Any]) -> np.ndarray:
    """Degrade a (Y, X, 3) uint8 image."""
    planes = torch.from_numpy(clean).movedim(-1, 0)[None].float() / 255
    result = degrade(planes, kind, **parameters)[0].movedim(0, -1)
    return (result * 255).round().clamp(0, 255).byte().numpy()


def save(path: Path, pixels: np.ndarray) -> None:
    """Write PNG, or JPEG of high quality without chroma subsampling."""
    options = {"quality": 93, "subsampling": 0} if path.suffix == ".jpg" else {"optimize": True}
    Image.fromarray(pixels).save(path, **options)


def micrograph(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Give scikit-image's cell 16 bits and the noise of few photons and a camera."""
    clean = skimage.data.cell()[246:502, 294:550].astype(float) / 255
    generator = np.random.default_rng(seed)
    electrons, gain, offset = 20 + 130 * clean, 12.0, 100.0
    noisy = generator.poisson(electrons) + generator.normal(0, 3, clean.shape)
    return tuple(  # type: ignore[return-value]
        np.clip(np.round(offset + gain * image), 0, 65535).astype(np.uint16)
        for image in (noisy, electrons)
    )


def main(photographs: Path) -> None:
    """Write every sample into the package."""
    for key, (name, crop, kind, parameters) in PHOTOGRAPHS.items():
        photo = imread(photographs / name)
        height, width = photo.shape[:2]
        size = (round(height * LONG_SIDE / width), LONG_SIDE)
        clean = (resize(photo, size, anti_aliasing=True)[crop] * 255).round().astype(np.uint8)
        sample = SAMPLES[key]
        save(FOLDER / sample.clean, clean)
        save(FOLDER / sample.degraded, degraded(clean, kind, parameters))
    sample = SAMPLES["micrograph"]
    per_pixel = sample.scale or 1.0
    for name, pixels in zip((sample.degraded, sample.clean), micrograph(), strict=True):
        tifffile.imwrite(
            FOLDER / name,
            pixels,
            imagej=True,
            resolution=(1 / per_pixel, 1 / per_pixel),
            metadata={"axes": "YX", "unit": "um"},
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
