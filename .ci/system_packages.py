"""Name, or install, the Debian packages that this machine lacks.

Run by any Python, before anything else is installed::

    python3 .ci/system_packages.py window            # says what a napari window lacks
    python3 .ci/system_packages.py window --install  # installs it, as root or by a silent sudo
    python3 .ci/system_packages.py venv --install    # the same for Python's venv module

What is missing in the end is said in one sentence; without ``venv`` nothing can go on, so the exit
status is 1, while tests that need a window can be skipped.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import subprocess
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
NEEDED_BY = {"window": "A napari window", "venv": "A virtual environment"}


def missing_packages(what: str) -> list[str]:
    """Return the Debian packages to install, none on a system other than Linux."""
    if not sys.platform.startswith("linux"):
        return []
    if what == "venv":  # a Python from elsewhere brings its own, Debian's has it in a package
        found = all(importlib.util.find_spec(name) for name in ("ensurepip", "venv"))
        return [] if found else ["python3-venv"]
    missing = []
    for library, package in LIBRARIES.items():
        try:
            ctypes.CDLL(library)
        except OSError:
            missing.append(package)
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        missing += [package for name, package in COMMANDS.items() if not shutil.which(name)]
    return missing


def rights() -> list[str] | None:
    """Return what to put before a command that only root may run, None if nothing serves."""
    if os.geteuid() == 0:
        return []
    if not shutil.which("sudo"):
        return None
    asked = subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False)
    return ["sudo", "-n"] if asked.returncode == 0 else None


def install(packages: list[str]) -> None:
    """Install packages where apt-get is and may be used; a failure is its own words on stderr."""
    before = rights() if shutil.which("apt-get") else None
    if before is None:
        return
    print("Installing", *packages, flush=True)
    quiet = [*before, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    subprocess.run([*quiet, "update"], check=False)
    subprocess.run(
        [*quiet, "-y", "--no-install-recommends", "install", *packages],
        stdout=subprocess.DEVNULL,
        check=False,
    )


def main(arguments: list[str]) -> int:
    """Do what the head of this file says and return the exit status."""
    what = next((word for word in arguments if word in NEEDED_BY), "window")
    packages = missing_packages(what)
    if packages and "--install" in arguments:
        install(packages)
        packages = missing_packages(what)
    if packages:
        print(
            f"{NEEDED_BY[what]} needs system packages that are not installed: on Debian and "
            f"Ubuntu, 'sudo apt install {' '.join(packages)}'."
        )
    return 1 if packages and what == "venv" else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
