"""``anyir demo``: every sample, its restored version, a sheet and true numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio
from typer.testing import CliRunner

from napari_anyir.cli import app
from napari_anyir.cli.scores import Score
from napari_anyir.cli.sheet import draw_sheet
from napari_anyir.files import read_image
from napari_anyir.samples import SAMPLES


@pytest.mark.slow
def test_demo(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    result = CliRunner().invoke(app, ["demo", "-o", str(out), "--model", "nano", "--device=cpu"])
    assert result.exit_code == 0, result.output
    names = {path.name for path in out.iterdir()}
    for sample in SAMPLES.values():
        assert sum(name.startswith(f"{sample.key}-") for name in names) == 3
        assert sample.title in result.stdout
    sheet = read_image(out / "contact-sheet.png").array
    assert sheet.ndim == 3
    assert sheet.shape[0] > 200 * len(SAMPLES)

    restored = read_image(out / "noise-restored.png").array
    clean = read_image(out / "noise-clean.png").array
    psnr = peak_signal_noise_ratio(clean, restored, data_range=255)
    line = next(line for line in result.stdout.splitlines() if SAMPLES["noise"].title in line)
    assert f"{psnr:.2f}" in line


def test_demo_refuses_a_file(tmp_path: Path) -> None:
    (tmp_path / "demo").touch()
    result = CliRunner().invoke(app, ["demo", "-o", str(tmp_path / "demo")])
    assert result.exit_code == 1
    assert "name a folder" in result.stderr


def test_the_sheet_shows_the_images() -> None:
    photo = np.zeros((20, 320, 3), np.uint8)
    photo[..., 0] = 200
    deep = np.linspace(0, 1, 20 * 320).reshape(20, 320)
    score = Score(20.0, 0.5, 255.0)
    sheet = draw_sheet([("a", (photo,) * 3, score, score), ("b", (deep,) * 3, score, score)])
    # left column, first row of pixels below the title
    assert sheet[12 + 26, 12].tolist() == [200, 0, 0]
    second = sheet[12 + 26 + 20 + 20 + 12 + 26 :, 12:332]
    assert second[0, 0].tolist() == [0, 0, 0]
    assert second[19, 319].tolist() == [255, 255, 255]
