from __future__ import annotations

import numpy as np
import pytest

from napari_anyir.analysis import spectra
from napari_anyir.analysis.spectrum import power_spectrum

RNG = np.random.default_rng(0)


def test_a_wave_stands_at_its_frequency() -> None:
    x = np.arange(128)
    wave = np.broadcast_to(0.5 + 0.25 * np.cos(2 * np.pi * 0.2 * x), (96, 128))
    found = spectra(wave, np.full((96, 128), 0.5))
    assert found.frequency[found.radial["input"].argmax()] == pytest.approx(0.2, abs=0.012)
    row, column = np.unravel_index(found.power["input"].argmax(), (96, 128))
    assert row == 48
    assert abs(column - 64) / 128 == pytest.approx(0.2, abs=0.008)
    assert found.power["output"].max() < 1e-20
    np.testing.assert_allclose(found.power["difference"], found.power["input"], atol=1e-12)


@pytest.mark.parametrize("shape", [(64, 64), (33, 70)])
def test_white_noise_is_flat_at_its_variance(shape: tuple[int, int]) -> None:
    noise = RNG.normal(0, 3, shape)
    assert power_spectrum(noise).mean() == pytest.approx(9, rel=0.15)
    found = spectra(noise, np.zeros(shape), intensity=(0, 1))
    outer = found.radial["input"][found.frequency > 0.1]
    assert outer.min() > 4
    assert outer.max() < 18


def test_rings_are_means_of_the_spectrum() -> None:
    image = RNG.random((20, 31))
    found = spectra(image, image / 2)
    rows, columns = (np.fft.fftshift(np.fft.fftfreq(n)) for n in image.shape)
    radius = np.hypot(rows[:, None], columns)
    rings = found.frequency.size
    first = radius < 0.5 / 10  # the shorter side has 10 rings
    assert rings == 10
    assert found.radial["input"][0] == pytest.approx(found.power["input"][first].mean())
    assert found.frequency[0] == pytest.approx(radius[first].mean())


def test_colours_are_averaged() -> None:
    image = RNG.random((16, 16, 3))
    found = spectra(image, np.zeros_like(image))
    expected = np.mean([power_spectrum(image[..., k]) for k in range(3)], axis=0)
    np.testing.assert_allclose(found.power["input"], expected)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 2)])
def test_tiny_images(shape: tuple[int, int]) -> None:
    pytest.importorskip("matplotlib")
    found = spectra(RNG.random(shape), np.zeros(shape))
    assert np.isfinite(found.radial["input"]).all()
    found.figure()


def test_images_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="same size and type"):
        spectra(np.zeros((4, 4)), np.zeros((4, 4), np.uint8))
