"""Check who imports whom, in both source trees: ``python .ci/check_imports.py [options]``.

The contracts stand in pyproject.toml, under [tool.importlinter]; options are those of lint-imports.
"""

from __future__ import annotations

import os
import subprocess
import sys

from joined_tree import TOP, joined_tree


def main(options: list[str]) -> int:
    """Run import-linter over the joined tree and return its exit status."""
    with joined_tree() as folder:
        (folder / "pyproject.toml").symlink_to(TOP / "pyproject.toml")
        code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
        environment = {**os.environ, "PYTHONPATH": str(folder)}
        return subprocess.run(
            [sys.executable, "-c", code, "--no-cache", *options],
            cwd=folder,
            env=environment,
            check=False,
        ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
