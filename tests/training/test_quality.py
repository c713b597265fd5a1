"""The bundled default on real benchmark images, where they are there."""

import shutil

import numpy as np
import pytest

from napari_anyir import restore
from napari_anyir.training.evaluate import classical, evaluate


@pytest.mark.slow
def test_default_denoises_real_photographs(shared, tmp_path):
    """Four of the 68 images; the whole set is on the card: more than 7 dB at sigma 25."""
    pytest.importorskip("pywt")
    folder = tmp_path / "CBSD68"
    folder.mkdir()
    for path in sorted((shared / "dev" / "CBSD68").glob("*.png"))[::20]:
        shutil.copy(path, folder)
    restorers = {"output": lambda x: np.clip(restore(x, axes="YXS"), 0, 1), **classical()}
    (rows,) = evaluate(tmp_path, restorers, only="sigma 25").values()
    assert rows["input"]["images"] == 4
    assert rows["output"]["psnr"] > rows["input"]["psnr"] + 6.5
    assert rows["output"]["psnr"] > rows["wavelet"]["psnr"]
    assert rows["output"]["psnr"] > rows["bilateral"]["psnr"]
