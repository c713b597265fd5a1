import json

import numpy as np
import pytest
from skimage.io import imsave

from napari_anyir.training.measurement.sample_statistics import (
    degradations,
    epoch_counts,
    expected_images,
    measure_samples,
    pixel_statistics,
)
from napari_anyir.training.paper.protocols import find_protocol


@pytest.fixture
def photo(tmp_path):
    rows, columns = np.mgrid[:160, :160]
    image = np.stack([60 + rows % 97, 60 + columns % 89, 60 + (rows + columns) % 101], -1)
    path = tmp_path / "photos" / "a.png"
    path.parent.mkdir()
    imsave(path, image.astype(np.uint8), check_contrast=False)
    return path


def test_epochs_have_the_papers_totals():
    assert sum(epoch_counts("3deg").values()) == 142_431
    assert sum(epoch_counts("5deg").values()) == 162_646
    assert epoch_counts("3deg")["denoise 25"] == 3 * 5_144


def test_table_12_halves_haze_and_repeats_noise():
    balanced = epoch_counts("3deg-balanced")
    assert sum(balanced.values()) == 127_272
    assert balanced["dehaze"] == 36_400
    assert sum(n for task, n in balanced.items() if task.startswith("denoise")) == 13 * 5_144
    assert round(sum(balanced.values()) / sum(epoch_counts("3deg").values()), 2) == 0.89


@pytest.mark.parametrize("name", ["3deg", "5deg", "cdd11", "3deg-balanced"])
def test_counts_are_those_of_the_protocol(name):
    protocol = find_protocol(name)
    counted = sum(task.items(expected_images(task)) for task in protocol.tasks)
    assert counted == sum(epoch_counts(name).values())


def test_pixel_statistics_of_known_noise(photo):
    found = {one.kind: one for one in pixel_statistics([photo], crops=4, size=64)}
    assert set(found) == set(degradations())
    for sigma in (15, 25):
        one = found[f"noise {sigma}"]
        assert one.psnr[1] == pytest.approx(20 * np.log10(255 / sigma), abs=0.3)
        assert one.mean_degraded - one.mean_clean == pytest.approx(-0.5 / 255, abs=2e-3)
    assert found["darkness"].mean_degraded < found["darkness"].mean_clean
    assert found["haze"].deviation_degraded < found["haze"].deviation_clean


@pytest.mark.slow
def test_statistics_are_written(photo, tmp_path):
    values = measure_samples(tmp_path / "results", photo.parent)
    stored = json.loads((tmp_path / "results" / "samples.json").read_text())
    assert stored["counts"] == values["counts"]
    assert len(stored["pixels"]) == len(degradations())
    assert measure_samples(tmp_path / "results")["pixels"] == []
