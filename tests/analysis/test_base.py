"""Every analysis draws, writes its numbers, saves by suffix, and leaves matplotlib as it was."""

from __future__ import annotations

import builtins
import csv
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_anyir.analysis import (
    channel_activations,
    contact_sheet,
    error_map,
    pca_3d,
    singular_values,
    spectra,
    split_pca_3d,
    t_sne,
)
from napari_anyir.analysis.base import Analysis, only_block

matplotlib = pytest.importorskip("matplotlib")
RNG = np.random.default_rng(0)
IMAGE = RNG.random((24, 16))
PARTS = {
    "alpha": RNG.normal(size=(3, 24, 16)),
    "attention": RNG.normal(size=(4, 24, 16)),
    "gated": RNG.normal(size=(4, 24, 16)),
    "fused": RNG.normal(size=(8, 24, 16)),
    "output": RNG.normal(size=(8, 24, 16)),
}
ANALYSES: dict[str, Callable[[dict], Analysis]] = {
    "singular_values": singular_values,
    "channel_activations": channel_activations,
    "pca_3d": lambda maps: pca_3d(maps, samples=40),
    "split_pca_3d": lambda maps: split_pca_3d(maps, samples=40),
    "t_sne": lambda maps: t_sne(maps, samples=20),
    "error_map": lambda maps: error_map(IMAGE, IMAGE[::-1], maps),
    "spectra": lambda maps: spectra(IMAGE, IMAGE / 2),
    "contact_sheet": lambda maps: contact_sheet(maps, IMAGE, IMAGE / 2),
}


@pytest.fixture(params=list(ANALYSES))
def analysis(request: pytest.FixtureRequest, make_maps: Callable) -> Analysis:
    if request.param == "t_sne":
        pytest.importorskip("sklearn")
    return ANALYSES[request.param](make_maps(PARTS))


@pytest.mark.slow
def test_figures_and_tables_are_saved(analysis: Analysis, tmp_path: Path) -> None:
    for suffix, start in ((".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")):
        path = analysis.save(tmp_path / f"figure{suffix}", dpi=40)
        assert path.read_bytes().startswith(start)
    with analysis.save(tmp_path / "numbers.csv").open(encoding="utf-8", newline="") as file:
        names, *rows = csv.reader(file)
    assert rows
    assert {len(row) for row in rows} == {len(names)}
    expected = [[str(value) for value in row] for row in analysis.table()[1]]
    assert rows == expected


def test_pictures_are_not_empty(analysis: Analysis, tmp_path: Path) -> None:
    from skimage.io import imread

    pixels = imread(analysis.save(tmp_path / "figure.png", dpi=60))[..., :3]
    assert 0.005 < (pixels < 250).any(axis=2).mean() < 0.95


@pytest.mark.slow
def test_the_same_numbers_give_the_same_file(analysis: Analysis, tmp_path: Path) -> None:
    first, second = (analysis.save(tmp_path / f"{name}.svg").read_bytes() for name in "ab")
    assert first == second


def test_another_suffix_is_refused(analysis: Analysis, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'figure\.gif' cannot be written; end its name in \.png"):
        analysis.save(tmp_path / "figure.gif")


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf", ".csv"])
def test_links_are_replaced_and_not_written_through(suffix: str, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    path = tmp_path / "out" / f"a{suffix}"
    path.parent.mkdir()
    path.symlink_to(precious)
    assert spectra(IMAGE, IMAGE / 2).save(path) == path
    assert precious.read_text() == "mine"
    assert not path.is_symlink()
    assert path.stat().st_size > 100
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_figure_that_fails_leaves_the_older_one(tmp_path: Path) -> None:
    class Broken(Analysis):
        def figure(self) -> object:
            raise MemoryError("too large")

        def table(self) -> tuple[tuple[str], object]:
            return ("a",), (1 / 0 for _ in range(3))

    for suffix in (".png", ".csv"):
        path = tmp_path / f"a{suffix}"
        path.write_text("older")
        with pytest.raises((MemoryError, ZeroDivisionError)):
            Broken().save(path)
        assert path.read_text() == "older"
    assert len(list(tmp_path.iterdir())) == 2


def test_an_analysis_is_frozen(analysis: Analysis) -> None:
    with pytest.raises(AttributeError):
        analysis.block = "other"  # type: ignore[attr-defined]


@pytest.mark.slow
def test_no_pyplot_and_no_backend_is_touched() -> None:
    code = (
        "import sys, numpy as np\n"
        "from napari_anyir.analysis import spectra\n"
        "assert 'matplotlib' not in sys.modules\n"
        "figure = spectra(np.eye(16), np.zeros((16, 16))).figure()\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "assert not any(name.startswith(('PyQt', 'PySide', 'sklearn')) for name in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize(("package", "name"), [("matplotlib", "spectra"), ("sklearn", "t_sne")])
def test_a_missing_package_is_named(
    package: str, name: str, make_maps: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(module: str, *rest: object) -> object:
        if module.split(".")[0] == package:
            raise ImportError(module)
        return real(module, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"pip install 'napari-anyir\[analysis\]'"):
        ANALYSES[name](make_maps(PARTS)).figure()


def test_which_block(make_maps: Callable) -> None:
    one = make_maps(PARTS, "latent.0")
    two = {**one, **make_maps(PARTS, "decoder1.0")}
    assert only_block(one, None) == "latent.0"
    assert only_block(two, "decoder1.0") == "decoder1.0"
    with pytest.raises(
        ValueError, match=r"^Name a block; there are maps of latent\.0, decoder1\.0"
    ):
        only_block(two, None)
    with pytest.raises(ValueError, match=r"no maps of the block 'encoder1\.0'; there are maps of"):
        only_block(two, "encoder1.0")


def test_reduced_and_missing_maps_are_refused(make_maps: Callable) -> None:
    reduced = make_maps({"attention": np.ones((1, 8, 8))}, reduce="mean_abs")
    with pytest.raises(ValueError, match="reduced to 'mean_abs', and this analysis needs all"):
        singular_values(reduced, parts=["attention"])
    with pytest.raises(ValueError, match=r"no map of 'fused' .* parts=\['fused'\]"):
        singular_values(reduced, parts=["fused"])
