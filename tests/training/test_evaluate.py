import numpy as np
import pytest
from skimage.io import imsave

from napari_anyir.training.evaluate import (
    classical,
    evaluate,
    find_pairs,
    main,
    noisy_pairs,
    psnr_ssim,
)


@pytest.fixture
def sets(tmp_path):
    generator = np.random.default_rng(0)

    def write(*parts):
        path = tmp_path.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        imsave(path, generator.integers(60, 190, (33, 50, 3), np.uint8), check_contrast=False)

    for name in ("b.png", "a.png"):
        write("CBSD68", name)
    write("Rain100L", "rainy", "rain-001.png")
    write("Rain100L", "norain", "norain-001.png")
    return tmp_path


def test_noise_is_one_stream_over_sorted_files(sets):
    found = list(noisy_pairs(sets / "CBSD68"))
    assert [name for name, _, _ in found] == [
        f"CBSD68 sigma {sigma}" for sigma in (15, 15, 25, 25, 50, 50)
    ]
    _, degraded, clean = found[0]
    noise = np.random.RandomState(0).randn(32, 48, 3) * 15
    expected = np.clip(np.round(clean * 255) + noise, 0, 255).astype(np.uint8)
    assert np.array_equal(np.round(degraded * 255), expected)
    assert clean.shape == (32, 48, 3)


def test_truncation_bias_of_the_protocol(sets):
    pairs = [(d, c) for name, d, c in noisy_pairs(sets / "CBSD68") if name.endswith("15")]
    bias = np.mean([255 * (d - c).mean() for d, c in pairs])
    assert -1.2 < bias < 0.2  # -0.5 and the noise of two small images


def test_every_set_that_is_there_is_found(sets):
    assert {name for name, _, _ in find_pairs(sets)} == {
        "CBSD68 sigma 15",
        "CBSD68 sigma 25",
        "CBSD68 sigma 50",
        "Rain100L",
    }


def test_missing_partner_and_missing_sets(sets, tmp_path):
    (sets / "Rain100L" / "norain" / "norain-001.png").unlink()
    imsave(
        sets / "Rain100L" / "norain" / "norain-002.png",
        np.zeros((33, 50, 3), np.uint8),
        check_contrast=False,
    )
    with pytest.raises(FileNotFoundError, match="no clean partner"):
        list(find_pairs(sets))
    with pytest.raises(FileNotFoundError, match="None of the sets"):
        list(find_pairs(tmp_path / "nowhere"))


def test_scores(sets):
    results = evaluate(sets, {"itself": lambda x: x, "half": lambda x: x / 2}, only="sigma 25")
    assert list(results) == ["CBSD68 sigma 25"]
    rows = results["CBSD68 sigma 25"]
    assert rows["itself"] == rows["input"]
    assert rows["input"]["images"] == 2
    assert 19.5 < rows["input"]["psnr"] < 21  # 20 log10(255 / 25) = 20.17
    assert rows["half"]["psnr"] < rows["input"]["psnr"]


def test_psnr_of_a_known_error():
    clean = np.full((16, 16, 3), 0.5, np.float32)
    assert psnr_ssim(clean + np.float32(0.1), clean)[0] == pytest.approx(20, abs=1e-3)
    assert psnr_ssim(clean + np.float32(1e-4), clean)[1] == pytest.approx(1, abs=1e-3)


def test_classical_denoisers_denoise():
    pytest.importorskip("pywt")
    clean = np.full((64, 64, 3), 0.5, np.float32)
    noisy = (clean + np.random.default_rng(0).normal(0, 0.1, clean.shape)).astype(np.float32)
    for name, denoise in classical().items():
        assert psnr_ssim(denoise(noisy), clean)[0] > psnr_ssim(noisy, clean)[0] + 3, name


def test_command_writes_its_numbers(sets, capsys):
    out = sets / "results.json"
    main(["--data", str(sets), "--only", "Rain", "--model", "nano", "--out", str(out)])
    assert "Rain100L (1 images): input" in capsys.readouterr().out
    assert '"output"' in out.read_text()
