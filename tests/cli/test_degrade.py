"""``anyir degrade``: every kind, its parameters, and the same again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from napari_anyir.cli import app
from napari_anyir.cli.degrade import KIND_NAMES
from napari_anyir.degradations import KINDS, degrade, make
from napari_anyir.degrading import degrade_array
from napari_anyir.files import ImageFile, read_image, write_image

RNG = np.random.default_rng(0)
PHOTO = RNG.integers(0, 255, (40, 36, 3), np.uint8)


def run(*arguments: object) -> Any:
    """Run ``anyir degrade``."""
    return CliRunner().invoke(app, ["degrade", *map(str, arguments)])


def test_help_names_every_kind() -> None:
    assert tuple(KINDS) == KIND_NAMES


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_every_kind_gives_what_the_library_gives(tmp_path: Path, kind: str) -> None:
    write_image(tmp_path / "a.png", PHOTO)
    result = run(tmp_path / "a.png", "-o", tmp_path / "b.png", "--kind", kind, "--seed", 3)
    assert result.exit_code == 0, result.output
    images = torch.from_numpy(PHOTO.transpose(2, 0, 1) / 255.0).float().unsqueeze(0)
    expected = degrade(images, kind, seed=3)[0].permute(1, 2, 0).double().numpy()
    array = read_image(tmp_path / "b.png").array
    np.testing.assert_array_equal(array, np.rint(expected * 255).astype(np.uint8))


def test_the_same_command_gives_the_same_files(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        write_image(tmp_path / "raw" / name, PHOTO)
    for out in ("one", "two"):
        assert run(tmp_path / "raw", "-o", tmp_path / out, "--kind=rain", "--seed=5").exit_code == 0
    assert run(tmp_path / "raw", "-o", tmp_path / "six", "--kind=rain", "--seed=6").exit_code == 0

    def read(path: str) -> np.ndarray[Any, Any]:
        return np.asarray(read_image(tmp_path / path).array)

    np.testing.assert_array_equal(read("one/a.png"), read("two/a.png"))
    np.testing.assert_array_equal(read("one/b.png"), read("two/b.png"))
    np.testing.assert_array_equal(read("one/b.png"), read("six/a.png"))  # seed 5 + 1
    assert (read("one/a.png") != read("one/b.png")).any()


def test_parameters_reach_the_degradation(tmp_path: Path) -> None:
    grey = np.full((64, 64), 128, np.uint8)
    write_image(tmp_path / "a.png", grey)
    for sigma in ("10", "40"):
        target = tmp_path / f"{sigma}.png"
        result = run(
            tmp_path / "a.png", "-o", target, "--kind=noise", "--sigma", sigma, "--storage=round"
        )
        assert result.exit_code == 0, result.output
        assert f"sigma={float(sigma)}" in result.stdout
        assert read_image(target).array.std() == pytest.approx(float(sigma), rel=0.05)


def test_micrographs_keep_type_axes_and_scale(tmp_path: Path) -> None:
    array = RNG.integers(100, 4000, (2, 32, 32), np.uint16)
    image = ImageFile(array, "ZYX", "npy", scale={"Z": 2.0}, units={"Z": "micrometer"})
    write_image(tmp_path / "a.tif", array, image)
    command = [tmp_path / "a.tif", "-o", tmp_path / "b.tif", "--kind=poisson_gaussian"]
    assert run(*command).exit_code == 0
    degraded = read_image(tmp_path / "b.tif")
    assert (degraded.axes, degraded.scale["Z"]) == ("ZYX", 2.0)
    assert degraded.array.dtype == np.uint16
    assert (degraded.array[0] != degraded.array[1]).any()


def test_alpha_is_kept() -> None:
    image = RNG.integers(0, 255, (16, 16, 4), np.uint8)
    noisy = degrade_array(image, make("noise", sigma=25.0), seed=0)
    np.testing.assert_array_equal(noisy[..., 3], image[..., 3])
    assert (noisy[..., :3] != image[..., :3]).any()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--kind=fog"], "unknown degradation 'fog'"),
        (["--kind=noise", "--sgima=3"], "no parameter 'sgima': its parameters are sigma"),
        (["--kind=noise", "--sigma=much"], "must be a number"),
        (["--kind=noise", "--sigma=1000"], "sigma must lie within"),
        (["--kind=noise", "--storage=keep"], "storage must be one of"),
        (["--kind=mixture", "--rain=3"], "cannot be set from a shell"),
        (["--kind=clean", "--sigma=3"], "clean has no parameter"),
    ],
)
def test_wrong_parameters_are_one_sentence(tmp_path: Path, arguments: list[str], says: str) -> None:
    write_image(tmp_path / "a.png", PHOTO)
    result = run(tmp_path / "a.png", "-o", tmp_path / "out", *arguments)
    assert result.exit_code == 1
    assert says in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_bad_files_stop_nothing_and_existing_ones_stay(tmp_path: Path) -> None:
    write_image(tmp_path / "raw" / "a.png", PHOTO)
    (tmp_path / "raw" / "b.png").write_text("no image")
    result = run(tmp_path / "raw", "-o", tmp_path / "out", "--kind=noise")
    assert result.exit_code == 1
    assert result.stdout.startswith("1 degraded by ")
    assert "b.png' cannot be read" in result.stderr
    before = (tmp_path / "out" / "a.png").read_bytes()
    result = run(tmp_path / "raw" / "a.png", "-o", tmp_path / "out", "--kind=noise", "--seed=1")
    assert "exists already" in result.stderr
    assert (tmp_path / "out" / "a.png").read_bytes() == before
    command = [tmp_path / "raw" / "a.png", "-o", tmp_path / "out", "--kind=noise", "--seed=1"]
    assert run(*command, "--overwrite").exit_code == 0
    assert (tmp_path / "out" / "a.png").read_bytes() != before


def test_parameters_are_listed() -> None:
    result = CliRunner().invoke(app, ["degrade", "--parameters"])
    assert result.exit_code == 0, result.output
    for kind in KIND_NAMES:
        assert f"--kind {kind}" in result.stdout
    assert "--sigma" in result.stdout
