"""Sample images for the File menu, the command line and the tests: one per degradation.

The photographs are CC0, the micrograph is one that scikit-image ships, also CC0 (see the file
LICENSES here). ``docs/make_samples.py`` made them; none of them was used in training.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    LayerData = tuple[np.ndarray[Any, Any], dict[str, Any], str]

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Sample:
    """A degraded image with its clean version.

    Parameters
    ----------
    key : str
        Short name, also of the files.
    title : str
        What the menu shows.
    degraded, clean : str
        File names in this folder.
    scale : float, optional
        Side of a pixel in micrometres.

    Examples
    --------
    >>> from napari_anyir.samples import SAMPLES
    >>> degraded, clean = SAMPLES["rain"].read()
    >>> degraded.shape == clean.shape, degraded.dtype
    (True, dtype('uint8'))
    """

    key: str
    title: str
    degraded: str
    clean: str
    scale: float | None = field(default=None)

    def read(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Read the pixels.

        Returns
        -------
        degraded, clean : numpy.ndarray
            (Y, X, 3) uint8, or (Y, X) uint16 for the micrograph.
        """
        from skimage.io import imread

        return imread(FOLDER / self.degraded), imread(FOLDER / self.clean)

    def layers(self) -> list[LayerData]:
        """Return what napari opens: the clean image, hidden, below the degraded one.

        Returns
        -------
        list of (array, dict, str)
            napari layer data.
        """
        degraded, clean = self.read()
        common: dict[str, Any] = {"rgb": degraded.ndim == 3}
        if self.scale is not None:
            common |= {"scale": (self.scale,) * 2, "units": ("um", "um")}
        if degraded.ndim == 2:
            common["contrast_limits"] = (int(clean.min()), int(clean.max()))
        return [
            (clean, {"name": f"{self.key} (clean)", "visible": False, **common}, "image"),
            (degraded, {"name": self.key, **common}, "image"),
        ]


SAMPLES: dict[str, Sample] = {
    sample.key: sample
    for sample in (
        Sample("noise", "Noise: budgerigar", "noise.png", "noise-clean.png"),
        Sample("rain", "Rain: Colosseum", "rain.jpg", "rain-clean.jpg"),
        Sample("haze", "Haze: mountain lake", "haze.jpg", "haze-clean.jpg"),
        Sample("blur", "Motion blur: painted wall", "blur.jpg", "blur-clean.jpg"),
        Sample("darkness", "Darkness: market spices", "darkness.png", "darkness-clean.jpg"),
        Sample("mixture", "Rain and haze: torii gates", "mixture.jpg", "mixture-clean.jpg"),
        Sample(
            "micrograph",
            "Micrograph: cell, 16-bit, shot noise",
            "micrograph.tif",
            "micrograph-clean.tif",
            scale=0.107,
        ),
    )
}
"""The samples by key, in the order of the menu."""


def open_noise() -> list[LayerData]:
    """Open the noisy sample in napari.

    Examples
    --------
    >>> [layer[1]["name"] for layer in open_noise()]
    ['noise (clean)', 'noise']
    """
    return SAMPLES["noise"].layers()


def open_rain() -> list[LayerData]:
    """Open the rainy sample in napari.

    Examples
    --------
    >>> open_rain()[1][1]["name"]
    'rain'
    """
    return SAMPLES["rain"].layers()


def open_haze() -> list[LayerData]:
    """Open the hazy sample in napari.

    Examples
    --------
    >>> open_haze()[1][1]["name"]
    'haze'
    """
    return SAMPLES["haze"].layers()


def open_blur() -> list[LayerData]:
    """Open the blurred sample in napari.

    Examples
    --------
    >>> open_blur()[1][1]["name"]
    'blur'
    """
    return SAMPLES["blur"].layers()


def open_darkness() -> list[LayerData]:
    """Open the dark sample in napari.

    Examples
    --------
    >>> open_darkness()[1][1]["name"]
    'darkness'
    """
    return SAMPLES["darkness"].layers()


def open_mixture() -> list[LayerData]:
    """Open the sample with rain and haze in napari.

    Examples
    --------
    >>> open_mixture()[1][1]["name"]
    'mixture'
    """
    return SAMPLES["mixture"].layers()


def open_micrograph() -> list[LayerData]:
    """Open the noisy micrograph in napari.

    Examples
    --------
    >>> pixels, settings, kind = open_micrograph()[1]
    >>> pixels.dtype, settings["name"], kind
    (dtype('uint16'), 'micrograph', 'image')
    """
    return SAMPLES["micrograph"].layers()
