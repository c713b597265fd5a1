"""Many files: resumable, whole files only, one bad file stops nothing, constant memory."""

from __future__ import annotations

import functools
import json
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import napari_anyir
from napari_anyir.files import (
    FileStatus,
    ImageFile,
    Settings,
    batch_run,
    read_image,
    restore_files,
    write_image,
)
from napari_anyir.files.run_log import LOG_NAME

RNG = np.random.default_rng(0)
NANO = Settings(model="nano", device="cpu")


def photo(path: Path, side: int = 16) -> Path:
    """Write a small random photo."""
    return write_image(path, RNG.integers(0, 255, (side, side, 3), np.uint8))


def run(inputs: Any, output: Path, settings: Settings = NANO, **options: Any) -> list[FileStatus]:
    """Restore files and return every status."""
    return list(restore_files(inputs, output, settings=settings, **options))


def states(statuses: list[FileStatus]) -> Counter[str]:
    """Count the last state of every file."""
    return Counter({status.index: status.state for status in statuses}.values())


def files_in(folder: Path) -> list[str]:
    """Return all files below a folder but the log."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.name != LOG_NAME
    )


def test_results_are_those_of_restore(tmp_path: Path) -> None:
    arrays = {
        "a.png": RNG.integers(0, 255, (20, 24, 3), np.uint8),
        "b.tif": RNG.integers(0, 4000, (2, 20, 24), np.uint16),
        "c.npy": RNG.random((20, 24)).astype(np.float32),
    }
    for name, array in arrays.items():
        write_image(tmp_path / "raw" / name, array, ImageFile(array, "TYX"[-array.ndim :], "npy"))
    write_image(tmp_path / "raw" / "a.png", arrays["a.png"])
    settings = Settings(model="nano", device="cpu", strength=0.5)
    statuses = run([tmp_path / "raw"], tmp_path / "out", settings)
    assert states(statuses) == {"done": 3}
    for name, array in arrays.items():
        axes = "TYX" if name == "b.tif" else None
        expected = napari_anyir.restore(array, axes=axes, model="nano", device="cpu", strength=0.5)
        found = read_image(tmp_path / "out" / name)
        np.testing.assert_array_equal(found.array, expected)
        assert found.axes == {"a.png": "YXS", "b.tif": "TYX", "c.npy": None}[name]


def test_every_change_of_state_is_told(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        photo(tmp_path / "raw" / name)
    told: list[float] = []
    statuses = run(
        [tmp_path / "raw"], tmp_path / "out", progress=lambda done, total: told.append(done / total)
    )
    assert [(status.name, status.state) for status in statuses[:3]] == [
        ("a.png", "queued"),
        ("b.png", "queued"),
        ("a.png", "running"),
    ]
    done = [status for status in statuses if status.state == "done"]
    assert [status.name for status in done] == ["a.png", "b.png"]
    assert all(status.seconds > 0 and status.record for status in done)
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_one_bad_file_stops_nothing(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    photo(raw / "a.png")
    (raw / "b.png").write_text("no image")
    np.save(raw / "c.npy", np.full((8, 8), np.nan))
    photo(raw / "d.png")
    statuses = run([raw], tmp_path / "out")
    last = {status.name: status for status in statuses}
    assert {name: status.state for name, status in last.items()} == {
        "a.png": "done",
        "b.png": "failed",
        "c.npy": "failed",
        "d.png": "done",
    }
    assert "b.png' cannot be read" in last["b.png"].message
    assert "64 NaN" in last["c.npy"].message
    assert files_in(tmp_path / "out") == ["a.png", "d.png"]


def test_a_result_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    photo(tmp_path / "raw" / "a.png")
    np.save(tmp_path / "raw" / "b.npy", np.zeros((2, 2, 8, 8), np.uint8))
    statuses = run([tmp_path / "raw"], tmp_path / "out", extension="png")
    assert states(statuses) == {"done": 1, "failed": 1}
    assert "cannot be written" in statuses[-1].message
    assert files_in(tmp_path / "out") == ["a.png"]


def test_nothing_is_left_when_all_fail(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no image")
    assert states(run([tmp_path / "a.png"], tmp_path / "out")) == {"failed": 1}
    assert not (tmp_path / "out").exists()


def test_what_is_there_is_skipped_until_something_changes(tmp_path: Path) -> None:
    raw, out = tmp_path / "raw", tmp_path / "out"
    for name in ("a.png", "b.png"):
        photo(raw / name)
    run([raw], out)
    before = {path.name: path.stat().st_mtime_ns for path in out.glob("*.png")}
    assert states(run([raw], out)) == {"skipped": 2}
    assert {path.name: path.stat().st_mtime_ns for path in out.glob("*.png")} == before

    photo(raw / "c.png")  # more files: only those
    assert states(run([raw], out)) == {"skipped": 2, "done": 1}

    photo(raw / "a.png", side=18)  # another input: not silently kept, not silently replaced
    with pytest.raises(ValueError, match=r"a\.png' exists already.*--overwrite"):
        run([raw], out)
    assert states(run([raw], out, overwrite=True)) == {"skipped": 2, "done": 1}

    weaker = Settings(model="nano", device="cpu", strength=0.5)
    with pytest.raises(ValueError, match="3 results exist already"):
        run([raw], out, weaker)
    assert states(run([raw], out, weaker, overwrite=True)) == {"done": 3}


def test_files_of_others_are_not_replaced(tmp_path: Path) -> None:
    photo(tmp_path / "raw" / "a.png")
    precious = photo(tmp_path / "out" / "a.png").read_bytes()
    with pytest.raises(ValueError, match="allow overwriting"):
        run([tmp_path / "raw"], tmp_path / "out")
    assert (tmp_path / "out" / "a.png").read_bytes() == precious


def test_in_place_with_a_suffix_does_not_restore_results(tmp_path: Path) -> None:
    photo(tmp_path / "a.png")
    assert states(run([tmp_path], tmp_path, suffix="_r")) == {"done": 1}
    photo(tmp_path / "b.png")
    assert states(run([tmp_path], tmp_path, suffix="_r")) == {"skipped": 1, "done": 1}
    assert files_in(tmp_path) == ["a.png", "a_r.png", "b.png", "b_r.png"]


def test_bad_settings_are_told_before_any_work(tmp_path: Path) -> None:
    photo(tmp_path / "a.png")
    for wrong in (
        Settings(model="nano", device="cuda:99"),
        Settings(model="nano", precision="float8"),
        Settings(model="nano", strength=2),
        Settings(model="nano", tile=-1),
        Settings(model="nano", intensity="loud"),
    ):
        with pytest.raises((ValueError, TypeError)):
            restore_files([tmp_path / "a.png"], tmp_path / "out", settings=wrong)
    with pytest.raises(napari_anyir.ModelError):
        restore_files([tmp_path / "a.png"], tmp_path / "out", settings=Settings(model="huge"))
    assert not (tmp_path / "out").exists()


def test_the_log_tells_how(tmp_path: Path) -> None:
    photo(tmp_path / "a.png")
    run([tmp_path / "a.png"], tmp_path / "out" / "b.tif")
    (line,) = (tmp_path / "out" / LOG_NAME).read_text().splitlines()
    entry = json.loads(line)
    assert entry["output"] == "b.tif"
    assert entry["record"]["model"] == "nano"
    assert entry["record"]["axes"] == "YXS"
    assert entry["sha256"] == entry["record"]["sha256"]
    with tifffile.TiffFile(tmp_path / "out" / "b.tif") as tif:
        assert tif.pages[0].software.startswith("napari-anyir ")
        assert entry["sha256"][:12] in tif.pages[0].software


# --- stopping -------------------------------------------------------------------------------------


def test_cancel_leaves_whole_files_only(tmp_path: Path) -> None:
    for number in range(6):
        photo(tmp_path / "raw" / f"{number}.png")
    cancel = threading.Event()
    seen = []
    statuses = restore_files([tmp_path / "raw"], tmp_path / "out", settings=NANO, cancel=cancel)

    def iterate() -> None:
        for status in statuses:
            seen.append(status)
            if status.state == "done" and status.index == 1:
                cancel.set()

    with pytest.raises(napari_anyir.Cancelled):
        iterate()
    done = [status.name for status in seen if status.state == "done"]
    assert files_in(tmp_path / "out") == done
    assert 2 <= len(done) < 6
    cancel.clear()
    again = run([tmp_path / "raw"], tmp_path / "out", cancel=cancel)
    assert states(again) == {"skipped": len(done), "done": 6 - len(done)}


def test_closing_leaves_whole_files_only(tmp_path: Path) -> None:
    for number in range(4):
        photo(tmp_path / "raw" / f"{number}.png")
    statuses = restore_files([tmp_path / "raw"], tmp_path / "out", settings=NANO)
    while next(statuses).state != "done":
        pass
    statuses.close()  # type: ignore[attr-defined]
    for name in files_in(tmp_path / "out"):
        read_image(tmp_path / "out" / name)
    assert not [name for name in files_in(tmp_path / "out") if "anyir-" in name]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX's")
def test_killed_and_started_again(tmp_path: Path) -> None:
    raw, out = tmp_path / "raw", tmp_path / "out"
    for number in range(12):
        photo(raw / f"{number:02}.png", side=48)
    code = (
        "import sys\n"
        "from napari_anyir.files import Settings, restore_files\n"
        "for s in restore_files([sys.argv[1]], sys.argv[2], settings=Settings(model='nano')):\n"
        "    print(s.state, flush=True)\n"
    )
    command = [sys.executable, "-c", code, str(raw), str(out)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    done = 0
    for line in process.stdout:
        done += line.strip() == "done"
        if done == 4:
            process.send_signal(signal.SIGKILL)
            break
    process.wait(timeout=60)
    process.stdout.close()
    (out / ".anyir-0123456789ab-00000000-05.png").write_bytes(b"half a file")
    kept = {path.name: path.stat().st_mtime_ns for path in out.glob("[0-9]*.png")}
    assert 4 <= len(kept) < 12
    for name in kept:
        read_image(out / name)

    again = run([raw], out, Settings(model="nano"))
    assert states(again) == {"skipped": len(kept), "done": 12 - len(kept)}
    assert len(files_in(out)) == 12
    for name, changed in kept.items():  # none was computed again
        assert (out / name).stat().st_mtime_ns == changed
    for number in range(12):
        assert read_image(out / f"{number:02}.png").array.shape == (48, 48, 3)
    assert states(run([raw], out, Settings(model="nano"))) == {"skipped": 12}


def test_two_runs_share_a_folder(tmp_path: Path) -> None:
    photo(tmp_path / "a.png")
    photo(tmp_path / "b.png")
    first = restore_files([tmp_path / "a.png"], tmp_path / "out", settings=NANO)
    assert next(first).state == "queued"
    assert next(first).state == "running"
    assert states(run([tmp_path / "b.png"], tmp_path / "out")) == {"done": 1}
    assert states(list(first)) == {"done": 1}
    assert files_in(tmp_path / "out") == ["a.png", "b.png"]
    both = run([tmp_path / "a.png", tmp_path / "b.png"], tmp_path / "out")
    assert states(both) == {"skipped": 2}


# --- memory and overlap ---------------------------------------------------------------------------


def test_at_most_two_images_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(8):
        photo(tmp_path / "raw" / f"{number}.png")
    alive: set[int] = set()
    most = 0
    real = batch_run.read_image

    class Counted(np.ndarray):
        def __del__(self) -> None:
            alive.discard(id(self))

    def counting(source: Path) -> ImageFile:
        nonlocal most
        image = real(source)
        array = image.array.view(Counted)
        alive.add(id(array))
        most = max(most, len(alive))
        return ImageFile(array, image.axes, image.format, source, metadata=image.metadata)

    monkeypatch.setattr(batch_run, "read_image", counting)
    assert states(run([tmp_path / "raw"], tmp_path / "out")) == {"done": 8}
    assert most <= 3  # restored, being freed, read ahead
    assert len(alive) <= 1


def test_reading_and_writing_go_on_beside_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        photo(tmp_path / "raw" / f"{number}.png")
    threads: dict[str, set[str]] = {"read": set(), "write": set()}
    read, write = batch_run.read_image, batch_run.write_image

    def reading(*args: Any, **options: Any) -> ImageFile:
        threads["read"].add(threading.current_thread().name)
        return read(*args, **options)

    def writing(*args: Any, **options: Any) -> Path:
        threads["write"].add(threading.current_thread().name)
        return write(*args, **options)

    monkeypatch.setattr(batch_run, "read_image", reading)
    monkeypatch.setattr(batch_run, "write_image", writing)
    run([tmp_path / "raw"], tmp_path / "out")
    assert threads == {"read": {"anyir-read_0"}, "write": {"anyir-write_0"}}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.tif", "a.npy", "a.ome.zarr"])
def test_large_files_are_restored_block_by_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    if "zarr" in name:
        pytest.importorskip("zarr")
    array = RNG.integers(0, 4000, (5, 40, 32), np.uint16)
    image = ImageFile(array, "ZYX", "npy", scale={"Z": 2.0, "Y": 1.0, "X": 1.0})
    write_image(tmp_path / name, array, image)
    expected = napari_anyir.restore(array, axes="ZYX", model="nano", device="cpu")
    monkeypatch.setattr(batch_run, "read_image", functools.partial(read_image, lazy_above=0))
    told: list[float] = []
    statuses = run([tmp_path / name], tmp_path / "out", progress=lambda done, _: told.append(done))
    assert states(statuses) == {"done": 1}, statuses[-1].message
    found = read_image(tmp_path / "out" / name)
    np.testing.assert_array_equal(found.array, expected)
    assert len(set(told)) >= 5  # every block was told of
