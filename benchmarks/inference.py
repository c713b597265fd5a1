"""How fast, in how much memory: ours in strips and tiles, the plain network, and peers.

``python -m benchmarks.inference`` measures every way in a fresh process and in turns, so that what
else the machine does meets all of them; it prints a table of medians and writes JSON and a picture
to ``benchmarks/results``. ``--sizes 256 512`` on slow machines; ``--only strips whole`` for some of
the ways. Peers need ``pip install spandrel spandrel-extra-arches`` and are left out without them;
they run with random weights: speed only. It needs ``psutil``, and ``matplotlib`` for the picture.

The plain network is measured with the allocator that the system has and, as "raised", with glibc's
thresholds raised so that freed memory is kept; where tcmalloc is installed, with that as well.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from benchmarks.measure import PEERS

RESULTS = Path(__file__).parent / "results"
RAISED = {"MALLOC_MMAP_THRESHOLD_": str(2**32), "MALLOC_TRIM_THRESHOLD_": str(2**33)}


@dataclass(frozen=True)
class Way:
    """One way to restore an image.

    Parameters
    ----------
    name : str
        As it is printed.
    kind : str
        What `benchmarks.measure` takes.
    environment : dict
        Variables for its process.
    """

    name: str
    kind: str
    environment: tuple[tuple[str, str], ...] = ()


def tcmalloc() -> Path | None:
    """Return tcmalloc's library where it is installed."""
    folders = [Path("/usr/lib"), *Path("/usr/lib").glob("*-linux-gnu*"), Path("/opt/homebrew/lib")]
    found = (folder / "libtcmalloc_minimal.so.4" for folder in folders)
    return next((path for path in found if path.exists()), None)


def ways() -> list[Way]:
    """Return the ways that can be measured here."""
    listed = [
        Way("strips", "strips"),
        Way("tiles of 512", "tiles"),
        Way("whole", "whole"),
        Way("whole, raised thresholds", "whole", tuple(RAISED.items())),
    ]
    if library := tcmalloc():
        listed.append(Way("whole, tcmalloc", "whole", (("LD_PRELOAD", str(library)),)))
    if importlib.util.find_spec("spandrel"):
        extra = importlib.util.find_spec("spandrel_extra_arches") is not None
        listed += [Way(name, name) for name in PEERS if extra or name != "Restormer"]
    return listed


@dataclass
class Row:
    """What was measured of one way, one size, one number of threads."""

    way: str
    size: int
    threads: int
    seconds: list[float]
    processor_seconds: list[float]
    peak_bytes: list[int]
    multiply_rate: list[float]

    @property
    def median(self) -> float:
        """Seconds."""
        return statistics.median(self.seconds)


def measured(way: Way, size: int, threads: int, arguments: list[str]) -> dict[str, object] | None:
    """Measure in a fresh process; None, with a word, where the way fails."""
    command = [sys.executable, "-m", "benchmarks.measure", way.kind, str(size)]
    command += ["--threads", str(threads), *arguments]
    environment = {**os.environ, **dict(way.environment)}
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env=environment,
        cwd=Path(__file__).parents[1],
        check=False,
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["it was ended by the system"])[-1]
        print(f"{way.name} at {size}: {reason}", file=sys.stderr)
        return None
    result: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return result


def operations(variant: str) -> float:
    """Count floating-point operations per pixel, two for a multiply-add."""
    from torch.utils.flop_counter import FlopCounterMode

    from napari_anyir.model import build_model

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        build_model(variant)(torch.rand(1, 3, 224, 224))
    return float(counter.get_total_flops()) / 224**2


def table(rows: list[Row], per_pixel: float) -> str:
    """Return the rows as a table in Markdown; the peak is that of a float32 matrix product."""
    heads = (
        "way, side, threads, seconds, processor seconds, µs per pixel, GFLOP/s, of peak, memory GB"
    )
    names = heads.split(", ")
    lines = ["| " + " | ".join(names) + " |", "|---" * len(names) + "|"]
    for row in rows:
        cells = [row.way, str(row.size), str(row.threads), f"{row.median:.2f}"]
        cells.append(f"{statistics.median(row.processor_seconds):.2f}")
        cells.append(f"{row.median / row.size**2 * 1e6:.2f}")
        if row.way in PEERS:
            cells += ["", ""]
        else:
            operations = per_pixel * row.size**2
            # Each run beside the rate at its own time: that of the machine changes between runs.
            pairs = zip(row.seconds, row.multiply_rate, strict=True)
            share = statistics.median(operations / (seconds * rate) for seconds, rate in pairs)
            cells += [f"{operations / row.median / 1e9:.0f}", f"{share:.0%}"]
        cells.append(f"{max(row.peak_bytes) / 1e9:.2f}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def picture(rows: list[Row], path: Path) -> None:
    """Draw seconds and memory over the size of the image."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    most = max(row.threads for row in rows)
    for name in dict.fromkeys(row.way for row in rows):
        mine = [row for row in rows if row.way == name and row.threads == most]
        sizes = [row.size for row in mine]
        style = {"marker": "o", "linewidth": 2.5 if name == "strips" else 1.2, "label": name}
        left.loglog(sizes, [row.median for row in mine], base=2, **style)
        right.loglog(sizes, [max(row.peak_bytes) / 1e9 for row in mine], base=2, **style)
    left.set(ylabel="seconds")
    right.set(ylabel="peak memory over idle, GB")
    for axis in (left, right):
        ticks = sorted({row.size for row in rows})
        axis.set(xlabel="side length, pixels")
        axis.set_xticks(ticks, [str(tick) for tick in ticks])
        axis.grid(alpha=0.3)
    left.legend(fontsize=7)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512, 1024, 2048])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, torch.get_num_threads()])
    parser.add_argument("--repeats", type=int, default=3, help="rounds; the median is told")
    parser.add_argument("--warm", action="store_true", help="each run after one on its size")
    parser.add_argument("--variant", default="tiny")
    parser.add_argument("--only", nargs="+", help="names of ways, or their beginnings")
    parser.add_argument("--name", default="inference", help="of the files in benchmarks/results")
    parser.add_argument(
        "--add", action="store_true", help="to the rows that are there already, of this machine"
    )
    options = parser.parse_args()

    chosen = [
        way
        for way in ways()
        if not options.only or any(way.name.startswith(start) for start in options.only)
    ]
    arguments = ["--variant", options.variant, *(["--warm"] if options.warm else [])]
    rows: dict[tuple[str, int, int], Row] = {}
    path = RESULTS / f"{options.name}.json"
    machine = {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "system": platform.platform(terse=True),
        "torch": torch.__version__,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
    }
    if options.add and path.is_file():
        there = json.loads(path.read_text())
        for what, ours in (("machine", machine), ("variant", options.variant)):
            if there[what] != ours:
                raise SystemExit(
                    f"The rows in '{path.name}' are of another {what}: {there[what]}, not {ours}; "
                    "ratios of two are no ratios. Leave --add out, or give another --name."
                )
        for fields in there["rows"]:
            row = Row(**fields)
            rows[row.way, row.size, row.threads] = row
    for threads in sorted(set(options.threads)):
        for size in options.sizes:
            for _ in range(options.repeats):
                for way in chosen:
                    found = measured(way, size, threads, arguments)
                    if found is None:
                        continue
                    empty = Row(way.name, size, threads, [], [], [], [])
                    row = rows.setdefault((way.name, size, threads), empty)
                    row.seconds += found["seconds"]  # type: ignore[operator]
                    row.processor_seconds += found["processor_seconds"]  # type: ignore[operator]
                    row.peak_bytes.append(found["peak_bytes"])  # type: ignore[arg-type]
                    row.multiply_rate.append(found["multiply_rate"])  # type: ignore[arg-type]
    if not rows:
        raise SystemExit("Nothing was measured; see the reasons above.")
    per_pixel = operations(options.variant)
    listed = sorted(rows.values(), key=lambda row: (row.threads, row.size))
    text = table(listed, per_pixel)
    print(text)
    RESULTS.mkdir(exist_ok=True)
    content = {
        "variant": options.variant,
        "machine": machine,
        "operations_per_pixel": per_pixel,
        "rows": [asdict(row) for row in listed],
    }
    path.write_text(json.dumps(content, indent=1) + "\n")
    path.with_suffix(".md").write_text(text + "\n")
    if importlib.util.find_spec("matplotlib"):
        picture(listed, path.with_suffix(".png"))


if __name__ == "__main__":
    main()
