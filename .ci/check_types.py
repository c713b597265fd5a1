"""Check the types of both source trees at once: ``python .ci/check_types.py [mypy options]``.

mypy finds modules by folders and cannot know that training/ is installed as napari_anyir.training.
So both trees are linked into one temporary package, laid out as it is installed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]


def main(options: list[str]) -> int:
    """Run mypy over the joined tree and return its exit status."""
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "napari_anyir"
        package.mkdir()
        for source in (TOP / "src" / "napari_anyir").iterdir():
            (package / source.name).symlink_to(source)
        (package / "training").symlink_to(TOP / "training")
        command = [sys.executable, "-m", "mypy", "--config-file", str(TOP / "pyproject.toml")]
        command += ["--cache-dir", str(TOP / ".mypy_cache" / "both"), "-p", "napari_anyir"]
        return subprocess.run(
            command + options, cwd=folder, env={**os.environ, "MYPYPATH": folder}, check=False
        ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
