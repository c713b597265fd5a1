"""Run tests, measure which lines and branches they reach, and hold rooms to what they had.

``python .ci/check_coverage.py [pytest options]``; by default all tests. Where options
name folders, such as tests/model, the rooms of these are held to their floors, otherwise all rooms
that have one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]

FLOORS = {
    "analysis": 92,
    "cli": 86,
    "degradations": 99,
    "files": 88,
    "inference": 97,
    "model": 98,
    "samples": 99,
    "training": 94,
    "weights": 72,
    "widgets": 92,
}
"""Percent of lines and branches together, rounded down, that the room's own tests reach, without
those that take more than some seconds.

That of the weights is low where the extras `export` and `spandrel` are not installed. A room that
is measured anew gets its number here; a floor that falls needs a reason in the commit.
"""


def main(options: list[str]) -> int:
    """Measure, print a table, and return 1 if a room fell below its floor."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "COVERAGE_FILE": str(Path(folder) / "coverage")}
        command = [sys.executable, str(TOP / ".ci" / "run_tests.py"), "--cov", "--cov-report="]
        status = subprocess.run(
            [*command, *options], cwd=TOP, env=environment, check=False
        ).returncode
        if status:
            return status
        report = [sys.executable, "-m", "coverage", "report"]
        subprocess.run([*report, "--skip-covered"], cwd=TOP, env=environment, check=False)
        for room, floor in FLOORS.items():
            if options and f"tests/{room}" not in options:
                continue
            held = subprocess.run(
                [*report, f"--include=*/napari_anyir/{room}/*", f"--fail-under={floor}"],
                cwd=TOP, env=environment, check=False, capture_output=True, text=True,
            )  # fmt: skip
            total = next(line for line in held.stdout.splitlines() if line.startswith("TOTAL"))
            print(f"{room}: {total.split()[-1]}, and the floor is {floor}%")
            status = status or held.returncode
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
