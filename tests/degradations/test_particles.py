from __future__ import annotations

import math

import pytest
import torch

from napari_anyir.degradations._fields import smooth_field
from napari_anyir.degradations._particles import (
    disc_spectrum,
    frequencies,
    line_spectrum,
    scatter_points,
)

ONE = torch.ones(1, 1, 1, 1)


def drawn(spectrum: torch.Tensor, canvas: tuple[int, int]) -> torch.Tensor:
    return torch.fft.fftshift(torch.fft.irfft2(spectrum, s=canvas)[0, 0])


def test_a_disc_is_round_and_flat():
    fy, fx, canvas = frequencies(torch.zeros(1, 3, 32, 32), 0)
    disc = drawn(disc_spectrum(fy, fx, 6 * ONE), canvas)
    row, column = canvas[0] // 2, canvas[1] // 2
    assert disc.max() == pytest.approx(1.0, abs=0.08)
    assert disc[row, column] == pytest.approx(1.0, abs=0.08)
    assert disc.sum() == pytest.approx(math.pi * 36, rel=1e-4)
    assert disc[row + 6, column] == pytest.approx(0.5, abs=0.12)
    assert disc[row + 5, column] == pytest.approx(float(disc[row, column - 5]), abs=1e-5)
    assert abs(disc[row + 12, column]) < 0.02
    assert disc.min() > -0.02


def test_a_line_peaks_at_one_and_hardly_rings():
    fy, fx, canvas = frequencies(torch.zeros(1, 3, 64, 64), 0)
    line = drawn(line_spectrum(fy, fx, 0 * ONE, 24 * ONE, 1.0 * ONE), canvas)
    assert line.max() == pytest.approx(1.0, abs=0.02)
    assert line.min() > -0.01
    row, column = canvas[0] // 2, canvas[1] // 2
    assert line[row + 12, column] == pytest.approx(0.5, abs=0.05)
    assert line[row, column + 3] < 0.05


def test_points_have_the_asked_number_and_uniform_strengths():
    chance = torch.full((2, 1, 1, 1), 0.05)
    chance[1] = 0.0
    points = scatter_points(chance, chance, (300, 300), torch.Generator().manual_seed(0))
    assert (points[0] > 0).float().mean() == pytest.approx(0.05, rel=0.05)
    assert points[0][points[0] > 0].mean() == pytest.approx(0.5, abs=0.03)
    assert points[1].sum() == 0


def test_fields_have_features_of_the_asked_size():
    images = torch.zeros(8, 3, 96, 96)
    generator = torch.Generator().manual_seed(0)
    slopes = [
        smooth_field(images, torch.full((8, 1, 1, 1), scale), generator)
        .diff(dim=-1)
        .abs()
        .mean()
        .item()
        for scale in (10.0, 40.0, 160.0)
    ]
    assert slopes[0] / slopes[1] == pytest.approx(4, rel=0.4)
    assert slopes[1] / slopes[2] == pytest.approx(4, rel=0.6)


def test_fields_differ_between_images_and_are_centred():
    images = torch.zeros(64, 3, 16, 16)
    scale = torch.full((64, 1, 1, 1), 8.0)
    field = smooth_field(images, scale, torch.Generator().manual_seed(0))
    assert field.mean().abs() < 0.1
    assert 0.5 < field.std() < 1.1
    assert field.mean(dim=(1, 2, 3)).std() > 0.1
