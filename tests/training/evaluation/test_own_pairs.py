"""Pairs of one's own, 16-bit stacks and photographs: restored and measured as their files are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_anyir import restore
from napari_anyir.files import read_image, write_image
from napari_anyir.training.evaluation.evaluate import EvaluationOptions, evaluate
from napari_anyir.training.evaluation.mean_table import mean_table
from napari_anyir.training.evaluation.own_pairs import Deep, read_own, score_own
from napari_anyir.training.sets.pairing import Pair


@pytest.fixture
def root(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    ramp = np.linspace(200, 9000, 40 * 48).reshape(1, 40, 48).repeat(2, 0)
    noisy = ramp + generator.normal(0, 600, ramp.shape)
    for folder, stack in (("input", noisy), ("target", ramp)):
        (tmp_path / folder).mkdir()
        pixels = stack.clip(0, 65535).astype(np.uint16)
        tifffile.imwrite(tmp_path / folder / "stack.tif", pixels, imagej=True)
        photo = (stack[0] / 40).clip(0, 255).astype(np.uint8)
        write_image(tmp_path / folder / "photo.png", np.stack([photo] * 3, 2))
    return tmp_path


def test_numbers_are_those_of_the_files(root: Path) -> None:
    run, missing = evaluate(
        "pairs", root, "nano", root / "out", EvaluationOptions(device="cpu", images=True)
    )
    assert not missing
    scores = {(s.image, s.method): s for s in run.scores().scores}
    assert set(scores) == {(n, m) for n in ("photo", "stack") for m in ("input", "output")}
    clean = read_image(root / "target" / "stack.tif").array.astype(float)
    noisy = read_image(root / "input" / "stack.tif").array
    restored = restore(noisy, axes="ZYX", model="nano", device="cpu")
    span = clean.max() - clean.min()
    for method, image in (("input", noisy), ("output", restored)):
        expected = 10 * np.log10(span**2 / np.square(image - clean).mean())
        assert scores["stack", method].psnr == pytest.approx(expected, abs=1e-5)
    assert scores["stack", "output"].psnr > scores["stack", "input"].psnr
    photo = [read_image(root / f / "photo.png").array.astype(float) for f in ("input", "target")]
    expected = 10 * np.log10(255**2 / np.square(photo[0] - photo[1]).mean())
    assert scores["photo", "input"].psnr == pytest.approx(expected, abs=1e-5)
    table = mean_table(run)
    assert [row[:2] for row in table.rows] == [("pairs", "2")]
    assert "distance between the clean image's extremes" in table.notes[0]
    assert len(list((run.folder / "strips").rglob("*.png"))) == 2


def test_a_gaussian_window_gives_other_numbers(root: Path) -> None:
    deep = [
        Deep(read_image(root / folder / "stack.tif").array, "ZYX") for folder in ("input", "target")
    ]
    uniform, gaussian = (score_own(*deep, variant) for variant in ("uniform", "gaussian"))
    assert uniform[0] == gaussian[0]
    assert 0 < gaussian[1] != uniform[1] < 1


def test_what_is_no_pair_is_one_sentence(root: Path) -> None:
    write_image(root / "input" / "stack.tif", np.zeros((3, 3), np.uint16))
    pair = Pair("stack", root / "target" / "stack.tif", root / "input" / "stack.tif")
    with pytest.raises(ValueError, match="pair images of one size"):
        list(read_own([pair], ["stack"]))
    with pytest.raises(ValueError, match="leave --classical out"):
        evaluate(
            "pairs", root, "nano", root / "out", EvaluationOptions(classical=True, device="cpu")
        )
