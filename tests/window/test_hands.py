"""A new user's path by mouse and keyboard, with a window manager: open, restore, compare, save."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NEEDED = ("Xvfb", "openbox", "xdotool", "import")  # the last is ImageMagick's
MOST_CLICKS = 12

pytestmark = [
    pytest.mark.window,
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(map(shutil.which, NEEDED)), reason=f"needs the programs {', '.join(NEEDED)}"
    ),
]


@pytest.mark.parametrize(("size", "theme"), [("1366x768", "dark"), ("1920x1080", "light")])
def test_a_new_user_gets_a_restored_file(size: str, theme: str, tmp_path: Path) -> None:
    command = [sys.executable, str(HERE / "hands.py"), "--folder", str(tmp_path)]
    done = subprocess.run(
        [*command, "--size", size, "--theme", theme], capture_output=True, text=True, timeout=900
    )
    told = f"{done.stdout}\n{done.stderr}\n{(tmp_path / 'napari.log').read_text()[-3000:]}"
    assert done.returncode == 0, told
    clicks = [int(line.split(": ")[1].split()[0]) for line in done.stdout.splitlines()]
    assert len(clicks) == 6, told
    assert sum(clicks) <= MOST_CLICKS, told
