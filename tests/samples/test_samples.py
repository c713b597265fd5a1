import numpy as np
import pytest
import tifffile
from skimage.metrics import peak_signal_noise_ratio

from napari_anyir import samples
from napari_anyir.samples import FOLDER, SAMPLES


@pytest.mark.parametrize("key", SAMPLES)
def test_sample_is_small_degraded_and_licensed(key):
    sample = SAMPLES[key]
    for name in (sample.degraded, sample.clean):
        assert (FOLDER / name).stat().st_size < 150_000
    degraded, clean = sample.read()
    assert degraded.shape == clean.shape
    assert degraded.dtype == clean.dtype
    span = float(clean.max()) - float(clean.min())
    assert peak_signal_noise_ratio(clean, degraded, data_range=span) < 27
    assert f"| {key} |" in (FOLDER / "LICENSES.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("key", SAMPLES)
def test_layers_have_a_hidden_truth_and_a_shown_sample(key):
    (clean, below, _), (degraded, above, kind) = getattr(samples, f"open_{key}")()
    assert kind == "image"
    assert above["name"] == key
    assert not below["visible"]
    assert above["rgb"] == (degraded.ndim == 3)
    assert above.get("scale") == below.get("scale")
    assert not np.array_equal(clean, degraded)


def test_micrograph_keeps_its_physical_scale():
    with tifffile.TiffFile(FOLDER / SAMPLES["micrograph"].degraded) as file:
        assert file.imagej_metadata["unit"] in {"um", "micron", "\\u00B5m"}
        pixels, length = file.pages[0].tags["XResolution"].value
    assert length / pixels == pytest.approx(SAMPLES["micrograph"].scale, rel=1e-3)
    assert SAMPLES["micrograph"].read()[0].dtype == np.uint16
