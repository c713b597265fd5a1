"""Mutate files and open them: ``python tests/fuzz/fuzz_round.py --count 20000 --seed 0``.

Each file must be read, or refused in one sentence by an error of ours, within five seconds of work
and two gigabytes, and nothing may be written. What breaks a rule is kept in ``--keep``, with its
number.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from mutators import edit_json, mutated
from seeds import files, zarrs

from napari_anyir import ImageFileError, ModelError, load_model
from napari_anyir.files import read_image
from napari_anyir.files.run_log import RunLog
from napari_anyir.weights import ModelCard

SECONDS = 5
MEMORY = 2 * 2**30


class _Hang(BaseException):
    """More than five seconds were worked, or five minutes waited; no handler of ours catches it."""


def _late(*_: object) -> None:
    raise _Hang


def _limit_memory() -> None:
    """Let no more than two gigabytes be asked for beyond what the libraries took."""
    try:
        import resource

        lines = Path("/proc/self/status").read_text().splitlines()
        size = next(int(line.split()[1]) for line in lines if line.startswith("VmSize")) * 1024
        resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY,) * 2)
    except (ImportError, OSError, ValueError, StopIteration):
        pass


def _touch(path: Path, random: np.random.Generator) -> None:
    """Open a file as the product does, and look at its pixels."""
    name = path.name
    if name.endswith(".card.json"):
        ModelCard.read(path)
    elif name.endswith((".safetensors", ".pt")):
        load_model(path)
    elif name.endswith(".yaml"):
        from napari_anyir.training.config_files import read_config

        read_config(path)
    elif name.endswith(".jsonl"):
        RunLog(path.parent).outputs()
    else:
        image = read_image(path, lazy_above=0 if random.random() < 0.3 else 2**28)
        array: Any = image.array
        if not image.is_lazy:
            return
        first = array.blocks[(0,) * array.ndim]
        last = array.blocks[(-1,) * array.ndim]
        for block in (array,) if array.nbytes < 2**26 and array.npartitions < 64 else (first, last):
            block.compute(scheduler="synchronous")


def _verdict(path: Path, random: np.random.Generator) -> tuple[str, str]:
    """What became of a file, and why."""
    # Of processor time, because of machines that are busy with other things.
    for number, timer, seconds in (
        (signal.SIGPROF, signal.ITIMER_PROF, SECONDS),
        (signal.SIGALRM, signal.ITIMER_REAL, 60 * SECONDS),
    ):
        signal.signal(number, _late)
        signal.setitimer(timer, seconds)
    try:
        _touch(path, random)
    except _Hang:
        return "hang", ""
    except (ImageFileError, ModelError, ValueError, FileNotFoundError) as error:
        text = str(error)
        ours = isinstance(error, ImageFileError | ModelError) or path.suffix in (".yaml", ".jsonl")
        whole = (
            text.rstrip().endswith((".", '"', "'", "?")) and "\n" not in text and len(text) < 1500
        )
        if "emory does not suffice" in text:
            return "memory", text
        if not ours:
            return "escape", f"{type(error).__name__}: {text}"
        return ("refused", text) if whole else ("cryptic", text)
    except Exception as error:  # noqa: BLE001 - the fault that is looked for
        return "escape", f"{type(error).__name__}: {error}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
    return "read", ""


def fuzz(count: int, seed: int, *, first: int = 0, keep: Path | None = None) -> Counter[str]:
    """Mutate and open files.

    Parameters
    ----------
    count, seed, first : int
        How many, from which seed, and the number of the first.
    keep : Path, optional
        Folder for the files that break a rule.

    Returns
    -------
    Counter
        Verdict to number of files.
    """
    warnings.simplefilter("ignore")
    found: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        whole = place / "whole"
        whole.mkdir()
        singles, folders = files(whole), zarrs(whole)
        work = place / "work"
        for number in range(first, first + count):
            random = np.random.default_rng((seed, number))
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
            if random.random() < 0.25:
                source = folders[int(random.integers(len(folders)))]
                path = work / source.name
                shutil.copytree(source, path)
                inner = sorted(p for p in path.rglob("*") if p.is_file())
                for _ in range(int(random.integers(1, 3))):
                    chosen = inner[int(random.integers(len(inner)))]
                    data = chosen.read_bytes()
                    if chosen.name in (".zarray", ".zattrs", ".zgroup", "zarr.json"):
                        data = mutated(data, random, (edit_json,) * 4)
                    else:
                        data = mutated(data, random)
                    chosen.write_bytes(data)
            else:
                suffix, data, special = singles[int(random.integers(len(singles)))]
                path = work / ("anyir-log.jsonl" if suffix == ".jsonl" else f"a{suffix}")
                path.write_bytes(mutated(data, random, special))
            before = sorted(p for p in work.rglob("*"))
            start = time.monotonic()
            verdict, said = _verdict(path, random)
            if sorted(p for p in work.rglob("*")) != before:
                verdict, said = "written", str(path)
            found[verdict] += 1
            if number % 1000 == 999:
                print(number + 1, dict(found), flush=True)
            if verdict not in ("read", "refused"):
                kept = ""
                if keep is not None:
                    keep.mkdir(parents=True, exist_ok=True)
                    kept = str(keep / f"{verdict}-{number}")
                    shutil.copytree(work, kept, dirs_exist_ok=True)
                spent = time.monotonic() - start
                print(
                    f"{verdict} {number} {path.name} {spent:.1f}s {said[:200]} {kept}", flush=True
                )
    return found


def main() -> int:
    """Run a round and print its sums; exit status 1 if a rule was broken."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--count", type=int, default=200)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--first", type=int, default=0)
    options.add_argument("--keep", type=Path)
    chosen = options.parse_args()
    os.environ.setdefault("NAPARI_ANYIR_MODELS", tempfile.mkdtemp())
    fuzz(3, chosen.seed)  # what is imported late is imported now, and counts for no file
    _limit_memory()
    found = fuzz(chosen.count, chosen.seed, first=chosen.first, keep=chosen.keep)
    print(dict(found), flush=True)
    return int(bool(set(found) - {"read", "refused"}))


if __name__ == "__main__":
    sys.exit(main())
