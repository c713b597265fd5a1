"""Run pytest: ``python .ci/run_tests.py [pytest options]``.

The pytest plugins of napari and Qt end the whole run where Qt's system libraries are missing,
before a test could be skipped. So they are left out where they cannot be imported;
tests/conftest.py does the rest.
"""

from __future__ import annotations

import subprocess
import sys


def importable() -> bool:
    """Tell whether napari and Qt can be imported; in a process of its own, which Qt may end."""
    code = "import napari.utils._testsupport; from qtpy.QtWidgets import QApplication"
    return (
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode
        == 0
    )


if __name__ == "__main__":
    without = [] if importable() else ["-p", "no:napari", "-p", "no:pytest-qt"]
    command = [sys.executable, "-X", "faulthandler", "-m", "pytest", *without, *sys.argv[1:]]
    sys.exit(subprocess.run(command, check=False).returncode)
