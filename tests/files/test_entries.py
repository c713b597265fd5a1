"""What folders hold: links, loops, locked folders, names of all kinds; none stops the others."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_anyir.cli import app
from napari_anyir.files import FileStatus, Settings, read_image, restore_files, write_image
from napari_anyir.files.finding import find_images
from napari_anyir.files.plan import make_plan
from napari_anyir.files.run_log import LOG_NAME, RunLog
from napari_anyir.places import longest_name

GREY = np.arange(32 * 32, dtype=np.uint8).reshape(32, 32)
NANO = Settings(model="nano", strength=0.0)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")


def restored(inputs: Path, output: Path, **options: bool) -> dict[str, FileStatus]:
    """Return what became of every file."""
    run = restore_files([inputs], output, settings=NANO, **options)
    return {status.name: status for status in run}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with one good image, last in the order of names."""
    write_image(tmp_path / "in" / "z.png", GREY)
    return tmp_path / "in"


def test_links_that_lead_nowhere(folder: Path) -> None:
    (folder / "a.png").symlink_to("/nowhere/b.png")
    (folder / "b.png").symlink_to("b.png")
    (folder / "c.ome.zarr").symlink_to("/nowhere/c.ome.zarr")
    (folder / "d").symlink_to("/nowhere/folder")  # no image by its name
    last = restored(folder, folder.parent / "out")
    assert {name: status.state for name, status in last.items()} == {
        "a.png": "failed", "b.png": "failed", "c.ome.zarr": "failed", "z.png": "done",
    }  # fmt: skip
    assert "a link to something that is not there" in last["a.png"].message
    assert all(str(folder) in last[name].message for name in ("a.png", "b.png", "c.ome.zarr"))


def test_pipes_and_devices(folder: Path) -> None:
    os.mkfifo(folder / "a.png")
    (folder / "b.png").symlink_to("/dev/zero")
    (folder / "c.png").mkdir()
    last = restored(folder, folder.parent / "out")
    assert {last[name].state for name in ("a.png", "b.png")} == {"failed"}
    assert last["z.png"].state == "done"


@pytest.mark.parametrize("pattern", ["", "*", "**/*.png", "**/**/*.png", "*/*/z.png"])
def test_loops_of_links_end(folder: Path, pattern: str) -> None:
    for name in ("l1", "l2", "l3"):
        (folder / name).symlink_to(".")
    (folder / "up").symlink_to("..")
    found = make_plan([folder / pattern], folder.parent / "out").jobs
    assert [job.source.name for job in found] == ["z.png"]
    if not pattern:
        assert [image.relative for image in find_images(folder)] == [Path("z.png")]


def test_a_locked_folder_is_told_and_stops_nothing(folder: Path) -> None:
    """Root may look at everything, so another user does the work where root runs the tests."""
    (folder / "locked").mkdir()
    write_image(folder / "locked" / "a.png", GREY)
    (folder / "locked").chmod(0)
    code = (
        "import sys; from napari_anyir.files.plan import make_plan\n"
        "for job in make_plan([sys.argv[1]], '/tmp/nowhere').jobs: print(job.name, job.problem)"
    )
    prefix: list[str] = []
    if os.geteuid() == 0:
        for place in (folder, *folder.parents):
            if place.stat().st_uid == 0 and place != place.parent:
                place.chmod(place.stat().st_mode | 0o055)
        (folder / "locked").chmod(0)
        prefix = ["setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups"]
    try:
        done = subprocess.run(
            [*prefix, sys.executable, "-c", code, folder],
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        (folder / "locked").chmod(0o755)
    if "napari_anyir'" in done.stderr or "Permission denied" in done.stderr:
        pytest.skip("another user cannot read this installation")
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first == (f"locked '{folder / 'locked'}' cannot be looked at: permission denied.")
    assert second.strip() == "z.png"


@pytest.mark.parametrize("stem", ["x" * 251, "写真" * 41 + "xx", "x" * 240])
@pytest.mark.parametrize("suffix", [".png", ".npy"])
def test_names_as_long_as_the_system_allows(folder: Path, stem: str, suffix: str) -> None:
    source = folder / (stem + suffix)
    assert len(os.fsencode(source.name)) <= longest_name(folder)
    write_image(source, GREY)
    last = restored(folder, folder.parent / "out")
    assert {status.state for status in last.values()} == {"done"}
    assert np.array_equal(read_image(folder.parent / "out" / source.name).array, GREY)
    again = restored(folder, folder.parent / "out")
    assert {status.state for status in again.values()} == {"skipped"}


def test_a_result_whose_name_would_be_too_long_is_told_before_the_work(folder: Path) -> None:
    write_image(folder / ("x" * 250 + ".png"), GREY)
    run = restore_files([folder], folder.parent / "out", settings=NANO, suffix="_restored")
    last = {status.name[0]: status for status in run}
    assert last["x"].state == "failed"
    assert "its name would have 263 bytes, and 255 are allowed there" in last["x"].message
    assert last["z"].state == "done"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "darwin", reason="names are UTF-8 there")
@pytest.mark.parametrize("suffix", [".png", ".tif", ".npy", ".ome.zarr"])
def test_names_that_are_not_utf_8(folder: Path, suffix: str) -> None:
    name = os.fsdecode(b"gr\xfc\xdfe-\xff" + suffix.encode())
    if suffix == ".ome.zarr":
        pytest.importorskip("zarr")
    write_image(folder / name, GREY)
    out = folder.parent / os.fsdecode(b"out-\xe9")
    last = restored(folder, out)
    assert {status.state for status in last.values()} == {"done"}, last
    assert np.array_equal(read_image(out / name).array, GREY)
    assert {status.state for status in restored(folder, out).values()} == {"skipped"}
    for line in (out / LOG_NAME).read_text(encoding="utf-8").splitlines():
        json.loads(line)
    done = subprocess.run(
        [sys.executable, "-m", "napari_anyir", "restore", folder / name, "-o", out / "x"],
        capture_output=True, check=False, env={**os.environ, "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    assert b"Traceback" not in done.stderr
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_names_that_look_like_markup(folder: Path) -> None:
    """In a terminal, where the progress bar shows them."""
    (folder / "x[").mkdir()
    for name in ("[red].png", "[bold]a[/].png", "x[/y].png", "<b>a</b>.png"):
        write_image(folder / name, GREY)
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder.parent)
        os.environ["TERM"] = "xterm"
        command = [sys.executable, "-m", "napari_anyir", "restore", "in", "-o", "out", "-m", "nano"]
        os.execv(sys.executable, command)
    said, until = b"", time.time() + 120
    while time.time() < until:
        try:
            if select.select([terminal], [], [], 1)[0]:
                more = os.read(terminal, 65536)
                if not more:
                    break
                said += more
        except OSError:
            break
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(terminal)
    assert code == 0, said
    assert sum(1 for path in (folder.parent / "out").rglob("*.png")) == 5


@pytest.mark.parametrize(
    "line",
    [
        '{"output": null}',
        '{"output": 5}',
        '{"output": "a\\u0000"}',
        '{"output": ["a"]}',
        "[" * 100000,
        "[]",
        "5",
        "\x00\xff",
        '{"output": ""}',
    ],
    ids=lambda line: line[:20],
)
def test_foreign_lines_in_the_log(folder: Path, line: str) -> None:
    out = folder.parent / "out"
    out.mkdir()
    (out / LOG_NAME).write_text(line + "\n", encoding="latin-1")
    assert RunLog(out).outputs() == []
    assert restored(folder, out)["z.png"].state == "done"
    assert restored(folder, out)["z.png"].state == "skipped"


def test_links_in_output_folders_are_not_followed(folder: Path) -> None:
    out, elsewhere = folder.parent / "out", folder.parent / "elsewhere"
    write_image(folder / "deep" / "a.png", GREY)
    out.mkdir()
    elsewhere.mkdir()
    (out / "deep").symlink_to(elsewhere)
    (elsewhere / "z.png").write_text("precious")
    (out / "z.png").symlink_to(elsewhere / "z.png")
    last = restored(folder, out, overwrite=True)
    assert last["deep/a.png"].state == "failed"
    assert "would lead it out of the output folder" in last["deep/a.png"].message
    assert last["z.png"].state == "done"
    assert not (out / "z.png").is_symlink()
    assert (elsewhere / "z.png").read_text() == "precious"
    assert sorted(path.name for path in elsewhere.iterdir()) == ["z.png"]


def test_a_log_that_is_a_link_is_not_followed(folder: Path) -> None:
    out = folder.parent / "out"
    out.mkdir()
    (folder.parent / "precious").write_text("precious")
    (out / LOG_NAME).symlink_to(folder.parent / "precious")
    with pytest.raises(ValueError, match="links in output folders are not followed"):
        restored(folder, out)
    assert (folder.parent / "precious").read_text() == "precious"


def test_a_result_is_not_lost_for_a_dangling_link_in_its_place(folder: Path) -> None:
    out = folder.parent / "out"
    out.mkdir()
    (out / "z.png").symlink_to("/nowhere/z.png")
    with pytest.raises(ValueError, match="exists already"):
        restored(folder, out)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everything"
)
def test_a_log_of_somebody_else_costs_no_result(tmp_path: Path) -> None:
    check_log_of_somebody_else(tmp_path)


def test_a_log_that_may_not_be_written_costs_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for root, who may write everything: what the system says to others."""

    def refuses(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(RunLog, "add", refuses)
    check_log_of_somebody_else(tmp_path)


def check_log_of_somebody_else(folder: Path) -> None:
    """Restore one image beside a log that may be read and not written."""
    write_image(folder / "a.png", np.zeros((16, 16), np.uint8))
    (folder / "out").mkdir()
    (folder / "out" / "anyir-log.jsonl").touch(mode=0o444)
    settings = Settings(model="nano", device="cpu")
    last = list(restore_files([folder / "a.png"], folder / "out", settings=settings))[-1]
    assert (last.state, "will not be known again" in last.message) == ("done", True)
    assert read_image(folder / "out" / "a.png").array.shape == (16, 16)


def test_a_link_to_itself_is_told_in_a_shell(folder: Path, tmp_path: Path) -> None:
    (folder / "loop.png").symlink_to(folder / "loop.png")
    command = ["restore", str(folder), "-o", str(tmp_path / "out"), "--model", "nano"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 1
    assert "loop.png" in result.stderr
    assert (tmp_path / "out" / "z.png").is_file()


def test_an_output_folder_that_cannot_be_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    with pytest.raises(ValueError, match="cannot be written to: not a directory; name another"):
        list(restore_files([folder], tmp_path / "file" / "out", settings=NANO))
    assert (tmp_path / "file").read_text() == "precious"
