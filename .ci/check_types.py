"""Check the types of both source trees at once: ``python .ci/check_types.py [mypy options]``."""

from __future__ import annotations

import os
import subprocess
import sys

from joined_tree import TOP, joined_tree


def main(options: list[str]) -> int:
    """Run mypy over the joined tree and return its exit status."""
    with joined_tree() as folder:
        command = [sys.executable, "-m", "mypy", "--config-file", str(TOP / "pyproject.toml")]
        command += ["--cache-dir", str(TOP / ".mypy_cache" / "both"), "-p", "napari_anyir"]
        environment = {**os.environ, "MYPYPATH": str(folder)}
        return subprocess.run(
            command + options, cwd=folder, env=environment, check=False
        ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
