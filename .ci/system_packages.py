"""Name the Debian packages that a napari window needs and that this machine lacks.

Run by any Python, before anything is installed. Prints the missing packages on one line, for
``apt-get install``; with ``--explain`` it prints a sentence for a person instead and exits with
status 1 if something is missing.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sys

# Qt's xcb plugin names only xcb-cursor when any of these is missing, so each is tried by itself.
LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libfontconfig.so.1": "libfontconfig1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}
COMMANDS = {"xvfb-run": "xvfb", "xauth": "xauth"}


def missing_packages() -> list[str]:
    """Return the Debian packages to install, none on a system other than Linux."""
    if not sys.platform.startswith("linux"):
        return []
    missing = []
    for library, package in LIBRARIES.items():
        try:
            ctypes.CDLL(library)
        except OSError:
            missing.append(package)
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        missing += [package for name, package in COMMANDS.items() if not shutil.which(name)]
    return missing


if __name__ == "__main__":
    packages = missing_packages()
    if "--explain" not in sys.argv[1:]:
        print(*packages)
    elif packages:
        sys.exit(
            "A napari window needs system packages that are not installed: on Debian and Ubuntu, "
            f"'sudo apt install {' '.join(packages)}'."
        )
