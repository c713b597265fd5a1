"""The bundled default on real benchmark images, where they are there."""

import shutil

import pytest

from napari_anyir.training.evaluation.evaluate import EvaluationOptions, evaluate


@pytest.mark.slow
def test_default_denoises_real_photographs(shared, tmp_path):
    """Four of the 68 images; the whole set is on the card: more than 7 dB at sigma 25."""
    pytest.importorskip("pywt")
    folder = tmp_path / "data" / "CBSD68"
    folder.mkdir(parents=True)
    for path in sorted((shared / "dev" / "CBSD68").glob("*.png"))[::20]:
        shutil.copy(path, folder)
    options = EvaluationOptions(only="sigma 25", classical=True)
    run, _ = evaluate("dev", tmp_path / "data", "default", tmp_path / "out", options=options)
    (rows,) = run.means().values()
    assert rows["input"].images == 4
    assert rows["output"].psnr > rows["input"].psnr + 6.5
    assert rows["output"].psnr > rows["wavelet"].psnr
    assert rows["output"].psnr > rows["bilateral"].psnr
