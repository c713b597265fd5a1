"""A short round of the fuzz; the long ones are run by hand, see fuzz_round.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no alarms there")
def test_mutated_files_are_read_or_refused_in_one_sentence() -> None:
    for needed in ("zarr", "yaml", "pydantic"):
        pytest.importorskip(needed)
    program = Path(__file__).with_name("fuzz_round.py")
    done = subprocess.run(
        [sys.executable, program, "--count", "300"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
