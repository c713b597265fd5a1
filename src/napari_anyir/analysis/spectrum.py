"""Which spatial frequencies the network changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_anyir.analysis.base import COLOURS, GREY, Analysis, new_figure, show
from napari_anyir.analysis.images import comparable
from napari_anyir.inference.arrays.intensity import Intensity

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LINES = {"input": GREY, "output": COLOURS["attention"], "difference": COLOURS["gated"]}

RINGS = 64


@dataclass(frozen=True, eq=False)
class Spectra(Analysis):
    """Power spectra of an image, its restoration, and the difference of the two images.

    Parameters
    ----------
    power : mapping of str to ndarray of float64
        ``input``, ``output`` and ``difference`` to (Y, X) power, zero frequency in the middle,
        in units of intensity squared: the mean over all frequencies is the (windowed) mean square.
    frequency : ndarray of float64
        (R,) mean frequency of each ring, in cycles per pixel, up to 0.5.
    radial : mapping of str to ndarray of float64
        The mean power in each ring.

    Examples
    --------
    >>> from napari_anyir.analysis import spectra
    >>> before = np.random.default_rng(0).integers(0, 255, (16, 16), np.uint8)
    >>> found = spectra(before, before // 2)
    >>> list(found.radial), bool(found.frequency[-1] <= 0.5)
    (['input', 'output', 'difference'], True)
    """

    power: Mapping[str, NDArray[np.float64]]
    frequency: NDArray[np.float64]
    radial: Mapping[str, NDArray[np.float64]]

    def table(self) -> tuple[Sequence[str], Iterator[Sequence[object]]]:
        """Return the numbers as (names of the columns, rows)."""
        columns = [self.frequency, *self.radial.values()]
        rows = (tuple(row) for row in np.stack(columns, axis=1).tolist())
        return ("cycles_per_pixel", *self.radial), rows

    def figure(self) -> Figure:
        """Draw the three spectra on one scale, and their radial means."""
        figure = new_figure(15, 4.0)
        panels = figure.subplots(1, 4, width_ratios=(1, 1, 1, 1.35))
        floor = self._floor()
        pictures = {name: np.log10(np.maximum(power, floor)) for name, power in self.power.items()}
        low = float(min(np.percentile(picture, 1) for picture in pictures.values()))
        high = float(max(np.percentile(picture, 99.9) for picture in pictures.values()))
        high = high if high > low else low + 1
        drawn = []
        for axes, (name, picture) in zip(panels, pictures.items(), strict=False):
            drawn.append(show(axes, picture, name, (low, high)))
            axes.set_aspect("auto")
            axes.set_box_aspect(1)  # the square of all frequencies, whatever the image's shape
            axes.set_xlabel("horizontal: -0.5 to 0.5 cycles/pixel", fontsize="small")
        panels[0].set_ylabel("vertical: -0.5 to 0.5", fontsize="small")
        figure.colorbar(drawn[0], ax=panels[:3].tolist(), shrink=0.8, label="log10 power")
        for name, values in self.radial.items():
            panels[3].plot(self.frequency, np.maximum(values, floor), color=LINES[name], label=name)
        panels[3].set(yscale="log", xlabel="cycles per pixel", ylabel="mean power", xlim=(0, 0.5))
        panels[3].grid(alpha=0.25)
        panels[3].legend()
        figure.suptitle("Power spectra: input, output, and what was changed (output - input)")
        return figure

    def _floor(self) -> float:
        """Below this, power is what rounding left of zero."""
        largest = max(float(power.max()) for power in self.power.values())
        return max(largest * 1e-14, 1e-30)


def power_spectrum(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """Power spectrum of one plane under a Hann window.

    The window takes away the cross that the image's borders, which do not continue each other,
    would draw. The mean is removed first: it would leak around the zero frequency.

    Parameters
    ----------
    plane : ndarray of float64
        (Y, X).

    Returns
    -------
    ndarray of float64
        (Y, X), zero frequency in the middle; white noise of variance v has a mean of v.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_anyir.analysis.spectrum import power_spectrum
    >>> noise = np.random.default_rng(0).normal(0, 2, (128, 128))
    >>> float(power_spectrum(noise).mean().round(1))
    4.0
    """
    # Two more and their zeros cut off: no row is lost, and one of a single pixel is not zero.
    rows, columns = (np.hanning(size + 2)[1:-1] for size in plane.shape)
    window = np.outer(rows, columns)
    spectrum = np.fft.fft2((plane - plane.mean()) * window)
    power: NDArray[np.float64] = np.fft.fftshift(np.abs(spectrum) ** 2) / (window**2).sum()
    return power


def spectra(image: ArrayLike, restored: ArrayLike, *, intensity: Intensity = "auto") -> Spectra:
    """Spectra of an image, of its restoration, and of what the network changed.

    Parameters
    ----------
    image, restored : array_like
        (Y, X) or (Y, X, 3 or 4), the same size and type; spectra are means over the samples.
    intensity : str or (float, float)
        What becomes 0 and 1; as for `napari_anyir.restore`.

    Returns
    -------
    Spectra
        The numbers, which draw and save themselves.

    Raises
    ------
    ValueError
        If the images differ in size or type, or a pixel is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_anyir.analysis import spectra
    >>> noisy = np.random.default_rng(0).random((64, 48))
    >>> found = spectra(noisy, np.full_like(noisy, 0.5))
    >>> found.frequency.size == found.radial["difference"].size
    True
    """
    planes = comparable(intensity, restored=restored, image=image)
    both = {"input": planes["image"], "output": planes["restored"]}
    both["difference"] = both["output"] - both["input"]
    power = {
        name: np.mean([power_spectrum(sample) for sample in np.moveaxis(plane, 2, 0)], axis=0)
        for name, plane in both.items()
    }
    size = power["input"].shape
    rows, columns = (np.fft.fftshift(np.fft.fftfreq(n)) for n in size)
    radius = np.hypot(rows[:, None], columns[None, :])
    # Rings no thinner than the frequencies of the shorter side; the corners beyond 0.5 are left
    # out, because no direction but the diagonals reaches them.
    count = max(1, min(RINGS, min(size) // 2))
    ring = np.minimum((radius * 2 * count).astype(int), count)
    inside = radius <= 0.5
    ring = np.where(inside, np.minimum(ring, count - 1), count)
    members = np.bincount(ring.ravel(), minlength=count + 1)[:count]
    there = members > 0

    def means(values: NDArray[np.float64]) -> NDArray[np.float64]:
        sums = np.bincount(ring.ravel(), values.ravel(), minlength=count + 1)[:count]
        return sums[there] / members[there]

    return Spectra(power, means(radius), {name: means(values) for name, values in power.items()})
