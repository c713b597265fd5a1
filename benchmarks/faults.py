"""Table of faults: ``python benchmarks/faults.py [--kills 20]`` breaks batches, tells what is left.

Kills, a full disk, sources that are cut before or while they are read, an output folder that is
read-only or taken away, two processes in one folder, little memory, and entries that are no files.
Nothing that was whole may be lost, and each fault is one sentence. The full and the read-only disk
need root, to mount a small one; they are passed over elsewhere.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np

from napari_anyir.files import read_image, write_image

KILLED = (".png", ".tif", ".npy", ".ome.zarr")
BATCH = (sys.executable, "-m", "napari_anyir", "restore", "--model", "nano", "--device", "cpu")


def start(*arguments: object, prefix: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """Start a batch."""
    command = [*prefix, *BATCH, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def made(folder: Path, suffix: str, count: int = 6) -> Path:
    """Make a folder of images."""
    random_numbers = np.random.default_rng(0)
    for number in range(count):
        pixels = random_numbers.integers(0, 255, (160, 160), np.uint8)
        write_image(folder / f"{number}{suffix}", pixels)
    return folder


def broken(folder: Path) -> list[str]:
    """Results that cannot be read whole."""
    bad = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.name.startswith(".") or path.suffix == ".jsonl":
            continue
        try:
            read_image(path)
        except ValueError as error:
            bad.append(str(error))
    return bad


def sentence(text: str) -> str:
    """Last line that was said; a traceback is a fault."""
    lines = text.strip().splitlines()
    return ("TRACEBACK " if "Traceback" in text else "") + (lines[-1][:150] if lines else "nothing")


def kills(place: Path, suffix: str, count: int) -> list[str]:
    """Kill a batch, half of the times in the midst of writing a file, then run it to its end."""
    n = suffix[1:].replace(".", "-")
    source, target = made(place / f"in-{n}", suffix), place / f"out-{n}"
    started = time.monotonic()
    start(source, "-o", target).communicate()
    whole = time.monotonic() - started
    caught = written = lost = 0
    for number in range(count):
        shutil.rmtree(target, ignore_errors=True)
        process = start(source, "-o", target)
        if number % 2:
            time.sleep(random.Random(number).uniform(0.3, 1.0) * whole)
        else:  # at a temporary name, once so many results are there
            while process.poll() is None:
                parts = list(target.glob(".anyir-*-*")) if target.is_dir() else []
                if parts and len(list(target.glob(f"[0-9]{suffix}"))) >= number // 2 % 5:
                    break
                time.sleep(0.0005)
        caught += process.poll() is None
        process.kill()
        process.communicate()
        written += bool(list(target.glob(".anyir-*-*")))
        lost += len(broken(target))
        start(source, "-o", target).communicate()
        left = [path for path in target.iterdir() if path.name.startswith(".")]
        lost += len(broken(target)) + len(left) + (len(list(target.iterdir())) != 7)
    row = f"{caught} of {count}, {written} in the midst of a file"
    return [f"kill -9, {suffix}", row, f"{lost} lost", ""]


def full_disk(place: Path, suffix: str) -> list[str]:
    """Write onto a disk of 32 kB with one whole result on it."""
    n = suffix[1:].replace(".", "-")
    source, small = made(place / f"full-in-{n}", suffix, 4), place / f"full-{n}"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", small]
    if not hasattr(os, "geteuid") or os.geteuid() or subprocess.run(mount, check=False).returncode:
        return [f"full disk, {suffix}", "passed over", "", "needs root"]
    try:
        process = start(source, "-o", small / "out")
        _, said = process.communicate()
        left = (
            [path.name for path in (small / "out").glob(".*")] if (small / "out").exists() else []
        )
        lost = len(broken(small / "out")) + len(left)
    finally:
        subprocess.run(["umount", small], check=True)
    return [f"full disk, {suffix}", f"exit {process.returncode}", f"{lost} lost", sentence(said)]


def cut_source(place: Path) -> list[str]:
    """Cut one of six files in half."""
    source = made(place / "cut-in", ".tif")
    path = source / "2.tif"
    os.truncate(path, path.stat().st_size // 2)
    process = start(source, "-o", place / "cut")
    _, said = process.communicate()
    missing = 5 - len(list((place / "cut").glob("*.tif")))
    return ["cut source", f"exit {process.returncode}", f"{missing} lost", sentence(said)]


def cut_while_read(place: Path, suffix: str) -> list[str]:
    """Cut a stack that is read plane by plane, after its first planes."""
    n = suffix[1:].replace(".", "-")
    source, target = place / f"shrinks-{n}{suffix}", place / f"shrunk-{n}"
    planes = np.random.default_rng(0).integers(0, 999, (40, 96, 96), np.uint16)
    write_image(source, planes)
    # Above so many bytes a file is read plane by plane.
    code = (
        "import functools, sys; from napari_anyir.files import batch, read_image; "
        "batch.read_image = functools.partial(read_image, lazy_above=0); "
        "from napari_anyir.cli.app import main; sys.argv[0] = 'anyir'; main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, *BATCH[3:], str(source), "-o", str(target)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    until = time.monotonic() + 120
    while not list(target.glob(".anyir-*-*")) and time.monotonic() < until:
        time.sleep(0.01)
    os.truncate(source, 9000)
    _, said = process.communicate()
    left = [path.name for path in target.glob("*") if path.suffix != ".jsonl"]
    name = f"cut while read, {suffix}"
    return [name, f"exit {process.returncode}", f"{len(left)} lost", sentence(said)]


def read_only(place: Path) -> list[str]:
    """Write onto a disk that can only be read, and has an older result."""
    source, disk = made(place / "read-in", ".png", 2), place / "read-only"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "tmpfs", disk]
    if not hasattr(os, "geteuid") or os.geteuid() or subprocess.run(mount, check=False).returncode:
        return ["read-only disk", "passed over", "", "needs root"]
    try:
        made(disk / "out", ".png", 1)
        before = (disk / "out" / "0.png").read_bytes()
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        process = start(source, "-o", disk / "out", "--overwrite")
        _, said = process.communicate()
        lost = (disk / "out" / "0.png").read_bytes() != before
    finally:
        subprocess.run(["umount", disk], check=True)
    return ["read-only disk", f"exit {process.returncode}", f"{int(lost)} lost", sentence(said)]


def odd_entries(place: Path) -> list[str]:
    """Put pipes, sockets, devices, loops and links to nothing among the images."""
    import socket

    source = made(place / "odd-in", ".png", 3)
    os.mkfifo(source / "pipe.png")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(source / "socket.png"))
        (source / "nothing.png").symlink_to(source / "not-there.png")
        (source / "device.png").symlink_to("/dev/zero")
        (source / "loop.png").symlink_to(source / "loop.png")
        (source / "again").symlink_to(source)
        (source / "folder.png").mkdir()
        (source / "empty.png").touch()
        process = start(source, "-o", place / "odd")
        _, said = process.communicate()
    lost = 3 - len(list((place / "odd").glob("[0-9].png"))) + len(broken(place / "odd"))
    return ["odd entries", f"exit {process.returncode}", f"{lost} lost", sentence(said)]


def vanished(place: Path) -> list[str]:
    """Take the output folder away while a batch runs."""
    source, target = made(place / "gone-in", ".png", 12), place / "gone"
    process = start(source, "-o", target)
    until = time.monotonic() + 60
    while not list(target.glob("*.png")) and time.monotonic() < until:
        time.sleep(0.02)
    target.rename(place / "gone-away")
    _, said = process.communicate()
    lost = len(broken(place / "gone-away")) + len(broken(target))
    return ["vanished output", f"exit {process.returncode}", f"{lost} lost", sentence(said)]


def file_as_output(place: Path) -> list[str]:
    """Write below a file, where no folder can be."""
    source = made(place / "file-in", ".png", 1)
    (place / "file").write_text("precious")
    process = start(source, "-o", place / "file" / "out")
    _, said = process.communicate()
    lost = (place / "file").read_text() != "precious"
    return ["no output folder", f"exit {process.returncode}", f"{int(lost)} lost", sentence(said)]


def two_processes(place: Path) -> list[str]:
    """Let two batches write into one folder at a time."""
    source, target = made(place / "two-in", ".png"), place / "two"
    both = [start(source, "-o", target, "--overwrite") for _ in range(2)]
    said = [process.communicate()[1] for process in both]
    lost = len(broken(target)) + (6 - len(list(target.glob("*.png"))))
    codes = " and ".join(str(process.returncode) for process in both)
    return ["two processes", f"exit {codes}", f"{lost} lost", sentence("".join(said))]


def little_memory(place: Path, megabytes: int) -> list[str]:
    """Give a batch less memory than its largest picture takes, or less than it takes to start."""
    source, target = made(place / f"memory-in-{megabytes}", ".png", 2), place / f"m-{megabytes}"
    write_image(source / "9.tif", np.zeros((12000, 12000), np.uint16))
    prefix = ("bash", "-c", f'ulimit -v {megabytes}000; exec "$@"', "limited")
    process = start(source, "-o", target, prefix=prefix)
    _, said = process.communicate()
    done = len(list(target.glob("*.png")))
    lost = len(broken(target)) + len(list(target.glob(".*")))
    name = f"{megabytes / 1000:g} GB of memory"
    return [name, f"exit {process.returncode}, {done} of 2", f"{lost} lost", sentence(said)]


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kills", type=int, default=20)
    options.add_argument("--only", default="", help="part of the names of the faults to be tried")
    chosen = options.parse_args()
    kinds = (".png", ".tif", ".ome.tif", ".npy", ".jpg", ".ome.zarr")
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        work = {f"kill {s}": partial(kills, place, s, chosen.kills) for s in KILLED}
        work |= {f"full disk {s}": partial(full_disk, place, s) for s in kinds}
        work |= {f"cut while read {s}": partial(cut_while_read, place, s) for s in (".npy", ".tif")}
        rest = (cut_source, read_only, vanished, file_as_output, two_processes, odd_entries)
        work |= {one.__name__: partial(one, place) for one in rest}
        work |= {f"memory {m}": partial(little_memory, place, m) for m in (3000, 2000, 600)}
        print("| fault | in flight, or exit | lost | said |\n|---|---|---|---|")
        for one in (run for name, run in work.items() if chosen.only in name):
            row = one()
            failed += "TRACEBACK" in row[3]
            failed += row[2] not in ("0 lost", "")
            print(f"| {' | '.join(row)} |", flush=True)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
