"""Which files, under which names, and what is refused before any work."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from napari_anyir.files.finding import find_images, identity
from napari_anyir.files.plan import BatchPlan, make_plan


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a folder with images, other files, hidden files and a Zarr."""
    for name in (
        "raw/a.png",
        "raw/b.TIF",
        "raw/notes.txt",
        "raw/.hidden.png",
        "raw/day1/c.jpg",
        "raw/day1/deep/d.npy",
        "raw/.cache/e.png",
        "raw/f.ome.zarr/0/0.png",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def targets(plan: BatchPlan, top: Path) -> list[str]:
    """Return the targets below a folder."""
    return [job.target.relative_to(top).as_posix() for job in plan.jobs]


ALL = ["a.png", "b.TIF", "day1/c.jpg", "day1/deep/d.npy", "f.ome.zarr"]


def test_folders_keep_their_layout(tree: Path) -> None:
    plan = make_plan([tree / "raw"], tree / "out")
    assert targets(plan, tree) == [f"out/{name}" for name in ALL]
    assert plan.root == tree / "out"


def test_patterns(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert targets(make_plan([tree / "raw" / "*.png"], tree / "out"), tree) == ["out/a.png"]
    everything = make_plan([str(tree / "raw" / "**" / "*")], tree / "out")
    assert sorted(targets(everything, tree)) == [f"out/{name}" for name in ALL]
    monkeypatch.chdir(tree)
    assert targets(make_plan(["r*/day1/*.jpg"], "out"), Path()) == ["out/raw/day1/c.jpg"]


def test_a_name_that_looks_like_a_pattern_is_a_name(tmp_path: Path) -> None:
    (tmp_path / "a[1].png").touch()
    assert targets(make_plan([tmp_path / "a[1].png"], tmp_path / "out"), tmp_path) == [
        "out/a[1].png"
    ]


def test_each_file_once(tree: Path) -> None:
    raw = tree / "raw"
    plan = make_plan([raw / "a.png", raw / "*.png", raw, raw / "day1" / ".." / "a.png"], tree / "o")
    assert targets(plan, tree) == [f"o/{name}" for name in ALL]


def test_suffix_and_format(tree: Path) -> None:
    raw = tree / "raw"
    plan = make_plan([raw / "a.png", raw / "f.ome.zarr"], raw, suffix="_restored")
    assert targets(plan, raw) == ["a_restored.png", "f_restored.ome.zarr"]
    plan = make_plan([raw / "a.png", raw / "f.ome.zarr"], raw / "o", extension="ome.tif")
    assert targets(plan, raw) == ["o/a.ome.tif", "o/f.ome.tif"]


def test_one_file_to_one_file(tree: Path) -> None:
    raw = tree / "raw"
    plan = make_plan([raw / "a.png"], tree / "new" / "b.tif")
    assert targets(plan, tree) == ["new/b.tif"]
    assert plan.root == tree / "new"
    plan = make_plan([raw / "a.png"], tree / "b.ome.zarr")
    assert targets(plan, tree) == ["b.ome.zarr"]


def test_output_inside_the_input_is_no_input(tree: Path) -> None:
    raw = tree / "raw"
    (raw / "out").mkdir()
    (raw / "out" / "a.png").touch()
    assert targets(make_plan([raw], raw / "out"), raw) == [f"out/{name}" for name in ALL]
    # without a folder of their own, results of earlier runs are known from the log
    (raw / "a_x.png").touch()
    plan = make_plan([raw / "*.png"], raw, suffix="_x", earlier={identity(raw / "a_x.png")})
    assert targets(plan, raw) == ["a_x.png"]


def refused(inputs: list[Path], output: Path, says: str, **options: str) -> None:
    """Check that a plan is refused with one sentence."""
    with pytest.raises((ValueError, FileNotFoundError), match=says) as caught:
        make_plan(inputs, output, **options)  # type: ignore[arg-type]
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


def test_refusals(tree: Path) -> None:
    raw, out = tree / "raw", tree / "out"
    refused([], out, "nothing to restore")
    refused([raw / "none.png"], out, r"no file or folder '.*none\.png'")
    refused([raw / "notes.txt"], out, r"extension '\.txt'")
    refused([raw / "*.gif"], out, "holds no images")
    (tree / "empty").mkdir()
    refused([tree / "empty"], out, "holds no images")
    refused([raw], raw, "would replace the input")
    refused([raw / "a.png"], raw / "a.png", "would replace the input")
    refused([raw], raw / "notes.txt", "a file and no image")
    refused([raw], tree / "all.png", "names one image")
    refused([raw / "a.png", raw / "b.TIF"], tree / "all.png", "names one image")
    refused([raw / "a.png"], tree / "b.png", "leave them out", suffix="_x")
    refused([raw / "a.png"], out, r"extension '\.xyz'", extension="xyz")


def test_two_inputs_with_one_output(tree: Path) -> None:
    raw = tree / "raw"
    (raw / "day1" / "a.png").touch()
    refused([raw / "a.png", raw / "day1" / "a.png"], tree / "out", "would both become")
    (raw / "a.tif").touch()
    refused([raw], tree / "out", "would both become", extension=".png")
    # one result must not replace what is still to be read
    (raw / "a_x.png").touch()
    refused([raw], raw, "would replace the input", suffix="_x")


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_links_to_one_file_are_one_file(tree: Path) -> None:
    (tree / "link").symlink_to(tree / "raw")
    assert len(find_images(tree / "link")) == len(ALL)
    plan = make_plan([tree / "raw", tree / "link"], tree / "out")
    assert targets(plan, tree) == [f"out/{name}" for name in ALL]
    refused([tree / "link"], tree / "raw", "would replace the input")
